//! Checking a logical volume that nobody has active.

use lv::{CheckOptions, CheckReport};
use pv::Env;
use vg::{LvName, VolumeGroup};

use crate::Result;
use crate::activate::copies;

/// Checks everything that must be true of an LV's files; changes none. The group is read as it was opened.
///
/// # Errors
/// [`vg::VgError::LvNotFound`] and what [`VolumeGroup::volume_extents`] and [`lv::check()`] say; what is wrong with the
/// volume is no error but in the report.
pub fn check(env: &Env, group: &VolumeGroup, name: &LvName, options: CheckOptions) -> Result<CheckReport> {
    let extents = group.volume_extents(name)?;
    let copies = copies(group, group.lv(name)?);
    Ok(lv::check(env, &extents, &copies, options)?)
}
