//! Whole files, and the way back from an inode to a path.

use super::Volume;
use crate::path::Parent;
use crate::{Ino, Result};

impl Volume {
    /// All bytes of a file, as they were at one moment, verified.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`LvError::TooLarge`](crate::LvError::TooLarge) when memory cannot hold it.
    pub fn read_all(&self, ino: Ino) -> Result<Vec<u8>> {
        self.core.read_all(ino)
    }

    /// Replaces all bytes of a file in one step: a reader sees the old ones or the new ones. After a crash either is
    /// there.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn replace(&self, ino: Ino, bytes: &[u8]) -> Result<()> {
        self.core.replace(ino, bytes)
    }

    /// Lets a file have the contents of another in one step; they are shared, not stored again.
    ///
    /// # Errors
    /// As [`copy_range`](Self::copy_range).
    pub fn copy_file(&self, from: Ino, to: Ino) -> Result<()> {
        self.core.copy_file(from, to)
    }

    /// The name that is missing at the end of a path and its directory; links are followed, so that the name is where a
    /// link to nothing points.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`LvError::Exists`](crate::LvError::Exists) when nothing is missing.
    pub fn resolve_missing(&self, path: &[u8]) -> Result<Parent> {
        self.core.state()?.resolve_missing(path)
    }

    /// A path that leads to an inode, one of several where it has several names; `None` when it has none. O(depth); a
    /// search of all names when the first one is gone.
    ///
    /// # Errors
    /// [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn path_of(&self, ino: Ino) -> Result<Option<Vec<u8>>> {
        let mut state = self.core.state()?;
        state.live(ino)?;
        state.find_path(ino)
    }

    /// The directory above a directory; the root's is itself.
    ///
    /// # Errors
    /// [`LvError::NotDirectory`](crate::LvError::NotDirectory), [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn parent_of(&self, ino: Ino) -> Result<Ino> {
        let mut state = self.core.state()?;
        Ok(state.directory(ino)?.parent)
    }
}
