//! Whole files, and the way back from an inode to a path.

use pv::Epoch;

use super::Volume;
use crate::catalogue::CopyPlace;
use crate::path::Parent;
use crate::{Attr, CheckOptions, CheckReport, Ino, Kind, LvError, NewNode, Result};

impl Volume {
    /// All bytes of a file, as they were at one moment, verified.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`LvError::TooLarge`](crate::LvError::TooLarge) when memory cannot hold it.
    pub fn read_all(&self, ino: Ino) -> Result<Vec<u8>> {
        self.core.meter.reading_all(|| self.core.read_all(ino))
    }

    /// Replaces all bytes of a file in one step: a reader sees the old ones or the new ones. After a crash either is
    /// there.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn replace(&self, ino: Ino, bytes: &[u8]) -> Result<()> {
        self.core.writable()?;
        self.core.meter.writing(bytes.len(), || self.core.replace(ino, bytes))
    }

    /// Lets a file have the contents of another in one step; they are shared, not stored again.
    ///
    /// # Errors
    /// As [`copy_range`](Self::copy_range).
    pub fn copy_file(&self, from: Ino, to: Ino) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        self.core.writable()?;
        self.core.copy_file(from, to)
    }

    /// The name that is missing at the end of a path and its directory; links are followed, so that the name is where a
    /// link to nothing points.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`LvError::Exists`](crate::LvError::Exists) when nothing is missing.
    pub fn resolve_missing(&self, path: &[u8]) -> Result<Parent> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.resolve_missing(path)
    }

    /// A path that leads to an inode, one of several where it has several names; `None` when it has none. O(depth); a
    /// search of all names when the first one is gone.
    ///
    /// # Errors
    /// [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn path_of(&self, ino: Ino) -> Result<Option<Vec<u8>>> {
        let _counted = self.core.meter.metadata.start();
        let mut state = self.core.state()?;
        state.live(ino)?;
        state.find_path(ino)
    }

    /// The directory above a directory; the root's is itself.
    ///
    /// # Errors
    /// [`LvError::NotDirectory`](crate::LvError::NotDirectory), [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn parent_of(&self, ino: Ino) -> Result<Ino> {
        let _counted = self.core.meter.metadata.start();
        let mut state = self.core.state()?;
        Ok(state.directory(ino)?.parent)
    }

    /// Makes everything durable and checks the whole volume, reading its files as [`check`](crate::check()) does.
    ///
    /// # Errors
    /// As [`sync`](Self::sync); [`LvError::NoMetadata`]. What is wrong with the volume is no error but in the report.
    ///
    /// # Concurrency
    /// Reads go on meanwhile; what must be placed or committed waits.
    pub fn check(&self, options: CheckOptions) -> Result<CheckReport> {
        self.sync()?;
        self.core.check(options)
    }

    /// Makes one more copy of the volume's metadata, equal to the others and durable; `listed` is called before anything
    /// is committed to it, with the epoch of this activation, and must make the volume group name it (or refuse). A file
    /// that lies there is replaced.
    ///
    /// # Errors
    /// [`LvError::InUse`], [`LvError::Pv`]: nothing has changed. What `listed` returns: the volume has stopped, and is to
    /// be opened again.
    ///
    /// # Concurrency
    /// What must be placed or committed waits meanwhile.
    pub fn add_copy(&self, place: &CopyPlace, listed: &mut dyn FnMut(Epoch) -> Result<()>) -> Result<()> {
        self.core.add_copy(place, listed)
    }

    /// Makes a regular file without a name, open once: until [`give_name`](Self::give_name) nobody finds it, and it goes
    /// when it is released, or after a crash. What it inherits comes from `parent`.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_nameless(&self, parent: Ino, node: &NewNode) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        node.check_plain()?;
        if node.kind != Kind::File {
            return Err(LvError::Invalid { what: "only regular files can be nameless" });
        }
        let now = self.now();
        self.core.metadata_room()?;
        let mut state = self.core.state()?;
        self.core.one_more_file(&state)?;
        state.make_nameless(parent, node, now)
    }

    /// Gives a nameless file its name, in place of what has it unless that is a directory. It stays open. A
    /// crash leaves under the name what was there before, or the file with all that was written to it by now.
    ///
    /// # Errors
    /// [`LvError::Invalid`] for a file that has a name, or had one; [`LvError::IsDirectory`],
    /// [`LvError::NotDirectory`], [`LvError::NameTooLong`], [`LvError::NoInode`].
    pub fn give_name(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.change()?.give_name(ino, parent, name, now)
    }
}
