//! Checking a logical volume that nobody has active.

use lv::{CheckOptions, CheckReport, Finding, Object};
use pv::Env;
use vg::{LvName, VolumeGroup};

use crate::Result;
use crate::activate::copies;

/// Checks everything that must be true of an LV's files, and that its metadata has as many copies as were asked for;
/// changes none. The group is read as it was opened.
///
/// # Errors
/// [`vg::VgError::LvNotFound`] and what [`VolumeGroup::volume_extents_to_read`] and [`lv::check()`] say; what is wrong with the
/// volume is no error but in the report.
pub fn check(env: &Env, group: &VolumeGroup, name: &LvName, options: CheckOptions) -> Result<CheckReport> {
    let extents = group.volume_extents_to_read(name)?;
    let record = group.lv(name)?;
    let mut report = lv::check(env, &extents, &copies(group, record), options)?;
    let (have, wanted) = (record.copies.len(), group.descriptor().wanted_copies(record));
    if u32::try_from(have).is_ok_and(|have| have < wanted) {
        let what = format!("its metadata has {have} of the {wanted} copies that were asked for");
        report.problems.push(Finding { object: Object::Volume, what });
    }
    let others = group.pvs().iter().filter(|member| record.copies.iter().all(|copy| copy.pv != member.uuid));
    for path in others.filter_map(|member| group.metadata_copy_path(member.uuid, record)) {
        if env.host.stat(&path).is_ok() {
            let what = "it is no copy of the volume's metadata any more: it was given up, or never finished";
            report.notes.push(Finding { object: Object::Metadata(path), what: what.to_owned() });
        }
    }
    Ok(report)
}
