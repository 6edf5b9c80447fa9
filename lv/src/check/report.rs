//! What a check has found.

use std::fmt;
use std::path::{Path, PathBuf};

use pv::{LeIndex, PeIndex};

use crate::catalogue::told;
use crate::{Ino, LvError};

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Object {
    /// The volume as a whole.
    Volume,
    /// A copy of its metadata.
    Metadata(PathBuf),
    /// A PV.
    Pv(PathBuf),
    /// An extent.
    Extent {
        /// The PV it lies on.
        pv: PathBuf,
        /// Its place there.
        pe: PeIndex,
        /// The logical extent it is for.
        le: LeIndex,
    },
    /// A file or directory, by its path in the volume.
    Path(Vec<u8>),
    /// An inode that no path leads to.
    Inode(Ino),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume => f.write_str("the volume"),
            Self::Metadata(path) | Self::Pv(path) => path.display().fmt(f),
            Self::Extent { pv, pe, le } => write!(f, "{} extent {pe} (logical extent {le})", pv.display()),
            Self::Path(path) => path.escape_ascii().fmt(f),
            Self::Inode(ino) => write!(f, "inode {ino}"),
        }
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub object: Object,
    /// What was found, in words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.what)
    }
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Copies of the metadata.
    pub copies: u64,
    /// Rows of the metadata, in all copies.
    pub rows: u64,
    /// Files, directories and others.
    pub inodes: u64,
    /// Extents of the volume.
    pub extents: u64,
    /// Bytes of files that were read and verified.
    pub bytes: u64,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// How much was looked at.
    pub checked: Checked,
    /// What is wrong, the first ones.
    pub problems: Vec<Finding>,
    /// Further problems that are only counted.
    pub more: u64,
    /// What is not wrong and worth knowing: what the next activation cleans up.
    pub notes: Vec<Finding>,
}

/// Problems that are kept in full.
const KEPT: usize = 1000;

impl CheckReport {
    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn problem(&mut self, object: Object, what: impl Into<String>) {
        if self.problems.len() < KEPT {
            self.problems.push(Finding { object, what: what.into() });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// That an object could not be looked at. The error's text names a file, the object's own name is not said again.
    pub(super) fn failure(&mut self, object: Object, error: &LvError) {
        let what = match &object {
            Object::Metadata(path) | Object::Pv(path) => told(path, error),
            _ => told(Path::new(""), error),
        };
        self.problem(object, what);
    }

    /// In how many places an object's pages contradict each other.
    pub(super) fn structure(&mut self, object: Object, found: crate::Result<usize>) {
        match found {
            Ok(0) => {}
            Ok(count) => self.problem(object, format!("its pages contradict each other (places: at least {count})")),
            Err(error) => self.failure(object, &error),
        }
    }

    pub(super) fn note(&mut self, object: Object, what: impl Into<String>) {
        self.notes.push(Finding { object, what: what.into() });
    }
}
