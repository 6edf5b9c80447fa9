//! From a logical volume in the descriptor to an active filesystem, and the files that a new one starts from.

use std::path::PathBuf;

use lv::{CopyPlace, LvError, Volume, VolumeOptions};
use pv::{Env, LvUuid, PvUuid, side_folder};
use vg::{HookError, LvName, LvRecord, MetadataCopy, VgError, VgLock, VolumeGroup};

use crate::Result;

/// Activates an LV: takes it over, cleans up after a crash, starts its background work.
///
/// A copy of its catalogue that is missing, damaged or something else is taken out of the descriptor before anything is
/// committed without it ([`Volume::notices`] tells). An interrupted change of the group is completed first. With
/// [`VolumeOptions::read_only`] nothing is changed.
///
/// # Errors
/// [`VgError::LvNotFound`]; [`LvError::CopyLost`] when a copy is lost and the group cannot be changed, for want of a
/// majority: then the volume can still be read. [`LvError::CopyUnread`] when a copy, or the PV it lies beside, is there and
/// cannot be opened. What [`VolumeGroup::volume_extents`] and [`Volume::activate`] say.
pub fn activate(env: &Env, group: &mut VolumeGroup, name: &LvName, options: VolumeOptions) -> Result<Volume> {
    if options.read_only {
        return activate_to_read(env, group, name, options);
    }
    if !group.access().writes() {
        return Err(LvError::ReadOnly.into());
    }
    if let Err(VgError::Unsettled { .. }) = group.volume_extents(name) {
        let lock = group.lock()?;
        group.settle(&lock)?;
    }
    activate_settled(env, group, name, None, options)
}

/// Activates an LV of a group without interrupted changes; changes the group under `held`, or takes its lock for that.
pub(crate) fn activate_settled(
    env: &Env,
    group: &mut VolumeGroup,
    name: &LvName,
    held: Option<&VgLock>,
    options: VolumeOptions,
) -> Result<Volume> {
    let extents = group.volume_extents(name)?;
    refuse_unopened(group, group.lv(name)?)?;
    let copies = copies(group, group.lv(name)?);
    let mut dropped = |copy: &CopyPlace, why: &str| -> Result<(), LvError> {
        let done = match held {
            Some(lock) => group.drop_metadata_copy(lock, name, copy.pv),
            None => group.lock().and_then(|lock| group.drop_metadata_copy(&lock, name, copy.pv)),
        };
        done.map_err(|error| LvError::CopyLost {
            file: copy.path.clone(),
            why: why.to_owned(),
            source: Box::new(error),
        })
    };
    Ok(Volume::activate(env, extents, &copies, options, &mut dropped)?)
}

fn activate_to_read(env: &Env, group: &VolumeGroup, name: &LvName, options: VolumeOptions) -> Result<Volume> {
    let extents = group.volume_extents_to_read(name)?;
    let copies = copies(group, group.lv(name)?);
    Ok(Volume::activate(env, extents, &copies, options, &mut |_, _| Err(LvError::ReadOnly))?)
}

/// The copies of an LV's catalogue.
pub(crate) fn copies(group: &VolumeGroup, record: &LvRecord) -> Vec<CopyPlace> {
    record.copies.iter().map(|copy| place(group, record, copy.pv)).collect()
}

/// Refuses to go on without a copy whose PV is there and cannot be opened: both may be whole, and giving a copy up is for
/// good.
fn refuse_unopened(group: &VolumeGroup, record: &LvRecord) -> Result<()> {
    let unopened = |copy: &MetadataCopy| Some((copy.pv, group.pv(copy.pv)?.unopened()?));
    let Some((pv, why)) = record.copies.iter().find_map(unopened) else { return Ok(()) };
    let file = place(group, record, pv).path;
    let error = pv::PvError::Refused { path: file.clone(), what: why.to_owned() };
    Err(LvError::CopyUnread { file, why: format!("its physical volume: {why}"), error: Box::new(error.into()) }.into())
}

/// Where the catalogue copy beside a PV lies, or would; beside a missing PV, where it was when the PV was last seen. When
/// that is not known either, there is no such file, and its name says whose it was.
pub(crate) fn place(group: &VolumeGroup, record: &LvRecord, pv: PvUuid) -> CopyPlace {
    let there = || group.pv(pv).filter(|member| member.unopened().is_some()).map(|member| member.path.clone());
    let last = || there().or_else(|| group.last_known_path(pv));
    let beside = |path: PathBuf| side_folder(&path).join(format!("{}.meta", record.uuid.short()));
    let path = group.metadata_copy_path(pv, record).or_else(|| last().map(beside));
    CopyPlace { pv, path: path.unwrap_or_else(|| format!("physical volume {pv}").into()) }
}

/// Makes the catalogue copies of a planned LV: the part of [`VolumeGroup::lv_create`] that the group leaves to its
/// caller.
///
/// # Errors
/// A file exists already or cannot be made.
pub fn make_catalogues(env: &Env, group: &VolumeGroup, record: &LvRecord) -> Result<(), HookError> {
    // The same in all copies, row by row. The key decides where names are found.
    let now = env.clock.wall();
    let random = *LvUuid::random()?.as_bytes();
    let key = random.iter().take(8).fold(0u64, |key, byte| (key << 8) | u64::from(*byte));
    for copy in &record.copies {
        let path = group.metadata_copy_path(copy.pv, record).ok_or("a PV that was to hold its metadata is missing")?;
        lv::create_catalogue(env, &path, (record.family, record.uuid), (key, now)).map_err(|error| match error {
            // So that the group can say what to do about it.
            LvError::Pv(error) => HookError::from(error),
            other => other.into(),
        })?;
    }
    Ok(())
}
