//! `FsStats`.

use std::path::Path;

use anyfs_backend::{FsStats, StatFs};

use super::error::fs_error;
use super::{Filesystem, FsResult};

/// What space is told in: the unit of checksums.
const BLOCK: u64 = 4096;

impl FsStats for Filesystem {
    fn statfs(&self) -> FsResult<StatFs> {
        let space = self.volume.statfs().map_err(|error| fs_error("statfs", Path::new("/"), error))?;
        Ok(StatFs {
            total_bytes: space.total,
            used_bytes: space.used,
            available_bytes: space.free,
            // Inodes are not counted out in advance.
            total_inodes: 0,
            used_inodes: space.files,
            available_inodes: 0,
            block_size: BLOCK,
            max_name_len: space.name_max.into(),
        })
    }
}
