//! The filesystem of a logical volume (LV): names, inodes and file contents over the extents of a volume group.
//!
//! [`Volume`] is the inode-level core. Data is written log-structured into fresh extents, metadata lives in a SQLite
//! file (the catalogue), and transaction groups tie the two together: a commit never names bytes that are not durable.

#![forbid(unsafe_code)]

mod attr;
mod catalogue;
mod check;
mod engine;
mod error;
mod fs;
mod limits;
mod meter;
mod path;
mod volume;

pub use attr::{
    AccessTime, Attr, DirEntry, HeldLock, Ino, Kind, LockKind, LockOwner, LockScope, Nanos, NewNode, Rename, Seek,
    SetAttr, SetXattr, StatFs, Usage,
};
pub use catalogue::{CopyPlace, create_catalogue};
pub use check::{CheckOptions, CheckReport, Checked, Finding, Object, check, check_copy};
pub use engine::{Quota, Rule, TestSwitches, VolumeOptions, hidden_reserve};
pub use error::{LvError, Result};
pub use fs::{Filesystem, Reader, Writer};
pub use meter::{Meters, PvMeters, Timings};
pub use path::Parent;
pub use volume::{Transaction, Volume, VolumeNotice, Work};
