//! What can go wrong with one PV or one SQLite file.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::{Epoch, FamilyUuid, FlushNo, Holder, PeIndex};

/// Result of this crate.
pub type Result<T, E = PvError> = std::result::Result<T, E>;

/// What went wrong, with the file and the extent it concerns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PvError {
    /// A file operation failed.
    #[error("{}: cannot {operation}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The host filesystem is full.
    #[error("{}: no space left on the host filesystem", path.display())]
    NoSpace {
        /// The file that could not grow.
        path: PathBuf,
    },
    /// The file exists already and is not a PV of this project.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        what: String,
    },
    /// The file was written by a newer version.
    #[error("{}: made by a newer version of anyfs-lvm (format features {features:#x} are unknown here)", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The unknown feature bits.
        features: u64,
    },
    /// The file contains something that no version of this project writes.
    #[error("{}: damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, in words.
        what: String,
    },
    /// An extent is not there, or is shorter than asked.
    #[error("{}: extent {pe} is missing", path.display())]
    ExtentMissing {
        /// The PV.
        path: PathBuf,
        /// The extent.
        pe: PeIndex,
    },
    /// A table of contents that no version of this project writes.
    #[error("extent {pe} has a damaged table of contents")]
    BadToc {
        /// The extent.
        pe: PeIndex,
    },
    /// Another activation owns the family on this PV.
    #[error("{}: another process has taken over (epoch {epoch} is no longer the owner of family {family})", path.display())]
    Fenced {
        /// The PV.
        path: PathBuf,
        /// The family.
        family: FamilyUuid,
        /// The epoch that tried.
        epoch: Epoch,
    },
    /// An earlier commit failed with an unknown outcome; the file must be opened again.
    #[error("{}: closed for writing after a failed commit", path.display())]
    Poisoned {
        /// The file.
        path: PathBuf,
    },
    /// Another process holds the file too long.
    #[error("{}: in use by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A process that does not go on has the file locked, perhaps in the middle of a write.
    #[error("{}: locked by {holder}: continue or kill that process first", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// The process.
        holder: Holder,
    },
    /// The name is taken by a PV of this project.
    #[error("{}: {what}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// What it is, in words.
        what: String,
    },
    /// A write was interrupted, and only opening the file for writing can roll it back.
    #[error("{}: a write was interrupted and must be rolled back first", path.display())]
    NeedsRecovery {
        /// The file.
        path: PathBuf,
    },
    /// The SQLite library is too old to be trusted with data.
    #[error("SQLite {found} has a known corruption bug; version 3.51.3 or newer is needed")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// The PV was opened for reading only.
    #[error("{}: opened for reading only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A number of a PV transaction was used again.
    #[error("{}: transaction {flush} of family {family} is not above {last}", path.display())]
    FlushNotRising {
        /// The PV.
        path: PathBuf,
        /// The family.
        family: FamilyUuid,
        /// The number given.
        flush: FlushNo,
        /// The number in the owner row.
        last: FlushNo,
    },
    /// Another descriptor change got in between; read again and start over.
    #[error("{}: another change of the volume group got in between", path.display())]
    Superseded {
        /// The PV.
        path: PathBuf,
    },
    /// Something does not fit into the format, or breaks its limits.
    #[error("{}: {what}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in words.
        what: String,
    },
}

impl PvError {
    /// What to do next, when there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => hint_of(source),
            Self::NeedsRecovery { .. } => Some("opening it for writing rolls it back"),
            Self::NoSpace { .. } => Some("make room on the host filesystem of that file"),
            _ => None,
        }
    }
}

/// A symbolic link where a file or a folder of a pool belongs: what it leads to is none of the pool's.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("it is a symbolic link where a {0} belongs")]
pub(crate) struct LinkInTheWay(pub(crate) &'static str);

impl LinkInTheWay {
    /// As a failed operation, which says nothing about what else there is.
    pub(crate) fn failure(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidInput, self)
    }
}

/// An error with its causes, `error: cause: cause`, in one line. A cause that the text before it already contains is left
/// out, as is the number that Rust adds to the system's words.
pub fn chain(error: &dyn Error) -> String {
    let mut text = plain(error);
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = plain(error);
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// The words of one error, without that number.
fn plain(error: &dyn Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().map_or_else(|| text.clone(), str::to_owned)
}

/// What to do about a failed operation on a file, when there is something.
pub fn hint_of(failed: &io::Error) -> Option<&'static str> {
    use io::ErrorKind::{IsADirectory, PermissionDenied, ReadOnlyFilesystem};
    if failed.get_ref().and_then(|source| source.downcast_ref::<LinkInTheWay>()).is_some() {
        return Some("move the link away, and what it leads to in its place if that is the pool's");
    }
    match failed.kind() {
        PermissionDenied | ReadOnlyFilesystem => Some("make the files readable and writable for this user"),
        IsADirectory => Some("move away what lies there in the place of a file"),
        _ => None,
    }
}

/// A disk that does not do what it is asked for: nothing that rights, room or patience would change.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{0}")]
pub(crate) struct DiskFailure(pub(crate) &'static str);

/// Whether an operation on a file failed because of the disk.
pub fn disk_failed(failed: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(failed);
    errno == Some(rustix::io::Errno::IO)
        || failed.get_ref().and_then(|source| source.downcast_ref::<DiskFailure>()).is_some()
}
