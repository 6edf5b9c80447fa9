//! A disk in memory: files, names, locks, and a log of what happened to them.

mod locks;
mod shm;
mod state;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};

pub(crate) use locks::Level;
pub(crate) use shm::Shm;
pub(crate) use state::{State, apply_name_op};

use crate::clock::TestClock;
use crate::host::MemHost;
use crate::image::Image;
use crate::log::Op;
use crate::vfs::Registration;

/// One opening of a file by SQLite.
pub(crate) type HandleId = u64;

/// What a disk is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Sector size it reports to SQLite (512 or 4096; `os_unix.c` says 4096).
    pub sector: u32,
    /// Bytes that its files may have together.
    pub capacity: u64,
    /// Number of the host device it pretends to be.
    pub device: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { sector: 4096, capacity: 1 << 40, device: 1 }
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

    /// Puts a mark of the workload into the log.
    pub fn mark(&self, mark: u64) {
        self.shared.state().mark(mark);
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
