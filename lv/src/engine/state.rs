//! The state of an active family: committed rows on demand, the open transaction group over them.
//!
//! What is in memory is the truth; the catalogue is behind by the open transaction group. A changed entry carries the
//! number of the last transaction group that changed it (`stamp`) and stays in memory until that is committed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pv::{Epoch, FamilyUuid, FlushNo, LeIndex, PvUuid, SliceId, Txg};

use super::directory::Directory;
use super::gather::Gathering;
use super::inode::Inode;
use super::rules::TestSwitches;
use super::space::Space;
use super::table::Table;
use crate::catalogue::{CatalogueReader, FsRow, SliceRow, Totals};
use crate::{Ino, LvError, Result};

/// The only filesystem of a family without snapshots.
pub(crate) const FS: i64 = 1;
/// Slices of at most this many bytes stay in the catalogue for good.
pub(crate) const TINY: u32 = 512;

/// A slice in memory.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) row: SliceRow,
    pub(crate) stamp: Txg,
    /// Loaded map entries that name it.
    pub(crate) users: u32,
}

/// Rows that the next commit writes.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    pub(crate) inodes: BTreeSet<Ino>,
    /// `true`: the entry exists; `false`: it was removed.
    pub(crate) dirents: BTreeMap<(Ino, u64), bool>,
    pub(crate) maps: BTreeSet<(Ino, u64)>,
    pub(crate) xattrs: BTreeSet<(Ino, Arc<[u8]>)>,
    pub(crate) slices: BTreeSet<SliceId>,
    pub(crate) les: BTreeSet<LeIndex>,
    pub(crate) pvs: BTreeSet<PvUuid>,
    /// Windows after the first.
    pub(crate) windows: BTreeSet<(Ino, u64)>,
    pub(crate) fs: bool,
    /// Bytes of long rows among them, at most.
    pub(crate) long: usize,
}

impl Dirty {
    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.inodes.len()
            + self.dirents.len()
            + self.maps.len()
            + self.xattrs.len()
            + self.slices.len()
            + self.les.len()
            + self.pvs.len()
            + self.windows.len()
            + usize::from(self.fs)
    }
}

/// Where a volume is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// The background is to end.
    Stopping,
    /// Everything is settled and given free.
    Closed,
}

/// Why the volume has stopped.
#[derive(Debug, Clone)]
pub(crate) struct Poison {
    why: String,
    /// For want of room on a host.
    full: bool,
}

impl Poison {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), full: false }
    }

    /// By a failure.
    pub(crate) fn by(error: &LvError) -> Self {
        match error {
            LvError::Poisoned { why, full } => Self { why: why.clone(), full: *full },
            error => Self { why: error.to_string(), full: error.host_is_full() },
        }
    }

    /// What everybody is told from then on.
    pub(crate) fn error(&self) -> LvError {
        LvError::Poisoned { why: self.why.clone(), full: self.full }
    }
}

/// The state.
pub(crate) struct State {
    pub(crate) family: FamilyUuid,
    pub(crate) epoch: Epoch,
    /// The txg that changes go into.
    pub(crate) txg: Txg,
    /// The last commit that returned.
    pub(crate) committed: Txg,
    pub(crate) next_slice: Arc<AtomicU64>,
    pub(crate) next_flush: FlushNo,
    pub(crate) fs: FsRow,
    pub(crate) inodes: Table<Ino, Inode>,
    pub(crate) dirs: Table<Ino, Directory>,
    pub(crate) slices: Table<SliceId, Slice>,
    pub(crate) space: Space,
    /// Last flush of each PV that maps name.
    pub(crate) pvs: BTreeMap<PvUuid, (Epoch, FlushNo)>,
    /// Checksums of their rows as the last frozen commit has them.
    pub(crate) pv_sums: BTreeMap<PvUuid, u64>,
    /// What the rows of whole tables add up to, as of the last frozen commit.
    pub(crate) totals: Totals,
    /// Flushes whose extents are on PVs (or on their way) and not yet in the maps. A commit that happens meanwhile must
    /// not date a PV at or after them: the next activation would not look for their extents.
    pub(crate) unnamed: BTreeSet<FlushNo>,
    pub(crate) dirty: Dirty,
    /// Files with data to place, longest waiting first.
    pub(crate) waiting: BTreeMap<u64, Ino>,
    pub(crate) waiting_at: Table<Ino, u64>,
    pub(crate) next_wait: u64,
    /// Bytes of data not yet placed.
    pub(crate) pending: u64,
    /// Those of them that are on their way to the PVs.
    pub(crate) sealed: u64,
    /// Files whose data the next commit must contain.
    pub(crate) required: BTreeSet<Ino>,
    pub(crate) rules: TestSwitches,
    /// Bytes of slices above [`TINY`] that lie in the catalogue.
    pub(crate) intents: u64,
    /// Inodes without names whose maps are not yet taken apart.
    pub(crate) orphans: BTreeSet<Ino>,
    /// Running time (ms) at activation, and now (about).
    pub(crate) running_base: u64,
    pub(crate) now: u64,
    pub(crate) pressure: bool,
    /// Map entries an unlink takes apart at once: few on a nearly full host.
    pub(crate) unmap: usize,
    /// What the running transaction has changed.
    pub(crate) undo: Option<Box<super::undo::Undo>>,
    pub(crate) poison: Option<Poison>,
    pub(crate) phase: Phase,
    /// Somebody runs a commit.
    pub(crate) committing: bool,
    /// Rows of a commit that found no room, about: none where there is none.
    pub(crate) unfinished: usize,
    pub(crate) gathering: Gathering,
    pub(crate) reader: CatalogueReader,
    /// Rows in memory, about, and the number above which the next eviction pass runs.
    pub(crate) entries: usize,
    pub(crate) evict_above: usize,
    /// Rows kept in memory, about.
    pub(crate) rows_kept: usize,
    /// Up to here inodes were asked for, or loaded after one that was.
    pub(crate) ahead: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("family", &self.family).field("txg", &self.txg).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn healthy(&self) -> Result<()> {
        match &self.poison {
            Some(poison) => Err(poison.error()),
            None if self.phase == Phase::Closed => Err(LvError::Closed),
            None => Ok(()),
        }
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> LvError {
        self.reader.failed();
        LvError::DamagedRow { file: self.reader.path().to_owned(), what: what.into() }
    }

    pub(crate) fn new_slice_id(&self) -> SliceId {
        SliceId(self.next_slice.fetch_add(1, Ordering::Relaxed))
    }

    /// The inode, loaded when it is not in memory. Deleted ones are not found.
    pub(crate) fn inode(&mut self, ino: Ino) -> Result<&mut Inode> {
        if !self.inodes.contains_key(&ino) {
            let (row, xattrs) = match self.reader.inode(FS, ino)? {
                Some(found) => found,
                None if ino == Ino::ROOT => return Err(self.damaged("its root directory is missing")),
                None => return Err(LvError::NoInode { ino }),
            };
            self.keep_inode(row, xattrs);
            self.inodes_after(ino);
        }
        let inode = self.inodes.get_mut(&ino).filter(|inode| !inode.gone).ok_or(LvError::NoInode { ino })?;
        inode.used = true;
        Ok(inode)
    }

    /// The inode, if a caller may see it: one that is being taken apart is as gone as one that was.
    pub(crate) fn live(&mut self, ino: Ino) -> Result<&mut Inode> {
        let inode = self.inode(ino)?;
        if inode.deleted() { Err(LvError::NoInode { ino }) } else { Ok(inode) }
    }

    /// The inode, to be changed: its row goes into the next commit.
    pub(crate) fn inode_mut(&mut self, ino: Ino) -> Result<&mut Inode> {
        let txg = self.txg;
        self.inode(ino)?.stamp = txg;
        self.reader.changing();
        self.note_inode(ino);
        self.dirty.inodes.insert(ino);
        self.inode(ino)
    }

    /// Puts a file into, or takes it off, the queue of files with data to place.
    pub(crate) fn requeue(&mut self, ino: Ino) {
        let waits = self.inodes.get(&ino).is_some_and(Inode::unsealed);
        match (waits, self.waiting_at.get(&ino).copied()) {
            (true, None) => {
                self.next_wait = self.next_wait.saturating_add(1);
                self.waiting.insert(self.next_wait, ino);
                self.waiting_at.insert(ino, self.next_wait);
            }
            (false, Some(at)) => {
                self.waiting.remove(&at);
                self.waiting_at.remove(&ino);
            }
            _ => {}
        }
    }

    /// Bytes of data that are not on their way to the PVs.
    pub(crate) fn unsealed(&self) -> u64 {
        self.pending.saturating_sub(self.sealed)
    }

    /// Bytes of data that files hold, bytes that they share once, with what is pending.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.space.live_total().saturating_add(self.pending).saturating_add(self.intents)
    }

    /// Bytes that can still be written. Intents count: they have an extent to move to.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.space.total().saturating_sub(self.used_bytes()).saturating_sub(self.space.away())
    }

    /// Drops from memory what is committed and was not used since the last pass.
    pub(crate) fn evict(&mut self, budget: usize) {
        if self.entries <= budget.max(self.evict_above) {
            return;
        }
        let committed = self.committed;
        self.dirs.retain(|_, dir| {
            let before = dir.buckets.len();
            dir.buckets.retain(|_, bucket| {
                let used = std::mem::take(&mut bucket.used);
                used || bucket.stamp > committed
            });
            dir.complete &= dir.buckets.len() == before;
            dir.verified || !dir.buckets.is_empty()
        });
        let idle: Vec<Ino> = self
            .inodes
            .iter_mut()
            .filter_map(|(ino, inode)| {
                let held = inode.opens > 0 || inode.pending() || inode.stamp > committed;
                (!held && !std::mem::take(&mut inode.used)).then_some(*ino)
            })
            .collect();
        let mut named: Vec<SliceId> = Vec::new();
        for ino in idle {
            let inode = self.inodes.remove(&ino);
            named.extend(inode.iter().flat_map(|i| i.windows.values().flat_map(BTreeMap::values)).map(|row| row.slice));
        }
        // Large maps of files in use: their windows load again when needed.
        for inode in self.inodes.values_mut().filter(|inode| !inode.fresh && inode.stamp <= committed) {
            inode.window_sums.clear();
            let windows = std::mem::take(&mut inode.windows);
            named.extend(windows.values().flat_map(BTreeMap::values).map(|row| row.slice));
        }
        for id in named {
            self.release(id);
        }
        self.slices.retain(|_, slice| slice.users > 0 || slice.stamp > committed);
        self.recount();
        // What is left is held by the open transaction group: not worth looking at again soon.
        self.evict_above = self.entries.saturating_add(self.entries / 2);
    }

    /// A loaded map entry no longer names the slice.
    pub(crate) fn release(&mut self, id: SliceId) {
        let committed = self.committed;
        if let Some(slice) = self.slices.get_mut(&id) {
            slice.users = slice.users.saturating_sub(1);
            if slice.users == 0 && slice.stamp <= committed {
                self.slices.remove(&id);
            }
        }
    }

    fn recount(&mut self) {
        let buckets: usize = self.dirs.values().map(|dir| dir.buckets.len()).sum();
        let rows: usize = self.inodes.values().map(|i| i.windows.values().map(BTreeMap::len).sum::<usize>()).sum();
        self.entries = buckets + rows + self.inodes.len();
    }
}
