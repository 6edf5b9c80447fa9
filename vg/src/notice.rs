//! What opening a VG finds out of order. Reading never repairs; it reports.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use pv::{PvError, PvUuid, Seqno};

/// Something out of order that did not stop the VG from being opened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// A PV of the VG was not found.
    Missing {
        /// The VG.
        vg: String,
        /// The PV.
        uuid: PvUuid,
        /// Where it was last seen; empty when unknown.
        hint: String,
    },
    /// A PV's copy of the descriptor is out of date; the next change repairs it.
    Stale {
        /// The PV.
        path: PathBuf,
        /// Its generation; `None` without any.
        seqno: Option<Seqno>,
        /// The newest generation.
        newest: Seqno,
    },
    /// A PV claims to belong to the VG, which does not know it (any more).
    NotMember {
        /// The PV.
        path: PathBuf,
        /// The VG.
        vg: String,
    },
    /// Two different files claim to be one PV; neither is used.
    Duplicate {
        /// The PV.
        uuid: PvUuid,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// Two names of one file; it is used once.
    SameFile {
        /// The name in use.
        used: PathBuf,
        /// The other name.
        other: PathBuf,
    },
    /// Another PV has the name where one was last seen.
    Swapped {
        /// The name.
        path: PathBuf,
        /// The PV expected there.
        expected: PvUuid,
        /// The PV found there.
        found: PvUuid,
    },
    /// A file that is no PV, was made by a newer version, is damaged, or cannot be read.
    Unusable {
        /// Why, with the file.
        error: Arc<PvError>,
    },
    /// Copies of the descriptor on a PV that cannot be read.
    DamagedCopies {
        /// The PV.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// Opening a PV rolled back an interrupted write.
    Recovered {
        /// The PV.
        path: PathBuf,
    },
    /// A write to a PV was interrupted: until it is rolled back, which opening it for writing does, it cannot be read.
    Interrupted {
        /// The PV.
        path: PathBuf,
    },
    /// The newest change was not completed; the next change does that.
    Unsettled {
        /// The VG.
        vg: String,
        /// Its generation.
        seqno: Seqno,
    },
    /// Too few copies are reachable for changes.
    NoMajority {
        /// The VG.
        vg: String,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { vg, uuid, hint } if hint.is_empty() => write!(f, "VG {vg} is missing PV {uuid}."),
            Self::Missing { vg, uuid, hint } => {
                write!(f, "VG {vg} is missing PV {uuid} (last written to {}).", hint.escape_debug())
            }
            Self::Stale { path, seqno: Some(seqno), newest } => {
                write!(f, "ignoring metadata seqno {seqno} on {} for seqno {newest}", path.display())
            }
            Self::Stale { path, seqno: None, newest } => {
                write!(f, "no metadata on {} for seqno {newest}", path.display())
            }
            Self::NotMember { path, vg } => {
                write!(f, "{} was removed from VG {vg} while it was away; it is not used", path.display())
            }
            Self::Duplicate { uuid, first, second } => {
                let (first, second) = (first.display(), second.display());
                write!(f, "Not using {first} and {second}: both are PV {uuid}; move the one that is a copy away")
            }
            Self::SameFile { used, other } => {
                write!(f, "{} is another name of {}; counted once", other.display(), used.display())
            }
            Self::Swapped { path, expected, found } => {
                write!(f, "{} is PV {found}, not PV {expected} as before", path.display())
            }
            Self::Unusable { error } => write!(f, "{error}"),
            Self::DamagedCopies { path, count } => {
                write!(f, "{}: damaged copies of the descriptor: {count}", path.display())
            }
            Self::Recovered { path } => write!(f, "{}: an interrupted write was rolled back", path.display()),
            Self::Interrupted { path } => PvError::NeedsRecovery { path: path.clone() }.fmt(f),
            Self::Unsettled { vg, seqno } => {
                write!(f, "VG {vg}: an interrupted change (seqno {seqno}) is completed by the next change")
            }
            Self::NoMajority { vg } => {
                write!(f, "VG {vg}: too few copies of its descriptor were found; it cannot be changed")
            }
        }
    }
}
