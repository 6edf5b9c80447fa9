//! The host's side of a copy.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::failure::Failure;
use crate::picture::shown;

use super::{Keep, Kind, Meta, Res, Side, Sparse, Trouble, Whole, Xattr, before_hole, io_text};

/// The host filesystem.
#[derive(Debug)]
pub(crate) struct Host;

/// A file being made under a temporary name.
#[derive(Debug)]
pub(crate) struct HostWriter {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    named: bool,
}

/// A file read from its start, holes known.
#[derive(Debug)]
pub(crate) struct HostReader {
    file: File,
    at: u64,
    /// Up to here it is known to be data.
    data_until: u64,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Longest value, and longest list of names, of extended attributes on Linux.
const XATTR_BYTES: usize = 64 * 1024;

fn join(dir: &Path, name: &[u8]) -> PathBuf {
    dir.join(OsStr::from_bytes(name))
}

/// A name beside `target` that nobody else uses.
fn temporary(target: &Path) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    target.with_file_name(format!(".anyfs-lvm.{:016x}.{number}.tmp", super::own_number()))
}

/// What copies keep of a host file.
pub(crate) fn meta_of(found: &fs::Metadata) -> Meta {
    let kind = match found.file_type() {
        t if t.is_file() => Kind::File,
        t if t.is_dir() => Kind::Directory,
        t if t.is_symlink() => Kind::Symlink,
        t if t.is_fifo() => Kind::Fifo,
        t if t.is_socket() => Kind::Socket,
        t if t.is_char_device() => Kind::CharDevice,
        _ => Kind::BlockDevice,
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
        rdev: found.rdev(),
        id: (found.dev(), found.ino()),
        nlink: found.nlink(),
    }
}

fn timestamps(meta: &Meta) -> Timestamps {
    let spec =
        |nanos: i64| Timespec { tv_sec: nanos.div_euclid(1_000_000_000), tv_nsec: nanos.rem_euclid(1_000_000_000) };
    Timestamps { last_access: spec(meta.atime), last_modification: spec(meta.mtime) }
}

/// Owner, mode, extended attributes, times, in this order: changing the owner clears set-id bits and capabilities, and
/// everything changes times. Of the link itself when it is one. Only root can give files away, so others keep their own.
///
/// What comes back are attributes that this filesystem does not take: the file is as good as it can be without them.
fn keep(path: &Path, Keep { meta, xattrs }: &Keep) -> io::Result<Vec<String>> {
    let owner = (Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
    match rustix::fs::chownat(CWD, path, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    if meta.kind != Kind::Symlink {
        fs::set_permissions(path, fs::Permissions::from_mode(meta.mode))?;
    }
    let lost = set_xattrs(path, xattrs)?;
    rustix::fs::utimensat(CWD, path, &timestamps(meta), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(lost)
}

/// Tells what a file had to do without.
fn without(path: &Path, lost: &[String]) -> Res<()> {
    if lost.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{}: copied without {}", shown(path), lost.join(", "))).into())
}

/// An error about a place in the target: of a copy, whoever is told knows the source's name only.
fn about(path: &Path) -> impl Fn(io::Error) -> Trouble {
    move |error| {
        let failure = Failure::new(format!("{}: {}", shown(path), io_text(&error)));
        if error.kind() == io::ErrorKind::StorageFull { Trouble::Full(failure) } else { Trouble::Failure(failure) }
    }
}

/// Makes something under a temporary name and gives it its own, in place of what has it.
fn in_place(path: &Path, kept: Option<&Keep>, make: impl FnOnce(&Path) -> io::Result<()>) -> Res<()> {
    let temporary = temporary(path);
    make(&temporary).map_err(about(path))?;
    let kept = kept.map_or(Ok(Vec::new()), |kept| keep(&temporary, kept));
    let named = kept.and_then(|lost| fs::rename(&temporary, path).map(|()| lost));
    if named.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    without(path, &named.map_err(about(path))?)
}

/// The names, each with a NUL behind it. Most files have none or few.
fn xattr_names(path: &Path) -> io::Result<Vec<u8>> {
    let mut names = vec![0; 256];
    loop {
        match rustix::fs::llistxattr(path, names.as_mut_slice()) {
            Ok(len) => {
                names.truncate(len);
                return Ok(names);
            }
            Err(Errno::RANGE) if names.len() < XATTR_BYTES => names = vec![0; XATTR_BYTES],
            Err(Errno::NOTSUP) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// All extended attributes; none where the filesystem has none.
fn xattrs(path: &Path) -> io::Result<Vec<Xattr>> {
    let names = xattr_names(path)?;
    let mut value = vec![0; if names.is_empty() { 0 } else { XATTR_BYTES }];
    let mut all = Vec::new();
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        match rustix::fs::lgetxattr(path, name, value.as_mut_slice()) {
            Ok(len) => all.push(Xattr { name: name.to_vec(), value: value.get(..len).unwrap_or_default().to_vec() }),
            // Gone meanwhile, or not for this user to see.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all)
}

/// As cp -a does: what this filesystem or this user cannot set is left out. What this filesystem has no room or no form
/// for comes back in words.
fn set_xattrs(path: &Path, xattrs: &[Xattr]) -> io::Result<Vec<String>> {
    let mut lost = Vec::new();
    for Xattr { name, value } in xattrs {
        match rustix::fs::lsetxattr(path, name.as_slice(), value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS) => {}
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::TOOBIG | Errno::RANGE | Errno::INVAL)) => {
                lost.push(format!("attribute {} ({})", super::show::name(name), io_text(&error.into())));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(lost)
}

impl Read for HostReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(before_hole(bytes, self.at, self.data_until))?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

impl Sparse for HostReader {
    fn hole(&mut self) -> Res<u64> {
        if self.at < self.data_until {
            return Ok(0);
        }
        let (data, end) = next_data(&self.file, self.at)?;
        self.data_until = end;
        self.file.seek(SeekFrom::Start(data))?;
        Ok(data.saturating_sub(std::mem::replace(&mut self.at, data)))
    }
}

/// Where data begins at or after `at`, and where it ends; the end of the file when there is none.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn next_data(file: &File, at: u64) -> io::Result<(u64, u64)> {
    use rustix::fs::SeekFrom::{Data, Hole};
    let len = file.metadata()?.len().max(at);
    let data = match rustix::fs::seek(file, Data(at)) {
        Ok(data) => data,
        // Nothing but a hole from here on.
        Err(Errno::NXIO) => return Ok((len, u64::MAX)),
        // A filesystem without holes.
        Err(Errno::INVAL | Errno::NOTSUP) => return Ok((at, u64::MAX)),
        Err(error) => return Err(error.into()),
    };
    Ok((data, rustix::fs::seek(file, Hole(data))?))
}

/// Where nobody can be asked, everything is data.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn next_data(_file: &File, at: u64) -> io::Result<(u64, u64)> {
    Ok((at, u64::MAX))
}

impl Side for Host {
    type Dir = Arc<Path>;
    type Reader = HostReader;
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

    fn reader(&self, dir: &Self::Dir, name: &[u8]) -> Res<HostReader> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        let file = OpenOptions::new().read(true).custom_flags(flags).open(join(dir, name))?;
        Ok(HostReader { file, at: 0, data_until: 0 })
    }

    fn make_dir(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<Self::Dir> {
        let path = join(dir, name);
        match fs::DirBuilder::new().mode(mode | 0o700).create(&path) {
            Ok(()) => Ok(path.into()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.enter(dir, name),
            Err(error) => Err(about(&path)(error)),
        }
    }

    fn make_link(&self, dir: &Self::Dir, name: &[u8], target: &[u8], kept: Option<&Keep>) -> Res<()> {
        in_place(&join(dir, name), kept, |path| std::os::unix::fs::symlink(OsStr::from_bytes(target), path))
    }

    fn make_special(&self, dir: &Self::Dir, name: &[u8], kept: &Keep) -> Res<()> {
        let kind = match kept.meta.kind {
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharDevice => FileType::CharacterDevice,
            _ => FileType::BlockDevice,
        };
        in_place(&join(dir, name), Some(kept), |path| {
            Ok(rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), kept.meta.rdev)?)
        })
    }

    fn make_hard_link(&self, from: (&Self::Dir, &[u8]), to: (&Self::Dir, &[u8])) -> Res<()> {
        let (from, to) = (join(from.0, from.1), join(to.0, to.1));
        let old = fs::symlink_metadata(&from)?;
        if fs::symlink_metadata(&to).is_ok_and(|new| (new.dev(), new.ino()) == (old.dev(), old.ino())) {
            return Ok(());
        }
        in_place(&to, None, |path| fs::hard_link(&from, path))
    }

    fn xattrs(&self, dir: &Self::Dir, name: &[u8]) -> Res<Vec<Xattr>> {
        Ok(xattrs(&join(dir, name))?)
    }

    fn writer(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<HostWriter> {
        let target = join(dir, name);
        let special =
            |found: fs::Metadata| !matches!(meta_of(&found).kind, Kind::File | Kind::Symlink | Kind::Directory);
        if fs::symlink_metadata(&target).is_ok_and(special) {
            let failure = Failure::new(format!("{}: is a pipe, socket or device; left as it is", shown(&target)));
            return Err(failure.hint("write into it with: anyfs-lvm cat VG/LV:/PATH > FILE").into());
        }
        let temporary = temporary(&target);
        // The user's mask applies, and set-id bits are for copies that keep the owner, too.
        let file = OpenOptions::new().write(true).create_new(true).mode(mode & 0o777).open(&temporary);
        let file = file.map_err(about(&target))?;
        Ok(HostWriter { file, temporary, target, named: false })
    }

    fn keep(&self, dir: &Self::Dir, kept: &Keep) -> Res<()> {
        without(dir, &keep(dir, kept).map_err(about(dir))?)
    }

    fn own(&self, dir: &Self::Dir) -> Res<Keep> {
        let found = fs::symlink_metadata(dir).map_err(about(dir))?;
        Ok(Keep { meta: meta_of(&found), xattrs: xattrs(dir).map_err(about(dir))? })
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
        Ok(self.file.write(bytes).map_err(about(&self.target))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Whole for HostWriter {
    fn skip(&mut self, len: u64) -> Res<()> {
        self.file.seek(SeekFrom::Current(i64::try_from(len).map_err(io::Error::other)?))?;
        Ok(())
    }

    fn finish(mut self, kept: Option<&Keep>) -> Res<()> {
        let lost = self.complete(kept).map_err(about(&self.target))?;
        self.named = true;
        without(&self.target, &lost)
    }
}

impl HostWriter {
    fn complete(&mut self, kept: Option<&Keep>) -> io::Result<Vec<String>> {
        // A hole at the end is no write: the size has to be said.
        let end = self.file.stream_position()?;
        if self.file.metadata()?.len() < end {
            self.file.set_len(end)?;
        }
        let lost = kept.map_or(Ok(Vec::new()), |kept| keep(&self.temporary, kept))?;
        fs::rename(&self.temporary, &self.target)?;
        Ok(lost)
    }
}

impl Drop for HostWriter {
    fn drop(&mut self) {
        if !self.named {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
