//! `FsSync`.

use std::path::Path;

use anyfs_backend::FsSync;

use super::error::fs_error;
use super::{Filesystem, FsResult};

impl FsSync for Filesystem {
    fn sync(&self) -> FsResult<()> {
        self.volume.sync().map_err(|error| fs_error("sync", Path::new("/"), error))
    }

    fn fsync(&self, path: &Path) -> FsResult<()> {
        let found = self.find("fsync", path)?;
        self.volume.fsync(found.ino).map_err(|error| fs_error("fsync", path, error))
    }
}
