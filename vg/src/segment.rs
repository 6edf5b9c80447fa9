//! Segments: how a run of logical extents (LE) lies on physical extents (PE).

use pv::{LeCount, LeIndex, PeCount, PeIndex, PvUuid};

use crate::descriptor::Claim;

/// Where one stripe or mirror leg of a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StripeLeg {
    /// The PV.
    pub pv: PvUuid,
    /// Its first PE.
    pub pe: PeIndex,
}

/// Layout of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SegmentKind {
    /// Consecutive PEs of one PV.
    Linear(StripeLeg),
    /// LEs dealt to the legs in turn; a stripe unit is one extent.
    Striped(Vec<StripeLeg>),
    /// Every LE on every leg.
    Raid1(Vec<StripeLeg>),
}

/// A run of logical extents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// First LE.
    pub start: LeIndex,
    /// Number of LEs, at least 1; a multiple of the number of stripes.
    pub count: LeCount,
    /// Where they lie.
    pub kind: SegmentKind,
}

impl SegmentKind {
    /// The legs, in stripe order.
    pub fn legs(&self) -> &[StripeLeg] {
        match self {
            Self::Linear(leg) => std::slice::from_ref(leg),
            Self::Striped(legs) | Self::Raid1(legs) => legs,
        }
    }
}

impl Segment {
    /// The legs, in stripe order.
    pub fn legs(&self) -> &[StripeLeg] {
        self.kind.legs()
    }

    /// PEs on each leg.
    pub fn rows(&self) -> PeCount {
        match &self.kind {
            SegmentKind::Linear(_) | SegmentKind::Raid1(_) => PeCount(self.count.0),
            SegmentKind::Striped(legs) => {
                let width = u32::try_from(legs.len()).unwrap_or(u32::MAX);
                PeCount(self.count.0.checked_div(width).unwrap_or(0))
            }
        }
    }

    /// The PEs that the segment claims, one run per leg.
    pub(crate) fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.legs().iter().map(|leg| Claim { pv: leg.pv, start: leg.pe, count: self.rows() })
    }

    /// This segment and the next as one, when the next continues it in LEs and on every leg.
    pub fn joined(&self, next: &Self) -> Option<Self> {
        let rows = self.rows().0;
        let follows = |(a, b): (&StripeLeg, &StripeLeg)| a.pv == b.pv && a.pe.0.checked_add(rows) == Some(b.pe.0);
        let same = std::mem::discriminant(&self.kind) == std::mem::discriminant(&next.kind)
            && self.legs().len() == next.legs().len()
            && self.end() == Some(next.start)
            && self.legs().iter().zip(next.legs()).all(follows);
        let count = self.count.0.checked_add(next.count.0).filter(|_| same)?;
        Some(Self { start: self.start, count: LeCount(count), kind: self.kind.clone() })
    }

    /// One past the last LE, `None` on overflow (a validated descriptor never has one).
    pub fn end(&self) -> Option<LeIndex> {
        self.start.0.checked_add(self.count.0).map(LeIndex)
    }

    /// The places of `le`, one per mirror leg; empty when `le` is outside the segment.
    pub fn places(&self, le: LeIndex) -> Vec<StripeLeg> {
        let Some(offset) = le.0.checked_sub(self.start.0).filter(|o| *o < self.count.0) else {
            return Vec::new();
        };
        let at =
            |leg: &StripeLeg, by: u32| leg.pe.0.checked_add(by).map(|pe| StripeLeg { pv: leg.pv, pe: PeIndex(pe) });
        match &self.kind {
            SegmentKind::Linear(leg) => at(leg, offset).into_iter().collect(),
            SegmentKind::Striped(legs) => {
                let Some(width) = u32::try_from(legs.len()).ok().filter(|w| *w > 0) else {
                    return Vec::new();
                };
                let row = offset / width;
                let leg = usize::try_from(offset % width).ok().and_then(|i| legs.get(i));
                leg.and_then(|leg| at(leg, row)).into_iter().collect()
            }
            SegmentKind::Raid1(legs) => legs.iter().filter_map(|leg| at(leg, offset)).collect(),
        }
    }
}
