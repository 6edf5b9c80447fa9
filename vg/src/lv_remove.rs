//! Removing LVs, in steps that an interruption cannot mix up: the descriptor forgets the name but keeps the extents
//! claimed, then the PVs forget the extents, then the descriptor lets go of them.

use std::collections::BTreeSet;

use pv::{Holder, LvUuid, PvUuid};

use crate::group::{find_lv, metadata_path};
use crate::lock::VgLock;
use crate::{LvName, LvRecord, Removal, Result, VgError, VolumeGroup, room};

impl VolumeGroup {
    /// Removes an LV and everything in it. The descriptor forgets the name first; then its metadata volumes and its
    /// extents are deleted, and only then may the extents be used again. What is interrupted is finished by the next
    /// change that needs it, or by [`VolumeGroup::settle`].
    ///
    /// # Errors
    /// [`VgError::LvNotFound`], [`VgError::LvInUse`] while it is active anywhere, [`VgError::MissingPvs`];
    /// [`VgError::Unreleased`]: it is removed, and its extents are not free yet; as [`VolumeGroup::change`].
    pub fn lv_remove(&mut self, lock: &VgLock, name: &LvName) -> Result<()> {
        self.writable()?;
        self.drop_lv(lock, name, &[])
    }

    /// As [`lv_remove`](Self::lv_remove), waiting for none of the PVs that are `lost`.
    pub(crate) fn drop_lv(&mut self, lock: &VgLock, name: &LvName, lost: &[PvUuid]) -> Result<()> {
        let lv = self.lv(name)?.clone();
        let in_use = |owner| VgError::LvInUse { vg: self.name().clone(), lv: name.clone(), owner };
        let _held = self.hold(&lv)?.map_err(in_use)?;
        self.change(lock, |descriptor| {
            let lv = find_lv(descriptor, name)?.clone();
            descriptor.lvs.retain(|other| other.uuid != lv.uuid);
            let copies = lv.copies.iter().map(|copy| copy.pv).collect();
            descriptor.removals.push(Removal { lv: lv.uuid, family: lv.family, segments: lv.segments, copies });
            Ok(())
        })?;
        self.sweep_without(lock, lost).map_err(|source| VgError::Unreleased {
            vg: self.name().clone(),
            lv: name.clone(),
            source: Box::new(source),
        })
    }

    /// Keeps others from activating an LV; who has it when it is active.
    fn hold(&self, lv: &LvRecord) -> Result<std::result::Result<Vec<Box<dyn pv::HostLock>>, Holder>> {
        let note = format!("process {}", std::process::id());
        let mut held = Vec::new();
        for path in self.activation_lock_paths(lv) {
            match self.env.host.lock(&path, false, &note) {
                Ok(Some(lock)) => held.push(lock),
                Ok(None) => return Ok(Err(Holder::of(&self.env, &path))),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(VgError::Host { path, operation: "lock it", source }),
            }
        }
        Ok(Ok(held))
    }

    /// The LVs that some process has active at this moment, and which.
    ///
    /// # Errors
    /// [`VgError::Host`].
    pub fn active_lvs(&self) -> Result<Vec<(LvName, Holder)>> {
        let mut active = Vec::new();
        for lv in &self.descriptor.lvs {
            if let Err(owner) = self.hold(lv)? {
                active.push((lv.name.clone(), owner));
            }
        }
        Ok(active)
    }

    /// Deletes what removed LVs left on the reachable PVs. Removals that touch a missing PV wait for it.
    ///
    /// # Errors
    /// [`VgError::Pv`], [`VgError::Host`]; as [`VolumeGroup::change`].
    pub fn sweep(&mut self, lock: &VgLock) -> Result<()> {
        self.sweep_without(lock, &[])
    }

    pub(crate) fn sweep_without(&mut self, lock: &VgLock, lost: &[PvUuid]) -> Result<()> {
        let mut done = BTreeSet::new();
        if self.descriptor.removals.is_empty() {
            return Ok(());
        }
        let env = self.env.clone();
        // Nobody needs it any more, and on a full host forgetting the extents may need its room, or the reserve.
        for removal in &self.descriptor.removals {
            self.remove_metadata(removal.lv, &removal.copies)?;
        }
        let _given = room::secure(&env, &self.members.iter().collect::<Vec<_>>(), &self.descriptor)?;
        for removal in &self.descriptor.removals {
            let used: BTreeSet<PvUuid> =
                removal.segments.iter().flat_map(crate::Segment::legs).map(|leg| leg.pv).collect();
            let mut complete = true;
            for member in self.members.iter().filter(|member| used.contains(&member.uuid)) {
                match member.store()? {
                    Some(store) => store.forget(removal.family)?,
                    None => complete &= lost.contains(&member.uuid),
                }
            }
            if complete {
                done.insert(removal.lv);
            }
        }
        if done.is_empty() {
            return Ok(());
        }
        self.change(lock, |descriptor| {
            descriptor.removals.retain(|removal| !done.contains(&removal.lv));
            Ok(())
        })
    }

    pub(crate) fn remove_metadata(&self, lv: LvUuid, copies: &[PvUuid]) -> Result<()> {
        for member in self.members.iter().filter(|member| copies.contains(&member.uuid) && member.pv().is_some()) {
            let path = metadata_path(&member.path, lv);
            for end in ["-wal", "-shm", "-journal", ""] {
                let mut file = path.clone().into_os_string();
                file.push(end);
                let file = std::path::PathBuf::from(file);
                let failed = |source| VgError::Host { path: file.clone(), operation: "remove it", source };
                self.env.host.remove_file(&file).map_err(failed)?;
            }
        }
        Ok(())
    }
}
