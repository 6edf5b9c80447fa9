//! The real engine on a disk in memory, or on real files: pools, weakened parts, explorations.

mod kill;
mod pool;
mod run;
mod weak;

pub use kill::{KillLoop, work_until_killed};
pub use pool::{Pool, Shape};
pub use run::{Run, Workload};
pub use weak::Weakness;
