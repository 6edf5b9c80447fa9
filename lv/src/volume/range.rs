//! Ranges of files.

use super::Volume;
use crate::{Ino, Result, Seek};

impl Volume {
    /// Writes all of `bytes` at the end of the file, or nothing; says where they are. Atomic: bytes of concurrent calls
    /// follow each other.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn append(&self, ino: Ino, bytes: &[u8]) -> Result<u64> {
        self.core.writable()?;
        self.core.meter.writing(bytes.len(), || self.core.write(ino, None, bytes))
    }

    /// Makes `start..end` read as zeros and gives its space back; the size stays. A range without bytes of the file is no
    /// change.
    ///
    /// # Errors
    /// [`LvError::IsDirectory`](crate::LvError::IsDirectory), [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn punch(&self, ino: Ino, start: u64, end: u64) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        self.core.writable()?;
        self.core.punch(ino, start, end)
    }

    /// Makes `len` bytes from `off` on read as zeros; the file grows to the end of the range unless `keep_size`.
    ///
    /// # Errors
    /// As [`punch`](Self::punch); [`LvError::Invalid`](crate::LvError::Invalid) for an empty range;
    /// [`LvError::TooLarge`](crate::LvError::TooLarge) for one beyond the largest size.
    pub fn zero(&self, ino: Ino, off: u64, len: u64, keep_size: bool) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        self.core.writable()?;
        self.core.zero(ino, off, len, keep_size)
    }

    /// Makes sure that there is room for `len` bytes from `off` on; the file grows to the end of the range unless
    /// `keep_size`. Nothing is set aside: data never stays where it was allocated, so that a later write takes its space
    /// anew, and others may have filled the volume by then.
    ///
    /// # Errors
    /// [`LvError::NoSpace`](crate::LvError::NoSpace), [`LvError::HostFull`](crate::LvError::HostFull); as
    /// [`zero`](Self::zero).
    pub fn allocate(&self, ino: Ino, off: u64, len: u64, keep_size: bool) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        self.core.writable()?;
        self.core.allocate(ino, off, len, keep_size)
    }

    /// The first byte at or after `off` that is stored, or that is not (the end of the file counts as a hole). Exact, also
    /// for what is not yet placed.
    ///
    /// # Errors
    /// [`LvError::NoData`](crate::LvError::NoData) when there is none, or `off` is at or beyond the end.
    pub fn seek(&self, ino: Ino, off: u64, what: Seek) -> Result<u64> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.seek(ino, off, what)
    }

    /// Copies up to `len` bytes from a place in one file to a place in a file of the same volume (it may be the same file,
    /// where the ranges must not overlap); says how many: less only at the end of the source. The bytes are shared, not
    /// stored again; holes stay holes.
    ///
    /// # Errors
    /// [`LvError::Invalid`](crate::LvError::Invalid), [`LvError::IsDirectory`](crate::LvError::IsDirectory),
    /// [`LvError::TooLarge`](crate::LvError::TooLarge); as [`fsync`](Self::fsync), because what waits in memory is placed first.
    pub fn copy_range(&self, from: (Ino, u64), to: (Ino, u64), len: u64) -> Result<u64> {
        let _counted = self.core.meter.metadata.start();
        self.core.writable()?;
        self.core.copy_range(from, to, len)
    }
}
