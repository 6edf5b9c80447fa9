//! `FsDir`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use anyfs_backend::{DirEntry, FsDir, FsError, ReadDirIter};

use super::error::{EBUSY, fs_error, numbered};
use super::{Filesystem, FsResult, bytes, file_type, path_from};
use crate::{Ino, Kind, LvError, NewNode, Volume};

/// Entries read at a time.
const PAGE: usize = 512;

/// Entries of a directory, by pages: those that are there all the time are seen once, others once or not at all.
struct Entries {
    volume: Volume,
    ino: Ino,
    path: PathBuf,
    cookie: u64,
    page: VecDeque<crate::DirEntry>,
    ended: bool,
}

impl Entries {
    fn entry(&self, found: crate::DirEntry) -> Option<FsResult<DirEntry>> {
        let attr = match self.volume.getattr(found.ino) {
            Ok(attr) => attr,
            // Removed meanwhile.
            Err(LvError::NoInode { .. }) => return None,
            Err(error) => return Some(Err(fs_error("read_dir", &self.path, error))),
        };
        let name = String::from_utf8_lossy(&found.name).into_owned();
        let size = if attr.kind == Kind::Directory { 0 } else { attr.size };
        let path = self.path.join(path_from(found.name));
        Some(Ok(DirEntry { name, path, file_type: file_type(attr.kind), size, inode: found.ino.0 }))
    }
}

impl Iterator for Entries {
    type Item = FsResult<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.page.pop_front() {
                self.cookie = found.cookie;
                match self.entry(found) {
                    None => continue,
                    entry => return entry,
                }
            }
            if self.ended {
                return None;
            }
            match self.volume.readdir(self.ino, self.cookie, PAGE) {
                Ok(page) => {
                    self.ended = page.len() < PAGE;
                    self.page = page.into();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(fs_error("read_dir", &self.path, error)));
                }
            }
        }
    }
}

/// A directory on the way out.
struct Level {
    parent: Ino,
    name: Vec<u8>,
    ino: Ino,
}

impl Filesystem {
    /// Removes everything in a directory, then the directory. Iterative: trees may be of any depth.
    fn remove_tree(&self, parent: Ino, name: Vec<u8>, ino: Ino) -> Result<(), LvError> {
        let mut levels = vec![Level { parent, name, ino }];
        while let Some(Level { parent, name, ino }) = levels.pop() {
            let page = self.volume.readdir(ino, 0, PAGE)?;
            if page.is_empty() {
                match self.volume.rmdir(parent, &name) {
                    // Somebody put something in: once more.
                    Err(LvError::NotEmpty { .. }) => levels.push(Level { parent, name, ino }),
                    Ok(()) | Err(LvError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
                continue;
            }
            levels.push(Level { parent, name, ino });
            for entry in page {
                if entry.kind == Kind::Directory {
                    // The volume refuses one that is not below this: in a circle nothing is ever empty.
                    match self.volume.lookup(ino, &entry.name) {
                        Ok(found) => levels.push(Level { parent: ino, name: entry.name, ino: found.ino }),
                        Err(LvError::NotFound { .. }) => {}
                        Err(error) => return Err(error),
                    }
                    continue;
                }
                match self.volume.unlink(ino, &entry.name) {
                    Ok(()) | Err(LvError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The name of a directory that is to be removed.
    fn removable(&self, operation: &'static str, path: &Path) -> FsResult<(crate::path::Parent, crate::Attr)> {
        let found = match self.at(operation, path) {
            Err(FsError::InvalidData { .. }) if self.find(operation, path).is_ok() => {
                return Err(numbered(operation, path, EBUSY));
            }
            other => other?,
        };
        if found.1.kind == Kind::Directory { Ok(found) } else { Err(FsError::NotADirectory { path: path.to_owned() }) }
    }
}

impl FsDir for Filesystem {
    fn read_dir(&self, path: &Path) -> FsResult<ReadDirIter> {
        let dir = self.find("read_dir", path)?;
        if dir.kind != Kind::Directory {
            return Err(FsError::NotADirectory { path: path.to_owned() });
        }
        let (volume, path, page) = (self.volume.clone(), path.to_owned(), VecDeque::new());
        Ok(ReadDirIter::new(Entries { volume, ino: dir.ino, path, cookie: 0, page, ended: false }))
    }

    fn create_dir(&self, path: &Path) -> FsResult<()> {
        let failed = |error| fs_error("create_dir", path, error);
        let place = match self.place("create_dir", path) {
            Err(FsError::InvalidData { .. }) if self.find("create_dir", path).is_ok() => {
                return Err(FsError::AlreadyExists { path: path.to_owned(), operation: "create_dir" });
            }
            other => other?,
        };
        let made = self.volume.mkdir(place.ino, &place.name, &self.node(NewNode::directory(0o755)));
        made.map(drop).map_err(failed)
    }

    fn create_dir_all(&self, path: &Path) -> FsResult<()> {
        let made = self.volume.mkdir_all(bytes(path), &self.node(NewNode::directory(0o755)));
        match made.map_err(|error| fs_error("create_dir_all", path, error))? {
            attr if attr.kind == Kind::Directory => Ok(()),
            _ => Err(FsError::NotADirectory { path: path.to_owned() }),
        }
    }

    fn remove_dir(&self, path: &Path) -> FsResult<()> {
        let (place, _) = self.removable("remove_dir", path)?;
        self.volume.rmdir(place.ino, &place.name).map_err(|error| fs_error("remove_dir", path, error))
    }

    fn remove_dir_all(&self, path: &Path) -> FsResult<()> {
        let (place, found) = self.removable("remove_dir_all", path)?;
        self.remove_tree(place.ino, place.name, found.ino).map_err(|error| fs_error("remove_dir_all", path, error))
    }
}
