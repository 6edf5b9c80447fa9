//! File trees on either side of a copy: the host and logical volumes.
//!
//! A [`Side`] names things by directory handle and entry name, never by path, and never follows a symbolic link: a
//! link inside a tree cannot lead a copy out of it.

pub(crate) mod copy;
pub(crate) mod glob;
pub(crate) mod host;
pub(crate) mod progress;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod tar;
pub(crate) mod value;
pub(crate) mod volume;
pub(crate) mod walk;

use std::hash::{BuildHasher, Hash, RandomState};
use std::io::{self, Read, Write};
use std::sync::OnceLock;

use crate::failure::Failure;

/// Kind of an entry, as far as copies care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
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

/// What copies keep of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Kind.
    pub(crate) kind: Kind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Size in bytes.
    pub(crate) size: u64,
    /// Last access, nanoseconds since 1970.
    pub(crate) atime: i64,
    /// Last change of contents, nanoseconds since 1970.
    pub(crate) mtime: i64,
    /// Device number of a device.
    pub(crate) rdev: u64,
    /// What names of one inode have in common.
    pub(crate) id: (u64, u64),
    /// Names of the inode.
    pub(crate) nlink: u64,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Xattr {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What an archive copy gives a new entry.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) meta: Meta,
    pub(crate) xattrs: Vec<Xattr>,
}

/// What went wrong with one entry.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// On the host.
    Io(io::Error),
    /// In the volume, or with the request itself.
    Failure(Failure),
    /// No room left: going on with other files makes no sense.
    Full(Failure),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        // A volume's failure that passed through a Read or Write comes out as it was.
        match error.downcast::<Carried>() {
            Ok(carried) if carried.full => Self::Full(carried.failure),
            Ok(carried) => Self::Failure(carried.failure),
            Err(error) => Self::Io(error),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Io(error) => error,
            Trouble::Failure(failure) => Self::other(Carried { failure, full: false }),
            Trouble::Full(failure) => Self::new(io::ErrorKind::StorageFull, Carried { failure, full: true }),
        }
    }
}

impl Trouble {
    /// The failure about `name`.
    pub(crate) fn about(self, name: &str) -> Failure {
        match self {
            Self::Io(error) => Failure::new(format!("{name}: {}", io_text(&error))),
            Self::Failure(failure) => failure,
            Self::Full(failure) => full_at(name, failure),
        }
    }

    /// Whether there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Io(error) => error.kind() == io::ErrorKind::StorageFull,
            Self::Failure(_) => false,
            Self::Full(_) => true,
        }
    }
}

/// No room, told by the volume or a host path, and the file that found none.
fn full_at(name: &str, mut failure: Failure) -> Failure {
    if let Some(line) = failure.lines.first_mut() {
        let (place, words) = line.split_once(": ").unwrap_or(("", line));
        *line = if name.starts_with(place) { format!("{name}: {words}") } else { format!("{name}: {line}") };
    }
    failure
}

/// A number that no other process has, not even a later one with the same identifier.
pub(crate) fn own_number() -> u64 {
    static NUMBER: OnceLock<u64> = OnceLock::new();
    *NUMBER.get_or_init(|| RandomState::new().hash_one(std::process::id()))
}

/// The system's words without "(os error 2)".
pub(crate) fn io_text(error: &io::Error) -> String {
    crate::failure::chain(error)
}

/// A failure on its way through an `io::Error`.
#[derive(Debug)]
pub(crate) struct Carried {
    failure: Failure,
    full: bool,
}

impl std::fmt::Display for Carried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.failure.lines.join("; "))
    }
}

impl std::error::Error for Carried {}

/// Result of an operation on one entry.
pub(crate) type Res<T> = Result<T, Trouble>;

/// A file that appears under its name only when it is complete.
pub(crate) trait Whole: Write {
    /// Leaves a hole of `len` bytes.
    fn skip(&mut self, len: u64) -> Res<()>;
    /// Gives the file its name and, where they are to be kept, its attributes.
    fn finish(self, keep: Option<&Keep>) -> Res<()>;
}

/// A file that knows its holes.
pub(crate) trait Sparse: Read {
    /// Steps over the hole that begins here; how long it is, 0 when there is none.
    fn hole(&mut self) -> Res<u64>;
}

/// The part of `buffer` that a read at `at` may fill: up to the hole that begins at `data_until`, if that lies ahead.
fn before_hole(buffer: &mut [u8], at: u64, data_until: u64) -> &mut [u8] {
    let room = match usize::try_from(data_until.saturating_sub(at)) {
        Ok(room) if room > 0 => room.min(buffer.len()),
        _ => buffer.len(),
    };
    buffer.get_mut(..room).unwrap_or_default()
}

/// One side of a copy.
pub(crate) trait Side: Sync {
    /// A directory.
    type Dir: Clone + Send + Sync + Eq + Hash;
    /// An open file.
    type Reader: Sparse + Send;
    /// A file being made; dropped unfinished it leaves nothing.
    type Writer: Whole + Send;

    /// The entry `name`, if there is one.
    fn entry(&self, dir: &Self::Dir, name: &[u8]) -> Res<Option<Meta>>;
    /// The directory `name` (not a link to one).
    fn enter(&self, dir: &Self::Dir, name: &[u8]) -> Res<Self::Dir>;
    /// The names in `dir`.
    fn list(&self, dir: &Self::Dir) -> Res<Vec<Vec<u8>>>;
    /// The target of a symbolic link.
    fn link_target(&self, dir: &Self::Dir, name: &[u8]) -> Res<Vec<u8>>;
    /// Opens a regular file.
    fn reader(&self, dir: &Self::Dir, name: &[u8]) -> Res<Self::Reader>;
    /// Makes a directory; one that exists is fine.
    fn make_dir(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<Self::Dir>;
    /// Makes a symbolic link in place of what has the name (directories apart).
    fn make_link(&self, dir: &Self::Dir, name: &[u8], target: &[u8], keep: Option<&Keep>) -> Res<()>;
    /// Makes a pipe, socket or device in place of what has the name (directories apart).
    fn make_special(&self, dir: &Self::Dir, name: &[u8], keep: &Keep) -> Res<()>;
    /// Gives the inode of one name another one, in place of what has it (directories apart).
    fn make_hard_link(&self, from: (&Self::Dir, &[u8]), to: (&Self::Dir, &[u8])) -> Res<()>;
    /// Attributes of a directory itself.
    fn own(&self, dir: &Self::Dir) -> Res<Keep>;
    /// All extended attributes of an entry; none where there are none at all.
    fn xattrs(&self, dir: &Self::Dir, name: &[u8]) -> Res<Vec<Xattr>>;
    /// Begins a file in place of what has the name (directories apart).
    fn writer(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<Self::Writer>;
    /// Sets owner, mode, extended attributes and times of a directory.
    fn keep(&self, dir: &Self::Dir, keep: &Keep) -> Res<()>;
    /// Makes everything durable.
    fn sync(&self, roots: &[Self::Dir]) -> Res<()>;
}
