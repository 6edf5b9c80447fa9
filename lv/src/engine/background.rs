//! Background work: placing data, committing in time, moving intents, compaction, checkpoints, taking apart orphans.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, lock};
use super::state::Phase;
use crate::{LvError, Result};

/// Bytes of intents above which they are moved into extents.
const INTENTS: u64 = 8 * 1024 * 1024;
/// How long nothing may happen before idle work starts.
const IDLE: Duration = Duration::from_millis(500);
/// Orphaned map entries taken apart per step.
const BURY_STEP: usize = 4096;

/// What the writer has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct WriterDue {
    flush: bool,
    commit: bool,
}

/// What the cleaner has to do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chore {
    Bury,
    Delete,
    Intents,
    Compact,
}

impl Core {
    /// Starts the background threads: one that writes and commits, one that makes room.
    pub(crate) fn start(self: &Arc<Self>) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
        if !self.env.threads || self.options.read_only {
            return Ok(Vec::new());
        }
        let writer = Arc::clone(self);
        let cleaner = Arc::clone(self);
        Ok(vec![
            std::thread::Builder::new().name("anyfs-lvm-txg".to_owned()).spawn(move || writer.run_writer())?,
            std::thread::Builder::new().name("anyfs-lvm-clean".to_owned()).spawn(move || cleaner.run_cleaner())?,
        ])
    }

    fn stopped(&self) -> bool {
        let state = lock(&self.state);
        state.phase != Phase::Running || state.poison.is_some()
    }

    fn run_writer(&self) {
        let mut last_commit = self.env.clock.running();
        while !self.stopped() {
            let due = self.writer_due(last_commit);
            // A failure has poisoned the volume; whoever uses it next is told.
            let done = self.write_step(due);
            if due.commit {
                last_commit = self.env.clock.running();
            }
            if done.is_err() && self.stopped() {
                return;
            }
            if done.is_err() || (due == WriterDue::default() && !matches!(self.flush_wait(), Ok(true))) {
                let state = lock(&self.state);
                let wait = Duration::from_millis(100);
                drop(self.work.wait_timeout(state, wait));
            }
        }
    }

    fn writer_due(&self, last_commit: Duration) -> WriterDue {
        let state = lock(&self.state);
        let late = self.env.clock.running().saturating_sub(last_commit) >= self.options.commit_interval;
        let dirty = state.dirty.rows() > 0 || !state.waiting.is_empty();
        WriterDue {
            flush: state.unsealed() >= self.options.flush_bytes,
            commit: (late && dirty) || state.dirty.rows() > 20_000,
        }
    }

    fn write_step(&self, due: WriterDue) -> Result<()> {
        if due.flush {
            self.flush_some(self.options.flush_bytes.saturating_mul(2))?;
        }
        if due.commit {
            self.place_all()?;
            let txg = self.state()?.txg;
            self.commit_through(txg)?;
        }
        Ok(())
    }

    fn run_cleaner(&self) {
        let mut seen = (0, self.env.clock.running());
        while !self.stopped() {
            let now = self.env.clock.running();
            let txg = lock(&self.state).txg.0;
            if seen.0 != txg {
                seen = (txg, now);
            }
            let idle = now.saturating_sub(seen.1) >= IDLE;
            let worked = self.clean_step(idle);
            let pause = if matches!(worked, Ok(true)) { Duration::from_millis(5) } else { Duration::from_millis(100) };
            let state = lock(&self.state);
            if state.phase == Phase::Running {
                drop(self.changed_or_stop(state, pause));
            }
        }
    }

    fn changed_or_stop<'a>(
        &self,
        state: std::sync::MutexGuard<'a, super::state::State>,
        pause: Duration,
    ) -> std::sync::MutexGuard<'a, super::state::State> {
        // Woken by `work` alone, which stopping signals too.
        self.work.wait_timeout(state, pause).unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    /// One step of making room; `true` when there may be more to do.
    pub(crate) fn clean_step(&self, idle: bool) -> Result<bool> {
        let mut worked = false;
        for chore in self.chores(idle)? {
            worked |= match chore {
                Chore::Bury => self.bury_step()?,
                Chore::Delete => self.delete_dead_once()?,
                Chore::Intents => self.move_intents()?,
                Chore::Compact => self.compact_once()?,
            };
        }
        self.checkpoint()?;
        if idle {
            self.restore_reserve();
        }
        Ok(worked)
    }

    fn chores(&self, idle: bool) -> Result<Vec<Chore>> {
        let mut state = self.state()?;
        state.now = self.running(state.running_base);
        let short = state.space.shortage();
        state.pressure = short;
        let dead = state.space.dead_count();
        let wanted = [
            (Chore::Bury, state.next_burial().is_some()),
            (Chore::Delete, dead > 0 && (short || idle)),
            (Chore::Intents, state.intents > INTENTS || (idle && state.intents > 0)),
            (Chore::Compact, short && dead < 8),
        ];
        Ok(wanted.into_iter().filter_map(|(chore, due)| due.then_some(chore)).collect())
    }

    fn bury_step(&self) -> Result<bool> {
        let mut state = self.state()?;
        let Some(ino) = state.next_burial() else { return Ok(false) };
        state.bury_some(ino, BURY_STEP.min(self.rows_max()))?;
        let (many, txg) = (state.dirty.rows() > self.rows_max(), state.txg);
        drop(state);
        if many {
            self.commit_through(txg)?;
        }
        Ok(true)
    }

    /// Moves all intents.
    pub(crate) fn settle_intents(&self) -> Result<()> {
        while self.move_intents()? {
            let txg = self.state()?.txg;
            self.commit_through(txg)?;
        }
        Ok(())
    }

    /// Everything durable and tidy: data placed, intents moved, one last commit, logs emptied.
    pub(crate) fn settle_all(&self) -> Result<()> {
        let settled = self.settle();
        if matches!(settled, Ok(()) | Err(LvError::HostFull { .. })) {
            self.leave_reserve();
        }
        settled
    }

    fn settle(&self) -> Result<()> {
        self.finish_burials()?;
        self.place_all()?;
        self.settle_intents()?;
        let txg = self.state()?.txg;
        self.commit_changes(txg)?;
        self.empty_logs()?;
        self.leave_mark();
        Ok(())
    }
}
