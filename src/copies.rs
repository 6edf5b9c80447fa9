//! Giving a logical volume another number of metadata copies.

use lv::{LvError, Volume, VolumeNotice, VolumeOptions};
use pv::{Env, Epoch, PvUuid};
use vg::{LvName, MetadataCopy, VgError, VgLock, VolumeGroup};

use crate::Result;
use crate::activate::{activate_settled, place};

/// Makes an LV that nobody has active have `count` copies of its metadata, and remembers that this is how many it should
/// have. A copy that is lost is given up first, so that this makes as many again as there were; the notices
/// that are returned tell of it.
///
/// A copy is complete and durable before the descriptor names it, and one that goes is forgotten by the descriptor before
/// its file is deleted: interrupted anywhere, the LV has its old copies, or some of the new ones as well; run it again.
///
/// # Errors
/// [`VgError::Copies`] for none, or more than there are usable PVs; as [`activate`](crate::activate()) and
/// [`VolumeGroup::change`].
///
/// # Durability
/// Durable when this returns.
pub fn set_metadata_copies(env: &Env, group: &mut VolumeGroup, name: &LvName, count: u32) -> Result<Vec<VolumeNotice>> {
    let lock = group.lock()?;
    if !group.settled() {
        group.settle(&lock)?;
    }
    group.lv(name)?;
    // Activated, whatever copies remain are equal, and whoever could still write to some of them is fenced off.
    let volume = activate_settled(env, group, name, Some(&lock), VolumeOptions::default())?;
    let notices = volume.notices().to_vec();
    let changed = change(group, &lock, (name, count), &volume);
    let closed = volume.close();
    let dropped = changed?;
    closed?;
    dropped.into_iter().try_for_each(|pv| group.remove_metadata_copy(&lock, name, pv))?;
    Ok(notices)
}

/// Adds and drops copies; the PVs whose copies were dropped.
fn change(
    group: &mut VolumeGroup,
    lock: &VgLock,
    (name, count): (&LvName, u32),
    volume: &Volume,
) -> Result<Vec<PvUuid>> {
    let plan = group.plan_metadata_copies(name, count)?;
    group.want_metadata_copies(lock, name, count)?;
    for pv in plan.add {
        let place = place(group, group.lv(name)?, pv);
        let mut listed = |since: Epoch| -> Result<(), LvError> {
            let refused = |error: VgError| LvError::CopyUnlisted { file: place.path.clone(), source: Box::new(error) };
            group.add_metadata_copy(lock, name, MetadataCopy { pv, since }).map_err(refused)
        };
        volume.add_copy(&place, &mut listed)?;
    }
    for pv in &plan.drop {
        group.drop_metadata_copy(lock, name, *pv)?;
    }
    Ok(plan.drop)
}
