//! One physical volume (PV): a SQLite file that holds numbered, fixed-size physical extents.
//!
//! This crate knows one file at a time: its label, the opaque volume group descriptor copies it carries, one owner row
//! per family, and extent rows. It knows neither volume groups nor filesystems.
//!
//! The seam of the whole storage stack is [`ExtentStore`]; [`Env`] carries the doors to everything outside the
//! process (files that are not SQLite's, clocks, threads), so that a test can replace them.

mod change;
mod checksum;
#[cfg(any(test, feature = "test-util"))]
pub mod conformance;
mod create;
mod descriptor;
mod env;
mod error;
mod extent;
#[cfg(any(test, feature = "test-util"))]
mod fault;
mod format;
mod holder;
mod host;
mod id;
mod label;
mod lock;
mod mem;
mod part;
mod size;
pub mod sqlite;
mod sqlite_store;
mod store;
pub mod units;
mod volume;

pub use change::ChangeGuard;
pub use checksum::{BLOCK, block_sum, block_sums, row_sum};
pub use create::PvOptions;
pub use descriptor::{DescriptorCopy, Descriptors, GENERATIONS, MAX_DESCRIPTOR};
pub use env::{Clock, Env, FileId, Host, HostLock, HostSpace, SystemClock};
pub use error::{PvError, Result, chain, disk_failed, hint_of};
pub use extent::{ExtentHeader, FreshExtent, TocEntry, decode_toc, encode_toc};
#[cfg(any(test, feature = "test-util"))]
pub use fault::{Fault, FaultCounts, FaultKind, FaultOp, FaultStore};
pub use format::{PV_SCHEMA, PV_TUNING};
pub use holder::{Holder, ProcessState};
pub use host::RealHost;
pub use id::{FamilyUuid, LvUuid, ParseUuidError, PvUuid, VgUuid};
pub use label::{Features, Label, Membership};
pub use lock::{refuse_linked_folder, side_folder};
pub use mem::MemStore;
pub use part::Part;
pub use size::{Bytes, Epoch, ExtentSize, FlushNo, LeCount, LeIndex, PeCount, PeIndex, Seqno, SliceId, Txg};
pub use sqlite::Access;
pub use sqlite_store::SqliteStore;
pub use store::{ExtentBatch, ExtentContents, ExtentStore, FoundExtent, ListedExtent, OwnerRow, ReadMode, StoreSpace};
pub use volume::Pv;
