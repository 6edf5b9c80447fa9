//! The extents of one activated LV: which PV and PE each LE lies on, and the stores behind them.

use std::path::PathBuf;
use std::sync::Arc;

use pv::{ExtentSize, ExtentStore, FamilyUuid, LeCount, LeIndex, LvUuid, PvUuid};

use crate::{Segment, StripeLeg};

/// A PV as an LV sees it.
#[derive(Debug, Clone)]
pub struct PvSlot {
    /// Its identity.
    pub uuid: PvUuid,
    /// The file (or where it was last seen).
    pub path: PathBuf,
    /// Its extents; `None` while the PV is missing.
    pub store: Option<Arc<dyn ExtentStore>>,
}

/// Map 2 of an LV (LE -> PE) with the stores that hold the extents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct VolumeExtents {
    /// The LV.
    pub lv: LvUuid,
    /// Its family.
    pub family: FamilyUuid,
    /// Bytes per extent.
    pub extent_size: ExtentSize,
    /// Ordered, gapless segments.
    pub segments: Arc<[Segment]>,
    /// The PVs that the segments name.
    pub pvs: Arc<[PvSlot]>,
}

impl VolumeExtents {
    /// Number of logical extents.
    pub fn count(&self) -> LeCount {
        LeCount(self.segments.last().and_then(Segment::end).map_or(0, |end| end.0))
    }

    /// The places of `le`, one per mirror leg; empty past the end. O(log segments).
    pub fn places(&self, le: LeIndex) -> Vec<StripeLeg> {
        let at = self.segments.partition_point(|segment| segment.end().is_some_and(|end| end <= le));
        self.segments.get(at).map(|segment| segment.places(le)).unwrap_or_default()
    }

    /// The PV with this uuid.
    pub fn pv(&self, uuid: PvUuid) -> Option<&PvSlot> {
        self.pvs.iter().find(|slot| slot.uuid == uuid)
    }
}
