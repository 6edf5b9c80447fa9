//! What can be asked for.

use super::wire::{Choice, Put, Take, choices};

/// What changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Lookup,
    Resolve,
    ResolveParent,
    GetAttr,
    ReadLink,
    ReadDir,
    ReadDirPlus,
    Read,
    Seek,
    ListXattr,
    GetXattr,
    StatFs,
    Counts,
    Sync,
    Fsync,
    Meters,
}

/// What changes the volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    SetAttr,
    Create,
    MkDir,
    SymLink,
    Link,
    Unlink,
    RmDir,
    Rename,
    Write,
    SetXattr,
    RemoveXattr,
    CreateNameless,
    GiveName,
    Release,
    Grow,
}

choices!(Look {
    Lookup,
    Resolve,
    ResolveParent,
    GetAttr,
    ReadLink,
    ReadDir,
    ReadDirPlus,
    Read,
    Seek,
    ListXattr,
    GetXattr,
    StatFs,
    Counts,
    Sync,
    Fsync,
    Meters
});
choices!(Change {
    SetAttr,
    Create,
    MkDir,
    SymLink,
    Link,
    Unlink,
    RmDir,
    Rename,
    Write,
    SetXattr,
    RemoveXattr,
    CreateNameless,
    GiveName,
    Release,
    Grow
});

/// An operation of a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Look(Look),
    Change(Change),
}

impl From<Look> for Op {
    fn from(look: Look) -> Self {
        Self::Look(look)
    }
}

impl From<Change> for Op {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl Put for Op {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Look(look) => (false, *look).put(out),
            Self::Change(change) => (true, *change).put(out),
        }
    }
}

impl Take for Op {
    fn take(from: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(from)? { Self::Change(Take::take(from)?) } else { Self::Look(Take::take(from)?) })
    }
}
