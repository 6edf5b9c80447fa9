//! Which generation of the descriptor counts, and when a change may be called done. Pure.
//!
//! Rules, with their reasons:
//! * The newest generation is the one with the highest (epoch, seqno).
//! * A change needs a majority of the holders that the newest generation names, *and* of those its parent named: a
//!   change of holders that reached only new ones must not outvote the old ones.
//! * It first has its epoch promised by these majorities, durably, and is written only where that promise still
//!   stands: a change that crashed half-way can then never outrank a later, acknowledged one.
//! * A forced change leaves a mark ([`Fork`]). A copy that lacks the mark but is as new as the forced change went
//!   another way; nothing is picked between the two.

use std::collections::BTreeSet;

use pv::{Epoch, PvUuid, Seqno};

use crate::{Descriptor, Fork, Hash};

/// What a forced change adds to the epoch, so that no change made elsewhere reaches it by counting.
const FORCE_STEP: u64 = 1000;

/// Head of one stored descriptor: what decides without reading the rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Promise under which it was written.
    pub epoch: Epoch,
    /// Its number.
    pub seqno: Seqno,
    /// Its identity.
    pub hash: Hash,
    /// Forced changes in its history.
    pub forks: Vec<Fork>,
    /// The PVs that hold copies.
    pub holders: BTreeSet<PvUuid>,
    /// The holders before it, where they differ; else empty.
    pub prior: BTreeSet<PvUuid>,
}

impl Generation {
    /// The head of a descriptor that is stored as `bytes`.
    pub fn of(descriptor: &Descriptor, bytes: &[u8]) -> Self {
        Self {
            epoch: descriptor.epoch,
            seqno: descriptor.seqno,
            hash: Hash::of(bytes),
            forks: descriptor.forks.clone(),
            holders: descriptor.holders(),
            prior: descriptor.prior_holders.clone(),
        }
    }

    fn rank(&self) -> (Epoch, Seqno) {
        (self.epoch, self.seqno)
    }

    /// The sets of which a change needs a majority each.
    fn voters(&self) -> impl Iterator<Item = &BTreeSet<PvUuid>> {
        [&self.holders, &self.prior].into_iter().filter(|set| !set.is_empty())
    }

    fn majority(&self, of: &BTreeSet<PvUuid>) -> bool {
        self.voters().all(|set| is_majority(set, of))
    }

    /// `other` holds a history that ends where it may not: at or past a forced change of this one.
    fn diverges_from(&self, other: &Self) -> bool {
        match self.forks.strip_prefix(other.forks.as_slice()) {
            Some([]) => false,
            Some([first, ..]) => other.seqno >= first.seqno,
            None => true,
        }
    }
}

fn is_majority(set: &BTreeSet<PvUuid>, of: &BTreeSet<PvUuid>) -> bool {
    set.intersection(of).count() > set.len() / 2
}

/// What one reachable PV holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Replica {
    /// The PV.
    pub pv: PvUuid,
    /// Highest epoch it promised.
    pub promised: Epoch,
    /// Its newest readable generation.
    pub newest: Option<Generation>,
}

/// Why nothing can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecided {
    /// No copy at all.
    Nothing,
    /// Two copies of which neither comes after the other.
    Forked {
        /// Holder of one.
        first: PvUuid,
        /// Holder of the other.
        second: PvUuid,
    },
}

/// The generation that counts, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The newest one.
    pub newest: Generation,
    /// The highest promise seen, at least the newest one's epoch.
    pub promised: Epoch,
    /// Reachable PVs.
    pub visible: BTreeSet<PvUuid>,
    /// Those that have the newest generation.
    pub current: BTreeSet<PvUuid>,
    /// Holders that are reachable but have an older one, or none.
    pub stale: BTreeSet<PvUuid>,
    /// Holders that are not reachable.
    pub absent: BTreeSet<PvUuid>,
}

impl Choice {
    /// Enough holders are reachable for a change.
    pub fn majority(&self) -> bool {
        self.newest.majority(&self.visible)
    }

    /// The newest generation is known to have been acknowledged, or will be by nothing less than a forced change
    /// undone: a majority has it.
    pub fn acknowledged(&self) -> bool {
        self.newest.majority(&self.current)
    }
}

/// Picks the generation that counts. O(replicas).
///
/// # Errors
/// [`Undecided`].
pub fn choose(replicas: &[Replica]) -> Result<Choice, Undecided> {
    let held = || replicas.iter().filter_map(|replica| Some((replica.pv, replica.newest.as_ref()?)));
    let (first, newest) = held().max_by_key(|(_, generation)| generation.rank()).ok_or(Undecided::Nothing)?;
    let splits = |other: &Generation| {
        newest.diverges_from(other) || (newest.rank() == other.rank() && newest.hash != other.hash)
    };
    if let Some((second, _)) = held().find(|(_, other)| splits(other)) {
        return Err(Undecided::Forked { first, second });
    }
    let visible: BTreeSet<PvUuid> = replicas.iter().map(|replica| replica.pv).collect();
    let current: BTreeSet<PvUuid> = held().filter(|(_, other)| other.hash == newest.hash).map(|(pv, _)| pv).collect();
    let promised = replicas.iter().map(|replica| replica.promised).max().unwrap_or_default().max(newest.epoch);
    Ok(Choice {
        stale: newest.holders.iter().filter(|pv| visible.contains(pv) && !current.contains(pv)).copied().collect(),
        absent: newest.holders.difference(&visible).copied().collect(),
        newest: newest.clone(),
        promised,
        visible,
        current,
    })
}

/// One change on its way to the holders.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Round {
    /// The epoch to promise and to write under.
    pub(crate) epoch: Epoch,
    base: Generation,
    holders: BTreeSet<PvUuid>,
    forced: bool,
    promised: BTreeSet<PvUuid>,
    installed: BTreeSet<PvUuid>,
}

impl Round {
    /// A change on top of `choice` that makes `holders` the holders; `None` without a majority, unless forced.
    pub(crate) fn new(choice: &Choice, holders: BTreeSet<PvUuid>, forced: bool) -> Option<Self> {
        if !choice.majority() && !forced {
            return None;
        }
        let step = if forced { FORCE_STEP } else { 1 };
        Some(Self {
            epoch: choice.promised.0.checked_add(step).map(Epoch)?,
            base: choice.newest.clone(),
            holders,
            forced,
            promised: BTreeSet::new(),
            installed: BTreeSet::new(),
        })
    }

    /// The PVs to go to.
    pub(crate) fn targets(&self) -> BTreeSet<PvUuid> {
        self.base.voters().flatten().chain(&self.holders).copied().collect()
    }

    /// `pv` has made the promise durable.
    pub(crate) fn promise_made(&mut self, pv: PvUuid) {
        self.promised.insert(pv);
    }

    /// The promise stands on enough PVs for the descriptor to be written.
    pub(crate) fn may_install(&self) -> bool {
        self.forced || (self.base.majority(&self.promised) && is_majority(&self.holders, &self.promised))
    }

    /// `pv` is to get the new generation: only PVs whose promise is known to stand.
    pub(crate) fn installs_on(&self, pv: PvUuid) -> bool {
        self.promised.contains(&pv)
    }

    /// `pv` has made the new generation durable.
    pub(crate) fn install_made(&mut self, pv: PvUuid) {
        self.installed.insert(pv);
    }

    /// How many PVs have the new generation.
    pub(crate) fn installed(&self) -> usize {
        self.installed.len()
    }

    /// The change may be acknowledged.
    pub(crate) fn acknowledged(&self) -> bool {
        if self.forced {
            return !self.installed.is_empty();
        }
        self.base.majority(&self.installed) && is_majority(&self.holders, &self.installed)
    }
}

#[cfg(test)]
mod model;
