//! `FsRead`.

use std::io::Read;
use std::path::Path;

use anyfs_backend::{FsError, FsRead, Metadata};

use super::error::fs_error;
use super::stream::Reader;
use super::{Filesystem, FsResult, bytes, metadata};
use crate::LvError;

/// Zeros, unless memory cannot hold so many.
fn zeros(len: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).ok()?;
    bytes.resize(len, 0);
    Some(bytes)
}

impl FsRead for Filesystem {
    fn read(&self, path: &Path) -> FsResult<Vec<u8>> {
        let file = self.file("read", path)?;
        self.volume.read_all(file.ino).map_err(|error| fs_error("read", path, error))
    }

    fn read_to_string(&self, path: &Path) -> FsResult<String> {
        String::from_utf8(self.read(path)?)
            .map_err(|error| FsError::InvalidData { path: path.to_owned(), details: error.utf8_error().to_string() })
    }

    fn read_range(&self, path: &Path, offset: u64, len: usize) -> FsResult<Vec<u8>> {
        let file = self.file("read_range", path)?;
        let there = usize::try_from(file.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut buffer = zeros(len.min(there)).ok_or_else(|| {
            // Holes cost nothing: a file can be larger than any memory.
            fs_error("read_range", path, LvError::TooLarge { ino: file.ino })
        })?;
        let count = self.volume.read(file.ino, offset, &mut buffer);
        buffer.truncate(count.map_err(|error| fs_error("read_range", path, error))?);
        Ok(buffer)
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        match self.volume.resolve(bytes(path), true) {
            Ok(_) => Ok(true),
            Err(LvError::NotFound { .. } | LvError::NotDirectory { .. }) => Ok(false),
            Err(error) => Err(fs_error("exists", path, error)),
        }
    }

    fn metadata(&self, path: &Path) -> FsResult<Metadata> {
        Ok(metadata(&self.find("metadata", path)?))
    }

    fn open_read(&self, path: &Path) -> FsResult<Box<dyn Read + Send>> {
        let file = self.file("open_read", path)?;
        let reader = Reader::open(&self.volume, file.ino).map_err(|error| fs_error("open_read", path, error))?;
        Ok(Box::new(reader))
    }
}
