//! The state, held for a transaction: what may not happen meanwhile, and how much fits in.

use std::cell::RefCell;
use std::sync::MutexGuard;

use super::core::{Core, lock};
use super::host_space::Brings;
use super::state::State;
use super::write::regular;
use crate::{Ino, LvError, Result};

/// Bytes of data that a transaction may hold, unless memory for data is short.
const DATA_MAX: u64 = 16 * 1024 * 1024;
/// Names, inodes and lists of attributes that a transaction may change.
const OBJECTS_MAX: usize = 50_000;

thread_local! {
    /// The volumes that transactions of this thread hold, by address: one inside the other.
    static HOLDS: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The state of a volume, held by a transaction.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    core: &'a Core,
    guard: MutexGuard<'a, State>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        HOLDS.with_borrow_mut(Vec::pop);
    }
}

impl Core {
    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether a transaction of this thread holds the volume.
    pub(crate) fn held_here(&self) -> bool {
        HOLDS.with_borrow(|held| held.contains(&self.address()))
    }

    /// Refuses to wait for a transaction of the very thread that would wait.
    pub(crate) fn not_held_here(&self) -> Result<()> {
        if self.held_here() {
            return Err(LvError::Invalid { what: "inside a transaction only its own calls work" });
        }
        Ok(())
    }

    /// Bytes of data that fit into one transaction.
    fn transaction_data(&self) -> u64 {
        DATA_MAX.min(self.options.dirty_bytes / 4)
    }

    /// Begins a transaction, once there is memory for the largest.
    pub(crate) fn begin(&self) -> Result<Held<'_>> {
        if self.options.read_only {
            return Ok(self.hold(self.state()?));
        }
        self.metadata_room()?;
        self.wait_for_memory(Ino::ROOT, self.transaction_data())?;
        let state = self.state()?;
        let quota = self.options.quota.bytes.saturating_sub(state.used_bytes());
        let short = state.free_bytes().min(quota) < self.transaction_data();
        drop(state);
        if short {
            // What is pending may free more than it takes, and inside nothing can be done about it.
            self.settle_space()?;
        }
        Ok(self.hold(self.state()?))
    }

    fn hold<'a>(&'a self, mut guard: MutexGuard<'a, State>) -> Held<'a> {
        guard.begin();
        HOLDS.with_borrow_mut(|held| held.push(self.address()));
        Held { core: self, guard }
    }
}

impl Held<'_> {
    /// The state, to look at.
    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.guard
    }

    /// The state, to be changed: there is room for what the change brings.
    pub(crate) fn room(&mut self, brings: Brings) -> Result<&mut State> {
        let (core, state) = (self.core, &mut *self.guard);
        core.writable()?;
        let len = brings.data;
        let (objects, before) = state.undo.as_ref().map_or((0, 0), |undo| (undo.len(), undo.pending()));
        if objects > OBJECTS_MAX {
            return Err(LvError::TooBig { what: "a transaction changes at most some 50,000 names and inodes" });
        }
        if state.pending.saturating_sub(before).saturating_add(len) > core.transaction_data() {
            return Err(LvError::TooBig {
                what: "the data of a transaction must fit into a quarter of the memory for data, and 16 MiB",
            });
        }
        state.fits(len)?;
        core.host_room_held(state, brings)?;
        Ok(state)
    }

    /// The state, to have bytes put into a file at `off`, or at its end.
    pub(crate) fn room_in(&mut self, ino: Ino, off: Option<u64>, len: usize) -> Result<&mut State> {
        let core = self.core;
        core.writable()?;
        regular(self.state().inode(ino)?)?;
        let state = self.room(Brings::data(u64::try_from(len).unwrap_or(u64::MAX)))?;
        let at = off.map_or_else(|| state.inode(ino).map(|inode| inode.attr.size), Ok)?;
        core.quota_for(state, ino, at, len)?;
        Ok(state)
    }

    /// Ends the transaction: all of it stays.
    pub(crate) fn keep(&mut self) {
        self.guard.keep();
        self.release_late();
    }

    /// Ends the transaction: nothing of it stays.
    pub(crate) fn put_back(&mut self) {
        self.guard.put_back();
        self.release_late();
    }

    /// What was released while the transaction ran is released now, whatever became of it.
    fn release_late(&mut self) {
        for ino in std::mem::take(&mut *lock(&self.core.released)) {
            // An inode that the transaction made and took back has nothing to release.
            let _ = self.guard.close_inode(ino);
        }
    }
}
