//! The real engine on a disk in memory, or on real files: pools, weakened parts, explorations.

mod claims;
mod copies;
mod descriptor;
mod group;
mod pool;
mod run;
mod seq;
mod seq_op;
mod step;
mod weak;
mod weak_store;
mod workload;

pub(crate) use claims::every_extent_is_its_owners;
pub use descriptor::{Descriptor, VgOp, VgTold};
pub(crate) use group::check_volume;
pub use pool::{Pool, Shape};
pub use run::Run;
pub use seq::{Sequences, SequencesReport};
pub use step::{Step, Told};
pub use weak::Weakness;
pub use workload::Workload;
