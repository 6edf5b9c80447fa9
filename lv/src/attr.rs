//! What an inode and a directory entry say to a caller.

use std::fmt;

use crate::{LvError, Result};

/// Inode number; never reused within a filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ino(pub u64);

impl Ino {
    /// The root directory.
    pub const ROOT: Self = Self(1);
}

impl fmt::Display for Ino {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Nanoseconds since 1970.
pub type Nanos = i64;

/// Kind of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Named pipe.
    Fifo,
    /// Socket.
    Socket,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
}

impl Kind {
    /// The number stored in the catalogue.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::Symlink => 3,
            Self::Fifo => 4,
            Self::Socket => 5,
            Self::CharDevice => 6,
            Self::BlockDevice => 7,
        }
    }

    pub(crate) const fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::File,
            2 => Self::Directory,
            3 => Self::Symlink,
            4 => Self::Fifo,
            5 => Self::Socket,
            6 => Self::CharDevice,
            7 => Self::BlockDevice,
            _ => return None,
        })
    }
}

/// Attributes of an inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attr {
    /// Inode number.
    pub ino: Ino,
    /// Kind.
    pub kind: Kind,
    /// Permission bits and set-id/sticky bits (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that lead here; for a directory 2 + its subdirectories.
    pub nlink: u32,
    /// Size in bytes; of a symbolic link the length of its target; of a directory its number of entries.
    pub size: u64,
    /// Bytes stored (holes do not count).
    pub stored: u64,
    /// Last access.
    pub atime: Nanos,
    /// Last change of contents.
    pub mtime: Nanos,
    /// Last change of contents or attributes.
    pub ctime: Nanos,
    /// Creation.
    pub btime: Nanos,
    /// Device number of a device inode.
    pub rdev: u64,
}

/// What a new inode starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewNode {
    /// Kind; links and directories have calls of their own.
    pub kind: Kind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, for devices; of no meaning for others.
    pub rdev: u64,
}

impl NewNode {
    /// A regular file with these permission bits, owned by user and group 0.
    pub const fn file(mode: u32) -> Self {
        Self { kind: Kind::File, mode, uid: 0, gid: 0, rdev: 0 }
    }

    /// A directory with these permission bits, owned by user and group 0.
    pub const fn directory(mode: u32) -> Self {
        Self { kind: Kind::Directory, mode, uid: 0, gid: 0, rdev: 0 }
    }

    /// Refuses kinds that are made by calls of their own.
    pub(crate) fn check_plain(&self) -> Result<()> {
        if matches!(self.kind, Kind::Directory | Kind::Symlink) {
            return Err(LvError::Invalid { what: "directories and symbolic links have calls of their own" });
        }
        Ok(())
    }

    /// The same, owned by others.
    #[must_use]
    pub const fn owned_by(mut self, uid: u32, gid: u32) -> Self {
        self.uid = uid;
        self.gid = gid;
        self
    }
}

/// Attribute changes; `None` leaves as is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAttr {
    /// Permission bits.
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
    /// Size: cut, or extended with zeros.
    pub size: Option<u64>,
    /// Last access.
    pub atime: Option<Nanos>,
    /// Last change of contents.
    pub mtime: Option<Nanos>,
    /// Last change of contents or attributes: only for whoever has a clock of its own, as the kernel that caches a mounted
    /// volume. `None` is the moment of the call.
    pub ctime: Option<Nanos>,
}

/// When a read changes the time of the last access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum AccessTime {
    /// Never.
    Never,
    /// When it is not after the last change, or a day old.
    #[default]
    Relative,
    /// Always.
    Always,
}

/// One directory entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Where a listing goes on after this entry; stable while the entry exists.
    pub cookie: u64,
    /// Name: any bytes but `/` and NUL, 1 to 255 of them.
    pub name: Vec<u8>,
    /// The inode it names.
    pub ino: Ino,
    /// That inode's kind.
    pub kind: Kind,
}

/// What an active volume holds in memory and keeps back on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes written and not yet on the PVs.
    pub dirty_bytes: u64,
    /// Bytes that fsyncs put into the metadata volume and that wait for an extent.
    pub intent_bytes: u64,
    /// Metadata rows in memory, about.
    pub rows: usize,
    /// Bytes of cached file data.
    pub cache_bytes: u64,
    /// Length of the longest write-ahead log of the metadata copies.
    pub log_bytes: u64,
    /// Extents that may be filled.
    pub free_extents: usize,
    /// Freed extents that wait before they are reused.
    pub quarantined_extents: usize,
}

/// Space of a filesystem, as `df` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatFs {
    /// Bytes that files can hold in all (the hidden reserve is not in it).
    pub total: u64,
    /// Bytes of data that files hold, those that they share once.
    pub used: u64,
    /// Bytes that can still be written: less than the rest where a host has no more, or a PV is missing.
    pub free: u64,
    /// Inodes in use.
    pub files: u64,
    /// Longest name.
    pub name_max: u32,
}

/// What setting an extended attribute may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetXattr {
    /// Create it or replace its value.
    #[default]
    Any,
    /// Create it; it must not exist.
    Create,
    /// Replace its value; it must exist.
    Replace,
}

/// What a rename does when the new name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rename {
    /// Replace what it leads to.
    #[default]
    Replace,
    /// Fail.
    Keep,
    /// Let the two names change places; both must exist.
    Exchange,
}

/// What to look for in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// Bytes that are stored.
    Data,
    /// Bytes that are not stored and read as zeros.
    Hole,
}

/// Who holds locks: a process, an open file. Made by [`Volume::lock_owner`](crate::Volume::lock_owner).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockOwner(pub u64);

/// How a lock is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// Any number of owners may hold it.
    Shared,
    /// One owner, and nobody a shared one.
    Exclusive,
}

/// What a lock covers. Locks of different scopes do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LockScope {
    /// Bytes of a file, as fcntl(2).
    Range,
    /// A whole file, as flock(2).
    File,
}

/// A lock that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// Who.
    pub owner: LockOwner,
    /// Its bytes.
    pub range: std::ops::Range<u64>,
    /// How.
    pub kind: LockKind,
}
