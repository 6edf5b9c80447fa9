//! The doors to the outside: files that are not SQLite's, clocks, threads.

use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::{Bytes, ProcessState};

/// A file of the host: what tells whether two paths are one, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Host device.
    pub device: u64,
    /// Inode on it.
    pub inode: u64,
    /// Hard links to it.
    pub links: u64,
    /// Length in bytes.
    pub len: Bytes,
    /// What its filesystem has given it: less than its length where it has holes.
    pub allocated: Bytes,
    /// A regular file (links followed).
    pub regular: bool,
}

impl FileId {
    /// Whether both are the same file, whatever has been written to it.
    pub fn is(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Space of the host filesystem that holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostSpace {
    /// Host device, to count each once.
    pub device: u64,
    /// Bytes this user may still write.
    pub free: Bytes,
    /// Size of the filesystem.
    pub total: Bytes,
}

/// A held lock file; released when dropped. The file stays.
pub trait HostLock: Send + Sync + Debug {
    /// Whether the lock still excludes anybody: not when another one was put in its place
    /// ([`Host::replace_lock`]).
    fn is_current(&self) -> bool {
        true
    }
}

/// File operations outside SQLite. Nothing here ever opens a PV or a metadata volume: closing such a descriptor would
/// drop SQLite's own locks.
pub trait Host: Send + Sync + Debug {
    /// Metadata of a file, symbolic links followed.
    ///
    /// # Errors
    /// As the operating system says; `NotFound` when there is none.
    fn stat(&self, path: &Path) -> io::Result<FileId>;
    /// Whether a name is a symbolic link, wherever that leads. A host without such links says no.
    fn is_link(&self, path: &Path) -> bool {
        let _ = path;
        false
    }
    /// The entries of a folder, sorted.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Makes a folder for the owner alone (0700); one that exists is fine.
    ///
    /// # Errors
    /// As the operating system says.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a folder's entries durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a closed file's contents durable.
    ///
    /// # Errors
    /// As the operating system says.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Lets only the owner read and write a file (0600). Opens nothing. A host without permissions does nothing.
    ///
    /// # Errors
    /// As the operating system says.
    fn make_private(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Ok(())
    }
    /// The one name of a file (absolute, no symbolic links), so that what lies beside it is found whatever path was
    /// given. A host with one name per file returns `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
    /// Renames a closed file.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames a closed file unless `to` exists (`AlreadyExists`).
    ///
    /// # Errors
    /// As the operating system says.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; a missing one is fine.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder; a missing one is fine.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// The first `limit` bytes of a small file that is not SQLite's.
    ///
    /// # Errors
    /// As the operating system says.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// The last `limit` bytes of a file that is not SQLite's database.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path, usize::MAX)?;
        let begin = bytes.len().saturating_sub(limit);
        Ok(bytes.split_off(begin))
    }
    /// Adds bytes to the end of a file that is there, whoever writes to it meanwhile. A host that cannot refuses.
    ///
    /// # Errors
    /// As the operating system says.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let _ = (path, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Replaces a file durably (temporary file 0600, sync, rename, folder sync).
    ///
    /// # Errors
    /// As the operating system says.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes `path` a file of `bytes` with real blocks behind it, durably.
    ///
    /// # Errors
    /// As the operating system says.
    fn allocate(&self, path: &Path, bytes: Bytes) -> io::Result<()>;
    /// Space of the filesystem that holds `path` (which exists).
    ///
    /// # Errors
    /// As the operating system says.
    fn space(&self, path: &Path) -> io::Result<HostSpace>;
    /// Locks the lock file `path` exclusively (made when missing, 0600), waiting for other processes when `wait`;
    /// `None` when another holder has it. `note` is written into it as information for others. Nobody waits for a
    /// holder that a signal has stopped for good: after a few seconds that is `None`, too, where the system tells.
    ///
    /// # Errors
    /// As the operating system says.
    fn lock(&self, path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>>;
    /// As [`lock`](Self::lock), past whoever holds it: from now on the path is a fresh lock file. The former holder
    /// keeps its own, which excludes nobody any more; something else must keep it from doing harm.
    ///
    /// # Errors
    /// As the operating system says; `Unsupported` on a host that cannot do it.
    fn replace_lock(&self, path: &Path, note: &str) -> io::Result<Box<dyn HostLock>> {
        let _ = (path, note);
        Err(io::ErrorKind::Unsupported.into())
    }
    /// Whether this process has the rights to open a file for reading and writing, and may open one more; without opening
    /// it.
    ///
    /// # Errors
    /// As the operating system says.
    fn may_open(&self, path: &Path) -> io::Result<()> {
        let _ = path;
        Ok(())
    }
    /// The process that holds the lock file `path`, where the system tells.
    fn lock_holder(&self, path: &Path) -> Option<u32> {
        let _ = path;
        None
    }
    /// What the process of that number does, where the system tells.
    fn process(&self, pid: u32) -> ProcessState {
        let _ = pid;
        ProcessState::Unknown
    }
}

/// Time. Nothing is ever ordered by wall-clock time.
pub trait Clock: Send + Sync + Debug {
    /// Nanoseconds since 1970, for file times.
    fn wall(&self) -> i64;
    /// Time since some fixed moment, never going back.
    fn running(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock(Instant);

impl Default for SystemClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, i64::saturating_neg),
        }
    }

    fn running(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Everything the stack needs from outside. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Env {
    /// Files.
    pub host: Arc<dyn Host>,
    /// Clocks.
    pub clock: Arc<dyn Clock>,
    /// Name of the SQLite VFS, `None` for the platform's.
    pub vfs: Option<String>,
    /// Whether the stack may use threads of its own. Without, background work runs when asked for and everything is
    /// deterministic.
    pub threads: bool,
}
