//! `FsInode`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyfs_backend::{FsError, FsInode, Metadata};

use super::error::fs_error;
use super::{Filesystem, FsResult, bytes, metadata, path_from};
use crate::{Ino, LvError};

fn inode_error(operation: &'static str, inode: u64, error: LvError) -> FsError {
    match error {
        LvError::NoInode { .. } => FsError::InodeNotFound { inode },
        other => fs_error(operation, Path::new(&format!("inode {inode}")), other),
    }
}

impl FsInode for Filesystem {
    fn path_to_inode(&self, path: &Path) -> FsResult<u64> {
        Ok(self.find("path_to_inode", path)?.ino.0)
    }

    fn inode_to_path(&self, inode: u64) -> FsResult<PathBuf> {
        let path = self.volume.path_of(Ino(inode)).map_err(|error| inode_error("inode_to_path", inode, error))?;
        path.map(path_from).ok_or(FsError::InodeNotFound { inode })
    }

    fn lookup(&self, parent: u64, name: &OsStr) -> FsResult<u64> {
        let name = bytes(name);
        let found = match name {
            b"." => self.volume.getattr(Ino(parent)).map(|attr| attr.ino),
            b".." => self.volume.parent_of(Ino(parent)),
            name => self.volume.lookup(Ino(parent), name).map(|attr| attr.ino),
        };
        found.map(|ino| ino.0).map_err(|error| match error {
            LvError::NoInode { .. } => FsError::InodeNotFound { inode: parent },
            other => fs_error("lookup", &path_from(name.to_vec()), other),
        })
    }

    fn metadata_by_inode(&self, inode: u64) -> FsResult<Metadata> {
        let attr = self.volume.getattr(Ino(inode)).map_err(|error| inode_error("metadata_by_inode", inode, error))?;
        Ok(metadata(&attr))
    }
}
