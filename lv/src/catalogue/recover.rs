//! The set of in-sync copies: choosing the newest at activation, bringing laggards forward, committing to all.

use std::path::Path;
use std::sync::Arc;

use pv::sqlite::Access;
use pv::{Env, Epoch, FamilyUuid, LvUuid};

use super::copy::{Checkpoint, Commit, Copy, CopyPlace, CopyState, create_catalogue};
use super::index_room::index_room;
use super::lost::{is_lost, same_file, told};
use crate::engine::{Rule, TestSwitches};
use crate::{LvError, Result};

/// The open, equal copies of a catalogue.
#[derive(Debug)]
pub(crate) struct CopySet {
    copies: Vec<Copy>,
    threads: bool,
    rules: TestSwitches,
    /// What the copies behind the first do not have yet: nothing, but where that rule is off.
    late: Option<Commit>,
    /// A commit that found no room in some copies, which comes before any other.
    unfinished: Option<Arc<Commit>>,
}

/// A catalogue that is about to be activated.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) copies: CopySet,
    /// What all copies now say.
    pub(crate) state: CopyState,
    /// Copies that are none any more, with the reason.
    pub(crate) lost: Vec<(CopyPlace, String)>,
}

/// Opens the copies of a family's catalogue, picks the newest by (epoch, txg) and makes the others equal to it. One that
/// fails for another reason than being lost ends the activation: it may be whole.
///
/// Nothing is promised to an activation yet: the epoch is raised by [`CopySet::take`].
pub(crate) fn activate_copies(
    env: &Env,
    family: FamilyUuid,
    places: &[CopyPlace],
    rules: TestSwitches,
) -> Result<Recovered> {
    let mut open: Vec<(CopyState, Copy)> = Vec::new();
    let mut lost = Vec::new();
    for place in places {
        index_room(env, &place.path, Access::ReadWrite)?;
        if let Some(why) = same_file(env, open.iter().map(|(_, copy)| &copy.place), place) {
            lost.push((place.clone(), why));
            continue;
        }
        match open_durable(env, place, rules) {
            Ok((state, copy)) if state.family == family => open.push((state, copy)),
            Ok(_) => lost.push((place.clone(), "it belongs to another volume".to_owned())),
            // It is whole: it must not be given up for what ends by itself, or when there is room again.
            Err(error @ LvError::Pv(pv::PvError::Busy { .. } | pv::PvError::NoSpace { .. })) => return Err(error),
            Err(error) if is_lost(&error) => lost.push((place.clone(), told(&place.path, &error))),
            Err(error) => {
                let why = told(&place.path, &error);
                return Err(LvError::CopyUnread { file: place.path.clone(), why, error: Box::new(error) });
            }
        }
    }
    open.sort_by_key(|(state, _)| std::cmp::Reverse((state.epoch, state.txg)));
    if !rules.keep(Rule::NewestCopy) {
        open.reverse();
    }
    let mut open = open.into_iter();
    let Some((state, newest)) = open.next() else {
        return Err(LvError::no_metadata(&lost));
    };
    let mut copies = vec![newest];
    for (behind, copy) in open {
        let equal = rules.keep(Rule::EqualCopies);
        copies.push(if equal { bring_forward(copies.first(), &state, behind, copy)? } else { copy });
    }
    Ok(Recovered { copies: CopySet { copies, threads: env.threads, rules, late: None, unfinished: None }, state, lost })
}

/// Opens a copy and makes durable what it says. What a log holds after a crash may be in memory only, or share a sector
/// with what is written next: it counts once a checkpoint has put it into the file.
fn open_durable(env: &Env, place: &CopyPlace, rules: TestSwitches) -> Result<(CopyState, Copy)> {
    let copy = Copy::open(env, place.clone())?;
    sync_names(env, &place.path)?;
    if rules.keep(Rule::DurableLog) && copy.checkpoint(Checkpoint::Truncate)?.busy {
        return Err(pv::PvError::Busy { path: place.path.clone() }.into());
    }
    Ok((copy.state()?, copy))
}

/// Makes the names of a copy and its log durable, which has its own once the copy is open. SQLite syncs the folder too, but
/// tells nobody when that fails: commits would be acknowledged that are in a file without a durable name.
fn sync_names(env: &Env, path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    let failed = |source| pv::PvError::Io { path: folder.to_owned(), operation: "make its names durable", source };
    Ok(env.host.sync_dir(folder).map_err(failed)?)
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
    /// None, for a volume that is only read.
    pub(crate) fn none() -> Self {
        Self { copies: Vec::new(), threads: false, rules: TestSwitches::NONE, late: None, unfinished: None }
    }

    /// Whether the first copy still says `state`.
    pub(crate) fn are_still(&self, state: &CopyState) -> Result<bool> {
        Ok(self.copies.first().map(Copy::state).transpose()?.as_ref() == Some(state))
    }

    /// Raises the epoch in every copy, durably: from here on an older owner's commit fails. `false` when a former owner
    /// has committed since `state` was read: what was read is old, start over.
    ///
    /// Always in the order of the files' names, whichever copy is the newest: of two activations at once one is first, and
    /// the other is refused at the first copy.
    ///
    /// # Errors
    /// [`LvError::Fenced`]: another activation came first.
    pub(crate) fn take(&mut self, state: &CopyState, epoch: Epoch, rules: TestSwitches) -> Result<bool> {
        let mut order: Vec<&mut Copy> = self.copies.iter_mut().collect();
        order.sort_by(|one, other| one.place.path.cmp(&other.place.path));
        for copy in order {
            if !copy.take(state, epoch, rules)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Runs a commit on all copies. `Ok` means that all have it; after an error the outcome is unknown, and the volume must
    /// stop. Unless copies had no room: their transactions are taken back, and the commit is [unfinished](Self::unfinished).
    /// The same has to be run again before any other; copies that have it are left alone then.
    pub(crate) fn commit(&mut self, commit: &Arc<Commit>, fence: bool) -> Result<()> {
        if !self.rules.keep(Rule::AllCopies) {
            return self.commit_to_first(commit, fence);
        }
        let (keep, again) = (self.copies.len() > 1, self.unfinished.take().is_some());
        let run = |copy: &mut Copy| {
            // Another owner's commit of the same number is not this one: the fence refuses it.
            let has = again && copy.state().is_ok_and(|now| (now.epoch, now.txg) == (commit.epoch, commit.txg));
            if has { Ok(()) } else { copy.commit(commit, keep, fence) }
        };
        let done: Vec<Result<()>> = if !self.threads || !keep {
            self.copies.iter_mut().map(run).collect()
        } else {
            std::thread::scope(|scope| {
                let running: Vec<_> = self.copies.iter_mut().map(|copy| scope.spawn(move || run(copy))).collect();
                running.into_iter().map(|thread| thread.join().unwrap_or(Err(thread_died()))).collect()
            })
        };
        let (full, other): (Vec<LvError>, Vec<LvError>) = done.into_iter().filter_map(Result::err).partition(is_full);
        let Some(error) = other.into_iter().next() else {
            let Some(error) = full.into_iter().next() else { return Ok(()) };
            self.unfinished = Some(Arc::clone(commit));
            return Err(error);
        };
        Err(error)
    }

    /// The commit that found no room.
    pub(crate) fn unfinished(&self) -> Option<Arc<Commit>> {
        self.unfinished.clone()
    }

    /// As [`commit`](Self::commit) with the rule off that all copies have it.
    fn commit_to_first(&mut self, commit: &Commit, fence: bool) -> Result<()> {
        let late = self.late.replace(commit.clone());
        let Some((first, others)) = self.copies.split_first_mut() else { return Ok(()) };
        first.commit(commit, true, fence)?;
        late.iter().try_for_each(|late| others.iter_mut().try_for_each(|copy| copy.commit(late, true, fence)))
    }

    /// Moves the logs of all copies into their files, with commits held; `true` when nothing stood in the way.
    pub(crate) fn checkpoint(&self, truncate: bool) -> Result<bool> {
        let mode = if truncate { Checkpoint::Truncate } else { Checkpoint::Held };
        let mut complete = true;
        for copy in &self.copies {
            complete &= !copy.checkpoint(mode)?.busy;
        }
        Ok(complete)
    }

    /// Makes a copy at `place` that is equal to the first one, durably. It takes part in nothing before it is
    /// [joined](Self::join).
    pub(crate) fn make_equal(&self, env: &Env, place: &CopyPlace, lv: LvUuid) -> Result<Copy> {
        let source = self.copies.first().ok_or(LvError::Closed)?;
        let state = source.state()?;
        create_catalogue(env, &place.path, (state.family, lv), (0, 0))?;
        let mut copy = Copy::open(env, place.clone())?;
        copy.replace_by(source)?;
        if copy.checkpoint(Checkpoint::Truncate)?.busy {
            return Err(pv::PvError::Busy { path: place.path.clone() }.into());
        }
        sync_names(env, &place.path)?;
        if copy.state()? == state { Ok(copy) } else { Err(copy.damaged("a fresh copy is not what it was made from")) }
    }

    /// From here on a commit has to reach this copy, too.
    pub(crate) fn join(&mut self, copy: Copy) {
        self.copies.push(copy);
    }

    /// The copies.
    pub(crate) fn all(&self) -> &[Copy] {
        &self.copies
    }

    /// Where the copies lie, the first one being read from.
    pub(crate) fn places(&self) -> Vec<CopyPlace> {
        self.copies.iter().map(|copy| copy.place.clone()).collect()
    }
}

/// Whether SQLite found no room to write: it says so of writes alone, never of a sync, and takes the transaction back.
fn is_full(error: &LvError) -> bool {
    matches!(error, LvError::Pv(pv::PvError::NoSpace { .. }))
}

fn thread_died() -> LvError {
    LvError::Poisoned { why: "a worker thread died".to_owned(), full: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: TestSwitches = TestSwitches::NONE;

    /// Two copies of an empty catalogue.
    fn catalogue() -> (tempfile::TempDir, Env, FamilyUuid, Vec<CopyPlace>) {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env { threads: false, ..Env::system() });
        let family = FamilyUuid::random().unwrap();
        let lv = pv::LvUuid::random().unwrap();
        let place =
            |n: u8| CopyPlace { pv: pv::PvUuid::from_bytes([n; 16]), path: dir.path().join(format!("c{n}.meta")) };
        let places = vec![place(1), place(2)];
        for place in &places {
            create_catalogue(&env, &place.path, (family, lv), (1, 0)).unwrap();
        }
        (dir, env, family, places)
    }

    fn frozen(state: CopyState, epoch: Epoch, txg: u64) -> Arc<Commit> {
        let CopyState { family, next_slice, running, totals, .. } = state;
        let mut commit = Commit { family, epoch, txg: pv::Txg(txg), next_slice, running, totals, ops: Vec::new() };
        commit.seal();
        Arc::new(commit)
    }

    fn commit(copies: &mut CopySet, state: CopyState, epoch: Epoch, txg: u64) -> Result<()> {
        copies.commit(&frozen(state, epoch, txg), true)
    }

    #[test]
    fn what_found_no_room_is_finished_where_it_is_missing_and_refused_after_a_takeover() {
        let (_dir, env, family, places) = catalogue();
        let one = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut owner, state) = (one.copies, one.state);
        assert!(owner.take(&state, Epoch(1), RULES).unwrap());
        // The first copy has it, the second found no room.
        let first = frozen(state, Epoch(1), 1);
        owner.copies[0].commit(&first, true, true).unwrap();
        owner.unfinished = Some(Arc::clone(&first));
        owner.commit(&first, true).unwrap();
        assert!(owner.unfinished().is_none());
        assert!(owner.copies.iter().all(|copy| copy.state().unwrap().txg == pv::Txg(1)));
        let second = frozen(state, Epoch(1), 2);
        owner.unfinished = Some(Arc::clone(&second));
        let two = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut taker, seen) = (two.copies, two.state);
        assert!(taker.take(&seen, Epoch(2), RULES).unwrap());
        commit(&mut taker, seen, Epoch(2), 2).unwrap();
        commit(&mut taker, seen, Epoch(2), 3).unwrap();
        assert!(matches!(owner.commit(&second, true), Err(LvError::Fenced { .. })));
    }

    #[test]
    fn of_two_activations_at_once_one_is_refused_and_changes_nothing() {
        let (_dir, env, family, places) = catalogue();
        let one = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut winner, state) = (one.copies, one.state);
        let mut loser = activate_copies(&env, family, &places, RULES).unwrap().copies;
        let epoch = Epoch(1);
        assert!(winner.take(&state, epoch, RULES).unwrap());
        commit(&mut winner, state, epoch, 1).unwrap();
        // Both looked before either acted: the second would take the first one's commit back.
        assert!(matches!(loser.take(&state, Epoch(1), RULES), Err(LvError::Fenced { .. })));
        assert!(matches!(loser.take(&state, Epoch(2), RULES), Err(LvError::Fenced { .. })));
        let now = activate_copies(&env, family, &places, RULES).unwrap().state;
        assert_eq!((now.epoch, now.txg), (epoch, pv::Txg(1)));
    }

    #[test]
    fn what_a_former_owner_commits_while_it_is_passed_over_is_seen() {
        let (_dir, env, family, places) = catalogue();
        let one = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut owner, state) = (one.copies, one.state);
        assert!(owner.take(&state, Epoch(1), RULES).unwrap());
        let two = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut taker, seen) = (two.copies, two.state);
        commit(&mut owner, state, Epoch(1), 1).unwrap();
        assert!(!taker.take(&seen, Epoch(2), RULES).unwrap(), "an acknowledged commit would be taken back");
        let three = activate_copies(&env, family, &places, RULES).unwrap();
        let (mut taker, seen) = (three.copies, three.state);
        assert_eq!(seen.txg, pv::Txg(1));
        assert!(taker.take(&seen, Epoch(2), RULES).unwrap());
        assert!(matches!(commit(&mut owner, state, Epoch(1), 2), Err(LvError::Fenced { .. })));
    }
}
