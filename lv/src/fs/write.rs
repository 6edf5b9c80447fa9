//! `FsWrite`.

use std::io::Write;
use std::path::Path;

use anyfs_backend::{FsError, FsWrite};

use super::error::{EBUSY, fs_error, numbered};
use super::stream::Writer;
use super::{Filesystem, FsResult};
use crate::{Kind, Rename, SetAttr};

impl FsWrite for Filesystem {
    fn write(&self, path: &Path, data: &[u8]) -> FsResult<()> {
        let file = self.file_or_new("write", path)?;
        self.volume.replace(file.ino, data).map_err(|error| fs_error("write", path, error))
    }

    fn append(&self, path: &Path, data: &[u8]) -> FsResult<()> {
        let file = self.file_or_new("append", path)?;
        self.volume.append(file.ino, data).map(drop).map_err(|error| fs_error("append", path, error))
    }

    fn remove_file(&self, path: &Path) -> FsResult<()> {
        let (place, found) = match self.at("remove_file", path) {
            // The root, or a path that ends in `..`: a directory either way.
            Err(FsError::InvalidData { .. }) if self.find("remove_file", path).is_ok() => {
                return Err(FsError::NotAFile { path: path.to_owned() });
            }
            other => other?,
        };
        if found.kind == Kind::Directory {
            return Err(FsError::NotAFile { path: path.to_owned() });
        }
        self.volume.unlink(place.ino, &place.name).map_err(|error| fs_error("remove_file", path, error))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        let place = |path: &Path| match self.place("rename", path) {
            Err(FsError::InvalidData { .. }) if self.find("rename", path).is_ok() => {
                Err(numbered("rename", path, EBUSY))
            }
            other => other,
        };
        let (old, new) = (place(from)?, place(to)?);
        self.volume.rename((old.ino, &old.name), (new.ino, &new.name), Rename::Replace).map_err(|error| {
            // The error is about the name it carries.
            let about = if matches!(&error, crate::LvError::NotFound { .. }) { from } else { to };
            fs_error("rename", about, error)
        })
    }

    fn copy(&self, from: &Path, to: &Path) -> FsResult<()> {
        let source = self.file("copy", from)?;
        let target = self.file_or_new("copy", to)?;
        self.volume.copy_file(source.ino, target.ino).map_err(|error| fs_error("copy", to, error))?;
        let mode = SetAttr { mode: Some(source.mode), ..SetAttr::default() };
        self.volume.setattr(target.ino, &mode).map(drop).map_err(|error| fs_error("copy", to, error))
    }

    fn truncate(&self, path: &Path, size: u64) -> FsResult<()> {
        let file = self.file("truncate", path)?;
        let size = SetAttr { size: Some(size), ..SetAttr::default() };
        self.volume.setattr(file.ino, &size).map(drop).map_err(|error| fs_error("truncate", path, error))
    }

    fn open_write(&self, path: &Path) -> FsResult<Box<dyn Write + Send>> {
        let failed = |error| fs_error("open_write", path, error);
        let file = self.file_or_new("open_write", path)?;
        let empty = SetAttr { size: Some(0), ..SetAttr::default() };
        self.volume.setattr(file.ino, &empty).map_err(failed)?;
        Ok(Box::new(Writer::open(&self.volume, file.ino).map_err(failed)?))
    }
}
