//! The set of in-sync copies: choosing the newest at activation, bringing laggards forward, committing to all.

use pv::{Env, Epoch, FamilyUuid};

use super::copy::{Checkpoint, Commit, Copy, CopyPlace, CopyState};
use crate::{LvError, Result};

/// The open, equal copies of a catalogue.
#[derive(Debug)]
pub(crate) struct CopySet {
    copies: Vec<Copy>,
    threads: bool,
}

/// A catalogue that is about to be activated.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) copies: CopySet,
    /// What all copies now say.
    pub(crate) state: CopyState,
    /// Copies that could not be opened, with the reason.
    pub(crate) lost: Vec<(CopyPlace, String)>,
}

/// Opens the copies of a family's catalogue, picks the newest by (epoch, txg) and makes the others equal to it.
///
/// Nothing is promised to an activation yet: the epoch is raised by [`CopySet::take`].
pub(crate) fn activate_copies(env: &Env, family: FamilyUuid, places: &[CopyPlace]) -> Result<Recovered> {
    let mut open: Vec<(CopyState, Copy)> = Vec::new();
    let mut lost = Vec::new();
    for place in places {
        match open_durable(env, place) {
            Ok((state, copy)) if state.family == family => open.push((state, copy)),
            Ok(_) => lost.push((place.clone(), format!("{} belongs to another volume", place.path.display()))),
            Err(LvError::Pv(pv::PvError::Busy { path })) => return Err(pv::PvError::Busy { path }.into()),
            Err(error) => lost.push((place.clone(), error.to_string())),
        }
    }
    open.sort_by_key(|(state, _)| std::cmp::Reverse((state.epoch, state.txg)));
    let mut open = open.into_iter();
    let Some((state, newest)) = open.next() else {
        let missing: Vec<String> = lost.iter().map(|(_, why)| why.clone()).collect();
        return Err(LvError::NoMetadata { missing: missing.join("; ") });
    };
    let mut copies = vec![newest];
    for (behind, copy) in open {
        copies.push(bring_forward(copies.first(), &state, behind, copy)?);
    }
    Ok(Recovered { copies: CopySet { copies, threads: env.threads }, state, lost })
}

/// Opens a copy and makes durable what it says. What a log holds after a crash may be in memory only, or share a sector
/// with what is written next: it counts once a checkpoint has put it into the file.
fn open_durable(env: &Env, place: &CopyPlace) -> Result<(CopyState, Copy)> {
    let copy = Copy::open(env, place.clone())?;
    if copy.checkpoint(Checkpoint::Truncate)?.busy {
        return Err(pv::PvError::Busy { path: place.path.clone() }.into());
    }
    Ok((copy.state()?, copy))
}

/// Makes a laggard equal to `newest`: by the one commit it missed when that is all, else by a full copy.
fn bring_forward(newest: Option<&Copy>, state: &CopyState, behind: CopyState, mut copy: Copy) -> Result<Copy> {
    // Equal up to a crash between raising the epoch in one copy and in the next.
    let equal = behind.txg == state.txg && (behind.epoch == state.epoch || behind.epoch.next() == Some(state.epoch));
    let Some(newest) = newest.filter(|_| !equal) else {
        return Ok(copy);
    };
    let one_apart = behind.epoch == state.epoch && behind.txg.next() == Some(state.txg);
    let delta = if one_apart { newest.delta(state.epoch, state.txg)? } else { None };
    match delta {
        Some(ops) => {
            let commit = Commit {
                family: state.family,
                epoch: state.epoch,
                txg: state.txg,
                next_slice: state.next_slice,
                running: state.running,
                totals: state.totals,
                ops,
            };
            copy.commit(&commit, true, true)?;
        }
        None => copy.replace_by(newest)?,
    }
    Ok(copy)
}

impl CopySet {
    /// Raises the epoch in every copy, durably: from here on an older owner's commit fails.
    pub(crate) fn take(&mut self, state: &CopyState, epoch: Epoch) -> Result<()> {
        let mut commit = Commit {
            family: state.family,
            epoch,
            txg: state.txg,
            next_slice: state.next_slice,
            running: state.running,
            totals: state.totals,
            ops: Vec::new(),
        };
        commit.seal();
        self.copies.iter_mut().try_for_each(|copy| copy.commit(&commit, false, false))
    }

    /// Runs a commit on all copies. `Ok` means that all have it; after an error the outcome is unknown.
    pub(crate) fn commit(&mut self, commit: &Commit, fence: bool) -> Result<()> {
        let keep = self.copies.len() > 1;
        if !self.threads || !keep {
            return self.copies.iter_mut().try_for_each(|copy| copy.commit(commit, keep, fence));
        }
        std::thread::scope(|scope| {
            let running: Vec<_> =
                self.copies.iter_mut().map(|copy| scope.spawn(move || copy.commit(commit, keep, fence))).collect();
            running.into_iter().try_for_each(|thread| thread.join().unwrap_or(Err(thread_died())))
        })
    }

    /// Moves the logs of all copies into their files; `true` when nothing stood in the way.
    pub(crate) fn checkpoint(&self, truncate: bool) -> Result<bool> {
        let mode = if truncate { Checkpoint::Truncate } else { Checkpoint::Passive };
        let mut complete = true;
        for copy in &self.copies {
            complete &= !copy.checkpoint(mode)?.busy;
        }
        Ok(complete)
    }

    /// Where the copies lie, the first one being read from.
    pub(crate) fn places(&self) -> Vec<CopyPlace> {
        self.copies.iter().map(|copy| copy.place.clone()).collect()
    }
}

fn thread_died() -> LvError {
    LvError::Poisoned { why: "a worker thread died".to_owned() }
}
