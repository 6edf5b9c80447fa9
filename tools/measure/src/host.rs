//! A folder of the host as a side.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cold::{each_file, sync_filesystem};
use crate::{Cold, Dir, Error, Maker, OpenFile, Result, Side, Wish};

/// Makes folders below one folder.
#[derive(Debug)]
pub struct Host {
    name: String,
    folder: PathBuf,
    made: AtomicU64,
}

impl Host {
    /// Folders below `folder`, which is there, as sides of the name `host`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { name: "host".to_owned(), folder: folder.into(), made: AtomicU64::new(0) }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }
}

impl Maker for Host {
    fn name(&self) -> &str {
        &self.name
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let root = self.folder.join(format!("{}-{}-{number}", self.name, wish.name));
        fs::create_dir(&root).map_err(|source| failed("make the folder", &root, source))?;
        Ok(Box::new(HostSide { root }))
    }
}

/// A folder of the host.
#[derive(Debug)]
pub struct HostSide {
    root: PathBuf,
}

impl HostSide {
    /// A folder that is there and belongs to the benchmark.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

#[derive(Debug)]
struct HostFile {
    path: PathBuf,
    file: File,
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Host { operation, path: path.to_owned(), source }
}

/// Removes a folder with everything in it; a missing one is fine.
///
/// # Errors
/// [`Error::Host`].
pub fn remove_folder(path: &Path) -> Result {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path, error)),
        _ => Ok(()),
    }
}

impl Side for HostSide {
    fn root(&self) -> Dir {
        Dir { path: self.root.clone(), id: 0 }
    }

    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir> {
        let path = dir.path.join(name);
        fs::create_dir(&path).map_err(|source| failed("make the folder", &path, source))?;
        Ok(Dir { path, id: 0 })
    }

    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir> {
        Ok(Dir { path: dir.path.join(name), id: 0 })
    }

    fn rmdir(&self, dir: &Dir, name: &str) -> Result {
        let path = dir.path.join(name);
        fs::remove_dir(&path).map_err(|source| failed("remove the folder", &path, source))
    }

    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        let path = dir.path.join(name);
        let file = File::options().create_new(true).read(true).write(true).open(&path);
        Ok(Box::new(HostFile { file: file.map_err(|source| failed("make", &path, source))?, path }))
    }

    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        let path = dir.path.join(name);
        let file = File::options().read(true).write(true).open(&path);
        Ok(Box::new(HostFile { file: file.map_err(|source| failed("open", &path, source))?, path }))
    }

    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        let path = dir.path.join(name);
        fs::remove_file(&path).map_err(|source| failed("remove", &path, source))
    }

    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        let path = dir.path.join(from);
        fs::rename(&path, dir.path.join(to)).map_err(|source| failed("rename", &path, source))
    }

    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        let path = dir.path.join(name);
        Ok(fs::symlink_metadata(&path).map_err(|source| failed("look at", &path, source))?.len())
    }

    fn list(&self, dir: &Dir) -> Result<u64> {
        let no = |source| failed("list", &dir.path, source);
        let mut count = 0u64;
        for entry in fs::read_dir(&dir.path).map_err(no)? {
            entry.map_err(no)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    fn sync_all(&self) -> Result {
        sync_filesystem(&self.root)
    }

    fn stored(&self) -> Result<Option<u64>> {
        Ok(Some(disk_bytes(&self.root)?))
    }

    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        if cold {
            Cold::here().empty(std::slice::from_ref(&self.root))?;
        }
        Ok(self)
    }

    fn remove(self: Box<Self>) -> Result {
        remove_folder(&self.root)
    }
}

/// Bytes that the files below a folder take on the disk.
///
/// # Errors
/// [`Error::Host`].
pub fn disk_bytes(folder: &Path) -> Result<u64> {
    sync_filesystem(folder)?;
    let mut bytes = 0u64;
    each_file(folder, &mut |path| {
        let found = fs::symlink_metadata(path).map_err(|source| failed("look at", path, source))?;
        bytes = bytes.saturating_add(found.blocks().saturating_mul(512));
        Ok(())
    })?;
    Ok(bytes)
}

impl OpenFile for HostFile {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.file.write_all_at(bytes, off).map_err(|source| failed("write", &self.path, source))
    }

    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        self.file.read_exact_at(bytes, off).map_err(|source| failed("read", &self.path, source))
    }

    fn fsync(&self) -> Result {
        self.file.sync_data().map_err(|source| failed("sync", &self.path, source))
    }
}
