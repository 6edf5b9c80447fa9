//! Which copies of an LV's metadata volume count as in sync.

use pv::PvUuid;

use crate::group::find_lv;
use crate::lock::VgLock;
use crate::{LvName, MetadataCopy, Result, VgError, VolumeGroup};

impl VolumeGroup {
    /// Takes a metadata copy out of the in-sync set, before anything is acknowledged without it.
    ///
    /// # Errors
    /// [`VgError::Copies`] for the last copy or one that is not there; as [`VolumeGroup::change`].
    pub fn drop_metadata_copy(&mut self, lock: &VgLock, name: &LvName, pv: PvUuid) -> Result<()> {
        self.edit_copies(lock, name, |copies| {
            let before = copies.len();
            copies.retain(|copy| copy.pv != pv);
            match (copies.len(), before) {
                (0, _) => Err("its last metadata copy cannot be dropped"),
                (now, before) if now == before => Err("it has no metadata copy there"),
                _ => Ok(()),
            }
        })
    }

    /// Puts a metadata copy, complete and durable already, into the in-sync set.
    ///
    /// # Errors
    /// [`VgError::Copies`] when there is one already; as [`VolumeGroup::change`].
    pub fn add_metadata_copy(&mut self, lock: &VgLock, name: &LvName, copy: MetadataCopy) -> Result<()> {
        self.edit_copies(lock, name, |copies| {
            if copies.iter().any(|known| known.pv == copy.pv) {
                return Err("it has a metadata copy there already");
            }
            copies.push(copy);
            Ok(())
        })
    }

    fn edit_copies(
        &mut self,
        lock: &VgLock,
        name: &LvName,
        edit: impl Fn(&mut Vec<MetadataCopy>) -> Result<(), &'static str>,
    ) -> Result<()> {
        self.change(lock, |descriptor| {
            let vg = descriptor.name.clone();
            let lv = find_lv(descriptor, name)?.uuid;
            for record in descriptor.lvs.iter_mut().filter(|record| record.uuid == lv) {
                let failed = |what| VgError::Copies { vg: vg.clone(), lv: name.clone(), what };
                edit(&mut record.copies).map_err(failed)?;
            }
            Ok(())
        })
    }
}
