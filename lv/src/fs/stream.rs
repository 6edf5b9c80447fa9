//! Files as streams.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{Ino, LvError, Result, Volume};

fn io_error(error: LvError) -> io::Error {
    match error.errno() {
        // The message says more than the number.
        5 => io::Error::other(error),
        errno => io::Error::from_raw_os_error(errno),
    }
}

/// A file that stays there until this is dropped, whatever becomes of its names.
#[derive(Debug)]
struct Held {
    volume: Volume,
    ino: Ino,
}

impl Held {
    fn open(volume: &Volume, ino: Ino) -> Result<Self> {
        volume.open(ino)?;
        Ok(Self { volume: volume.clone(), ino })
    }

    fn sought(&self, at: u64, to: SeekFrom) -> io::Result<u64> {
        let (base, by) = match to {
            SeekFrom::Start(off) => return Ok(off),
            SeekFrom::Current(by) => (at, by),
            SeekFrom::End(by) => (self.volume.getattr(self.ino).map_err(io_error)?.size, by),
        };
        let before = io::Error::new(io::ErrorKind::InvalidInput, "seek to before the start of the file");
        base.checked_add_signed(by).ok_or(before)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // A volume that has stopped or is closed has forgotten what was open.
        let _ = self.volume.release(self.ino);
    }
}

/// Reads a file; every read sees the newest bytes.
#[derive(Debug)]
pub struct Reader {
    file: Held,
    at: u64,
}

impl Reader {
    /// Reads from the start of an inode.
    ///
    /// # Errors
    /// [`LvError::NoInode`].
    pub fn open(volume: &Volume, ino: Ino) -> Result<Self> {
        Ok(Self { file: Held::open(volume, ino)?, at: 0 })
    }
}

impl Read for Reader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.file.volume.read(self.file.ino, self.at, bytes).map_err(io_error)?;
        self.at = self.at.saturating_add(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.sought(self.at, to)?;
        Ok(self.at)
    }
}

/// Writes a file; every write is visible at once. Durable after a sync of the file.
#[derive(Debug)]
pub struct Writer {
    file: Held,
    at: u64,
}

impl Writer {
    /// Writes from the start of an inode.
    ///
    /// # Errors
    /// [`LvError::NoInode`].
    pub fn open(volume: &Volume, ino: Ino) -> Result<Self> {
        Ok(Self { file: Held::open(volume, ino)?, at: 0 })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.volume.write(self.file.ino, self.at, bytes).map_err(io_error)?;
        self.at = self.at.saturating_add(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Writer {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.sought(self.at, to)?;
        Ok(self.at)
    }
}
