//! The machine's own files.

mod lock_file;
mod process;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::error::LinkInTheWay;
use crate::{Bytes, Env, FileId, Host, HostLock, HostSpace, ProcessState, SystemClock};

impl Env {
    /// The machine's files, clocks and threads, and the platform's SQLite VFS.
    pub fn system() -> Self {
        Self { host: Arc::new(RealHost), clock: Arc::new(SystemClock::default()), vfs: None, threads: true }
    }
}

/// The operating system's files.
///
/// # Concurrency
/// Locks are held by the open lock file, so two holders inside one process exclude each other as well.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealHost;

const NO_FILE: &str = "it is a folder, pipe, socket or device where a file belongs";

/// Size of the pieces in which a file is filled where the filesystem cannot reserve blocks.
const PIECE: usize = 1024 * 1024;

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Opens a regular file. A pool may come from elsewhere: a pipe in the place of a file would let whoever opens it wait
/// for ever, and a link would let this process write to whatever file it leads to, so that with `follow` off none is
/// followed.
fn open_regular(options: &mut OpenOptions, path: &Path, follow: bool) -> io::Result<File> {
    let refused = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let flags = if follow { OFlags::NONBLOCK } else { OFlags::NONBLOCK | OFlags::NOFOLLOW };
    match options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Err(LinkInTheWay("file").failure()),
        // A pipe that nobody reads, or a socket.
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => refused(NO_FILE),
        Ok(file) if !file.metadata()?.is_file() => refused(NO_FILE),
        other => other,
    }
}

impl Host for RealHost {
    fn stat(&self, path: &Path) -> io::Result<FileId> {
        let meta = fs::metadata(path)?;
        Ok(FileId {
            device: meta.dev(),
            inode: meta.ino(),
            links: meta.nlink(),
            len: Bytes(meta.len()),
            allocated: Bytes(meta.blocks().saturating_mul(512)),
            regular: meta.is_file(),
        })
    }

    fn is_link(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_symlink())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries = fs::read_dir(dir)?.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>()?;
        entries.sort();
        Ok(entries)
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            other => other,
        }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.sync_all()
    }

    fn make_private(&self, path: &Path) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
                // Filesystems that cannot do it in one step.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                other => return other.map_err(io::Error::from),
            }
        }
        // A second link refuses an existing name just as well.
        fs::hard_link(from, to)?;
        fs::remove_file(from)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        missing_is_fine(fs::remove_file(path))
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        missing_is_fine(fs::remove_dir(dir))
    }

    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = open_regular(OpenOptions::new().read(true), path, true)?;
        file.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_end(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let mut file = open_regular(OpenOptions::new().read(true), path, true)?;
        let (len, limit) = (file.metadata()?.len(), u64::try_from(limit).unwrap_or(u64::MAX));
        file.seek(SeekFrom::Start(len.saturating_sub(limit)))?;
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        open_regular(OpenOptions::new().append(true), path, false)?.write_all(bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::from)?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".new-{:016x}", u64::from_le_bytes(random)));
        let temporary = PathBuf::from(name);
        let written = private_file().create_new(true).open(&temporary).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        match written.and_then(|()| fs::rename(&temporary, path)) {
            Ok(()) => self.sync_dir(parent(path)),
            Err(error) => {
                // The first error is the one to report.
                let _ = fs::remove_file(&temporary);
                Err(error)
            }
        }
    }

    fn allocate(&self, path: &Path, bytes: Bytes) -> io::Result<()> {
        let mut file = open_regular(private_file().create(true).truncate(false), path, false)?;
        match reserve(&file, bytes.get()) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => fill(&mut file, bytes.get())?,
            other => other?,
        }
        file.set_len(bytes.get())?;
        file.sync_all()?;
        self.sync_dir(parent(path))
    }

    fn space(&self, path: &Path) -> io::Result<HostSpace> {
        let stat = rustix::fs::statvfs(path)?;
        let unit = if stat.f_frsize == 0 { stat.f_bsize } else { stat.f_frsize };
        Ok(HostSpace {
            device: fs::metadata(path)?.dev(),
            free: Bytes(stat.f_bavail.saturating_mul(unit)),
            total: Bytes(stat.f_blocks.saturating_mul(unit)),
        })
    }

    fn lock(&self, path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>> {
        lock_file::take(path, wait, note)
    }

    fn replace_lock(&self, path: &Path, note: &str) -> io::Result<Box<dyn HostLock>> {
        lock_file::replace(path, note)
    }

    fn may_open(&self, path: &Path) -> io::Result<()> {
        rustix::fs::access(path, rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK)?;
        // As many descriptors as there may be are in use: a folder is refused, too.
        fs::read_dir(parent(path)).map(drop)
    }

    fn lock_holder(&self, path: &Path) -> Option<u32> {
        process::locker(&fs::metadata(path).ok()?)
    }

    fn process(&self, pid: u32) -> ProcessState {
        process::state(pid)
    }
}

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
fn reserve(file: &File, bytes: u64) -> Result<(), Errno> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, bytes)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn reserve(_file: &File, _bytes: u64) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Takes blocks by writing zeros past the present end.
fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0u8; PIECE];
    let mut at = file.seek(io::SeekFrom::End(0))?;
    while at < bytes {
        let rest = usize::try_from(bytes.saturating_sub(at)).unwrap_or(PIECE).min(PIECE);
        file.write_all(zeros.get(..rest).unwrap_or(&zeros))?;
        at = at.saturating_add(u64::try_from(rest).unwrap_or(0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rename_new_refuses_an_existing_name() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        RealHost.write(&a, b"a").unwrap();
        RealHost.write(&b, b"b").unwrap();
        assert_eq!(RealHost.rename_new(&a, &b).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        RealHost.remove_file(&b).unwrap();
        RealHost.rename_new(&a, &b).unwrap();
        assert_eq!(RealHost.read(&b, 1).unwrap(), b"a");
        assert_eq!(fs::metadata(&b).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn allocate_takes_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reserve");
        RealHost.allocate(&path, Bytes(1 << 20)).unwrap();
        assert_eq!(RealHost.stat(&path).unwrap().len, Bytes(1 << 20));
        assert!(fs::metadata(&path).unwrap().blocks() * 512 >= 1 << 20);
        assert!(RealHost.space(dir.path()).unwrap().total > Bytes(0));
    }
}
