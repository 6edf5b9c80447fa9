//! Going on without PVs that are missing, and taking them back.

use pv::PvUuid;

use crate::change::choose_holders;
use crate::group::Member;
use crate::lock::VgLock;
use crate::{LvName, Result, VgError, VolumeGroup};

impl VolumeGroup {
    /// The LVs with extents or metadata copies on PVs that are missing.
    pub fn partial_lvs(&self) -> Vec<LvName> {
        let lost: Vec<PvUuid> = self.missing();
        let touches = |lv: &&crate::LvRecord| {
            let copies = lv.copies.iter().map(|copy| copy.pv);
            let legs = lv.segments.iter().flat_map(crate::Segment::legs).map(|leg| leg.pv);
            copies.chain(legs).any(|pv| lost.contains(&pv))
        };
        self.descriptor.lvs.iter().filter(touches).map(|lv| lv.name.clone()).collect()
    }

    pub(crate) fn missing(&self) -> Vec<PvUuid> {
        self.members.iter().filter(|member| !member.present()).map(|member| member.uuid).collect()
    }

    /// Fails when a PV that passes for missing may be there: see [`VolumeGroup::refuse_unless_lost`].
    ///
    /// # Errors
    /// [`VgError::NotLost`].
    pub fn refuse_not_lost(&self) -> Result<()> {
        self.refuse_unless_lost(&self.missing())
    }

    /// Goes on without the missing PVs (`vgreduce --removemissing`): those that hold nothing leave the VG, the others
    /// are marked missing and carry no copy of the descriptor any more. With `force` this works without a majority,
    /// and changes that the missing PVs may have seen alone are given up. Returns the LVs that remain partial.
    ///
    /// # Errors
    /// [`VgError::NotLost`] about PVs that are there and cannot be used; [`VgError::NoMajority`] without `force`; as
    /// [`VolumeGroup::change`].
    pub fn remove_missing(&mut self, lock: &VgLock, force: bool) -> Result<Vec<LvName>> {
        let lost = self.missing();
        if lost.is_empty() {
            return Ok(Vec::new());
        }
        self.refuse_not_lost()?;
        let forced = force && !self.majority();
        let mut edit = |descriptor: &crate::Descriptor| {
            let mut next = descriptor.clone();
            choose_holders(&mut next, &lost);
            let claimed: Vec<PvUuid> = next.claims().map(|claim| claim.pv).collect();
            let used = |pv: PvUuid| claimed.contains(&pv) || !descriptor.users(pv).is_empty();
            next.pvs.retain(|pv| !lost.contains(&pv.uuid) || used(pv.uuid));
            next.pvs.iter_mut().filter(|pv| lost.contains(&pv.uuid)).for_each(|pv| pv.missing = true);
            Ok(next)
        };
        self.commit_as(lock, &mut edit, &[], forced)?;
        Ok(self.partial_lvs())
    }

    /// Gives up what is on the missing PVs and lets them leave the VG (`vgreduce --removemissing --force`, after
    /// [`VolumeGroup::remove_missing`]): LVs with extents there, or with all copies of their metadata there, are removed;
    /// of others the copy there is forgotten. Says which were removed. What is interrupted is finished by running it again.
    ///
    /// # Errors
    /// [`VgError::NotLost`], [`VgError::LvInUse`]; as [`VolumeGroup::change`].
    pub fn remove_partial(&mut self, lock: &VgLock) -> Result<Vec<LvName>> {
        self.refuse_not_lost()?;
        let lost = self.missing();
        let mut removed = Vec::new();
        for name in self.partial_lvs() {
            let lv = self.lv(&name)?;
            let data = lv.segments.iter().flat_map(crate::Segment::legs).any(|leg| lost.contains(&leg.pv));
            let copies: Vec<PvUuid> = lv.copies.iter().map(|copy| copy.pv).filter(|pv| lost.contains(pv)).collect();
            if data || copies.len() == lv.copies.len() {
                self.drop_lv(lock, &name, &lost)?;
                removed.push(name);
            } else {
                copies.into_iter().try_for_each(|pv| self.drop_metadata_copy(lock, &name, pv))?;
            }
        }
        self.sweep_without(lock, &lost)?;
        self.remove_missing(lock, true)?;
        Ok(removed)
    }

    /// Takes a PV back that was marked missing (`vgextend --restoremissing`). The caller answers for what it holds
    /// being recent enough; checksums tell what is not.
    ///
    /// # Errors
    /// [`VgError::PvNotFound`] when its file is not there; as [`VolumeGroup::change`].
    pub fn restore_missing(&mut self, lock: &VgLock, path: &std::path::Path) -> Result<()> {
        let found = pv::Pv::open(&self.env, path, self.options.access)?;
        let uuid = found.label().pv;
        let stat = |source| VgError::Host { path: path.to_owned(), operation: "look at it", source };
        let file = self.env.host.stat(found.path()).map_err(stat)?;
        if !self.descriptor.pv(uuid).is_some_and(|record| record.missing) {
            return Err(VgError::PvNotFound(path.to_owned()));
        }
        let joining = [Member::attached(found, file)];
        self.members.retain(|member| member.uuid != uuid);
        let mut edit = |descriptor: &crate::Descriptor| {
            let mut next = descriptor.clone();
            next.pvs.iter_mut().filter(|pv| pv.uuid == uuid).for_each(|pv| pv.missing = false);
            choose_holders(&mut next, &[]);
            Ok(next)
        };
        self.commit_as(lock, &mut edit, &joining, false)?;
        self.refresh()
    }
}
