//! What can go wrong with a logical volume.

use std::path::{Path, PathBuf};

use pv::{Epoch, Holder, LeIndex, ProcessState, PvError};

use crate::Ino;
use crate::catalogue::CopyPlace;

/// Result of this crate.
pub type Result<T, E = LvError> = std::result::Result<T, E>;

/// What went wrong, with the object it concerns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LvError {
    /// A PV or a metadata volume failed.
    #[error(transparent)]
    Pv(#[from] PvError),
    /// There is no such name.
    #[error("{}: no such file or directory", name.escape_ascii())]
    NotFound {
        /// The name (or path).
        name: Vec<u8>,
    },
    /// There is no such inode.
    #[error("inode {ino}: no such file")]
    NoInode {
        /// The inode.
        ino: Ino,
    },
    /// The name is taken.
    #[error("{}: file exists", name.escape_ascii())]
    Exists {
        /// The name.
        name: Vec<u8>,
    },
    /// Something else than a directory where one is needed.
    #[error("{}: not a directory", name.escape_ascii())]
    NotDirectory {
        /// The name (or path).
        name: Vec<u8>,
    },
    /// A directory where none can be.
    #[error("{}: is a directory", name.escape_ascii())]
    IsDirectory {
        /// The name (or path).
        name: Vec<u8>,
    },
    /// The directory has entries.
    #[error("{}: directory not empty", name.escape_ascii())]
    NotEmpty {
        /// The name.
        name: Vec<u8>,
    },
    /// A name of more than 255 bytes.
    #[error("{}...: file name too long (at most 255 bytes)", name.get(..32).unwrap_or_default().escape_ascii())]
    NameTooLong {
        /// The name.
        name: Vec<u8>,
    },
    /// More than 40 symbolic links in one path.
    #[error("{}: too many levels of symbolic links", name.escape_ascii())]
    Loop {
        /// The path.
        name: Vec<u8>,
    },
    /// The call makes no sense for its arguments.
    #[error("{what}")]
    Invalid {
        /// Why.
        what: &'static str,
    },
    /// A length beyond what can be stored.
    #[error("{what}")]
    OutOfRange {
        /// Which.
        what: &'static str,
    },
    /// A value beyond what can be stored.
    #[error("{what}")]
    TooBig {
        /// Which.
        what: &'static str,
    },
    /// Not for this kind of inode, or not for this caller.
    #[error("{what}")]
    NotPermitted {
        /// Why.
        what: &'static str,
    },
    /// There is no such extended attribute.
    #[error("inode {ino}: no extended attribute {}", name.escape_ascii())]
    NoXattr {
        /// The inode.
        ino: Ino,
        /// The attribute.
        name: Vec<u8>,
    },
    /// The file would be larger than the largest size.
    #[error("inode {ino}: the file would become too large")]
    TooLarge {
        /// The inode.
        ino: Ino,
    },
    /// There is nothing of what was sought from here to the end of the file.
    #[error("inode {ino}: no data at or after byte {off}")]
    NoData {
        /// The inode.
        ino: Ino,
        /// Where the search began.
        off: u64,
    },
    /// Too many names lead to an inode.
    #[error("inode {ino}: too many links")]
    TooManyLinks {
        /// The inode.
        ino: Ino,
    },
    /// The logical volume is full.
    #[error("no space left on the logical volume ({free} bytes free, {needed} needed)")]
    NoSpace {
        /// Bytes that can still be written.
        free: u64,
        /// Bytes the write needs.
        needed: u64,
    },
    /// The volume holds as much as it may.
    #[error("the logical volume's quota is used up ({usage} of {limit} {what}, {requested} more needed)")]
    Quota {
        /// Of what: bytes or files.
        what: &'static str,
        /// The quota.
        limit: u64,
        /// What the operation needs.
        requested: u64,
        /// What is in use.
        usage: u64,
    },
    /// The host's filesystem below the pool is full.
    #[error("no space left on the host filesystem below {} ({free} bytes free, {needed} needed)", path.display())]
    HostFull {
        /// A PV on it.
        path: PathBuf,
        /// Bytes free there.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The volume is read-only.
    #[error("the logical volume is read-only")]
    ReadOnly,
    /// An earlier commit failed; what was not yet synced is unknown until the volume is opened again.
    #[error("the logical volume stopped after a failed write ({why}); open it again")]
    Poisoned {
        /// The first failure, in words.
        why: String,
        /// A host filesystem had no room for what had begun.
        full: bool,
    },
    /// The volume was closed.
    #[error("the logical volume is closed")]
    Closed,
    /// Waiting for a lock would never end: who holds it waits for this one.
    #[error("inode {ino}: waiting for this lock would never end, its holder waits too")]
    Deadlock {
        /// The file.
        ino: Ino,
    },
    /// Somebody ended the waiting.
    #[error("interrupted while waiting for a lock")]
    Interrupted,
    /// No more locks can be held.
    #[error("too many locks are held on the logical volume")]
    TooManyLocks,
    /// Another process owns the volume.
    #[error("the logical volume is in use by {owner}")]
    InUse {
        /// Who.
        owner: Holder,
    },
    /// What the process that has the volume said when it was asked, or that it said nothing.
    #[error("{text}")]
    Told {
        /// The error number that says the same.
        errno: i32,
        /// In words, with the causes.
        text: String,
        /// What to do next, when there is something.
        hint: Option<String>,
    },
    /// Data lies on a PV that is not there.
    #[error("{}: its data at byte {offset} is on the missing physical volume {}", path.escape_ascii(), pv.display())]
    PvMissing {
        /// The file inside the volume.
        path: Vec<u8>,
        /// Byte in it.
        offset: u64,
        /// The PV.
        pv: PathBuf,
    },
    /// Stored data does not match its checksum.
    #[error("{}: damaged at byte {offset} (physical volume {}, logical extent {le})", path.escape_ascii(), pv.display())]
    Damaged {
        /// The file inside the volume.
        path: Vec<u8>,
        /// Byte in it.
        offset: u64,
        /// The PV.
        pv: PathBuf,
        /// The logical extent.
        le: LeIndex,
    },
    /// A catalogue row does not match its checksum or contradicts another.
    #[error("{}: damaged metadata: {what}", file.display())]
    DamagedRow {
        /// The metadata volume.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No copy of the metadata volume can be read.
    #[error("no copy of the volume's metadata can be read: {missing}")]
    NoMetadata {
        /// The copies that were tried, in words.
        missing: String,
    },
    /// A copy of the metadata volume cannot be read, for a reason that may pass: it is not given up.
    #[error("{}: this copy of the volume's metadata cannot be read and is not given up, because it may be whole ({why})", file.display())]
    CopyUnread {
        /// The copy.
        file: PathBuf,
        /// Why, in words.
        why: String,
        /// The failure itself.
        error: Box<LvError>,
    },
    /// A copy of the metadata volume is lost, and the volume group cannot be made to forget it now.
    #[error("{}: this copy of the volume's metadata is lost ({why}) and cannot be given up", file.display())]
    CopyLost {
        /// The copy.
        file: PathBuf,
        /// What is wrong with it, in words.
        why: String,
        /// Why it cannot be given up.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A new copy of the metadata volume is complete, and the volume group cannot be made to name it.
    #[error("{}: this new copy of the volume's metadata cannot be added to the volume group", file.display())]
    CopyUnlisted {
        /// The copy.
        file: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A PV is older than the catalogue says it must be.
    #[error("physical volume {} is an old copy: the volume has written to it since (restored from a backup?)", path.display())]
    OldPv {
        /// The PV.
        path: PathBuf,
    },
    /// The metadata is older than a PV says it must be.
    #[error("{}: the volume's metadata is an old copy: physical volume {} has seen a later commit", file.display(), pv.display())]
    OldMetadata {
        /// The metadata volume.
        file: PathBuf,
        /// The PV.
        pv: PathBuf,
    },
    /// Another activation took the volume over.
    #[error(
        "{} has taken the logical volume over (epoch {epoch} is no longer the owner)",
        by.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string)
    )]
    Fenced {
        /// The epoch that tried.
        epoch: Epoch,
        /// Who owns the volume since, or did last.
        by: Option<Holder>,
    },
}

/// What to do where the host of a file is full. Another PV has room for data, not for the metadata, which stays where it is.
fn no_room(file: &Path) -> &'static str {
    if file.extension().is_some_and(|end| end.as_encoded_bytes().starts_with(b"meta")) {
        "make room on the host filesystem of the metadata; another physical volume does not help it"
    } else {
        "make room on the host filesystem, or add a physical volume on another one with vgextend"
    }
}

impl LvError {
    /// That none of the copies can be read.
    pub(crate) fn no_metadata(copies: &[(CopyPlace, String)]) -> Self {
        let missing: Vec<String> = copies.iter().map(|(copy, why)| format!("{}: {why}", copy.path.display())).collect();
        Self::NoMetadata { missing: missing.join("; ") }
    }

    /// Whether a host filesystem has no room for it.
    pub(crate) fn host_is_full(&self) -> bool {
        matches!(self, Self::HostFull { .. } | Self::Pv(PvError::NoSpace { .. }) | Self::Poisoned { full: true, .. })
    }

    /// The POSIX error number that says the same.
    pub fn errno(&self) -> i32 {
        match self {
            Self::NotPermitted { .. } => 1,
            Self::NotFound { .. } | Self::NoInode { .. } => 2,
            Self::NoData { .. } => 6,
            Self::TooBig { .. } => 7,
            Self::Exists { .. } => 17,
            Self::NotDirectory { .. } => 20,
            Self::IsDirectory { .. } => 21,
            Self::Invalid { .. } => 22,
            Self::TooLarge { .. } => 27,
            Self::NoSpace { .. } => 28,
            error if error.host_is_full() => 28,
            Self::ReadOnly => 30,
            Self::TooManyLinks { .. } => 31,
            Self::OutOfRange { .. } => 34,
            Self::NameTooLong { .. } => 36,
            Self::NotEmpty { .. } => 39,
            Self::Loop { .. } => 40,
            Self::Interrupted => 4,
            Self::Deadlock { .. } => 35,
            Self::TooManyLocks => 37,
            Self::NoXattr { .. } => 61,
            Self::Quota { .. } => 122,
            Self::InUse { .. } => 16,
            Self::Told { errno, .. } => *errno,
            _ => 5,
        }
    }

    /// What to do next, when there is something.
    pub fn hint(&self) -> Option<&str> {
        Some(match self {
            Self::Told { hint, .. } => return hint.as_deref(),
            Self::NoSpace { .. } => "remove files, or make the volume larger with lvextend",
            Self::HostFull { path, .. } | Self::Pv(PvError::NoSpace { path }) => no_room(path),
            Self::Poisoned { full: true, .. } => {
                "make room on the host filesystem, then open the volume again; nothing is lost that was synced"
            }
            Self::Pv(error) => return error.hint(),
            Self::Quota { .. } => "remove files, or raise the quota",
            Self::InUse { owner } if owner.is_stopped() => {
                "continue or end that process, or take the volume over (lvchange -ay --takeover)"
            }
            Self::InUse { owner } if owner.state == ProcessState::Gone => {
                "a process that cannot be seen from here has it; if it does not answer, take the volume over (lvchange -ay --takeover)"
            }
            Self::InUse { .. } => "close the other process first",
            Self::PvMissing { .. } => {
                "bring the file back into the pool's folder; where it is there, check says what keeps it from being used"
            }
            Self::NoMetadata { .. } => {
                "bring one of these files back, with its log (-wal) if it had one, or open the volume where they can be written"
            }
            Self::CopyUnread { .. } => {
                "try again when it can be read; what is lost for good is given up once the file is moved away"
            }
            Self::OldPv { .. } | Self::OldMetadata { .. } => "put the newest copy of the file back",
            _ => return None,
        })
    }
}
