//! From more extents in the descriptor to a larger active volume.

use lv::{LvError, Volume};
use vg::{LvRecord, OpenOptions, PoolFiles, VolumeGroup};

use crate::Result;

/// Lets an active volume use the extents that it was given since it was activated: looks at the volume group, as it is by
/// now, that its PVs belong to. Whatever the volume is called meanwhile, it is known by its uuid.
///
/// # Errors
/// [`LvError::Closed`] when the group has no such volume any more. As [`VolumeGroup::open`],
/// [`VolumeGroup::volume_extents`] and [`Volume::grow`].
pub fn grow(volume: &Volume) -> Result<()> {
    let known = volume.extents();
    let files = known.pvs.iter().filter(|slot| slot.store.is_some()).map(|slot| slot.path.clone()).collect();
    let group = VolumeGroup::open(volume.env(), &PoolFiles::Pvs(files), &OpenOptions::default())?;
    let record = group.descriptor().lvs.iter().find(|record| record.uuid == known.lv);
    let name = record.map(|LvRecord { name, .. }| name.clone()).ok_or(LvError::Closed)?;
    Ok(volume.grow(&group.volume_extents(&name)?)?)
}
