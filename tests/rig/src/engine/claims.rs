//! Whose extents the PVs of a group hold.

use std::collections::{BTreeMap, BTreeSet};

use pv::{ExtentStore, FamilyUuid, LeIndex, PeIndex, PvUuid};
use vg::{Descriptor, Member, SegmentKind, VolumeGroup};

/// Whose a physical extent is.
type Owners = BTreeMap<(PvUuid, PeIndex), (FamilyUuid, LeIndex)>;

/// What a PV holds is of the volume, and of the place in it, that the descriptor says, or of one that is being removed.
pub(crate) fn every_extent_is_its_owners(group: &VolumeGroup) -> Result<(), String> {
    let descriptor = group.descriptor();
    let owners = owners(descriptor)?;
    let leaving: BTreeSet<FamilyUuid> = descriptor.removals.iter().map(|removal| removal.family).collect();
    group.pvs().iter().try_for_each(|member| extents(member, &owners, &leaving))
}

/// Whose each extent is, by the descriptor; none may have two owners.
fn owners(descriptor: &Descriptor) -> Result<Owners, String> {
    let mut owners = Owners::new();
    for lv in &descriptor.lvs {
        for segment in &lv.segments {
            let legs = segment.legs();
            let striped = matches!(segment.kind, SegmentKind::Striped(_));
            let width = if striped { u32::try_from(legs.len()).unwrap_or(1) } else { 1 };
            for (at, leg) in legs.iter().enumerate() {
                for row in 0..segment.rows().0 {
                    let shift = if striped { u32::try_from(at).unwrap_or(0) } else { 0 };
                    let le = LeIndex(segment.start.0 + row * width + shift);
                    let place = (leg.pv, PeIndex(leg.pe.0 + row));
                    if let Some((other, _)) = owners.insert(place, (lv.family, le)) {
                        return Err(format!("extent {place:?} belongs to {other} and to {} ({})", lv.family, lv.name));
                    }
                }
            }
        }
    }
    Ok(owners)
}

/// What a PV holds is its owner's, at the place that the descriptor says.
fn extents(member: &Member, owners: &Owners, leaving: &BTreeSet<FamilyUuid>) -> Result<(), String> {
    let failed = |error: pv::PvError| format!("{}: {error}", member.path.display());
    let Some(pv) = member.pv() else { return Ok(()) };
    let store = pv.store().map_err(failed)?;
    let count = pv.label().membership.as_ref().map_or(0, |membership| membership.extent_count.0);
    for pe in (0..count).map(PeIndex) {
        let Some((header, _)) = store.header(pe).map_err(failed)? else { continue };
        let owner = owners.get(&(member.uuid, pe));
        if owner != Some(&(header.family, header.le)) && !leaving.contains(&header.family) {
            let path = member.path.display();
            return Err(format!("{path}: extent {pe} holds LE {} of {}, but is {owner:?}", header.le, header.family));
        }
    }
    Ok(())
}
