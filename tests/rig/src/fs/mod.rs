//! What the engine promises, in a model: operations, what they lead to, and which states may follow a crash.

mod fits;
mod generate;
mod history;
mod op;
mod snapshot;

pub use generate::{Generator, Mix};
pub use history::History;
pub use op::{FsOp, Outcome, Place, apply};
pub(crate) use op::{Together, bytes};
pub use snapshot::Snapshot;
pub(crate) use snapshot::made;
