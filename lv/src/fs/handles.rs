//! `FsHandles`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyfs_backend::{FsError, FsHandles, Handle, OpenFlags};

use super::error::fs_error;
use super::lock::FileLock;
use super::{Filesystem, FsResult};
use crate::{Ino, SetAttr};

/// An open file.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) ino: Ino,
    flags: OpenFlags,
    path: PathBuf,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) open: BTreeMap<u64, Open>,
    /// Whole-file locks, where there are any.
    pub(super) locks: HashMap<Ino, FileLock>,
    next: u64,
}

/// The open handles of a filesystem and the locks they hold.
#[derive(Debug, Default)]
pub(super) struct Handles {
    table: Mutex<Table>,
    /// A lock was given back, or a handle closed.
    pub(super) freed: Condvar,
}

impl Handles {
    /// The table. Whoever panicked with it has changed one entry or none.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    pub(super) fn get(&self, handle: Handle) -> FsResult<&Open> {
        self.open.get(&handle.0).ok_or(FsError::InvalidHandle { handle })
    }
}

impl Filesystem {
    fn opened(&self, handle: Handle) -> FsResult<Open> {
        self.handles.table().get(handle).cloned()
    }

    fn prepare(&self, path: &Path, flags: OpenFlags) -> FsResult<Ino> {
        let file = if flags.create { self.file_or_new("open", path)? } else { self.file("open", path)? };
        if flags.truncate && flags.write {
            let empty = SetAttr { size: Some(0), ..SetAttr::default() };
            self.volume.setattr(file.ino, &empty).map_err(|error| fs_error("open", path, error))?;
        }
        self.volume.open(file.ino).map_err(|error| fs_error("open", path, error))?;
        Ok(file.ino)
    }
}

impl FsHandles for Filesystem {
    fn open(&self, path: &Path, flags: OpenFlags) -> FsResult<Handle> {
        let ino = self.prepare(path, flags)?;
        let mut table = self.handles.table();
        table.next = table.next.saturating_add(1);
        let handle = Handle(table.next);
        table.open.insert(handle.0, Open { ino, flags, path: path.to_owned() });
        Ok(handle)
    }

    fn read_at(&self, handle: Handle, buf: &mut [u8], offset: u64) -> FsResult<usize> {
        let open = self.opened(handle)?;
        if !open.flags.read {
            return Err(FsError::PermissionDenied { path: open.path, operation: "read_at" });
        }
        self.volume.read(open.ino, offset, buf).map_err(|error| fs_error("read_at", &open.path, error))
    }

    /// All of `data` or nothing; at the end of the file for a handle that appends, wherever that is by then.
    fn write_at(&self, handle: Handle, data: &[u8], offset: u64) -> FsResult<usize> {
        let open = self.opened(handle)?;
        if !open.flags.write && !open.flags.append {
            return Err(FsError::PermissionDenied { path: open.path, operation: "write_at" });
        }
        let written = if open.flags.append {
            self.volume.append(open.ino, data).map(drop)
        } else {
            self.volume.write(open.ino, offset, data)
        };
        written.map(|()| data.len()).map_err(|error| fs_error("write_at", &open.path, error))
    }

    fn close(&self, handle: Handle) -> FsResult<()> {
        let mut table = self.handles.table();
        let open = table.open.remove(&handle.0).ok_or(FsError::InvalidHandle { handle })?;
        table.give_back(handle, open.ino);
        drop(table);
        self.handles.freed.notify_all();
        self.volume.release(open.ino).map_err(|error| fs_error("close", &open.path, error))
    }
}
