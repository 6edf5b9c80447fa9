//! `FsHandles`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyfs_backend::{FsError, FsHandles, Handle, OpenFlags};

use super::error::fs_error;
use super::{Filesystem, FsResult};
use crate::{Ino, LockOwner, SetAttr};

/// An open file.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) ino: Ino,
    pub(super) owner: LockOwner,
    pub(super) path: PathBuf,
    flags: OpenFlags,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<u64, Open>,
    next: u64,
}

/// The open handles of a filesystem.
#[derive(Debug, Default)]
pub(super) struct Handles {
    table: Mutex<Table>,
}

impl Handles {
    /// The table. Whoever panicked with it has changed one entry or none.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn get(&self, handle: Handle) -> FsResult<&Open> {
        self.open.get(&handle.0).ok_or(FsError::InvalidHandle { handle })
    }
}

impl Filesystem {
    pub(super) fn opened(&self, handle: Handle) -> FsResult<Open> {
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
        let owner = self.volume.lock_owner();
        table.open.insert(handle.0, Open { ino, owner, path: path.to_owned(), flags });
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
        let open = self.handles.table().open.remove(&handle.0).ok_or(FsError::InvalidHandle { handle })?;
        self.volume.unlock_all(open.owner);
        self.volume.release(open.ino).map_err(|error| fs_error("close", &open.path, error))
    }
}
