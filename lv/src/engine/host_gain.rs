//! Making room on a nearly full host: what is pending is written in small commits, logs are emptied, and pages that hold
//! nothing go back to the host, from the PVs for metadata and from the metadata for data.

use pv::Bytes;

use super::core::{Core, lock};
use super::host_space::{Brings, Device, HostNeed, ROW, SHRINK, SHRINK_TAKES, Waiting};
use super::namespace::UNMAP_AT_ONCE;
use super::txg::INTENT_MAX;
use super::write::DIRTY_ROWS;
use crate::{LvError, Result};

/// Bytes for metadata below which pages of PVs go back to the host.
const ROWS: u64 = 128 * 1024;
/// Rows of a commit on a nearly full host, with one copy of the metadata: the reserve is enough for it.
const TIGHT_ROWS: usize = 256;
/// Transactions in a row that give pages back, at most.
const SHRINKS: usize = 128;
/// The fewest, however little is left.
const TIGHT_LEAST: usize = 4;
/// Tries to make room before a write is refused.
const ROUNDS: usize = 256;
/// How often what is pending is written for that, which others go on adding to.
const SETTLES: usize = 4;

impl Core {
    /// Writes what is pending, gives back what nothing refers to, and looks again.
    pub(super) fn make_host_room(&self, brings: Brings) -> Result<()> {
        let len = brings.data;
        let mut settled = 0;
        for _ in 0..ROUNDS {
            let state = self.state()?;
            let looked = self.look_for_room(&state, brings);
            let pending = state.pending > 0 || state.dirty.rows() > 0 || state.next_burial().is_some();
            let waste = state.space.waste();
            drop(state);
            match looked {
                // What others write meanwhile is pending again.
                Err(LvError::HostFull { .. }) if settled < SETTLES && (pending || self.longest_log() > 0) => {
                    settled += 1;
                    match self.settle_host(pending) {
                        // What follows may make the room that it did not find.
                        Ok(()) | Err(LvError::HostFull { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                Err(LvError::HostFull { .. }) if self.give_pages_back()? => {}
                Err(LvError::HostFull { .. }) if len > 0 && self.give_rows_back()? => {}
                Err(LvError::HostFull { free, .. }) if free.saturating_add(waste) >= len && self.give_back()? => {}
                Err(LvError::HostFull { .. }) => break,
                other => return other,
            }
        }
        self.look_for_room(&*self.state()?, brings)
    }

    /// Writes what is pending, and empties the logs.
    fn settle_host(&self, pending: bool) -> Result<()> {
        if pending {
            self.settle_space()?;
        }
        self.empty_logs()
    }

    /// Rows of metadata above which a commit is due.
    pub(crate) fn rows_max(&self) -> usize {
        if !lock(&self.host_known).tight {
            return DIRTY_ROWS;
        }
        let copies = self.wals.len().max(1);
        // Taking a file apart changes up to three rows for each that was asked for, on top of what waits already.
        let room = self.rows_that_fit(self.free_with_reserve()) / 4;
        (TIGHT_ROWS / copies.saturating_mul(copies)).min(room).max(TIGHT_LEAST)
    }

    /// The largest run of bytes that a commit takes inline for one file. On a nearly full host little: it is written up to
    /// four times for each copy, and data has its own room on the PVs.
    pub(crate) fn inline_max(&self) -> u64 {
        if lock(&self.host_known).tight { INTENT_MAX / 32 } else { INTENT_MAX }
    }

    /// Moves the logs into their files and gives their space back.
    pub(crate) fn empty_logs(&self) -> Result<()> {
        self.empty_logs_of(&lock(&self.copies)).map(drop)
    }

    /// One step of giving back what nothing refers to; `false` when there is nothing.
    fn give_back(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        self.state()?.pressure = true;
        self.reclaim(&mut token)
    }

    /// Where a PV has bytes to write again and its host has none left for metadata, gives some back to the host; `false`
    /// when there is nothing to give, or no need.
    fn give_pages_back(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        self.drain(&mut token)?;
        let mut gave = false;
        for _ in 0..SHRINKS {
            let hosts = self.hosts(&*self.state()?)?;
            let (need, least) = if gave { (HostNeed::New, 1) } else { (HostNeed::Small, ROWS) };
            let short = |device: &Device| device.usable(need) < least;
            let wanted = hosts.pvs.iter().find(|(_, (device, reusable))| {
                let able = |device: &Device| device.free >= SHRINK_TAKES && short(device);
                *reusable >= SHRINK && hosts.devices.get(device).is_some_and(able)
            });
            let extents = self.extents();
            let Some(slot) = wanted.and_then(|(pv, _)| extents.pvs.get(*pv)) else { break };
            let Some(store) = &slot.store else { break };
            self.release_reserve(SHRINK_TAKES);
            store.shrink(Bytes(SHRINK)).map_err(|error| self.poison(error.into()))?;
            gave = true;
        }
        Ok(gave)
    }

    /// Gives some of the metadata's free pages back to the host, for data; `false` when there are none to give.
    pub(super) fn give_rows_back(&self) -> Result<bool> {
        let copies = lock(&self.copies);
        let before = self.state()?.reader.free_bytes()?;
        for copy in copies.all() {
            if !self.hosts(&*self.state()?)?.can_give_rows_back() {
                return Ok(false);
            }
            self.release_reserve(SHRINK_TAKES);
            copy.shrink(Bytes(SHRINK)).map_err(|error| self.poison(error))?;
            self.empty_logs_of(&copies)?;
        }
        Ok(self.state()?.reader.free_bytes()? < before)
    }

    /// Returns when a change may be made that is not refused for want of space, because it frees some or takes next to
    /// none: while the host is nearly full, few of these wait for a commit at the same time.
    pub(crate) fn small_room(&self) -> Result<()> {
        self.writable()?;
        if !self.known_room(Brings::default()) {
            // How much may wait depends on it.
            let _ = self.look_for_room(&*self.state()?, Brings::default());
        }
        let max = self.rows_max();
        let mut state = self.state()?;
        state.unmap = UNMAP_AT_ONCE.min(max);
        let (rows, txg) = (state.waiting_rows(), state.txg);
        drop(state);
        if rows > max {
            self.commit_through(txg)?;
        }
        if self.known_room(Brings::default()) {
            return Ok(());
        }
        let state = self.state()?;
        let (waiting, txg) = (Waiting::of(&state), state.txg);
        let hosts = self.hosts(&state)?;
        drop(state);
        if let Some(left) = hosts.room(self, waiting).less(Brings::default()) {
            *lock(&self.host_known) = left.known();
        } else if waiting.rows.saturating_mul(ROW) > hosts.free_for_rows() / 2 {
            self.commit_through(txg)?;
            self.empty_logs()?;
        }
        Ok(())
    }
}
