//! What keeps copies of a volume's contents beside it.

use std::path::Path;

use lv::Ino;

/// What changed in a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed<'a> {
    /// The contents of a file, with its size and times.
    Contents(Ino),
    /// Attributes of an inode.
    Attributes(Ino),
    /// What a name in a directory leads to.
    Name(Ino, &'a [u8]),
}

/// What keeps copies of a volume's contents beside it, as the kernel does of one that is mounted. Others see what it was
/// given, and it learns what they changed.
///
/// # Concurrency
/// Called by a thread for each client, while nothing is held.
pub trait Beside: Send + Sync {
    /// Where the volume is mounted.
    fn mounted(&self) -> Option<&Path> {
        None
    }

    /// Before something of an inode is read or changed: what it was given of it is in the volume when this returns; `false`
    /// when there was nothing.
    fn write_out(&self, _: Ino) -> bool {
        false
    }

    /// The same for all inodes.
    fn write_out_all(&self) {}

    /// An inode that is open has lost its last name: `true` when it is still in use, and will be released later.
    fn keeps(&self, _: Ino) -> bool {
        false
    }

    /// After something changed.
    fn changed(&self, _: Changed<'_>) {}
}

/// Nothing is beside the volume.
#[derive(Debug, Clone, Copy)]
pub struct Nothing;

impl Beside for Nothing {}
