//! A disk in memory: files, names, locks, and a log of what happened to them.

mod fault;
mod locks;
mod shm;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

pub use fault::{Fault, FaultKind, FileKind, ParseFaultError};
pub(crate) use locks::Level;
pub(crate) use shm::Shm;
pub(crate) use state::{Interjection, State, apply_name_op};

use crate::clock::TestClock;
use crate::host::MemHost;
use crate::image::{Image, Mode, Model};
use crate::log::Op;
use crate::vfs::Registration;

/// One opening of a file by SQLite.
pub(crate) type HandleId = u64;

/// What something is done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// SQLite reads.
    Read,
    /// It writes.
    Write,
}

/// What a disk is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Sector size it reports to SQLite (512 or 4096; `os_unix.c` says 4096).
    pub sector: u32,
    /// Bytes that its files may have together.
    pub capacity: u64,
    /// Number of the host device it pretends to be.
    pub device: u64,
    /// Syncs of this kind of file succeed and make nothing durable: as if SQLite had been told not to wait for them.
    pub unsynced: Option<FileKind>,
    /// Tells SQLite that a write never damages what lies beside it, whatever the opening asked for.
    pub trusted: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sector: 4096, capacity: 1 << 40, device: 1, unsynced: None, trusted: false }
    }
}

/// What the handles to a disk share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// A lock file was released.
    pub(crate) released: Condvar,
    pub(crate) settings: Settings,
    pub(crate) clock: TestClock,
}

impl Shared {
    /// The state, alone.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a check that failed before anything changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A disk in memory with a SQLite VFS of its own, which lives as long as the disk (and its clones).
///
/// # Concurrency
/// Usable from several threads; many disks may exist side by side. Every operation is atomic.
#[derive(Debug, Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    registration: Arc<Registration>,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Disk {
    /// An empty disk.
    pub fn new(settings: Settings) -> Self {
        Self::from_image(&Image::default(), settings)
    }

    /// A disk that starts as `image`; costs little per file, whatever its size.
    pub fn from_image(image: &Image, settings: Settings) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(image, &settings)),
            released: Condvar::new(),
            settings,
            clock: TestClock::default(),
        });
        let registration = Arc::new(Registration::new(Arc::clone(&shared)));
        Self { shared, registration }
    }

    /// Name of its SQLite VFS.
    pub fn vfs(&self) -> &str {
        self.registration.name()
    }

    /// Everything the engine needs from outside, on this disk, without threads. Each call is a process of its own as
    /// far as lock files go (see [`MemHost`]).
    pub fn env(&self) -> pv::Env {
        self.env_of(&self.host())
    }

    /// As [`Disk::env`], in the process that `host` stands for.
    pub fn env_of(&self, host: &MemHost) -> pv::Env {
        pv::Env {
            host: Arc::new(host.clone()),
            clock: Arc::new(self.clock()),
            vfs: Some(self.vfs().to_owned()),
            threads: false,
        }
    }

    /// The file operations of one process on this disk.
    pub fn host(&self) -> MemHost {
        MemHost::new(Arc::clone(&self.shared))
    }

    /// The disk's clock.
    pub fn clock(&self) -> TestClock {
        self.shared.clock.clone()
    }

    /// Opens (or makes) a database with SQLite; `parameters` as in `psow=0&immutable=1`.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn connect(&self, path: &str, parameters: &str) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(format!("file:{path}?vfs={}&{parameters}", self.vfs()), flags)
    }

    /// The disk as a process that is killed now leaves it.
    pub fn image(&self) -> Image {
        self.shared.state().image()
    }

    /// Starts logging operations. What is on the disk now counts as durable: begin with
    /// [`Model::new`](crate::Model::new) of [`Disk::image`] at the same moment.
    pub fn start_recording(&self) {
        self.shared.state().record(true);
    }

    /// Stops logging; what was not taken is dropped.
    pub fn stop_recording(&self) {
        self.shared.state().record(false);
    }

    /// The operations logged since the last call.
    pub fn take_log(&self) -> Vec<Op> {
        self.shared.state().take_log()
    }

    /// Does something once, before the next read or write of SQLite in the file `path`, as another thread might. It must
    /// not need what the reader or writer holds.
    pub fn interject(&self, before: Before, path: &str, what: impl FnOnce() + Send + 'static) {
        self.shared.state().interjections.push((before, path.into(), Interjection(Box::new(what))));
    }

    /// Forgets what is to be done so and was not.
    pub fn interject_nothing(&self) {
        self.shared.state().interjections.clear();
    }

    /// Puts a mark of the workload into the log.
    pub fn mark(&self, mark: u64) {
        self.shared.state().mark(mark);
    }

    /// Counts operations from here on and lets this one fail (`None`: none). The first call follows what is durable from
    /// there on; what is on the disk then counts as such.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.shared.state();
        state.plan.set(fault);
        if state.model().is_none() {
            let model = Model::new(&state.image());
            state.follow(model);
        }
    }

    /// The fault that was set.
    pub fn fault(&self) -> Option<Fault> {
        self.shared.state().plan.fault()
    }

    /// Operations that the fault could have struck since it was set, and those that it struck.
    pub fn fault_counts(&self) -> (u64, u64) {
        self.shared.state().plan.counts()
    }

    /// Operations since a fault was set that this one could have struck.
    pub fn operations(&self, fault: &Fault) -> u64 {
        self.shared.state().plan.operations(fault)
    }

    /// Another disk, as this one is after the processes on it were killed: contents and names are there, nothing is open
    /// or locked, and what a power loss would take is the same. Nothing fails on it. Only after [`Disk::set_fault`].
    #[must_use]
    pub fn after_kill(&self) -> Self {
        let state = self.shared.state();
        let (image, model) = (state.image(), state.model().cloned());
        drop(state);
        let disk = Self::from_image(&image, self.shared.settings);
        disk.clock().set(&self.shared.clock);
        if let Some(model) = model {
            disk.shared.state().follow(model);
        }
        disk
    }

    /// As [`Disk::after_kill`], and what was to fail still is to fail.
    pub(crate) fn after_kill_keeping_fault(&self) -> Self {
        let disk = self.after_kill();
        let plan = self.shared.state().plan.clone();
        disk.shared.state().plan = plan;
        disk
    }

    /// What it is like.
    pub fn settings(&self) -> Settings {
        self.shared.settings
    }

    /// What a crash of this kind leaves now, as [`Model::image`] says. Only after [`Disk::set_fault`].
    pub fn crash(&self, mode: Mode, seed: u64) -> Option<Image> {
        self.shared.state().model().and_then(|model| model.image(mode, seed))
    }

    /// From now on (or, without `fail`, no longer) files whose paths begin with `start` can be neither read nor written.
    pub fn fail(&self, start: &str, fail: bool) {
        let failing = &mut self.shared.state().failing;
        if fail {
            failing.insert(start.into())
        } else {
            failing.remove(start)
        };
    }

    /// Leaves `bytes` of free space; writers find the disk full after them.
    pub fn set_free(&self, bytes: u64) {
        let mut state = self.shared.state();
        let used = state.capacity - state.free();
        state.capacity = used.saturating_add(bytes);
    }
}
