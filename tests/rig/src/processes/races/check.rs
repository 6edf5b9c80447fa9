//! The volume group when nobody changes it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pv::{Access, Env};
use vg::{Descriptor, OpenOptions, PoolFiles, VolumeGroup};

use super::model::{GROWING, SHARED, Shared};
use crate::engine::every_extent_is_its_owners;

/// What was acknowledged.
pub(super) struct Expected<'a> {
    /// Volumes of one racer each, with their sizes in extents.
    pub(super) volumes: BTreeMap<String, u32>,
    pub(super) shared: &'a Shared,
    /// Spare PVs, and whether the group has them.
    pub(super) spares: Vec<(PathBuf, bool)>,
}

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
    every_extent_is_its_owners(&group)
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
