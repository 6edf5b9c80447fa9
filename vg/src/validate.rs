//! The invariants of a descriptor, each with its own fault.

use std::collections::{BTreeMap, BTreeSet};

use pv::{LvUuid, PeIndex, PvUuid};

use crate::descriptor::Claim;
use crate::{AllocPolicy, Descriptor, LvName, LvRecord, Segment, SegmentKind};

/// Most PVs in a VG.
pub(crate) const MAX_PVS: usize = 4096;
/// Most PVs that carry a copy of the descriptor.
pub(crate) const MAX_HOLDERS: usize = 7;

/// An invariant that a descriptor breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Two PVs with one uuid.
    #[error("physical volume {0} is listed twice")]
    PvTwice(PvUuid),
    /// Two LVs with one uuid.
    #[error("logical volume {0} is listed twice")]
    LvTwice(LvUuid),
    /// Two LVs with one name.
    #[error("logical volume name \"{0}\" is used twice")]
    NameTwice(LvName),
    /// Two LVs with one family.
    #[error("logical volume {0} shares its family with another")]
    FamilyTwice(LvUuid),
    /// No PV, or more than 4096.
    #[error("{0} physical volumes (1 to 4096 are possible)")]
    PvNumber(usize),
    /// No copy of the descriptor, or more than 7.
    #[error("{0} copies of the descriptor (1 to 7 are possible)")]
    HolderNumber(usize),
    /// The VG's policy is `inherit`.
    #[error("the volume group's allocation policy is \"inherit\"")]
    InheritsFromNothing,
    /// Generation 0, or a parent that cannot be.
    #[error("generation {0} does not go with its parent")]
    Generation(u64),
    /// A PV hint that leaves its folder.
    #[error("physical volume {0} has a path hint that is not relative")]
    Hint(PvUuid),
    /// LEs that do not follow each other.
    #[error("logical volume {lv}: a segment begins at extent {found} instead of {expected}")]
    Gap {
        /// The LV.
        lv: LvUuid,
        /// Where it should begin.
        expected: u32,
        /// Where it begins.
        found: u32,
    },
    /// A segment without extents, without legs, or not a multiple of its stripes.
    #[error("logical volume {0}: a segment has an impossible length or number of legs")]
    Shape(LvUuid),
    /// Two legs of a segment on one PV.
    #[error("logical volume {lv}: two legs of a segment lie on physical volume {pv}")]
    SharedLegs {
        /// The LV.
        lv: LvUuid,
        /// The PV.
        pv: PvUuid,
    },
    /// A segment or metadata copy on a PV that is not in the VG.
    #[error("logical volume {lv} names physical volume {pv}, which is not in the volume group")]
    UnknownPv {
        /// The LV.
        lv: LvUuid,
        /// The PV.
        pv: PvUuid,
    },
    /// Extents past the end of a PV.
    #[error("extents from {start} on reach past the end of physical volume {pv}")]
    PastEnd {
        /// The PV.
        pv: PvUuid,
        /// The first of them.
        start: PeIndex,
    },
    /// Extents claimed twice.
    #[error("extent {pe} of physical volume {pv} is claimed twice")]
    ClaimedTwice {
        /// The PV.
        pv: PvUuid,
        /// The extent.
        pe: PeIndex,
    },
    /// No copy of an LV's metadata volume, or two on one PV.
    #[error("logical volume {0} has no metadata copy, or two on one physical volume")]
    Copies(LvUuid),
}

impl Descriptor {
    /// Checks every invariant. O(n log n) in segments.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn validate(&self) -> Result<(), Fault> {
        self.check_head()?;
        self.check_pvs()?;
        self.check_lvs()?;
        self.check_claims()
    }

    fn check_head(&self) -> Result<(), Fault> {
        if self.alloc == AllocPolicy::Inherit {
            return Err(Fault::InheritsFromNothing);
        }
        let first = self.seqno.0 == 1;
        if self.seqno.0 == 0 || self.epoch.0 == 0 || first != self.parent.is_none() {
            return Err(Fault::Generation(self.seqno.0));
        }
        let rising = self.forks.windows(2).all(|pair| matches!(pair, [a, b] if a.seqno < b.seqno));
        if !rising || self.forks.last().is_some_and(|fork| fork.seqno > self.seqno) {
            return Err(Fault::Generation(self.seqno.0));
        }
        Ok(())
    }

    fn check_pvs(&self) -> Result<(), Fault> {
        if self.pvs.is_empty() || self.pvs.len() > MAX_PVS {
            return Err(Fault::PvNumber(self.pvs.len()));
        }
        let holders = self.pvs.iter().filter(|pv| pv.holder).count();
        if holders == 0 || holders > MAX_HOLDERS {
            return Err(Fault::HolderNumber(holders));
        }
        let mut seen = BTreeSet::new();
        for pv in &self.pvs {
            if !seen.insert(pv.uuid) {
                return Err(Fault::PvTwice(pv.uuid));
            }
            let bad = |part: &str| matches!(part, "" | "." | "..") || part.contains('\0');
            if !pv.hint.is_empty() && pv.hint.split('/').any(bad) {
                return Err(Fault::Hint(pv.uuid));
            }
        }
        Ok(())
    }

    fn check_lvs(&self) -> Result<(), Fault> {
        let pvs: BTreeSet<PvUuid> = self.pvs.iter().map(|pv| pv.uuid).collect();
        let (mut uuids, mut names, mut families) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for lv in &self.lvs {
            if !uuids.insert(lv.uuid) {
                return Err(Fault::LvTwice(lv.uuid));
            }
            if !names.insert(&lv.name) {
                return Err(Fault::NameTwice(lv.name.clone()));
            }
            if !families.insert(lv.family) {
                return Err(Fault::FamilyTwice(lv.uuid));
            }
            check_copies(lv, &pvs)?;
            check_segments(lv.uuid, &lv.segments, &pvs)?;
        }
        for removal in &self.removals {
            if !uuids.insert(removal.lv) {
                return Err(Fault::LvTwice(removal.lv));
            }
            if !families.insert(removal.family) {
                return Err(Fault::FamilyTwice(removal.lv));
            }
            check_segments(removal.lv, &removal.segments, &pvs)?;
        }
        Ok(())
    }

    fn check_claims(&self) -> Result<(), Fault> {
        let sizes: BTreeMap<PvUuid, u32> = self.pvs.iter().map(|pv| (pv.uuid, pv.pe_count.0)).collect();
        let mut claims: Vec<Claim> = self.claims().collect();
        claims.sort_unstable();
        let mut free_from: Option<(PvUuid, u32)> = None;
        for claim in claims {
            let size = sizes.get(&claim.pv).copied().unwrap_or(0);
            let past_end = || Fault::PastEnd { pv: claim.pv, start: claim.start };
            let end = claim.start.0.checked_add(claim.count.0).filter(|end| *end <= size).ok_or_else(past_end)?;
            if free_from.is_some_and(|(pv, pe)| pv == claim.pv && claim.start.0 < pe) {
                return Err(Fault::ClaimedTwice { pv: claim.pv, pe: claim.start });
            }
            free_from = Some((claim.pv, end));
        }
        Ok(())
    }
}

fn check_copies(lv: &LvRecord, pvs: &BTreeSet<PvUuid>) -> Result<(), Fault> {
    let places: BTreeSet<PvUuid> = lv.copies.iter().map(|copy| copy.pv).collect();
    if places.is_empty() || places.len() != lv.copies.len() {
        return Err(Fault::Copies(lv.uuid));
    }
    match places.difference(pvs).next() {
        Some(pv) => Err(Fault::UnknownPv { lv: lv.uuid, pv: *pv }),
        None => Ok(()),
    }
}

fn check_segments(lv: LvUuid, segments: &[Segment], pvs: &BTreeSet<PvUuid>) -> Result<(), Fault> {
    let mut expected = 0;
    for segment in segments {
        if segment.start.0 != expected {
            return Err(Fault::Gap { lv, expected, found: segment.start.0 });
        }
        expected = segment.end().ok_or(Fault::Shape(lv))?.0;
        let legs = segment.legs();
        let width = u32::try_from(legs.len()).map_err(|_| Fault::Shape(lv))?;
        let dealt = match segment.kind {
            SegmentKind::Linear(_) | SegmentKind::Raid1(_) => width > 0,
            SegmentKind::Striped(_) => segment.count.0.checked_rem(width) == Some(0),
        };
        if segment.count.0 == 0 || !dealt {
            return Err(Fault::Shape(lv));
        }
        let mut seen = BTreeSet::new();
        for leg in legs {
            if !pvs.contains(&leg.pv) {
                return Err(Fault::UnknownPv { lv, pv: leg.pv });
            }
            if !seen.insert(leg.pv) {
                return Err(Fault::SharedLegs { lv, pv: leg.pv });
            }
        }
    }
    Ok(())
}
