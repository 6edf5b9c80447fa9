//! The volume group when nobody changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pv::{Access, Env, ExtentStore, FamilyUuid, LeIndex, PeIndex, PvUuid};
use vg::{Descriptor, Member, OpenOptions, PoolFiles, SegmentKind, VolumeGroup};

use super::model::{GROWING, SHARED, Shared};

/// What was acknowledged.
pub(super) struct Expected<'a> {
    /// Volumes of one racer each, with their sizes in extents.
    pub(super) volumes: BTreeMap<String, u32>,
    pub(super) shared: &'a Shared,
    /// Spare PVs, and whether the group has them.
    pub(super) spares: Vec<(PathBuf, bool)>,
}

/// Whose a physical extent is.
type Owners = BTreeMap<(PvUuid, PeIndex), (FamilyUuid, LeIndex)>;

/// Compares the group with what was acknowledged, and what its PVs hold with the group.
pub(super) fn group(pool: &Path, name: &str, expected: &Expected<'_>) -> Result<(), String> {
    let options = OpenOptions { access: Access::ReadOnly, ..OpenOptions::default() };
    let files = PoolFiles::Pv(pool.join("p0.db"));
    let group = VolumeGroup::open(&Env::system(), &files, &options).map_err(|error| format!("check: {error}"))?;
    let descriptor = group.descriptor();
    if descriptor.name.as_str() != name || group.partial() || !group.majority() {
        return Err(format!(
            "the group is {} instead of {name}, or incomplete: {:?}",
            descriptor.name,
            group.notices()
        ));
    }
    volumes(descriptor, expected)?;
    for (path, joined) in &expected.spares {
        if path.exists() && group.contains(path) != *joined {
            return Err(format!("{}: that it is in the group should be {joined}", path.display()));
        }
    }
    let owners = owners(descriptor)?;
    let used = |removal: &vg::Removal| removal.family;
    let leaving: BTreeSet<FamilyUuid> = descriptor.removals.iter().map(used).collect();
    for member in group.pvs() {
        extents(member, &owners, &leaving)?;
    }
    Ok(())
}

fn volumes(descriptor: &Descriptor, expected: &Expected<'_>) -> Result<(), String> {
    let found: BTreeMap<String, u32> =
        descriptor.lvs.iter().map(|lv| (lv.name.to_string(), lv.count().get())).collect();
    let grown = found.get(GROWING).copied();
    if grown != Some(expected.shared.grown()) {
        return Err(format!("{GROWING}: {grown:?} extents instead of {}", expected.shared.grown()));
    }
    let own: BTreeMap<String, u32> = found
        .iter()
        .filter(|(name, _)| *name != GROWING && !SHARED.contains(&name.as_str()))
        .map(|(name, n)| (name.clone(), *n))
        .collect();
    if own != expected.volumes {
        return Err(format!("logical volumes {own:?} instead of {:?}", expected.volumes));
    }
    for (number, name) in SHARED.iter().enumerate() {
        let (there, standing) = (i64::from(found.contains_key(*name)), expected.shared.standing(number));
        if there != standing {
            return Err(format!("{name}: made {standing} times more often than removed, but {there} there"));
        }
    }
    Ok(())
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
