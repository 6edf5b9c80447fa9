//! A logical volume's side of a copy, and paths inside it.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use anyfs_lvm::lv::{Attr, DirEntry, Ino, Kind as LvKind, LvError, NewNode, Rename, Seek, SetAttr, SetXattr, Volume};
use anyfs_lvm::owner::Reach;

use super::{Keep, Kind, Meta, Res, Side, Sparse, Trouble, Whole, Xattr, before_hole, show};
use crate::args::LvName;
use crate::failure::{Failure, chain};

/// Entries of a directory read at a time.
const LISTED: usize = 1024;
/// The error number of everything that is full.
const ENOSPC: i32 = 28;
/// Those of what is not allowed, too long, without sense, or out of range.
const ARGUMENTS: [i32; 4] = [1, 7, 22, 34];
/// Most symbolic links in one path, as the library's own limit.
const HOPS: usize = 40;

/// An open volume with its name.
#[derive(Debug, Clone)]
pub(crate) struct Mount {
    pub(crate) volume: Reach,
    pub(crate) name: LvName,
}

/// A volume that this process has, with its name.
#[derive(Debug, Clone)]
pub(crate) struct Active {
    pub(crate) volume: Volume,
    pub(crate) name: LvName,
}

impl From<Active> for Mount {
    fn from(Active { volume, name }: Active) -> Self {
        Self { volume: volume.into(), name }
    }
}

/// Where a path leads: a name in a directory, or (for the root) a directory alone.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: Ino,
    pub(crate) name: Option<Vec<u8>>,
}

/// What copies keep of an inode.
pub(crate) fn meta_of(attr: &Attr) -> Meta {
    let kind = match attr.kind {
        LvKind::File => Kind::File,
        LvKind::Directory => Kind::Directory,
        LvKind::Symlink => Kind::Symlink,
        LvKind::Fifo => Kind::Fifo,
        LvKind::Socket => Kind::Socket,
        LvKind::CharDevice => Kind::CharDevice,
        _ => Kind::BlockDevice,
    };
    Meta {
        kind,
        mode: attr.mode,
        uid: attr.uid,
        gid: attr.gid,
        size: attr.size,
        atime: attr.atime,
        mtime: attr.mtime,
        rdev: attr.rdev,
        id: (0, attr.ino.0),
        nlink: attr.nlink.into(),
    }
}

/// What an error says that is about a call's arguments alone, in the words of this process or of the one that has the
/// volume.
pub(crate) fn about_arguments(error: &LvError) -> Option<&str> {
    match error {
        LvError::Invalid { what }
        | LvError::NotPermitted { what }
        | LvError::OutOfRange { what }
        | LvError::TooBig { what } => Some(what),
        LvError::Told { errno, text, .. } if ARGUMENTS.contains(errno) => Some(text),
        _ => None,
    }
}

/// The parts of a path, `.` and empty ones left out.
pub(crate) fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

/// A path without its last part, with the slash.
fn above(path: &[u8]) -> Vec<u8> {
    let mut all = parts(path);
    all.pop();
    all.into_iter().fold(b"/".to_vec(), |mut path, part| {
        path.extend_from_slice(&part);
        path.push(b'/');
        path
    })
}

impl Mount {
    /// `VG/LV:/path` for messages.
    pub(crate) fn shown(&self, path: &[u8]) -> String {
        format!("{}:{}", self.name, show::name(path))
    }

    /// What an error of the volume means for the user.
    pub(crate) fn trouble(&self, error: &LvError) -> Trouble {
        let mut failure = Failure::new(format!("{}: {}", self.name, chain(error)));
        failure.hint = error.hint().map(str::to_owned);
        let full = error.errno() == ENOSPC;
        if full && matches!(error, LvError::NoSpace { .. }) {
            failure = failure.hint(format!("make room with: anyfs-lvm lvextend -L +SIZE {}", self.name));
        }
        if full { Trouble::Full(failure) } else { Trouble::Failure(failure) }
    }

    /// The same about a path.
    pub(crate) fn failure(&self, path: &[u8], error: &LvError) -> Failure {
        match error {
            LvError::NotFound { .. } => Failure::new(format!("{}: No such file or directory", self.shown(path))),
            LvError::NotDirectory { .. } => Failure::new(format!("{}: Not a directory", self.shown(path))),
            LvError::IsDirectory { .. } => Failure::new(format!("{}: Is a directory", self.shown(path))),
            LvError::NotEmpty { .. } => Failure::new(format!("{}: Directory not empty", self.shown(path))),
            LvError::Exists { .. } => Failure::new(format!("{}: File exists", self.shown(path))),
            LvError::NameTooLong { .. } => Failure::new(format!("{}: File name too long", self.shown(path))),
            LvError::Loop { .. } => Failure::new(format!("{}: Too many levels of symbolic links", self.shown(path))),
            _ => self.trouble(error).about(&self.shown(path)),
        }
    }

    /// What a directory that two names of another lead to means for the user.
    pub(crate) fn second_name(&self, path: &[u8]) -> Failure {
        Failure::new(format!("{}: damaged metadata: another name of a directory", self.shown(path)))
    }

    fn res<T>(&self, result: Result<T, LvError>) -> Res<T> {
        result.map_err(|error| self.trouble(&error))
    }

    /// The inode a path leads to, links followed.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<Attr, Failure> {
        self.volume.resolve(path, true).map_err(|error| self.failure(path, &error))
    }

    /// The directory and name of a path's last part; the last part itself is not followed unless `follow`.
    pub(crate) fn place(&self, path: &[u8], follow: bool) -> Result<Place, Failure> {
        let mut path = path.to_vec();
        for _ in 0..=HOPS {
            if parts(&path).last().is_none_or(|last| last == b"..") {
                return Ok(Place { dir: self.resolve(&path)?.ino, name: None });
            }
            let parent = self.volume.resolve_parent(&path).map_err(|error| self.failure(&path, &error))?;
            let found = self.find(parent.ino, &parent.name).map_err(|error| self.failure(&path, &error))?;
            let Some(link) = found.filter(|found| follow && found.kind == LvKind::Symlink) else {
                return Ok(Place { dir: parent.ino, name: Some(parent.name) });
            };
            let target = self.volume.readlink(link.ino).map_err(|error| self.failure(&path, &error))?;
            path = if target.starts_with(b"/") { target } else { [above(&path), target].concat() };
        }
        Err(Failure::new(format!("{}: too many levels of symbolic links", self.shown(&path))))
    }

    /// All entries of a directory.
    pub(crate) fn entries(&self, dir: Ino) -> Result<Vec<DirEntry>, LvError> {
        let mut all: Vec<DirEntry> = Vec::new();
        loop {
            let cookie = all.last().map_or(0, |entry| entry.cookie);
            let more = self.volume.readdir(dir, cookie, LISTED)?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend(more);
        }
    }

    /// All entries of a directory, with the attributes of what they name.
    pub(crate) fn entries_plus(&self, dir: Ino) -> Result<Vec<(DirEntry, Attr)>, LvError> {
        let mut all: Vec<(DirEntry, Attr)> = Vec::new();
        loop {
            let cookie = all.last().map_or(0, |(entry, _)| entry.cookie);
            let more = self.volume.readdir_plus(dir, cookie, LISTED)?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend(more);
        }
    }

    /// The inode `name`, if there is one.
    pub(crate) fn find(&self, dir: Ino, name: &[u8]) -> Result<Option<Attr>, LvError> {
        match self.volume.lookup(dir, name) {
            Ok(attr) => Ok(Some(attr)),
            Err(LvError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn xattrs_of(&self, ino: Ino) -> Result<Vec<Xattr>, LvError> {
        let get = |name: Vec<u8>| Ok(Xattr { value: self.volume.getxattr(ino, &name)?, name });
        self.volume.listxattr(ino)?.into_iter().map(get).collect()
    }

    /// Gives an inode its attributes.
    fn dress(&self, ino: Ino, Keep { meta, xattrs }: &Keep) -> Result<(), LvError> {
        // A new owner takes capabilities off, so they come after it.
        self.volume.setattr(ino, &kept(meta))?;
        xattrs.iter().try_for_each(|Xattr { name, value }| self.volume.setxattr(ino, name, value, SetXattr::Any))
    }

    /// Makes something under a temporary name and gives it its own, in place of what has it.
    fn in_place(
        &self,
        dir: Ino,
        name: &[u8],
        keep: Option<&Keep>,
        make: impl FnOnce(&[u8]) -> Result<Attr, LvError>,
    ) -> Result<(), LvError> {
        let temporary = temporary();
        let ino = make(&temporary)?.ino;
        let named = keep
            .map_or(Ok(()), |keep| self.dress(ino, keep))
            .and_then(|()| self.volume.rename((dir, &temporary), (dir, name), Rename::Replace));
        if named.is_err() {
            let _ = self.volume.unlink(dir, &temporary);
        }
        named
    }

    /// Makes everything durable.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.volume.sync().map_err(|error| self.trouble(&error).about(&self.name.to_string()))
    }

    /// Closes the volume.
    pub(crate) fn close(self) -> Result<(), Failure> {
        let closed = self.volume.clone().close();
        closed.map_err(|error| self.trouble(&error).about(&self.name.to_string()))
    }
}

/// A new inode of the user who runs the command.
pub(crate) fn owned(node: NewNode) -> NewNode {
    node.owned_by(rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

fn kept(meta: &Meta) -> SetAttr {
    SetAttr {
        mode: (meta.kind != Kind::Symlink).then_some(meta.mode),
        uid: Some(meta.uid),
        gid: Some(meta.gid),
        atime: Some(meta.atime),
        mtime: Some(meta.mtime),
        ..SetAttr::default()
    }
}

/// A name that no other copy uses: the process's own number, and one that rises.
fn temporary() -> Vec<u8> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!(".anyfs-lvm.{:016x}.{number}.tmp", super::own_number()).into_bytes()
}

/// Reads a file from its start.
#[derive(Debug)]
pub(crate) struct VolumeReader {
    mount: Mount,
    ino: Ino,
    at: u64,
    /// Up to here it is known to be data.
    data_until: u64,
}

impl Sparse for VolumeReader {
    fn hole(&mut self) -> Res<u64> {
        if self.at < self.data_until {
            return Ok(0);
        }
        let volume = &self.mount.volume;
        let data = match volume.seek(self.ino, self.at, Seek::Data) {
            Ok(data) => data,
            Err(LvError::NoData { .. }) => self.mount.res(volume.getattr(self.ino))?.size.max(self.at),
            Err(error) => return Err(self.mount.trouble(&error)),
        };
        self.data_until = volume.seek(self.ino, data, Seek::Hole).unwrap_or(u64::MAX);
        Ok(data.saturating_sub(std::mem::replace(&mut self.at, data)))
    }
}

impl Read for VolumeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let buffer = before_hole(buffer, self.at, self.data_until);
        let count = self.mount.res(self.mount.volume.read(self.ino, self.at, buffer))?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

/// A file being made, without a name until it is whole.
#[derive(Debug)]
pub(crate) struct VolumeWriter {
    mount: Mount,
    dir: Ino,
    name: Vec<u8>,
    ino: Ino,
    at: u64,
}

impl Write for VolumeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.mount.res(self.mount.volume.write(self.ino, self.at, bytes))?;
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Whole for VolumeWriter {
    fn skip(&mut self, len: u64) -> Res<()> {
        self.at = self.at.saturating_add(len);
        Ok(())
    }

    fn finish(self, keep: Option<&Keep>) -> Res<()> {
        let volume = &self.mount.volume;
        // A hole at the end is no write: the size has to be said.
        if self.mount.res(volume.getattr(self.ino))?.size < self.at {
            self.mount.res(volume.setattr(self.ino, &SetAttr { size: Some(self.at), ..SetAttr::default() }))?;
        }
        if let Some(keep) = keep {
            self.mount.res(self.mount.dress(self.ino, keep))?;
        }
        self.mount.res(volume.give_name(self.ino, self.dir, &self.name))
    }
}

impl Drop for VolumeWriter {
    fn drop(&mut self) {
        // Without a name it goes now. After a failed commit this fails, too; then it goes at the next activation.
        let _ = self.mount.volume.release(self.ino);
    }
}

impl Side for Mount {
    type Dir = Ino;
    type Reader = VolumeReader;
    type Writer = VolumeWriter;

    fn entry(&self, dir: &Ino, name: &[u8]) -> Res<Option<Meta>> {
        Ok(self.res(self.find(*dir, name))?.map(|attr| meta_of(&attr)))
    }

    fn enter(&self, dir: &Ino, name: &[u8]) -> Res<Ino> {
        let attr = self.res(self.volume.lookup(*dir, name))?;
        if attr.kind == LvKind::Directory {
            return Ok(attr.ino);
        }
        Err(io::Error::from(io::ErrorKind::NotADirectory).into())
    }

    fn list(&self, dir: &Ino) -> Res<Vec<Vec<u8>>> {
        let mut names: Vec<_> = self.res(self.entries(*dir))?.into_iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn link_target(&self, dir: &Ino, name: &[u8]) -> Res<Vec<u8>> {
        let attr = self.res(self.volume.lookup(*dir, name))?;
        self.res(self.volume.readlink(attr.ino))
    }

    fn reader(&self, dir: &Ino, name: &[u8]) -> Res<VolumeReader> {
        let attr = self.res(self.volume.lookup(*dir, name))?;
        Ok(VolumeReader { mount: self.clone(), ino: attr.ino, at: 0, data_until: 0 })
    }

    fn make_dir(&self, dir: &Ino, name: &[u8], mode: u32) -> Res<Ino> {
        match self.volume.mkdir(*dir, name, &owned(NewNode::directory(mode))) {
            Ok(attr) => Ok(attr.ino),
            Err(LvError::Exists { .. }) => self.enter(dir, name),
            Err(error) => Err(self.trouble(&error)),
        }
    }

    fn make_link(&self, dir: &Ino, name: &[u8], target: &[u8], keep: Option<&Keep>) -> Res<()> {
        let make = |temporary: &[u8]| self.volume.symlink(*dir, temporary, target, &owned(NewNode::file(0o777)));
        self.res(self.in_place(*dir, name, keep, make))
    }

    fn make_special(&self, dir: &Ino, name: &[u8], keep: &Keep) -> Res<()> {
        let kind = match keep.meta.kind {
            Kind::Fifo => LvKind::Fifo,
            Kind::Socket => LvKind::Socket,
            Kind::CharDevice => LvKind::CharDevice,
            _ => LvKind::BlockDevice,
        };
        let node = NewNode { kind, rdev: keep.meta.rdev, ..owned(NewNode::file(0o600)) };
        self.res(self.in_place(*dir, name, Some(keep), |temporary| self.volume.create(*dir, temporary, &node)))
    }

    fn make_hard_link(&self, from: (&Ino, &[u8]), to: (&Ino, &[u8])) -> Res<()> {
        let old = self.res(self.volume.lookup(*from.0, from.1))?.ino;
        if self.res(self.find(*to.0, to.1))?.is_some_and(|new| new.ino == old) {
            return Ok(());
        }
        self.res(self.in_place(*to.0, to.1, None, |temporary| self.volume.link(old, *to.0, temporary)))
    }

    fn xattrs(&self, dir: &Ino, name: &[u8]) -> Res<Vec<Xattr>> {
        let ino = self.res(self.volume.lookup(*dir, name))?.ino;
        self.res(self.xattrs_of(ino))
    }

    fn own(&self, dir: &Ino) -> Res<Keep> {
        let attr = self.res(self.volume.getattr(*dir))?;
        Ok(Keep { meta: meta_of(&attr), xattrs: self.res(self.xattrs_of(*dir))? })
    }

    fn writer(&self, dir: &Ino, name: &[u8], mode: u32) -> Res<VolumeWriter> {
        let attr = self.res(self.volume.create_nameless(*dir, &owned(NewNode::file(mode))))?;
        Ok(VolumeWriter { mount: self.clone(), dir: *dir, name: name.to_vec(), ino: attr.ino, at: 0 })
    }

    fn keep(&self, dir: &Ino, keep: &Keep) -> Res<()> {
        self.res(self.dress(*dir, keep))
    }

    fn sync(&self, _roots: &[Ino]) -> Res<()> {
        Ok(Mount::sync(self)?)
    }
}
