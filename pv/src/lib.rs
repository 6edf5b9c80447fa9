//! One physical volume (PV): a SQLite file that holds numbered, fixed-size physical extents.
//!
//! This crate knows one file at a time: its label, the opaque volume group descriptor copies it carries, one owner row
//! per family, and extent rows. It knows neither volume groups nor filesystems.
//!
//! The seam of the whole storage stack is [`ExtentStore`]; [`Env`] carries the doors to everything outside the
//! process (files that are not SQLite's, clocks, threads), so that a test can replace them.

mod checksum;
mod env;
mod error;
mod extent;
mod id;
mod size;
mod store;

pub use checksum::{BLOCK, block_sum, block_sums, row_sum};
pub use env::{Clock, Env, FileId, Host, HostLock, HostSpace, SystemClock};
pub use error::{PvError, Result};
pub use extent::{ExtentHeader, FreshExtent, TocEntry, decode_toc, encode_toc};
pub use id::{FamilyUuid, LvUuid, ParseUuidError, PvUuid, VgUuid};
pub use size::{Bytes, Epoch, ExtentSize, FlushNo, LeCount, LeIndex, PeCount, PeIndex, Seqno, SliceId, Txg};
pub use store::{ExtentBatch, ExtentStore, FoundExtent, OwnerRow, ReadMode, StoreSpace};
