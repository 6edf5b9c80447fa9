//! `FsLink`.

use std::path::{Path, PathBuf};

use anyfs_backend::{FsError, FsLink, Metadata};

use super::error::fs_error;
use super::{Filesystem, FsResult, bytes, metadata, path_from};
use crate::{Kind, NewNode};

impl FsLink for Filesystem {
    fn symlink(&self, target: &Path, link: &Path) -> FsResult<()> {
        let place = self.place("symlink", link)?;
        let made = self.volume.symlink(place.ino, &place.name, bytes(target), &self.node(NewNode::file(0o777)));
        made.map(drop).map_err(|error| fs_error("symlink", link, error))
    }

    fn hard_link(&self, original: &Path, link: &Path) -> FsResult<()> {
        let found = self.find("hard_link", original)?;
        if found.kind == Kind::Directory {
            return Err(FsError::NotAFile { path: original.to_owned() });
        }
        let place = self.place("hard_link", link)?;
        let made = self.volume.link(found.ino, place.ino, &place.name);
        made.map(drop).map_err(|error| fs_error("hard_link", link, error))
    }

    fn read_link(&self, path: &Path) -> FsResult<PathBuf> {
        let found = self.volume.resolve(bytes(path), false).map_err(|error| fs_error("read_link", path, error))?;
        let target = self.volume.readlink(found.ino).map_err(|error| fs_error("read_link", path, error))?;
        Ok(path_from(target))
    }

    fn symlink_metadata(&self, path: &Path) -> FsResult<Metadata> {
        let found = self.volume.resolve(bytes(path), false);
        Ok(metadata(&found.map_err(|error| fs_error("symlink_metadata", path, error))?))
    }
}
