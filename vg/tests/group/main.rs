//! Volume groups of real PV files.

mod cases;
