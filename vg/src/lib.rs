//! The volume group (VG): its descriptor, who holds copies of it, the allocator, and the map from logical to physical
//! extents.

#![forbid(unsafe_code)]

mod alloc;
mod archive;
mod change;
mod descriptor;
mod encode;
mod error;
mod free_map;
mod group;
mod lock;
mod lv_ops;
mod lv_remove;
mod metadata_copies;
mod missing;
mod name;
mod notice;
mod pool;
mod protocol;
mod pv_range;
mod quorum;
mod replica;
mod room;
#[cfg(test)]
mod sample;
mod save;
mod scan;
mod segment;
mod unopened;
mod validate;
mod vg_ops;
mod volume_extents;

pub use alloc::{AllocError, AllocPlan, AllocRequest, allocate, join, whole_rows};
pub use descriptor::{AllocPolicy, Descriptor, Fork, Hash, LvKind, LvRecord, MetadataCopy, PvRecord, Removal};
pub use encode::{CodecError, HARD_LIMIT, SOFT_LIMIT};
pub use error::{Result, VgError};
pub use free_map::{FreeMap, PeRange, PvFree};
pub use group::{Member, VolumeGroup};
pub use lock::VgLock;
pub use lv_ops::{HookError, LvExtension, LvRequest};
pub use metadata_copies::CopiesPlan;
pub use name::{LvName, NameError, Tag, VgName};
pub use notice::Notice;
pub use pool::{OpenOptions, PoolFiles};
pub use pv_range::{PvArg, PvArgError, PvRange};
pub use quorum::{Choice, Generation, Replica, Undecided, choose};
pub use scan::{InterruptedPv, Scan, ScannedPv, scan};
pub use segment::{Segment, SegmentKind, StripeLeg};
pub use validate::Fault;
pub use vg_ops::VgOptions;
pub use volume_extents::{PvSlot, VolumeExtents};
