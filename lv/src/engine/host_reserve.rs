//! The reserve: a file on each host filesystem that is given back when nothing else is left, so that deleting, closing
//! and opening stay possible.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::MutexGuard;

use pv::{Bytes, Env, HostSpace};
use vg::VolumeExtents;

use super::commit_cost::{COMMIT, Cost, SMALL_COMMIT};
use super::core::Core;
use super::host_space::{HostNeed, MIB, margin};
use super::rules::Rule;
use super::state::State;
use crate::catalogue::CopySet;
use crate::{Ino, LvError, Result};

/// Left beside a reserve that cannot be taken whole from the last bytes.
const SPARE: u64 = 64 * 1024;
/// What the deletion of one extent puts into a journal, at most.
const DELETION: u64 = 64 * 1024;

/// What became of logs that were to be moved into their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emptied {
    /// They are empty.
    All,
    /// A reader or another checkpoint stood in the way of one.
    Busy,
    /// The host is full.
    NoRoom,
}

/// Size of the reserve file on a host filesystem of this size.
pub(super) fn reserve(total: u64) -> u64 {
    (total / 64).clamp(MIB, 8 * MIB)
}

/// The reserve file of each host filesystem, beside the first PV on it, with that filesystem's space.
fn reserve_files(env: &Env, extents: &VolumeExtents) -> Vec<(PathBuf, HostSpace)> {
    let mut files = BTreeMap::new();
    for slot in extents.pvs.iter().filter(|slot| slot.store.is_some()) {
        let Ok(space) = env.host.space(&slot.path) else { continue };
        let mut dir = slot.path.clone().into_os_string();
        dir.push(".d");
        files.entry(space.device).or_insert_with(|| (PathBuf::from(dir).join("reserve"), space));
    }
    files.into_values().collect()
}

/// Bytes that the reserve files take, by device.
pub(super) fn held(env: &Env, extents: &VolumeExtents) -> Vec<(u64, u64)> {
    let files = reserve_files(env, extents).into_iter();
    files.filter_map(|(file, space)| Some((env.host.stat(&file).ok()?.len.0, space.device))).collect()
}

/// Gives the reserve back to a host that is nearly full or has less than `needed`, so that what comes next can still commit.
pub(crate) fn release_reserve(env: &Env, extents: &VolumeExtents, needed: u64) {
    for (file, space) in reserve_files(env, extents) {
        if space.free.0 < margin(space.total.0, extents.extent_size.bytes()).max(needed) {
            // Best effort: whoever needs the room reports what is missing.
            let _ = env.host.remove_file(&file);
        }
    }
}

/// As much of the reserve as there is room for: whoever comes next needs it to come in.
pub(crate) fn leave_reserve(env: &Env, extents: &VolumeExtents) {
    take_reserve(env, extents, |space, known| reserve(space.total.0).min(known.saturating_add(space.free.0)));
}

/// Takes the reserve (again), as much of it as `size_of` says for a filesystem of that size, with so much of it there
/// already. Best effort: without it the volume works as well until the host is full.
fn take_reserve(env: &Env, extents: &VolumeExtents, size_of: impl Fn(HostSpace, u64) -> u64) {
    for (file, space) in reserve_files(env, extents) {
        let known = env.host.stat(&file).map_or(0, |file| file.len.0);
        let size = size_of(space, known);
        // The last blocks may be the filesystem's own.
        let spares = [0, SPARE, SPARE.saturating_mul(4)].into_iter().map(|spare| size.saturating_sub(spare));
        for size in spares.take_while(|size| known < *size) {
            if env.host.allocate(&file, Bytes(size)).is_ok() {
                break;
            }
        }
    }
}

/// How many deletions a transaction may hold on a device with so many bytes free.
pub(super) fn deletions(free: u64) -> usize {
    usize::try_from(free / DELETION).unwrap_or(usize::MAX).max(1)
}

impl Core {
    /// Gives the reserve back when the host is nearly full, or has less than `needed`.
    pub(super) fn release_reserve(&self, needed: u64) {
        release_reserve(&self.env, &self.extents(), needed);
    }

    /// Takes the reserve again where there is plenty of room for it.
    pub(crate) fn restore_reserve(&self) {
        let extent = self.extent_size.bytes();
        self.take_reserve(|space, _| {
            let (total, size) = (space.total.0, reserve(space.total.0));
            if space.free.0 > margin(total, extent).saturating_add(size) { size } else { 0 }
        });
    }

    /// Takes back as much of the reserve as there is, when this owner leaves: the next one needs it to come in.
    pub(crate) fn leave_reserve(&self) {
        if self.options.switches.keep(Rule::Reserve) {
            leave_reserve(&self.env, &self.extents());
        }
    }

    fn take_reserve(&self, size_of: impl Fn(HostSpace, u64) -> u64) {
        if self.options.switches.keep(Rule::Reserve) {
            take_reserve(&self.env, &self.extents(), size_of);
        }
    }

    /// Gives the reserve back when a commit may need it, and refuses a commit before it begins when it cannot succeed:
    /// nothing is lost then, and it can be tried again. The state that was counted is handed over with the lock held: what
    /// others require from here on is in the commit after this one.
    pub(crate) fn secure_commit(&self, copies: &CopySet) -> Result<MutexGuard<'_, State>> {
        let state = self.state()?;
        let (rows, inline) = state.next_commit();
        let cost = Cost::anywhere(self.wals.len());
        if self.least_free() >= cost.most(rows, inline).saturating_add(self.longest_log()) {
            return Ok(state);
        }
        drop(state);
        if self.longest_log() > SMALL_COMMIT {
            // A log that was moved into its file keeps its length otherwise.
            self.empty_logs_of(copies)?;
        }
        let cost = Cost::of_copies(&self.env, &self.wals);
        let state = self.state()?;
        let (rows, inline) = state.next_commit();
        if self.least_free() >= cost.most(rows, inline) {
            return Ok(state);
        }
        let likely = cost.likely(rows, inline);
        self.release_reserve(likely);
        let least = self.least_free();
        if least < likely {
            return Err(self.host_full(least, likely));
        }
        Ok(state)
    }

    /// Bytes free where the fullest copy of the metadata lies.
    fn least_free(&self) -> u64 {
        let free = |wal: &PathBuf| {
            let folder = wal.parent().unwrap_or(wal);
            self.env.host.space(folder).map_or(u64::MAX, |space| space.free.0)
        };
        self.wals.iter().map(free).min().unwrap_or(u64::MAX)
    }

    /// Rows that can be added to the next commit, with what is free, and as much left.
    pub(crate) fn rows_room(&self) -> Result<usize> {
        let state = self.state()?;
        Ok(self.rows_beside(self.hosts(&state)?.free_for_rows(), &state))
    }

    /// The same once one extent more was written, once two were, and so on: as many as the hosts have room for, up to
    /// `limit`.
    pub(crate) fn rows_beside_extents(&self, limit: usize) -> Result<Vec<usize>> {
        let state = self.state()?;
        let mut hosts = self.hosts(&state)?;
        let cost = self.data_cost(self.extent_size.bytes());
        let mut rooms = Vec::new();
        for pv in 0..self.extents().pvs.len() {
            while rooms.len() < limit && hosts.take(pv, cost, HostNeed::Compaction) {
                rooms.push(self.rows_beside(hosts.free_for_rows(), &state));
            }
        }
        Ok(rooms)
    }

    fn rows_beside(&self, free: u64, state: &State) -> usize {
        (self.rows_that_fit(free) / 2).saturating_sub(state.waiting_rows())
    }

    /// Rows that one commit can hold with so many bytes free.
    pub(super) fn rows_that_fit(&self, free: u64) -> usize {
        usize::try_from(Cost::of_copies(&self.env, &self.wals).rows_within(free)).unwrap_or(usize::MAX)
    }

    /// Bytes free where the fullest copy of the metadata lies, with the reserve that a commit may take.
    pub(super) fn free_with_reserve(&self) -> u64 {
        let held = held(&self.env, &self.extents());
        let free = |wal: &PathBuf| {
            let space = self.env.host.space(wal.parent().unwrap_or(wal)).ok()?;
            let reserve = held.iter().find(|(_, device)| *device == space.device).map_or(0, |(bytes, _)| *bytes);
            Some(space.free.0.saturating_add(reserve))
        };
        self.wals.iter().filter_map(free).min().unwrap_or(u64::MAX)
    }

    /// Moves logs into their files and cuts them. What finds no room stays in its log, where it is as safe.
    pub(crate) fn empty_logs_of(&self, copies: &CopySet) -> Result<Emptied> {
        for released in [false, true] {
            match copies.checkpoint(true) {
                Err(LvError::Pv(pv::PvError::NoSpace { .. })) if !released => self.release_reserve(COMMIT),
                Err(LvError::Pv(pv::PvError::NoSpace { .. })) => break,
                Ok(true) => return Ok(Emptied::All),
                Ok(false) => return Ok(Emptied::Busy),
                Err(error) => return Err(self.poison(error)),
            }
        }
        Ok(Emptied::NoRoom)
    }

    /// That logs which must not grow cannot be moved into their files.
    pub(crate) fn no_room_for_logs(&self) -> Result<LvError> {
        let free = self.hosts(&*self.state()?)?.least_free();
        Ok(self.host_full(free.min(COMMIT.saturating_sub(1)), COMMIT))
    }

    /// How many deletions a PV transaction may hold; gives the reserve back when there would be few.
    pub(crate) fn secure_deletions(&self) -> Result<usize> {
        let free = self.hosts(&*self.state()?)?.least_free();
        self.release_reserve(COMMIT);
        Ok(deletions(free))
    }
}

impl State {
    /// Rows of the next commit, and bytes of data that go into the metadata with it.
    fn next_commit(&self) -> (u64, u64) {
        let inline = |ino: &Ino| self.inodes.get(ino).map_or(0, super::inode::Inode::pending_bytes);
        let long = u64::try_from(self.dirty.long).unwrap_or(u64::MAX);
        let bytes = self.required.iter().map(inline).fold(long, u64::saturating_add);
        (u64::try_from(self.waiting_rows()).unwrap_or(u64::MAX), bytes)
    }
}
