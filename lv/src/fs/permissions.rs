//! `FsPermissions`.

use std::path::Path;

use anyfs_backend::{FsPermissions, Permissions};

use super::error::fs_error;
use super::{Filesystem, FsResult};
use crate::SetAttr;

impl FsPermissions for Filesystem {
    fn set_permissions(&self, path: &Path, permissions: Permissions) -> FsResult<()> {
        let found = self.find("set_permissions", path)?;
        let set = SetAttr { mode: Some(permissions.mode()), ..SetAttr::default() };
        self.volume.setattr(found.ino, &set).map(drop).map_err(|error| fs_error("set_permissions", path, error))
    }
}
