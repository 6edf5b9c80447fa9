//! Lock files: held by the open file, found by their path.
//!
//! A lock counts only while the path still names the locked file: a takeover puts a fresh file in its place, which leaves
//! the former holder with a lock that nobody asks for any more. So whoever has got a lock looks whether the path still
//! leads to it, and starts over when it does not.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{RealHost, open_regular, private_file};
use crate::HostLock;
use crate::holder::Holder;

/// How often a waiting process looks at who keeps it waiting.
const LOOK: Duration = Duration::from_millis(100);
/// How long a holder may be stopped before nobody waits for it any more.
const STOPPED: Duration = Duration::from_secs(2);

#[derive(Debug)]
struct FileLock {
    path: PathBuf,
    // Closing it releases the lock.
    file: File,
}

impl HostLock for FileLock {
    fn is_current(&self) -> bool {
        names(&self.path, &self.file).unwrap_or(false)
    }
}

/// What came of waiting.
enum Waited {
    Locked,
    /// The path names another file by now.
    Replaced,
    /// The holder is stopped.
    Stopped,
}

/// Locks the file at `path`, made when it is missing.
pub(super) fn take(path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>> {
    loop {
        let mut file = open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            // What is not there any more is no lock, held or not.
            Err(TryLockError::WouldBlock) if !names(path, &file)? => continue,
            Err(TryLockError::WouldBlock) if !wait => return Ok(None),
            Err(TryLockError::WouldBlock) => match wait_for(path, &file)? {
                Waited::Locked => {}
                Waited::Replaced => continue,
                Waited::Stopped => return Ok(None),
            },
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if names(path, &file)? {
            write_note(&mut file, note);
            return Ok(Some(Box::new(FileLock { path: path.to_owned(), file })));
        }
    }
}

/// The file, made when it is missing. A lock does not take the right to write, only the note in it does.
fn open(path: &Path) -> io::Result<File> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match open_regular(private_file().create(true).truncate(false), path, false) {
        Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            open_regular(OpenOptions::new().read(true), path, false).map_err(|_| error)
        }
        other => other,
    }
}

/// Puts a fresh lock file, held from the beginning, in the place of whatever is at `path`.
pub(super) fn replace(path: &Path, note: &str) -> io::Result<Box<dyn HostLock>> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(io::Error::from)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{:016x}", u64::from_le_bytes(random)));
    let temporary = PathBuf::from(name);
    let mut file = private_file().create_new(true).open(&temporary)?;
    write_note(&mut file, note);
    match file.lock().and_then(|()| fs::rename(&temporary, path)) {
        Ok(()) => Ok(Box::new(FileLock { path: path.to_owned(), file })),
        Err(error) => {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// Whether `path` still leads to `file`.
fn names(path: &Path, file: &File) -> io::Result<bool> {
    let own = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until the lock is held, as long as its holder goes on.
///
/// The waiting itself is the system's, in a thread, so that those who wait get their turn; a thread that nobody waits for
/// any more ends when the holder does, and gives the lock back.
fn wait_for(path: &Path, file: &File) -> io::Result<Waited> {
    let (done, waits) = channel();
    let same = file.try_clone()?;
    let block = move || {
        // Nobody may be left to hear it.
        let _ = done.send(same.lock());
    };
    if std::thread::Builder::new().name("anyfs-lvm-lock".to_owned()).spawn(block).is_err() {
        return file.lock().map(|()| Waited::Locked);
    }
    let mut stopped: Option<Instant> = None;
    loop {
        match waits.recv_timeout(LOOK) {
            Ok(locked) => return locked.map(|()| Waited::Locked),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("a thread that waited for a lock died"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if !names(path, file)? {
            return Ok(Waited::Replaced);
        }
        if !Holder::seen(&RealHost, path).is_stopped() {
            stopped = None;
        } else if stopped.get_or_insert_with(Instant::now).elapsed() >= STOPPED {
            return Ok(Waited::Stopped);
        }
    }
}

/// Information only: a full disk must not keep anyone from locking. Written only when it is news: a lock is taken around
/// every commit.
fn write_note(file: &mut File, note: &str) {
    if note.is_empty() {
        return;
    }
    let mut known = String::new();
    if file.read_to_string(&mut known).is_err() || known != note {
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(note.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        (dir, path)
    }

    #[test]
    fn a_lock_excludes_a_second_holder_in_the_same_process_until_dropped() {
        let (_dir, path) = place();
        let held = take(&path, false, "pid 1").unwrap();
        assert!(held.is_some());
        assert!(take(&path, false, "").unwrap().is_none());
        drop(held);
        assert!(take(&path, true, "").unwrap().is_some());
        assert_eq!(fs::read(&path).unwrap(), b"pid 1");
    }

    #[test]
    fn who_waits_gets_the_lock_when_it_is_given_back() {
        let (_dir, path) = place();
        let held = take(&path, false, "").unwrap().unwrap();
        let waits = std::thread::spawn({
            let path = path.clone();
            move || take(&path, true, "second").unwrap().is_some()
        });
        std::thread::sleep(Duration::from_millis(250));
        assert!(!waits.is_finished());
        drop(held);
        assert!(waits.join().unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"second");
    }

    #[test]
    fn a_former_holder_neither_keeps_nor_gives_back_the_lock_that_replaced_its_own() {
        let (dir, path) = place();
        let former = take(&path, false, "first").unwrap().unwrap();
        assert!(former.is_current());
        let held = replace(&path, "second").unwrap();
        assert!(held.is_current() && !former.is_current());
        assert!(take(&path, false, "").unwrap().is_none());
        drop(former);
        assert!(take(&path, false, "").unwrap().is_none());
        assert_eq!(fs::read(&path).unwrap(), b"second");
        drop(held);
        assert!(take(&path, false, "third").unwrap().is_some());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no file is left over");
    }

    #[test]
    fn who_waits_for_a_file_that_is_replaced_waits_for_the_new_one() {
        let (_dir, path) = place();
        let former = take(&path, false, "").unwrap().unwrap();
        let waits = std::thread::spawn({
            let path = path.clone();
            move || take(&path, true, "third").unwrap().is_some()
        });
        let held = replace(&path, "").unwrap();
        drop(former);
        std::thread::sleep(Duration::from_millis(250));
        assert!(!waits.is_finished());
        drop(held);
        assert!(waits.join().unwrap());
    }
}
