//! What `anyfs-lvm bench` does, for programs that compare more filesystems with ours.
//!
//! [`LvMaker`] lets volumes take part in the works of `anyfs_lvm_measure`; the extras measure what only a pool has:
//! two owners of one pool, opening after a crash, memory. [`Report`] is what came out, as a table and as JSON.

mod child;
mod curve;
mod extras;
mod guard;
mod json;
mod lv;
mod pool;
mod report;
mod table;

pub use anyfs_lvm::pv::chain;
pub use child::{Role, child};
pub use curve::{Curve, CurveKind, Curves, Line, curve};
pub use extras::{Child, extras};
pub use guard::{GUARDS, guard};
pub use lv::{Existing, LvMaker};
pub use measure;
pub use pool::{PoolSpec, Shape};
pub use report::{OURS, Report, Settings};
pub use table::{Paint, number, table};
