//! Which copies of an LV's metadata volume count as in sync, and how many there should be.

use std::collections::{BTreeMap, BTreeSet};

use pv::PvUuid;

use crate::group::find_lv;
use crate::lock::VgLock;
use crate::{Descriptor, LvName, MetadataCopy, Result, VgError, VolumeGroup};

/// How an LV gets another number of metadata copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CopiesPlan {
    /// PVs for further copies.
    pub add: Vec<PvUuid>,
    /// PVs whose copies go.
    pub drop: Vec<PvUuid>,
}

/// PVs for further metadata copies, best first: each on a host device of its own as far as possible, none of `taken`.
pub(crate) fn copy_places(
    devices: &BTreeMap<PvUuid, u64>,
    descriptor: &Descriptor,
    taken: &BTreeSet<PvUuid>,
) -> Vec<PvUuid> {
    let mut seen: BTreeMap<u64, u32> = BTreeMap::new();
    for device in taken.iter().filter_map(|pv| devices.get(pv)) {
        *seen.entry(*device).or_default() += 1;
    }
    let usable = descriptor.pvs.iter().filter(|pv| pv.allocatable && !pv.missing && !taken.contains(&pv.uuid));
    let mut places: Vec<(u32, PvUuid)> = Vec::new();
    for (uuid, device) in usable.filter_map(|pv| Some((pv.uuid, *devices.get(&pv.uuid)?))) {
        let turn = seen.entry(device).or_default();
        places.push((*turn, uuid));
        *turn = turn.saturating_add(1);
    }
    places.sort_by_key(|(turn, _)| *turn);
    places.into_iter().map(|(_, uuid)| uuid).collect()
}

impl VolumeGroup {
    /// What gives an LV `count` metadata copies. Copies on PVs that are away go first, then the youngest. Changes
    /// nothing.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`]; [`VgError::Copies`] for none, or more than there are usable PVs.
    pub fn plan_metadata_copies(&self, name: &LvName, count: u32) -> Result<CopiesPlan> {
        let refused = |what| VgError::Copies { vg: self.name().clone(), lv: name.clone(), what };
        let copies: Vec<PvUuid> = self.lv(name)?.copies.iter().map(|copy| copy.pv).collect();
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if count == 0 {
            return Err(refused("it needs one copy of its metadata at least"));
        }
        let mut plan = CopiesPlan::default();
        if let Some(more) = count.checked_sub(copies.len()) {
            plan.add = copy_places(&self.devices(), self.descriptor(), &copies.iter().copied().collect());
            plan.add.truncate(more);
            let enough = plan.add.len() == more;
            return if enough {
                Ok(plan)
            } else {
                Err(refused("there are fewer usable PVs than metadata copies asked for"))
            };
        }
        let away = |pv: &PvUuid| !self.pv(*pv).is_some_and(crate::Member::present);
        let (gone, there): (Vec<PvUuid>, Vec<PvUuid>) = copies.iter().partition(|pv| away(pv));
        if there.is_empty() {
            return Err(refused("none of its metadata copies is there"));
        }
        plan.drop = gone.into_iter().chain(there.into_iter().rev()).take(copies.len().saturating_sub(count)).collect();
        Ok(plan)
    }

    /// Says how many metadata copies an LV should have. Makes and drops none.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`]; as [`VolumeGroup::change`].
    pub fn want_metadata_copies(&mut self, lock: &VgLock, name: &LvName, count: u32) -> Result<()> {
        if self.lv(name)?.metadata_copies == count {
            return Ok(());
        }
        self.change(lock, |descriptor| {
            let lv = find_lv(descriptor, name)?.uuid;
            descriptor.lvs.iter_mut().filter(|known| known.uuid == lv).for_each(|known| known.metadata_copies = count);
            Ok(())
        })
    }

    /// Deletes the file of a metadata copy that the LV does not have any more.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`]; [`VgError::Copies`] while it is one of the copies; [`VgError::NotLocked`];
    /// [`VgError::Host`].
    pub fn remove_metadata_copy(&self, lock: &VgLock, name: &LvName, pv: PvUuid) -> Result<()> {
        if lock.vg != self.descriptor.vg {
            return Err(VgError::NotLocked(self.name().clone()));
        }
        let lv = self.lv(name)?;
        if lv.copies.iter().any(|copy| copy.pv == pv) {
            let what = "a metadata copy that it has is not deleted";
            return Err(VgError::Copies { vg: self.name().clone(), lv: name.clone(), what });
        }
        self.remove_metadata(lv.uuid, &[pv])
    }

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
