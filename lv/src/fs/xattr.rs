//! `FsXattr`.

use std::path::Path;

use anyfs_backend::FsXattr;

use super::error::fs_error;
use super::{Filesystem, FsResult};
use crate::SetXattr;

impl FsXattr for Filesystem {
    fn get_xattr(&self, path: &Path, name: &str) -> FsResult<Vec<u8>> {
        let found = self.find("get_xattr", path)?;
        self.volume.getxattr(found.ino, name.as_bytes()).map_err(|error| fs_error("get_xattr", path, error))
    }

    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> FsResult<()> {
        let found = self.find("set_xattr", path)?;
        let set = self.volume.setxattr(found.ino, name.as_bytes(), value, SetXattr::Any);
        set.map_err(|error| fs_error("set_xattr", path, error))
    }

    fn remove_xattr(&self, path: &Path, name: &str) -> FsResult<()> {
        let found = self.find("remove_xattr", path)?;
        self.volume.removexattr(found.ino, name.as_bytes()).map_err(|error| fs_error("remove_xattr", path, error))
    }

    /// Names that are no UTF-8 come with replacement characters.
    fn list_xattr(&self, path: &Path) -> FsResult<Vec<String>> {
        let found = self.find("list_xattr", path)?;
        let names = self.volume.listxattr(found.ino).map_err(|error| fs_error("list_xattr", path, error))?;
        Ok(names.into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect())
    }
}
