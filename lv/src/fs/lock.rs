//! `FsLock`: whole-file locks of handles, advisory.

use anyfs_backend::{FsError, FsLock, Handle, LockType};

use super::error::fs_error;
use super::{Filesystem, FsResult};
use crate::LockKind;

fn kind(lock: LockType) -> LockKind {
    match lock {
        LockType::Shared => LockKind::Shared,
        LockType::Exclusive => LockKind::Exclusive,
    }
}

impl FsLock for Filesystem {
    /// Waits until the lock is free, or the handle is closed; a handle that has the lock changes it.
    fn lock(&self, handle: Handle, lock: LockType) -> FsResult<()> {
        let open = self.opened(handle)?;
        let still_open = || self.opened(handle).is_ok();
        let taken = self.volume.lock_file_while(open.ino, open.owner, kind(lock), &still_open);
        if !still_open() {
            // What it may have got just now goes, too.
            self.volume.unlock_all(open.owner);
            return Err(FsError::InvalidHandle { handle });
        }
        taken.map_err(|error| fs_error("lock", &open.path, error))
    }

    fn try_lock(&self, handle: Handle, lock: LockType) -> FsResult<bool> {
        let open = self.opened(handle)?;
        let taken = self.volume.try_lock_file(open.ino, open.owner, kind(lock));
        taken.map(|held| held.is_none()).map_err(|error| fs_error("try_lock", &open.path, error))
    }

    fn unlock(&self, handle: Handle) -> FsResult<()> {
        let open = self.opened(handle)?;
        self.volume.unlock_file(open.ino, open.owner);
        Ok(())
    }
}
