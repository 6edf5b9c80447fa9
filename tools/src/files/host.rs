//! The host's side of a copy.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Gid, OFlags, Timespec, Timestamps, Uid};

use super::{Kind, Meta, Res, Side, Whole};

/// The host filesystem.
#[derive(Debug)]
pub(crate) struct Host;

/// A file being made under a temporary name.
#[derive(Debug)]
pub(crate) struct HostWriter {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    mode: u32,
    named: bool,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn join(dir: &Path, name: &[u8]) -> PathBuf {
    dir.join(OsStr::from_bytes(name))
}

/// A name beside `target` that nobody else uses.
fn temporary(target: &Path) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    target.with_file_name(format!(".anyfs-lvm.{}.{number}.tmp", std::process::id()))
}

/// What copies keep of a host file.
pub(crate) fn meta_of(found: &fs::Metadata) -> Meta {
    let kind = match found.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Directory,
        t if t.is_symlink() => Kind::Symlink,
        _ => Kind::Other,
    };
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Meta {
        kind,
        mode: found.mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        size: found.len(),
        atime: nanos(found.atime(), found.atime_nsec()),
        mtime: nanos(found.mtime(), found.mtime_nsec()),
    }
}

fn timestamps(meta: &Meta) -> Timestamps {
    let spec =
        |nanos: i64| Timespec { tv_sec: nanos.div_euclid(1_000_000_000), tv_nsec: nanos.rem_euclid(1_000_000_000) };
    Timestamps { last_access: spec(meta.atime), last_modification: spec(meta.mtime) }
}

/// Owner, mode, times; of the link itself when it is one. Only root can give files away, so others keep their own.
fn keep(path: &Path, meta: &Meta) -> io::Result<()> {
    let owner = (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
    match rustix::fs::chownat(CWD, path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    if meta.kind != Kind::Symlink {
        fs::set_permissions(path, fs::Permissions::from_mode(meta.mode))?;
    }
    rustix::fs::utimensat(CWD, path, &timestamps(meta), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}

impl Side for Host {
    type Dir = Arc<Path>;
    type Reader = File;
    type Writer = HostWriter;

    fn entry(&self, dir: &Self::Dir, name: &[u8]) -> Res<Option<Meta>> {
        match fs::symlink_metadata(join(dir, name)) {
            Ok(found) => Ok(Some(meta_of(&found))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn enter(&self, dir: &Self::Dir, name: &[u8]) -> Res<Self::Dir> {
        let path = join(dir, name);
        if fs::symlink_metadata(&path)?.is_dir() {
            Ok(path.into())
        } else {
            Err(io::Error::from(io::ErrorKind::NotADirectory).into())
        }
    }

    fn list(&self, dir: &Self::Dir) -> Res<Vec<Vec<u8>>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir)? {
            names.push(entry?.file_name().into_vec());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn link_target(&self, dir: &Self::Dir, name: &[u8]) -> Res<Vec<u8>> {
        Ok(fs::read_link(join(dir, name))?.into_os_string().into_vec())
    }

    fn reader(&self, dir: &Self::Dir, name: &[u8]) -> Res<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        Ok(OpenOptions::new().read(true).custom_flags(flags).open(join(dir, name))?)
    }

    fn make_dir(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<Self::Dir> {
        let path = join(dir, name);
        match fs::DirBuilder::new().mode(mode | 0o700).create(&path) {
            Ok(()) => Ok(path.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.enter(dir, name),
            Err(error) => Err(error.into()),
        }
    }

    fn make_link(&self, dir: &Self::Dir, name: &[u8], target: &[u8], keep_meta: Option<&Meta>) -> Res<()> {
        let path = join(dir, name);
        let temporary = temporary(&path);
        std::os::unix::fs::symlink(OsStr::from_bytes(target), &temporary)?;
        let made = keep_meta.map_or(Ok(()), |meta| keep(&temporary, meta)).and_then(|()| fs::rename(&temporary, &path));
        if made.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        Ok(made?)
    }

    fn writer(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<HostWriter> {
        let target = join(dir, name);
        let temporary = temporary(&target);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        Ok(HostWriter { file, temporary, target, mode, named: false })
    }

    fn keep(&self, dir: &Self::Dir, meta: &Meta) -> Res<()> {
        Ok(keep(dir, meta)?)
    }

    fn sync(&self, roots: &[Self::Dir]) -> Res<()> {
        for root in roots {
            sync_all_below(root)?;
        }
        Ok(())
    }
}

/// One call for the whole filesystem: thousands of single ones take minutes.
#[cfg(target_os = "linux")]
fn sync_all_below(root: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(root)?)?)
}

/// Where there is no call for one filesystem, all are synced.
#[cfg(not(target_os = "linux"))]
fn sync_all_below(_root: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

impl Write for HostWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Whole for HostWriter {
    fn finish(mut self, keep_meta: Option<&Meta>) -> Res<()> {
        match keep_meta {
            Some(meta) => keep(&self.temporary, meta)?,
            None => self.file.set_permissions(fs::Permissions::from_mode(self.mode))?,
        }
        fs::rename(&self.temporary, &self.target)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for HostWriter {
    fn drop(&mut self) {
        if !self.named {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
