//! `FsLock`: whole-file locks of handles, advisory.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use anyfs_backend::{FsLock, Handle, LockType};

use super::handles::Table;
use super::{Filesystem, FsResult};
use crate::Ino;

/// Who holds a file's lock.
#[derive(Debug)]
pub(super) enum FileLock {
    Shared(BTreeSet<u64>),
    Exclusive(u64),
}

impl Table {
    /// Takes the lock if nobody else stands in the way; a handle that has one changes it.
    fn take(&mut self, handle: Handle, lock: LockType) -> FsResult<bool> {
        let ino = self.get(handle)?.ino;
        let me = handle.0;
        let free = match self.locks.get(&ino) {
            None => true,
            Some(FileLock::Exclusive(holder)) => *holder == me,
            Some(FileLock::Shared(holders)) => lock == LockType::Shared || holders.iter().all(|holder| *holder == me),
        };
        if free {
            let held = match (lock, self.locks.remove(&ino)) {
                (LockType::Exclusive, _) => FileLock::Exclusive(me),
                (LockType::Shared, Some(FileLock::Shared(mut holders))) => {
                    holders.insert(me);
                    FileLock::Shared(holders)
                }
                (LockType::Shared, _) => FileLock::Shared(BTreeSet::from([me])),
            };
            self.locks.insert(ino, held);
        }
        Ok(free)
    }

    /// Gives a handle's lock back, if it has one.
    pub(super) fn give_back(&mut self, handle: Handle, ino: Ino) {
        let empty = match self.locks.get_mut(&ino) {
            Some(FileLock::Exclusive(holder)) => *holder == handle.0,
            Some(FileLock::Shared(holders)) => {
                holders.remove(&handle.0);
                holders.is_empty()
            }
            None => false,
        };
        if empty {
            self.locks.remove(&ino);
        }
    }
}

impl FsLock for Filesystem {
    /// Waits until the lock is free, or the handle is closed.
    fn lock(&self, handle: Handle, lock: LockType) -> FsResult<()> {
        let mut table = self.handles.table();
        while !table.take(handle, lock)? {
            table = self.handles.freed.wait(table).unwrap_or_else(PoisonError::into_inner);
        }
        drop(table);
        // An exclusive lock that became a shared one lets others in.
        self.handles.freed.notify_all();
        Ok(())
    }

    fn try_lock(&self, handle: Handle, lock: LockType) -> FsResult<bool> {
        let taken = self.handles.table().take(handle, lock)?;
        self.handles.freed.notify_all();
        Ok(taken)
    }

    fn unlock(&self, handle: Handle) -> FsResult<()> {
        let mut table = self.handles.table();
        let ino = table.get(handle)?.ino;
        table.give_back(handle, ino);
        drop(table);
        self.handles.freed.notify_all();
        Ok(())
    }
}
