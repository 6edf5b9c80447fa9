//! The volume group (VG): its descriptor, who holds copies of it, the allocator, and the map from logical to physical
//! extents.

mod alloc;
mod descriptor;
mod encode;
mod free_map;
mod name;
mod pv_range;
mod save;
mod segment;
mod validate;
mod volume_extents;

pub use alloc::{AllocError, AllocPlan, AllocRequest, allocate, join, whole_rows};
pub use descriptor::{AllocPolicy, Descriptor, Fork, Hash, LvKind, LvRecord, MetadataCopy, PvRecord, Removal};
pub use encode::{CodecError, HARD_LIMIT, SOFT_LIMIT};
pub use free_map::{FreeMap, PeRange, PvFree};
pub use name::{LvName, NameError, Tag, VgName};
pub use pv_range::{PvArg, PvArgError, PvRange};
pub use segment::{Segment, SegmentKind, StripeLeg};
pub use validate::Fault;
pub use volume_extents::{PvSlot, VolumeExtents};
