//! The extents that nothing claims, per PV. Always derived from a descriptor, never stored.
//!
//! Invariants: ranges are sorted, apart from each other by at least one extent, not empty, and inside their PV.

use std::collections::BTreeMap;

use pv::{PeCount, PeIndex, PvUuid};

use crate::Descriptor;

/// A run of physical extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeRange {
    /// The first.
    pub start: PeIndex,
    /// How many.
    pub count: PeCount,
}

impl PeRange {
    /// The run of `count` extents from `start`.
    pub const fn new(start: u32, count: u32) -> Self {
        Self { start: PeIndex(start), count: PeCount(count) }
    }

    /// One past the last, capped at the largest number.
    pub fn end(&self) -> u32 {
        self.start.0.saturating_add(self.count.0)
    }

    /// What both have in common.
    pub fn overlap(&self, other: &Self) -> Option<Self> {
        let start = self.start.max(other.start);
        let count = self.end().min(other.end()).checked_sub(start.0).filter(|count| *count > 0)?;
        Some(Self { start, count: PeCount(count) })
    }
}

/// Free extents of one PV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvFree {
    /// The PV.
    pub uuid: PvUuid,
    /// Its extents in all.
    pub pe_count: PeCount,
    /// New extents may be taken from it: it is allocatable and not missing.
    pub usable: bool,
    ranges: Vec<PeRange>,
}

impl PvFree {
    /// The free ranges, in order.
    pub fn ranges(&self) -> &[PeRange] {
        &self.ranges
    }

    /// Free extents.
    pub fn free(&self) -> PeCount {
        PeCount(self.ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count.0)))
    }
}

/// Free extents of a VG, PVs in the VG's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FreeMap {
    pvs: Vec<PvFree>,
}

impl FreeMap {
    /// The free extents of a valid descriptor. O(n log n) in segments.
    pub fn of(descriptor: &Descriptor) -> Self {
        let mut claims: BTreeMap<PvUuid, Vec<PeRange>> = BTreeMap::new();
        for claim in descriptor.claims() {
            claims.entry(claim.pv).or_default().push(PeRange { start: claim.start, count: claim.count });
        }
        let free = |pv: &crate::PvRecord| {
            let mut used = claims.remove(&pv.uuid).unwrap_or_default();
            used.sort_unstable();
            PvFree {
                uuid: pv.uuid,
                pe_count: pv.pe_count,
                usable: pv.allocatable && !pv.missing,
                ranges: gaps(&used, pv.pe_count),
            }
        };
        Self { pvs: descriptor.pvs.iter().map(free).collect() }
    }

    /// The PVs.
    pub fn pvs(&self) -> &[PvFree] {
        &self.pvs
    }

    /// The PV with that uuid.
    pub fn pv(&self, uuid: PvUuid) -> Option<&PvFree> {
        self.pvs.iter().find(|pv| pv.uuid == uuid)
    }

    /// Free extents on all PVs that new ones may be taken from.
    pub fn usable(&self) -> u64 {
        self.pvs.iter().filter(|pv| pv.usable).map(|pv| u64::from(pv.free().0)).sum()
    }

    /// Free extents on all PVs.
    pub fn free(&self) -> u64 {
        self.pvs.iter().map(|pv| u64::from(pv.free().0)).sum()
    }

    /// Takes `range` of `pv`; `false`, and nothing taken, unless all of it was free.
    pub fn take(&mut self, pv: PvUuid, range: PeRange) -> bool {
        let Some(slot) = self.pvs.iter_mut().find(|slot| slot.uuid == pv) else { return false };
        let fits = |free: &PeRange| free.overlap(&range) == Some(range);
        let Some(at) = slot.ranges.iter().position(fits) else { return false };
        let Some(free) = slot.ranges.get(at).copied() else { return false };
        let before = PeRange::new(free.start.0, range.start.0.saturating_sub(free.start.0));
        let after = PeRange::new(range.end(), free.end().saturating_sub(range.end()));
        slot.ranges.splice(at..=at, [before, after].into_iter().filter(|part| part.count.0 > 0));
        true
    }
}

fn gaps(used: &[PeRange], size: PeCount) -> Vec<PeRange> {
    let mut out = Vec::new();
    let mut from = 0;
    for range in used.iter().chain([&PeRange::new(size.0, 0)]) {
        if let Some(count) = range.start.0.checked_sub(from).filter(|count| *count > 0) {
            out.push(PeRange::new(from, count));
        }
        from = from.max(range.end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_splits_ranges_and_refuses_what_is_not_free() {
        let uuid = PvUuid::from_bytes([1; 16]);
        let ranges = gaps(&[PeRange::new(3, 2), PeRange::new(5, 1)], PeCount(10));
        assert_eq!(ranges, [PeRange::new(0, 3), PeRange::new(6, 4)]);
        let mut map = FreeMap { pvs: vec![PvFree { uuid, pe_count: PeCount(10), usable: true, ranges }] };
        assert!(!map.take(uuid, PeRange::new(2, 2)));
        assert!(map.take(uuid, PeRange::new(7, 1)));
        assert!(!map.take(uuid, PeRange::new(7, 1)));
        assert_eq!(map.pvs[0].ranges(), [PeRange::new(0, 3), PeRange::new(6, 1), PeRange::new(8, 2)]);
        assert_eq!(map.free(), 6);
        assert!(map.take(uuid, PeRange::new(0, 3)));
        assert!(!map.take(PvUuid::from_bytes([2; 16]), PeRange::new(0, 1)));
    }
}
