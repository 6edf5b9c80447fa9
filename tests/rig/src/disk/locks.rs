//! Locks among the connections to one database file, as SQLite's `os_unix.c` takes them.

use super::HandleId;

/// A rollback-journal lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing.
    None,
    /// Reading.
    Shared,
    /// Going to write; others may read.
    Reserved,
    /// Waits for readers to leave; no new ones.
    Pending,
    /// Writing.
    Exclusive,
}

/// Who holds what on one file.
#[derive(Debug, Default)]
pub(crate) struct FileLocks(Vec<(HandleId, Level)>);

impl FileLocks {
    /// What `handle` holds.
    pub(crate) fn level(&self, handle: HandleId) -> Level {
        self.0.iter().find(|(id, _)| *id == handle).map_or(Level::None, |(_, level)| *level)
    }

    /// Raises `handle`'s lock; false means busy. A failed step from `Reserved` to `Exclusive` leaves `Pending`.
    pub(crate) fn lock(&mut self, handle: HandleId, want: Level) -> bool {
        let mine = self.level(handle);
        if mine >= want {
            return true;
        }
        let others = self.highest_other(handle);
        if others >= Level::Pending || (want > Level::Shared && others > Level::Shared) {
            return false;
        }
        if want == Level::Exclusive && others > Level::None {
            if mine == Level::Reserved {
                self.set(handle, Level::Pending);
            }
            return false;
        }
        self.set(handle, want);
        true
    }

    /// Lowers `handle`'s lock.
    pub(crate) fn unlock(&mut self, handle: HandleId, to: Level) {
        if self.level(handle) > to {
            self.set(handle, to);
        }
    }

    /// Whether anybody is going to write.
    pub(crate) fn reserved(&self) -> bool {
        self.0.iter().any(|(_, level)| *level > Level::Shared)
    }

    fn highest_other(&self, handle: HandleId) -> Level {
        self.0.iter().filter(|(id, _)| *id != handle).map(|(_, level)| *level).max().unwrap_or(Level::None)
    }

    fn set(&mut self, handle: HandleId, level: Level) {
        self.0.retain(|(id, _)| *id != handle);
        if level > Level::None {
            self.0.push((handle, level));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_writer_many_readers() {
        let mut locks = FileLocks::default();
        assert!(locks.lock(1, Level::Shared) && locks.lock(2, Level::Shared));
        assert!(locks.lock(1, Level::Reserved) && !locks.lock(2, Level::Reserved));
        assert!(locks.lock(3, Level::Shared) && locks.reserved());
        assert!(!locks.lock(1, Level::Exclusive));
        assert_eq!(locks.level(1), Level::Pending);
        assert!(!locks.lock(4, Level::Shared));
        locks.unlock(2, Level::None);
        locks.unlock(3, Level::None);
        assert!(locks.lock(1, Level::Exclusive) && !locks.lock(2, Level::Shared));
        locks.unlock(1, Level::Shared);
        assert!(locks.lock(2, Level::Shared) && !locks.reserved());
    }

    #[test]
    fn a_hot_journal_is_rolled_back_by_one_alone() {
        let mut locks = FileLocks::default();
        assert!(locks.lock(1, Level::Shared) && locks.lock(2, Level::Shared));
        assert!(!locks.lock(1, Level::Exclusive) && locks.level(1) == Level::Shared);
        locks.unlock(2, Level::None);
        assert!(locks.lock(1, Level::Exclusive));
    }
}
