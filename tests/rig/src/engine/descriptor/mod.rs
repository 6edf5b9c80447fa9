//! The `descriptor` workload: a volume group is made, extended, reduced and renamed, volumes come, grow and go, files
//! are written between; and every crash of that is judged.

mod act;
mod generate;
mod judge;
mod op;
mod run;

pub use op::VgOp;
pub use run::{Descriptor, VgTold};
