//! Faults at every operation: a workload is run again and again, and each time another operation of the disk fails.
//!
//! * [`FaultCampaign`]: all faults in order, or drawn by lot; counts out.
//! * `script`: the workloads; `stage`: the pool or volume group they run on.
//! * `run`: one run with one fault, and what every call must do under it; `judge`: what must hold afterwards, however
//!   the process ended; `text`: what an error must say.

mod campaign;
mod judge;
mod run;
mod script;
mod stage;
mod text;

pub use campaign::{FaultCampaign, FaultOptions, FaultReport, FaultTally};
