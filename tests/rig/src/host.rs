//! The engine's file operations outside SQLite, on a disk in memory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pv::{Bytes, FileId, Host, HostLock, HostSpace};

use crate::disk::{Shared, State};
use crate::log::{Name, Node, normalise, parent};

/// How long (in real time) a lock file is waited for: in a rig nobody holds one that long, so it is a deadlock.
const PATIENCE: Duration = Duration::from_secs(10);

/// One process' file operations on a [`Disk`](crate::Disk). Its lock files keep other processes out, as those of a
/// second `MemHost` of the same disk; [`MemHost::release_locks`] is what the kernel does when the process is killed.
#[derive(Debug, Clone)]
pub struct MemHost {
    shared: Arc<Shared>,
    process: u64,
    /// Folders are made durable when asked for.
    syncs_folders: bool,
}

impl MemHost {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let process = new_token(&mut shared.state());
        Self { shared, process, syncs_folders: true }
    }

    /// The same process, whose syncs of folders do nothing: a rule switched off, to see that it is noticed.
    pub(crate) fn without_folder_syncs(self) -> Self {
        Self { syncs_folders: false, ..self }
    }

    /// Drops all lock files this process holds, also those whose guards still exist.
    pub fn release_locks(&self) {
        self.shared.state().host_locks.retain(|_, holder| holder.0 != self.process);
        self.shared.released.notify_all();
    }
}

/// Who holds a lock file: process and number of the guard.
pub(crate) type Holder = (u64, u64);

fn new_token(state: &mut State) -> u64 {
    state.next_token += 1;
    state.next_token
}

fn plain(path: &Path) -> io::Result<String> {
    path.to_str().map(normalise).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[derive(Debug)]
struct MemLock {
    shared: Arc<Shared>,
    name: Name,
    holder: Holder,
}

impl HostLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if state.host_locks.get(&self.name) == Some(&self.holder) {
            state.host_locks.remove(&self.name);
        }
        drop(state);
        self.shared.released.notify_all();
    }
}

impl Host for MemHost {
    fn stat(&self, path: &Path) -> io::Result<FileId> {
        let path = plain(path)?;
        let state = self.shared.state();
        let device = self.shared.settings.device;
        match state.node(&path) {
            None => Err(io::ErrorKind::NotFound.into()),
            Some(Node::Dir) => {
                let none = Bytes(0);
                Ok(FileId { device, inode: 0, links: 1, len: none, allocated: none, regular: false })
            }
            Some(Node::File(inode)) => {
                let len = Bytes(state.file(inode)?.content.len());
                Ok(FileId { device, inode, links: 1, len, allocated: len, regular: true })
            }
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let names = self.shared.state().list(&plain(dir)?)?;
        Ok(names.iter().filter_map(|name| Path::new(&**name).file_name()).map(|name| dir.join(name)).collect())
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.state().make_dir(&plain(dir)?)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        if self.syncs_folders { self.shared.state().sync_dir(&plain(dir)?) } else { Ok(()) }
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.shared.state();
        let inode = state.open_existing(&plain(path)?)?;
        state.sync(inode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.state().rename(&plain(from)?, &plain(to)?, true)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.state().rename(&plain(from)?, &plain(to)?, false)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        missing_is_fine(self.shared.state().unlink(&plain(path)?))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        missing_is_fine(self.shared.state().remove_dir(&plain(dir)?))
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut state = self.shared.state();
        let inode = state.open_existing(&plain(path)?)?;
        let len = state.file(inode)?.content.len();
        let mut bytes = vec![0; usize::try_from(len).map_or(limit, |len| len.min(limit))];
        let there = state.read(inode, 0, &mut bytes)?;
        bytes.truncate(there);
        Ok(bytes)
    }

    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let state = self.shared.state();
        let content = &state.file(state.lookup(&plain(path)?)?)?.content;
        let begin = content.len().saturating_sub(limit as u64);
        let mut bytes = vec![0; usize::try_from(content.len() - begin).unwrap_or(limit)];
        content.read(begin, &mut bytes);
        Ok(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let path = plain(path)?;
        let temporary = format!("{path}.tmp");
        let mut state = self.shared.state();
        missing_is_fine(state.unlink(&temporary))?;
        let inode = state.create(&temporary)?;
        let written = state.write(inode, 0, bytes).and_then(|()| state.sync(inode));
        match written.and_then(|()| state.rename(&temporary, &path, true)) {
            Ok(()) => state.sync_dir(parent(&path)),
            Err(error) => {
                // The first error is the one to report.
                let _ = state.unlink(&temporary);
                Err(error)
            }
        }
    }

    fn allocate(&self, path: &Path, bytes: Bytes) -> io::Result<()> {
        let path = plain(path)?;
        let mut state = self.shared.state();
        let inode = match state.node(&path) {
            None => state.create(&path)?,
            Some(_) => state.open_existing(&path)?,
        };
        state.truncate(inode, bytes.0)?;
        state.sync(inode)?;
        state.sync_dir(parent(&path))
    }

    fn space(&self, path: &Path) -> io::Result<HostSpace> {
        let state = self.shared.state();
        if state.node(&plain(path)?).is_none() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(HostSpace { device: self.shared.settings.device, free: Bytes(state.free()), total: Bytes(state.capacity) })
    }

    fn lock(&self, path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>> {
        let path = plain(path)?;
        let mut state = self.shared.state();
        while state.host_locks.contains_key(&*path) {
            if !wait {
                return Ok(None);
            }
            let (next, timeout) =
                self.shared.released.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let inode = match state.node(&path) {
            None => state.create(&path)?,
            Some(_) => state.open_existing(&path)?,
        };
        // As the real host: information only, written when it is news, and no reason to fail.
        if state.file(inode)?.content.to_vec() != note.as_bytes() {
            let _ = state.truncate(inode, 0).and_then(|()| state.write(inode, 0, note.as_bytes()));
        }
        let name: Name = path.into();
        let holder = (self.process, new_token(&mut state));
        state.host_locks.insert(Arc::clone(&name), holder);
        drop(state);
        Ok(Some(Box::new(MemLock { shared: Arc::clone(&self.shared), name, holder })))
    }
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Disk, Mode, Model};

    #[test]
    fn a_replaced_file_is_old_or_new_after_any_crash() {
        let disk = Disk::default();
        let host = disk.host();
        let path = Path::new("/d/f");
        host.make_dir(Path::new("/d")).unwrap();
        host.write(path, b"old").unwrap();
        let mut model = Model::new(&disk.image());
        disk.start_recording();
        host.write(path, b"new").unwrap();
        let log = disk.take_log();
        let mut seen = Vec::new();
        for op in &log {
            for (mode, seed) in Mode::ALL.into_iter().flat_map(|mode| (0..4).map(move |seed| (mode, seed))) {
                let Some(image) = model.image(mode, seed) else { continue };
                seen.push(image.file("/d/f").unwrap().to_vec());
            }
            model.apply(op);
        }
        assert!(seen.iter().all(|bytes| bytes == b"old" || bytes == b"new") && seen.contains(&b"new".to_vec()));
        let end = model.image(Mode::Kill, 0).unwrap();
        assert_eq!(end.file("/d/f").unwrap().to_vec(), b"new");
        assert_eq!(model.pending(), (0, 0));
    }

    #[test]
    fn names_behave_as_on_a_real_filesystem() {
        let disk = Disk::default();
        let host = disk.host();
        let kind = |result: io::Result<()>| result.unwrap_err().kind();
        assert_eq!(kind(host.write(Path::new("/no/f"), b"")), io::ErrorKind::NotFound);
        host.make_dir(Path::new("/d")).unwrap();
        host.make_dir(Path::new("/d")).unwrap();
        host.write(Path::new("/d/a"), b"12345").unwrap();
        host.write(Path::new("/d/b"), b"").unwrap();
        assert_eq!(host.list(Path::new("/d")).unwrap(), [PathBuf::from("/d/a"), PathBuf::from("/d/b")]);
        assert_eq!(kind(host.rename_new(Path::new("/d/a"), Path::new("/d/b"))), io::ErrorKind::AlreadyExists);
        assert_eq!(kind(host.remove_dir(Path::new("/d"))), io::ErrorKind::DirectoryNotEmpty);
        host.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
        assert_eq!(host.read(Path::new("/d/b"), 3).unwrap(), b"123");
        let stat = host.stat(Path::new("/d/b")).unwrap();
        assert_eq!((stat.len, stat.regular, stat.links), (Bytes(5), true, 1));
        assert!(!host.stat(Path::new("/d")).unwrap().regular);
        host.remove_file(Path::new("/d/b")).unwrap();
        host.remove_file(Path::new("/d/b")).unwrap();
        host.remove_dir(Path::new("/d")).unwrap();
        assert_eq!(kind(host.list(Path::new("/d")).map(drop)), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_full_disk_says_so_and_space_returns() {
        let disk = Disk::default();
        let host = disk.host();
        host.write(Path::new("/a"), &[1; 1000]).unwrap();
        disk.set_free(100);
        assert_eq!(host.space(Path::new("/")).unwrap().free, Bytes(100));
        assert_eq!(host.write(Path::new("/b"), &[1; 101]).unwrap_err().kind(), io::ErrorKind::StorageFull);
        host.remove_file(Path::new("/a")).unwrap();
        host.allocate(Path::new("/b"), Bytes(1100)).unwrap();
        assert_eq!(host.space(Path::new("/")).unwrap().free, Bytes(0));
    }

    #[test]
    fn lock_files_keep_other_processes_out_until_their_holder_is_gone() {
        let disk = Disk::default();
        let (one, two) = (disk.host(), disk.host());
        let path = Path::new("/lock");
        let held = one.lock(path, false, "pid 1").unwrap().unwrap();
        assert!(two.lock(path, false, "pid 2").unwrap().is_none());
        assert_eq!(two.read(path, 100).unwrap(), b"pid 1");
        drop(held);
        let zombie = two.lock(path, true, "pid 2").unwrap().unwrap();
        two.release_locks();
        let held = one.lock(path, false, "pid 1").unwrap().unwrap();
        drop(zombie);
        assert!(two.lock(path, false, "pid 2").unwrap().is_none());
        drop(held);
    }
}
