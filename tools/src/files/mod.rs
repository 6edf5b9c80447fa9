//! File trees on either side of a copy: the host and logical volumes.
//!
//! A [`Side`] names things by directory handle and entry name, never by path, and never follows a symbolic link: a
//! link inside a tree cannot lead a copy out of it.

pub(crate) mod copy;
pub(crate) mod host;
pub(crate) mod progress;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod volume;

use std::io::{self, Read, Write};

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
    /// Pipes, sockets and devices.
    Other,
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
            Self::Failure(failure) | Self::Full(failure) => failure,
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

/// The system's words without "(os error 2)".
pub(crate) fn io_text(error: &io::Error) -> String {
    crate::failure::plain(&error.to_string())
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
    /// Gives the file its name and, when there is one, its attributes.
    fn finish(self, keep: Option<&Meta>) -> Res<()>;
}

/// One side of a copy.
pub(crate) trait Side: Sync {
    /// A directory.
    type Dir: Clone + Send + Sync + PartialEq;
    /// An open file.
    type Reader: Read + Send;
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
    fn make_link(&self, dir: &Self::Dir, name: &[u8], target: &[u8], keep: Option<&Meta>) -> Res<()>;
    /// Begins a file in place of what has the name (directories apart).
    fn writer(&self, dir: &Self::Dir, name: &[u8], mode: u32) -> Res<Self::Writer>;
    /// Sets owner, mode and times of a directory.
    fn keep(&self, dir: &Self::Dir, meta: &Meta) -> Res<()>;
    /// Makes everything durable.
    fn sync(&self, roots: &[Self::Dir]) -> Res<()>;
}
