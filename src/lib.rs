//! An LVM-style volume manager whose disks are SQLite files.

pub use {lv, pv, vg};
