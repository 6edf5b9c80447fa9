//! The change protocol: promise an epoch on a majority, then write the next generation where the promise stands.
//!
//! The order is the point: lock all reachable copies in uuid order, read, promise (a commit of its own on each), then
//! install (checked against promise and generation in the same transaction), and only a majority makes it done.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pv::{DescriptorCopy, PvUuid};

use crate::quorum::{Choice, Round, Undecided, choose};
use crate::replica::{Decoded, DescriptorReplica, Place, ReplicaChange};
use crate::{Descriptor, Fork, Hash, Result, VgError};

/// A change that was planned on the generation `base`.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    /// Generation it was planned on; `None` to make a VG.
    pub(crate) base: Option<Hash>,
    /// The descriptor to be; its numbers are filled in here.
    pub(crate) next: Descriptor,
    /// Random.
    pub(crate) change: [u8; 16],
    /// Go on without a majority.
    pub(crate) force: bool,
}

/// How a proposal ended when nothing failed.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Acknowledged.
    Done(Box<Descriptor>),
    /// The VG has another generation than the proposal was planned on: plan again.
    Moved,
}

struct Held {
    pv: PvUuid,
    change: Box<dyn ReplicaChange>,
    state: Decoded,
}

/// Carries out `proposal` on the reachable `replicas`.
///
/// # Errors
/// [`VgError::NoMajority`] (nothing but promises written), [`VgError::Unacknowledged`] (outcome unknown),
/// [`VgError::Forked`], [`VgError::Unstorable`].
///
/// # Durability
/// [`Outcome::Done`] is durable on a majority.
pub(crate) fn replicate(replicas: &[&dyn DescriptorReplica], proposal: &Proposal) -> Result<Outcome> {
    let joining = |choice: &Choice| -> BTreeSet<PvUuid> {
        proposal.next.holders().difference(&choice.newest.holders).copied().collect()
    };
    let mut held = lock_all(replicas, proposal)?;
    let members: Vec<_> = held.iter().map(|held| held.state.replica.clone()).collect();
    let choice = choose(&members).map_err(|undecided| undecided_error(&proposal.next, &undecided))?;
    if Some(choice.newest.hash) != proposal.base {
        return Ok(Outcome::Moved);
    }
    let held_here = replicas.iter().filter(|replica| choice.newest.holders.contains(&replica.uuid())).count();
    let no_majority = |reachable: usize| VgError::NoMajority {
        vg: proposal.next.name.clone(),
        reachable,
        holders: choice.newest.holders.len(),
        refusing: held_here.saturating_sub(reachable),
    };
    let reachable = choice.newest.holders.intersection(&choice.visible).count();
    let holders = proposal.next.holders();
    let mut round = Round::new(&choice, holders, proposal.force).ok_or_else(|| no_majority(reachable))?;
    let next = numbered(proposal, &choice, &round)?;
    let copy = stored(&next)?;
    let targets = round.targets();
    held.retain(|held| targets.contains(&held.pv));
    for one in &held {
        if one.change.promise(round.epoch).is_ok() {
            round.promise_made(one.pv);
        }
    }
    if !round.may_install() {
        return Err(no_majority(choice.newest.holders.iter().filter(|pv| round.installs_on(**pv)).count()));
    }
    // New holders first: while an old majority lacks the change, losing a new PV must not stop the VG.
    let new = joining(&choice);
    held.sort_by_key(|held| !new.contains(&held.pv));
    for one in held {
        let pv = one.pv;
        if round.installs_on(pv) && install(one, &copy, &next, new.contains(&pv)).is_ok() {
            round.install_made(pv);
        }
    }
    if round.acknowledged() {
        return Ok(Outcome::Done(Box::new(next)));
    }
    Err(VgError::Unacknowledged { vg: next.name.clone(), written: round.installed(), holders: next.holders().len() })
}

/// Locks the reachable replicas in uuid order and reads them. One that cannot be locked counts as unreachable; what a
/// newer program wrote stops everything.
fn lock_all(replicas: &[&dyn DescriptorReplica], proposal: &Proposal) -> Result<Vec<Held>> {
    let mut sorted = replicas.to_vec();
    sorted.sort_by_key(|replica| replica.uuid());
    let mut held = Vec::with_capacity(sorted.len());
    let mut failed = None;
    for replica in sorted {
        let pv = replica.uuid();
        let begun = replica.begin().and_then(|change| Ok((change.read()?, change)));
        let (state, change) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                failed = failed.or(Some(error));
                continue;
            }
        };
        let stored = |source| VgError::Unstorable { vg: proposal.next.name.clone(), source };
        let mut state = state.decode(pv).map_err(stored)?;
        // Whatever a PV held for another VG does not count.
        if state.descriptor.as_ref().is_some_and(|found| found.vg != proposal.next.vg) {
            state.replica.newest = None;
            state.descriptor = None;
        }
        held.push(Held { pv, change, state });
    }
    match failed {
        Some(error) if held.is_empty() => Err(error.into()),
        _ => Ok(held),
    }
}

fn install(held: Held, copy: &DescriptorCopy, next: &Descriptor, joins: bool) -> pv::Result<()> {
    let found = held.change.read()?;
    if joins && !found.copies.is_empty() {
        held.change.clear()?;
    }
    let previous = if joins { None } else { found.copies.last().map(|copy| copy.seqno) };
    held.change.install(copy, previous)?;
    held.change.set_place(&Place::under(next, held.pv))?;
    held.change.commit()
}

/// The proposal with the numbers of its place in the history.
fn numbered(proposal: &Proposal, choice: &Choice, round: &Round) -> Result<Descriptor> {
    let mut next = proposal.next.clone();
    let full = || VgError::Busy(proposal.next.name.clone());
    next.epoch = round.epoch;
    next.seqno = choice.newest.seqno.next().ok_or_else(full)?;
    next.parent = Some(choice.newest.hash);
    next.change = proposal.change;
    next.prior_holders = BTreeSet::new();
    if proposal.force {
        next.forks.push(Fork { id: proposal.change, seqno: next.seqno });
    } else if next.holders() != choice.newest.holders {
        next.prior_holders.clone_from(&choice.newest.holders);
    }
    Ok(next)
}

fn stored(next: &Descriptor) -> Result<DescriptorCopy> {
    let body = next.encode().map_err(|source| VgError::Unstorable { vg: next.name.clone(), source })?;
    Ok(DescriptorCopy {
        epoch: next.epoch,
        seqno: next.seqno,
        change_id: next.change,
        parent: next.parent.map_or([0; 32], |hash| hash.0),
        body,
    })
}

/// Writes the first generation of a new VG on all its PVs, under an epoch above all that they ever promised.
///
/// # Errors
/// [`VgError::Pv`] of the first PV that failed; the VG then has not been made, though some PVs may carry its label.
pub(crate) fn found(replicas: &[&dyn DescriptorReplica], first: &mut Descriptor) -> Result<()> {
    let mut sorted = replicas.to_vec();
    sorted.sort_by_key(|replica| replica.uuid());
    let held: Vec<_> = sorted.iter().map(|r| Ok((r.uuid(), r.begin()?))).collect::<pv::Result<_>>()?;
    for (_, change) in &held {
        let promised = change.read()?.promised;
        first.epoch = first.epoch.max(promised.next().unwrap_or(promised));
    }
    let copy = stored(first)?;
    for (pv, change) in held {
        if first.pv(pv).is_some_and(|record| record.holder) {
            change.clear()?;
            change.promise(first.epoch)?;
            change.install(&copy, None)?;
        }
        change.set_place(&Place::under(first, pv))?;
        change.commit()?;
    }
    Ok(())
}

fn undecided_error(next: &Descriptor, undecided: &Undecided) -> VgError {
    match undecided {
        Undecided::Nothing => VgError::NotFound(next.name.to_string()),
        Undecided::Forked { first, second } => VgError::Forked {
            vg: next.name.to_string(),
            first: PathBuf::from(first.to_string()),
            second: PathBuf::from(second.to_string()),
        },
    }
}

#[cfg(test)]
mod tests;
