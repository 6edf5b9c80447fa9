//! The parts of an active family and the order of its locks.
//!
//! Lock order: `flush` (one flush at a time), then `copies` (one commit at a time), then `state`. Nothing waits for I/O
//! of a PV while it holds `state`.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use foldhash::fast::FixedState;
use pv::{Env, Epoch, ExtentSize, FamilyUuid, Holder, HostLock, PvError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use vg::VolumeExtents;

use super::lock_table::LockTable;
use super::rules::{Rule, TestSwitches};
use super::state::{Poison, State};
use crate::catalogue::{Copy, CopyPlace, CopySet};
use crate::meter::Meter;
use crate::{Ino, LvError, Result, VolumeNotice};

/// How much a volume may hold, besides what fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of data; bytes that files share count once.
    pub bytes: u64,
    /// Inodes, the root directory among them.
    pub files: u64,
}

impl Quota {
    /// No bound.
    pub const NONE: Self = Self { bytes: u64::MAX, files: u64::MAX };
}

/// Settings of an active volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VolumeOptions {
    /// Bytes of read data kept in memory. Default 64 MiB.
    pub cache_bytes: u64,
    /// Bytes of written data not yet on the PVs, at most. Default 64 MiB.
    pub dirty_bytes: u64,
    /// Bytes of such data at which the background starts to write. Default 16 MiB.
    pub flush_bytes: u64,
    /// Metadata rows kept in memory, about. Default 100,000.
    pub cached_rows: usize,
    /// Longest time a change waits for its commit. Default 5 s.
    pub commit_interval: Duration,
    /// How long a freed extent stays untouched, in running time, unless space is short. Default 2 min.
    pub grace: Duration,
    /// Size of a metadata volume's write-ahead log that is never exceeded by more than one commit. Default 64 MiB.
    pub wal_bytes: u64,
    /// What the volume may hold. Default no bound.
    pub quota: Quota,
    /// Go past the lock of an owner that does not give the volume free: a process that was stopped. When it goes on, its
    /// next commit is refused and changes nothing; what it had not synced is lost. What it reads until then may be newer
    /// than what it remembers. Default no.
    pub takeover: bool,
    /// Only read: nothing is cleaned up, committed, moved or written, every call that would change something fails with
    /// [`LvError::ReadOnly`], and copies of the metadata that cannot be read stay what they are. It works where files
    /// cannot be written. [`takeover`](Self::takeover) has no effect with it. Default no.
    pub read_only: bool,
    #[doc(hidden)]
    pub switches: TestSwitches,
}

impl Default for VolumeOptions {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            cache_bytes: 64 * MIB,
            dirty_bytes: 64 * MIB,
            flush_bytes: 16 * MIB,
            cached_rows: 100_000,
            commit_interval: Duration::from_secs(5),
            grace: Duration::from_secs(120),
            wal_bytes: 64 * MIB,
            quota: Quota::NONE,
            takeover: false,
            read_only: false,
            switches: TestSwitches::default(),
        }
    }
}

/// Key of a cached block: slice and block number.
pub(crate) type BlockKey = (u64, u32);

/// Weighs a cached block by its bytes and a fixed overhead.
#[derive(Debug, Clone)]
pub(crate) struct ByBytes;

impl Weighter<BlockKey, Arc<[u8]>> for ByBytes {
    fn weight(&self, _key: &BlockKey, block: &Arc<[u8]>) -> u64 {
        u64::try_from(block.len()).unwrap_or(u64::MAX).saturating_add(96)
    }
}

/// An active family.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) env: Env,
    pub(crate) options: VolumeOptions,
    pub(crate) family: FamilyUuid,
    pub(crate) epoch: Epoch,
    /// The running clock at activation.
    pub(crate) activated: Duration,
    /// Which PVs the extents lie on: see [`extents`](Self::extents).
    pub(super) extents: RwLock<VolumeExtents>,
    pub(crate) extent_size: ExtentSize,
    pub(crate) next_slice: Arc<AtomicU64>,
    pub(crate) cache: Cache<BlockKey, Arc<[u8]>, ByBytes, FixedState>,
    pub(crate) flush: Mutex<super::pipeline::Pipeline>,
    pub(crate) copies: Mutex<CopySet>,
    /// Connections of their own for checkpoints, so that commits go on meanwhile.
    pub(crate) checkpointer: Mutex<Vec<Copy>>,
    pub(crate) wals: Vec<PathBuf>,
    pub(crate) state: Mutex<State>,
    /// Something was placed, committed or stopped.
    pub(crate) changed: Condvar,
    /// All who shared the last commit wait for the next.
    pub(crate) arrived: Condvar,
    /// The background has something to do.
    pub(crate) work: Condvar,
    pub(crate) host_known: Mutex<super::host_space::HostRoom>,
    /// Locks on the host that say whose the volume is.
    pub(crate) locks: Mutex<Vec<Box<dyn HostLock>>>,
    /// One of their files: it names the owner after this one.
    pub(crate) lock_file: PathBuf,
    /// Advisory locks of files. Nobody takes the state while holding them: a transaction holds it the other way round.
    pub(crate) range_locks: Mutex<LockTable>,
    /// Such a lock was given back.
    pub(crate) lock_freed: Condvar,
    pub(crate) next_owner: AtomicU64,
    /// Open inodes that were released by the thread of a running transaction.
    pub(crate) released: Mutex<Vec<Ino>>,
    /// All copies of the metadata that there should be.
    pub(crate) listed: Vec<CopyPlace>,
    pub(crate) meter: Meter,
    /// What the activation found out of order.
    pub(crate) notices: Vec<VolumeNotice>,
}

/// Locks, whatever became of the thread that held it last: what a panic may have left half done is fenced off by
/// [`Core::state`], which poisons the volume.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The same, unless somebody holds it.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl Core {
    /// The state, unless the volume has stopped.
    pub(crate) fn state(&self) -> Result<MutexGuard<'_, State>> {
        self.not_held_here()?;
        let mut state = match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => {
                let mut state = poisoned.into_inner();
                state.poison.get_or_insert_with(|| Poison::new("a thread died while it changed the volume"));
                state
            }
        };
        if state.reader.torn() && state.poison.is_none() {
            state.poison = Some(Poison::new(self.why_torn(&state)));
        }
        state.healthy()?;
        state.reader.begin();
        state.evict(self.options.cached_rows);
        Ok(state)
    }

    /// Where the extents lie. It grows at its end and changes nowhere else.
    pub(crate) fn extents(&self) -> VolumeExtents {
        self.extents.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops the volume after a failure with an unknown outcome, and hands the failure on.
    pub(crate) fn poison(&self, error: LvError) -> LvError {
        let met = matches!(error, LvError::DamagedRow { .. }) && self.replaced(&lock(&self.state));
        let error = self.name_successor(if met { LvError::Fenced { epoch: self.epoch, by: None } } else { error });
        if !self.options.switches.keep(Rule::StopAfterFailure) {
            return error;
        }
        let poison = Poison::by(&error);
        // Room alone does not mend it: the volume must be opened again, and whoever is told first must know.
        let error = if error.host_is_full() { poison.error() } else { error };
        lock(&self.state).poison.get_or_insert(poison);
        self.changed.notify_all();
        self.work.notify_all();
        self.end_locks();
        error
    }

    /// Whether another owner commits by now: a former one meets rows of commits that it knows nothing of.
    fn replaced(&self, state: &State) -> bool {
        state.reader.epoch().is_ok_and(|epoch| epoch != self.epoch)
    }

    /// Why what a change needed could not be read.
    fn why_torn(&self, state: &State) -> String {
        if self.replaced(state) {
            return self.name_successor(LvError::Fenced { epoch: self.epoch, by: None }).to_string();
        }
        format!("{}: cannot read what a change needed", state.reader.path().display())
    }

    /// Says who took the volume over, when that is why a commit was refused.
    fn name_successor(&self, error: LvError) -> LvError {
        match error {
            LvError::Fenced { epoch, .. } | LvError::Pv(PvError::Fenced { epoch, .. }) => {
                // Between raising the epochs and replacing the lock file the note is still this process's own.
                let by = Holder::of(&self.env, &self.lock_file);
                LvError::Fenced { epoch, by: (by.pid != Some(std::process::id())).then_some(by) }
            }
            error => error,
        }
    }

    /// Closes the catalogue and gives up the volume, in this order, also when clones of the volume live on. The index of a
    /// log is shared by all connections that overlap: one left from before a failed sync would tell the next owner of
    /// commits that the log does not hold.
    pub(crate) fn let_go(&self) {
        *lock(&self.copies) = CopySet::none();
        lock(&self.checkpointer).clear();
        lock(&self.state).reader.close();
        lock(&self.locks).clear();
    }

    /// Ends all waiting for advisory locks.
    pub(crate) fn end_locks(&self) {
        lock(&self.range_locks).end();
        self.lock_freed.notify_all();
    }

    /// Running time of the family in ms.
    pub(crate) fn running(&self, base: u64) -> u64 {
        let since = self.env.clock.running().saturating_sub(self.activated);
        base.saturating_add(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
