//! The shared memory of a database in WAL mode: its memory and its eight locks.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::HandleId;

/// Locks in a wal-index.
const LOCKS: usize = 8;

/// One file's wal-index, while any connection has it open. As with `os_unix.c`, the first connection finds zeros.
///
/// The memory is atomics, so that connections in several threads may change it behind shared references; SQLite
/// reaches it through [`Shm::region`]'s pointer, which stays valid until the last connection is gone.
#[derive(Debug, Default)]
pub(crate) struct Shm {
    users: Vec<HandleId>,
    regions: Vec<Arc<[AtomicU64]>>,
    locks: [Lock; LOCKS],
}

#[derive(Debug, Default, Clone)]
struct Lock {
    shared: Vec<HandleId>,
    exclusive: Option<HandleId>,
}

impl Shm {
    /// `handle` uses the memory from here on.
    pub(crate) fn join(&mut self, handle: HandleId) {
        if !self.users.contains(&handle) {
            self.users.push(handle);
        }
    }

    /// `handle` uses it no longer; true when nobody does.
    pub(crate) fn leave(&mut self, handle: HandleId) -> bool {
        self.users.retain(|user| *user != handle);
        self.unlock(handle, 0..LOCKS);
        self.users.is_empty()
    }

    /// Address of a region of `size` bytes, made when missing if `extend`, else null.
    pub(crate) fn region(&mut self, index: usize, size: usize, extend: bool) -> *mut c_void {
        while extend && self.regions.len() <= index {
            self.regions.push((0..size.div_ceil(8)).map(|_| AtomicU64::new(0)).collect());
        }
        self.regions.get(index).map_or(std::ptr::null_mut(), |region| Arc::as_ptr(region).cast::<c_void>().cast_mut())
    }

    /// Takes a range of locks shared; false means busy.
    pub(crate) fn lock_shared(&mut self, handle: HandleId, range: std::ops::Range<usize>) -> bool {
        let free = self.locks[range.clone()].iter().all(|lock| lock.exclusive.is_none_or(|holder| holder == handle));
        if free {
            for lock in &mut self.locks[range] {
                if !lock.shared.contains(&handle) {
                    lock.shared.push(handle);
                }
            }
        }
        free
    }

    /// Takes a range of locks exclusively; false means busy.
    pub(crate) fn lock_exclusive(&mut self, handle: HandleId, range: std::ops::Range<usize>) -> bool {
        let free = self.locks[range.clone()]
            .iter()
            .all(|lock| lock.shared.is_empty() && lock.exclusive.is_none_or(|holder| holder == handle));
        if free {
            for lock in &mut self.locks[range] {
                lock.exclusive = Some(handle);
            }
        }
        free
    }

    /// Gives a range of locks back, of either kind.
    pub(crate) fn unlock(&mut self, handle: HandleId, range: std::ops::Range<usize>) {
        for lock in &mut self.locks[range] {
            lock.shared.retain(|holder| *holder != handle);
            lock.exclusive = lock.exclusive.filter(|holder| *holder != handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_keep_a_checkpointer_out() {
        let mut shm = Shm::default();
        shm.join(1);
        shm.join(2);
        assert!(shm.region(0, 32768, false).is_null());
        let region = shm.region(0, 32768, true);
        assert!(!region.is_null());
        assert!(!shm.region(1, 32768, true).is_null());
        assert_eq!(shm.region(0, 32768, false), region);
        assert!(shm.lock_shared(1, 4..5) && shm.lock_shared(2, 4..5));
        assert!(!shm.lock_exclusive(1, 3..8));
        shm.unlock(2, 4..5);
        shm.unlock(1, 4..5);
        assert!(shm.lock_exclusive(1, 3..8) && !shm.lock_shared(2, 7..8));
        assert!(!shm.leave(1) && shm.lock_shared(2, 7..8) && shm.leave(2));
    }
}
