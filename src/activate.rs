//! From a logical volume in the descriptor to an active filesystem, and the files that a new one starts from.

use lv::{CopyPlace, LvError, Volume, VolumeOptions};
use pv::{Env, LvUuid, PvUuid, side_folder};
use vg::{HookError, LvName, LvRecord, VgError, VolumeGroup};

use crate::Result;

/// Activates an LV: takes it over, cleans up after a crash, starts its background work.
///
/// A copy of its catalogue that cannot be read is taken out of the descriptor before anything is committed without it.
/// An interrupted change of the group is completed first.
///
/// # Errors
/// [`VgError::LvNotFound`] and what [`VolumeGroup::volume_extents`] and [`Volume::activate`] say.
pub fn activate(env: &Env, group: &mut VolumeGroup, name: &LvName, options: VolumeOptions) -> Result<Volume> {
    let extents = match group.volume_extents(name) {
        Err(VgError::Unsettled { .. }) => {
            let lock = group.lock()?;
            group.settle(&lock)?;
            group.volume_extents(name)?
        }
        other => other?,
    };
    let copies = copies(group, group.lv(name)?);
    let mut dropped = |copy: &CopyPlace, why: &str| -> Result<(), LvError> {
        let refused = |error: &VgError| LvError::NoMetadata {
            missing: format!("{} ({why}), and it cannot be given up: {error}", copy.path.display()),
        };
        let lock = group.lock().map_err(|error| refused(&error))?;
        group.drop_metadata_copy(&lock, name, copy.pv).map_err(|error| refused(&error))
    };
    Ok(Volume::activate(env, extents, &copies, options, &mut dropped)?)
}

/// The copies of an LV's catalogue.
pub(crate) fn copies(group: &VolumeGroup, record: &LvRecord) -> Vec<CopyPlace> {
    record.copies.iter().map(|copy| place(group, record, copy.pv)).collect()
}

/// Where a catalogue copy lies; beside a missing PV, where it would be if the PV were beside the others.
fn place(group: &VolumeGroup, record: &LvRecord, pv: PvUuid) -> CopyPlace {
    let path = group.metadata_copy_path(pv, record).unwrap_or_else(|| {
        let hint = group.pv(pv).map(|member| member.path.clone()).unwrap_or_default();
        let name = hint.file_name().map_or_else(|| pv.short().into(), ToOwned::to_owned);
        let near = group.pvs().iter().find(|member| member.present()).and_then(|member| member.path.parent());
        side_folder(&near.unwrap_or(std::path::Path::new("/")).join(name)).join(format!("{}.meta", record.uuid.short()))
    });
    CopyPlace { pv, path }
}

/// Makes the catalogue copies of a planned LV: the part of [`VolumeGroup::lv_create`] that the group leaves to its
/// caller.
///
/// # Errors
/// A file exists already or cannot be made.
pub fn make_catalogues(env: &Env, group: &VolumeGroup, record: &LvRecord) -> Result<(), HookError> {
    // One key in all copies: it decides where names are found.
    let random = *LvUuid::random()?.as_bytes();
    let key = random.iter().take(8).fold(0u64, |key, byte| (key << 8) | u64::from(*byte));
    for copy in &record.copies {
        let path = group.metadata_copy_path(copy.pv, record).ok_or("a PV that was to hold its metadata is missing")?;
        lv::create_catalogue(env, &path, record.family, record.uuid, key)?;
    }
    Ok(())
}
