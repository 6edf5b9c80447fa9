//! The volume group (VG): its descriptor, who holds copies of it, the allocator, and the map from logical to physical
//! extents.

mod segment;
mod volume_extents;

pub use segment::{Segment, SegmentKind, StripeLeg};
pub use volume_extents::{PvSlot, VolumeExtents};
