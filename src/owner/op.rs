//! What can be asked for.

use super::wire::{Choice, Put, Take, choices};

/// Declares operations, numbered in the order in which they are named.
macro_rules! operations {
    ($(#[$doc:meta])* $type:ident { $($name:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $type {
            $($name),*
        }

        choices!($type { $($name),* });
    };
}

operations! {
    /// What changes nothing.
    Look {
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
}

operations! {
    /// What changes the volume.
    Change {
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
}

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
