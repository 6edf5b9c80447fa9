//! Carrying out changes: plan, archive, replicate, complete.

use pv::PvUuid;

use crate::group::Member;
use crate::lock::VgLock;
use crate::protocol::{Outcome, Proposal, replicate};
use crate::replica::{DescriptorReplica, Place, ReplicaChange};
use crate::{Descriptor, Result, VgError, VolumeGroup, archive, room};

/// How often a change is planned anew because another one came first.
const TRIES: usize = 5;

/// Makes the next descriptor out of the present one. May run again when another change came first.
pub(crate) type Edit<'a> = dyn FnMut(&Descriptor) -> Result<Descriptor> + 'a;

impl VolumeGroup {
    /// Changes the descriptor in one step: `edit` gets a copy and alters it. The result is validated; numbers, holders
    /// and history are kept right by the protocol. `edit` may run again when another change came first.
    ///
    /// # Errors
    /// Those of `edit`; [`VgError::NoMajority`] (nothing changed); [`VgError::Unacknowledged`] (outcome unknown);
    /// [`VgError::Unstorable`], [`VgError::Exported`], [`VgError::NotLocked`]; [`VgError::Pv`] when a host has no room for it
    /// (nothing changed).
    ///
    /// # Durability
    /// Durable on a majority of the copies when this returns.
    pub fn change(&mut self, lock: &VgLock, mut edit: impl FnMut(&mut Descriptor) -> Result<()>) -> Result<()> {
        self.commit(lock, &mut |descriptor| {
            let mut next = descriptor.clone();
            edit(&mut next)?;
            Ok(next)
        })
    }

    /// Completes what an interrupted command left: the last change, removals, labels and copies that are behind. A PV
    /// that was about to leave, and stayed, carries a copy of the descriptor again.
    ///
    /// # Errors
    /// As [`VolumeGroup::change`].
    pub fn settle(&mut self, lock: &VgLock) -> Result<()> {
        let away = self.away();
        self.commit(lock, &mut |descriptor| Ok(with_holders(descriptor, &away)))?;
        self.sweep(lock)
    }

    /// Whether the last change is complete: a majority has it, and as many PVs as may carry copies do.
    pub fn settled(&self) -> bool {
        self.choice.acknowledged()
            && self.descriptor.prior_holders.is_empty()
            && with_holders(&self.descriptor, &self.away()).holders() == self.descriptor.holders()
    }

    /// PVs that carry no copy of the descriptor and cannot be given one now.
    fn away(&self) -> Vec<PvUuid> {
        let carries = |uuid| self.descriptor.pv(uuid).is_some_and(|record| record.holder);
        self.members.iter().filter(|member| !member.present() && !carries(member.uuid)).map(|pv| pv.uuid).collect()
    }

    /// As [`VolumeGroup::settle`], without a majority: the reachable copies become the truth, and copies that are
    /// away will not count when they return. Changes made there, if any, are lost.
    ///
    /// # Errors
    /// [`VgError::NotLost`] about PVs that are there and cannot be used; as [`VolumeGroup::change`], except
    /// [`VgError::NoMajority`].
    pub fn force(&mut self, lock: &VgLock) -> Result<()> {
        self.refuse_not_lost()?;
        self.commit_as(lock, &mut |descriptor| Ok(descriptor.clone()), &[], true)
    }

    pub(crate) fn commit(&mut self, lock: &VgLock, edit: &mut Edit<'_>) -> Result<()> {
        self.commit_as(lock, edit, &[], false)
    }

    pub(crate) fn commit_as(
        &mut self,
        lock: &VgLock,
        edit: &mut Edit<'_>,
        joining: &[Member],
        force: bool,
    ) -> Result<()> {
        if lock.vg != self.descriptor.vg {
            return Err(VgError::NotLocked(self.descriptor.name.clone()));
        }
        self.commit_once(edit, joining, force)?;
        if !self.descriptor.prior_holders.is_empty() {
            // Until the new holders alone have a generation, the next change would need the old ones.
            self.commit_once(&mut |descriptor| Ok(descriptor.clone()), &[], false)?;
        }
        self.label_all();
        Ok(())
    }

    fn commit_once(&mut self, edit: &mut Edit<'_>, joining: &[Member], force: bool) -> Result<()> {
        for _ in 0..TRIES {
            let next = edit(&self.descriptor)?;
            next.validate().map_err(|fault| VgError::invalid(&self.descriptor.name, fault))?;
            let env = self.env.clone();
            let _given = room::secure(&env, &self.members.iter().chain(joining).collect::<Vec<_>>(), &next)?;
            if let Some(folder) = &self.options.archive {
                archive::keep(&self.env, folder, &self.descriptor, &self.options.command)?;
            }
            let change = *pv::VgUuid::random().map_err(VgError::Random)?.as_bytes();
            let proposal = Proposal { base: Some(self.choice.newest.hash), next, change, force };
            let pvs: Vec<_> = self.members.iter().chain(joining).filter_map(Member::pv).collect();
            let replicas: Vec<&dyn DescriptorReplica> =
                pvs.into_iter().map(|pv| pv as &dyn DescriptorReplica).collect();
            if let Outcome::Done(next) = replicate(&replicas, &proposal)? {
                return self.adopt(*next, joining);
            }
            self.refresh()?;
        }
        Err(VgError::Busy(self.descriptor.name.clone()))
    }

    /// The acknowledged descriptor becomes what this group shows.
    fn adopt(&mut self, next: Descriptor, joining: &[Member]) -> Result<()> {
        self.members.extend(joining.iter().filter(|new| next.pv(new.uuid).is_some()).cloned());
        self.members.retain(|member| next.pv(member.uuid).is_some());
        self.options.vg = self.options.vg.as_ref().map(|_| next.name.clone());
        self.descriptor = next;
        let members: Vec<_> = self.members.iter().filter_map(Member::pv).collect();
        let read = |pv: &&pv::Pv| {
            let state = DescriptorReplica::read(*pv).ok()?.decode(pv.uuid()).ok()?;
            Some(state.replica)
        };
        let replicas: Vec<_> = members.iter().filter_map(read).collect();
        match crate::quorum::choose(&replicas) {
            Ok(choice) => self.choice = choice,
            Err(_) => self.refresh()?,
        }
        Ok(())
    }

    /// Brings the labels of PVs that hold no copy up to date. A label that cannot be written now is written by a later
    /// change; nothing is decided by it.
    fn label_all(&self) {
        for member in &self.members {
            let Some(pv) = member.pv() else { continue };
            let holder = self.descriptor.pv(member.uuid).is_some_and(|record| record.holder);
            let place = Place::under(&self.descriptor, member.uuid);
            let said = pv.read_label().map(|label| (label.membership, label.holders));
            if !holder && !matches!(said, Ok((member, holders)) if member == place.member && holders == place.holders) {
                let _ = relabel(pv, &place, false);
            }
        }
    }
}

/// Writes a PV's label, and with `leave` forgets the copies of the descriptor that it has.
pub(crate) fn relabel(pv: &pv::Pv, place: &Place, leave: bool) -> Result<()> {
    let change: Box<dyn ReplicaChange> = DescriptorReplica::begin(pv)?;
    if leave {
        change.clear()?;
    }
    change.set_place(place)?;
    change.commit()?;
    Ok(())
}

fn with_holders(descriptor: &Descriptor, unfit: &[PvUuid]) -> Descriptor {
    let mut next = descriptor.clone();
    choose_holders(&mut next, unfit);
    next
}

/// Makes up to seven PVs holders: those that are and stay, then the others in order, missing ones last.
pub(crate) fn choose_holders(descriptor: &mut Descriptor, unfit: &[PvUuid]) {
    let fit = |pv: &crate::PvRecord| !unfit.contains(&pv.uuid) && !pv.missing;
    let mut holders = descriptor.pvs.iter().filter(|pv| pv.holder && fit(pv)).count();
    for pv in &mut descriptor.pvs {
        pv.holder = if !fit(pv) {
            false
        } else if pv.holder {
            true
        } else {
            let room = holders < crate::validate::MAX_HOLDERS;
            holders = holders.saturating_add(usize::from(room));
            room
        };
    }
}
