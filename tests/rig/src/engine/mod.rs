//! The real engine on a disk in memory, or on real files: pools, weakened parts, explorations.

mod pool;
mod run;
mod weak;

pub use pool::{Pool, Shape};
pub use run::{Run, Workload};
pub use weak::Weakness;
