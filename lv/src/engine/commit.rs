//! Committing a transaction group to all copies of the catalogue; what fsync and sync wait for.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use pv::{Env, Txg};

use super::core::{Core, lock, try_lock};
use super::flush::FlushToken;
use super::gather::gather;
use super::host_reserve::Emptied;
use super::host_space::rows_of;
use super::inode::Inode;
use super::rules::Rule;
use super::state::State;
use crate::catalogue::{Checkpoint, Commit, Copy, CopySet, TUNING};
use crate::check::examine;
use crate::{CheckOptions, CheckReport, Ino, LvError, Result};

/// Rounds of placing large required data before a commit takes the rest inline.
const PLACING_ROUNDS: usize = 4;

/// How long a commit waits for readers of the log.
const LOG_PATIENCE: Duration = Duration::from_secs(30);

/// Pages of a log at which it is moved into its file.
const LOG_TURN: u64 = 1024;

/// Length of a write-ahead log.
fn log_len(env: &Env, path: &std::path::Path) -> u64 {
    env.host.stat(path).map_or(0, |file| file.len.0)
}

impl Core {
    /// Makes a file's data and all earlier namespace operations durable.
    pub(crate) fn fsync(&self, ino: Ino) -> Result<()> {
        let mut state = self.state()?;
        let inode = state.live(ino)?;
        if self.options.read_only {
            return Ok(());
        }
        let (pending, stamp) = (inode.pending(), inode.stamp);
        if pending {
            state.required.insert(ino);
        }
        if !pending && stamp <= state.committed && state.dirty.rows() == 0 && state.committed.next() == Some(state.txg)
        {
            return Ok(());
        }
        let txg = state.txg;
        drop(state);
        self.commit_changes(txg)
    }

    /// Makes everything done before the call durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let mut state = self.state()?;
        if self.options.read_only {
            return Ok(());
        }
        state.install_dataless()?;
        let (little, mut txg) = (self.require_little(&mut state), state.txg);
        drop(state);
        if !little {
            self.place_all()?;
            txg = self.state()?.txg;
        }
        self.commit_changes(txg)
    }

    /// Places all data that waits; what finds no extent goes into the next commit, if that takes so much.
    pub(crate) fn place_all(&self) -> Result<()> {
        match self.flush_all() {
            Err(error @ LvError::NoSpace { .. }) => {
                if self.require_little(&mut *self.state()?) {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            placed => placed,
        }
    }

    /// Has the next commit take all data that waits, where that is little and nothing is on its way to a PV.
    fn require_little(&self, state: &mut State) -> bool {
        let files: Vec<Ino> = state.waiting.values().copied().collect();
        let open: u64 = files.iter().filter_map(|ino| state.inodes.get(ino)).map(|inode| inode.open.data()).sum();
        let little = open <= self.inline_max() && open == state.pending;
        if little {
            state.required.extend(files);
        }
        little
    }

    /// As [`commit_through`](Self::commit_through); whoever changed nothing needs no room.
    pub(crate) fn commit_changes(&self, txg: Txg) -> Result<()> {
        match self.commit_through(txg) {
            Err(LvError::HostFull { .. }) if self.state()?.unchanged() => Ok(()),
            done => done,
        }
    }

    /// Stops the volume after a sync that failed, unless it asked for something that is not there or can simply be asked
    /// again.
    pub(crate) fn unsynced(&self, error: LvError) -> LvError {
        match error {
            LvError::NoInode { .. }
            | LvError::Invalid { .. }
            | LvError::NoSpace { .. }
            | LvError::HostFull { .. }
            | LvError::Quota { .. }
            | LvError::Poisoned { .. }
            | LvError::Closed
            | LvError::Pv(pv::PvError::Busy { .. }) => error,
            other => self.poison(other),
        }
    }

    /// Returns when commit `txg` has returned, running it if nobody does. Callers that come together share one commit.
    pub(crate) fn commit_through(&self, txg: Txg) -> Result<()> {
        let mut refused = None;
        for _ in 0..PLACING_ROUNDS {
            if !self.place_required(txg)? {
                return Ok(());
            }
            let done = {
                let _quiet = self.quiet_when_tight()?;
                self.commit_inline(txg)
            };
            match done {
                // What others required meanwhile may have no room in the metadata, and some on the PVs.
                Err(error @ LvError::HostFull { .. }) if !self.large_required(&*self.state()?).is_empty() => {
                    refused = Some(error);
                }
                done => return done,
            }
        }
        refused.map_or(Ok(()), Err)
    }

    /// Places large required data, in as many rounds as that is worth; `false` when commit `txg` has returned.
    fn place_required(&self, txg: Txg) -> Result<bool> {
        for _ in 0..PLACING_ROUNDS {
            let state = self.state()?;
            if state.committed >= txg {
                return Ok(false);
            }
            let large = self.large_required(&state);
            drop(state);
            if large.is_empty() {
                break;
            }
            self.flush_files(&large)?;
        }
        Ok(true)
    }

    /// Required files with more data than a commit takes inline.
    fn large_required(&self, state: &State) -> Vec<Ino> {
        let inline = self.inline_max();
        let large = |inode: &Inode| !inode.sealed.is_empty() || inode.open.data() > inline;
        state.required.iter().filter(|ino| state.inodes.get(ino).is_some_and(large)).copied().collect()
    }

    /// On a nearly full host nothing else is written during a commit: what is free when it begins must be there for it.
    fn quiet_when_tight(&self) -> Result<Option<FlushToken<'_>>> {
        if !lock(&self.host_known).tight {
            return Ok(None);
        }
        let mut token = lock(&self.flush);
        self.drain(&mut token)?;
        Ok(Some(token))
    }

    /// As [`commit_through`](Self::commit_through), whatever the commit requires going in inline. For callers that hold
    /// the flush lock.
    pub(crate) fn commit_inline(&self, txg: Txg) -> Result<()> {
        let mut state = self.state()?;
        if txg == state.txg && state.gathering.join() {
            self.arrived.notify_one();
        }
        while state.committing && state.committed < txg {
            // Whoever commits now takes along what it froze; all who wait here share the next commit.
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.healthy()?;
        }
        if state.committed >= txg {
            return Ok(());
        }
        state.committing = true;
        if self.env.threads {
            state = gather(&self.arrived, state);
        }
        drop(state);
        let done = self.commit_now();
        let mut state = lock(&self.state);
        state.committing = false;
        let through = state.committed >= txg;
        drop(state);
        self.changed.notify_all();
        if done.is_ok() && !self.env.threads {
            self.checkpoint()?;
        }
        match done {
            // It was this one that had to be finished first; there is no room for the next.
            Err(LvError::HostFull { .. }) if through => Ok(()),
            done => done,
        }
    }

    /// Freezes the open transaction group and commits it. One at a time.
    fn commit_now(&self) -> Result<()> {
        let mut copies = lock(&self.copies);
        self.bound_log(&copies)?;
        let unfinished = copies.unfinished().filter(|_| self.options.switches.keep(Rule::UnfinishedFirst));
        if let Some(commit) = unfinished {
            self.try_commit(&mut copies, &commit)?;
        }
        let mut state = self.secure_commit(&copies)?;
        if let Err(error) = state.install_required() {
            drop(state);
            return Err(self.poison(error));
        }
        state.now = self.running(state.running_base);
        let commit = Arc::new(state.freeze());
        state.gathering.frozen(Instant::now());
        drop(state);
        self.try_commit(&mut copies, &commit)
    }

    /// Commits what was frozen. Where that finds no room it stays frozen, and nothing else is committed before it: part of it
    /// may lie behind the end of a log, where a crash can still make it count.
    fn try_commit(&self, copies: &mut CopySet, commit: &Arc<Commit>) -> Result<()> {
        let fence = self.options.switches.keep(Rule::CatalogueFence);
        let began = Instant::now();
        let mut done = copies.commit(commit, fence);
        if done.is_err() && copies.unfinished().is_some() {
            // A log keeps what it grew by until it is emptied.
            self.empty_logs_of(copies)?;
            self.release_reserve(u64::MAX);
            done = copies.commit(commit, fence);
        }
        match done {
            Ok(()) => {}
            Err(_) if copies.unfinished().is_some() => {
                lock(&self.state).unfinished = rows_of(commit);
                self.empty_logs_of(copies)?;
                return Err(self.no_room_for_logs()?);
            }
            Err(error) => return Err(self.poison(error)),
        }
        self.meter.committed(commit.txg, began.elapsed(), self.env.clock.wall());
        let mut state = lock(&self.state);
        state.committed(commit);
        state.gathering.returned(Instant::now());
        Ok(())
    }

    /// Checks the files while nothing changes them.
    pub(crate) fn check(&self, options: CheckOptions) -> Result<CheckReport> {
        // In this order, as a flush that needs a commit takes them.
        let _flush = lock(&self.flush);
        let copies = lock(&self.copies);
        let places = if self.options.read_only { self.listed.clone() } else { copies.places() };
        examine(&self.env, &self.extents(), &places, options)
    }

    /// Back-pressure: no commit begins while a log is above its bound. A reader that holds the log for too long makes
    /// the commit fail before it has changed anything; it can be tried again.
    fn bound_log(&self, copies: &CopySet) -> Result<()> {
        let began = self.env.clock.running();
        while self.wals.iter().any(|wal| log_len(&self.env, wal) > self.options.wal_bytes) {
            let emptied = self.empty_logs_of(copies)?;
            if emptied == Emptied::NoRoom {
                return Err(self.no_room_for_logs()?);
            }
            if emptied == Emptied::Busy && self.env.clock.running().saturating_sub(began) > LOG_PATIENCE {
                let path = self.wals.first().cloned().unwrap_or_default();
                return Err(pv::PvError::Busy { path }.into());
            }
        }
        Ok(())
    }

    /// Length of the longest log.
    pub(crate) fn longest_log(&self) -> u64 {
        self.wals.iter().map(|wal| log_len(&self.env, wal)).max().unwrap_or(0)
    }

    /// Moves the catalogue's logs into their files once one holds [`LOG_TURN`] pages.
    ///
    /// Most of it while commits go on, the rest with commits held: only a log that is in its file to the last page
    /// begins anew at its start, and writing over blocks that the log already has is what keeps a small fsync fast.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let page = u64::from(TUNING.page_size);
        let turn = LOG_TURN.min(self.options.wal_bytes / 4 / page);
        // What has never been as long does not hold as much: a look at the file is cheaper than asking SQLite.
        if self.longest_log() < turn.saturating_mul(page) {
            return Ok(());
        }
        // Whoever has it moves the log.
        let Some(copies) = try_lock(&self.checkpointer) else { return Ok(()) };
        if self.move_logs(&copies, Checkpoint::Look)? < turn {
            return Ok(());
        }
        let says_nothing = self.options.switches.keep(Rule::HeldCheckpoint);
        self.move_logs(&copies, if says_nothing { Checkpoint::Passive } else { Checkpoint::Held })?;
        let held = lock(&self.copies);
        self.move_logs(&copies, Checkpoint::Held)?;
        drop(held);
        Ok(())
    }

    /// Pages left in the longest log after a checkpoint of `copies`.
    fn move_logs(&self, copies: &[Copy], mode: Checkpoint) -> Result<u64> {
        let mut left = 0;
        for copy in copies {
            match copy.checkpoint(mode) {
                Ok(log) => left = left.max(log.left),
                // What does not fit stays in the log, where it is as safe.
                Err(LvError::Pv(pv::PvError::Busy { .. } | pv::PvError::NoSpace { .. })) => {}
                Err(error) => return Err(self.poison(error)),
            }
        }
        Ok(left)
    }
}

impl State {
    /// Whether everything is committed.
    fn unchanged(&self) -> bool {
        self.waiting.is_empty()
            && self.pending == 0
            && self.dirty.rows() == 0
            && self.committed.next() == Some(self.txg)
    }

    /// Puts the pending data of required files, and what needs no PV, into the maps.
    fn install_required(&mut self) -> Result<()> {
        for ino in std::mem::take(&mut self.required) {
            if self.inodes.get(&ino).is_some_and(|inode| !inode.gone && inode.pending()) {
                self.install_inline(ino)?;
            }
        }
        self.install_dataless()
    }

    /// A commit has returned: what only waited for it goes.
    fn committed(&mut self, commit: &Commit) {
        let txg = commit.txg;
        self.committed = txg;
        self.unfinished = 0;
        self.inodes.retain(|_, inode| !(inode.gone && inode.stamp <= txg));
        if commit.ops.iter().any(|op| op.delete && op.table == crate::catalogue::Table::Slice) {
            self.slices.retain(|_, slice| slice.row.refs > 0 || slice.stamp > txg);
        }
    }
}
