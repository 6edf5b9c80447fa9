//! Advisory locks.

use std::ops::Range;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::Volume;
use crate::engine::{Wanted, lock};
use crate::{HeldLock, Ino, LockKind, LockOwner, LockScope, LvError, Result};

/// Every byte there can be.
const WHOLE: Range<u64> = 0..u64::MAX;

/// Advisory locks: they hold off other locks and nothing else, live in this process's memory, and are gone when the
/// volume is closed. Waiting holds nothing but the thread that waits. Cost: the number of locks of the file.
impl Volume {
    /// An owner of locks that nobody else is.
    pub fn lock_owner(&self) -> LockOwner {
        LockOwner(self.core.next_owner.fetch_add(1, Ordering::Relaxed))
    }

    /// Locks bytes of a file (`u64::MAX` as their end: to the end, however far it moves), waiting until nobody else
    /// stands in the way. What the owner holds of the range already is replaced.
    ///
    /// # Errors
    /// [`LvError::Deadlock`] when whoever stands in the way waits for this owner; [`LvError::Interrupted`] by
    /// [`cancel_lock`](Self::cancel_lock); [`LvError::TooManyLocks`]; [`LvError::Invalid`] for an empty range;
    /// [`LvError::NoInode`]; [`LvError::Closed`] and [`LvError::Poisoned`], also when that happens meanwhile.
    pub fn lock(&self, ino: Ino, owner: LockOwner, range: Range<u64>, kind: LockKind) -> Result<()> {
        self.take_lock(&Wanted { ino, scope: LockScope::Range, owner, range, kind }, Some(&|| true)).map(drop)
    }

    /// As [`lock`](Self::lock), but returns the lock that stands in the way instead of waiting.
    ///
    /// # Errors
    /// As there, except for what only waiting can bring.
    pub fn try_lock(&self, ino: Ino, owner: LockOwner, range: Range<u64>, kind: LockKind) -> Result<Option<HeldLock>> {
        self.take_lock(&Wanted { ino, scope: LockScope::Range, owner, range, kind }, None)
    }

    /// The first lock that stands in the way of this one, if any.
    ///
    /// # Errors
    /// [`LvError::Invalid`] for an empty range; [`LvError::Closed`], [`LvError::Poisoned`].
    pub fn find_lock(&self, ino: Ino, owner: LockOwner, range: Range<u64>, kind: LockKind) -> Result<Option<HeldLock>> {
        not_empty(&range)?;
        self.core.state().map(drop)?;
        let wanted = Wanted { ino, scope: LockScope::Range, owner, range, kind };
        Ok(lock(&self.core.range_locks).conflict(&wanted).cloned())
    }

    /// Gives back what an owner holds of a range; fine when that is nothing.
    ///
    /// # Errors
    /// [`LvError::Invalid`] for an empty range; [`LvError::Closed`], [`LvError::Poisoned`].
    pub fn unlock(&self, ino: Ino, owner: LockOwner, range: Range<u64>) -> Result<()> {
        not_empty(&range)?;
        self.core.state().map(drop)?;
        lock(&self.core.range_locks).give(ino, LockScope::Range, owner, &range);
        self.core.lock_freed.notify_all();
        Ok(())
    }

    /// Locks a whole file, as flock(2) does: apart from locks of its bytes, which these do not meet.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_file(&self, ino: Ino, owner: LockOwner, kind: LockKind) -> Result<()> {
        self.take_lock(&Wanted { ino, scope: LockScope::File, owner, range: WHOLE, kind }, Some(&|| true)).map(drop)
    }

    /// As [`lock_file`](Self::lock_file), but returns the lock that stands in the way instead of waiting.
    ///
    /// # Errors
    /// As [`try_lock`](Self::try_lock).
    pub fn try_lock_file(&self, ino: Ino, owner: LockOwner, kind: LockKind) -> Result<Option<HeldLock>> {
        self.take_lock(&Wanted { ino, scope: LockScope::File, owner, range: WHOLE, kind }, None)
    }

    /// As [`lock_file`](Self::lock_file), waiting only while `still` says so. Whoever changes its answer calls
    /// [`unlock_all`](Self::unlock_all) afterwards.
    pub(crate) fn lock_file_while(
        &self,
        ino: Ino,
        owner: LockOwner,
        kind: LockKind,
        still: &dyn Fn() -> bool,
    ) -> Result<()> {
        self.take_lock(&Wanted { ino, scope: LockScope::File, owner, range: WHOLE, kind }, Some(still)).map(drop)
    }

    /// Gives back an owner's lock of a whole file; fine when there is none.
    pub fn unlock_file(&self, ino: Ino, owner: LockOwner) {
        lock(&self.core.range_locks).give(ino, LockScope::File, owner, &WHOLE);
        self.core.lock_freed.notify_all();
    }

    /// Gives back everything an owner holds, as the end of its process or of its open file does.
    pub fn unlock_all(&self, owner: LockOwner) {
        lock(&self.core.range_locks).give_all(owner);
        self.core.lock_freed.notify_all();
    }

    /// Ends an owner's waiting for a lock: its call fails with [`LvError::Interrupted`].
    pub fn cancel_lock(&self, owner: LockOwner) {
        lock(&self.core.range_locks).cancel(owner);
        self.core.lock_freed.notify_all();
    }

    /// Takes a lock, waiting while `wait` says so; without it, what stood in the way.
    fn take_lock(&self, wanted: &Wanted, wait: Option<&dyn Fn() -> bool>) -> Result<Option<HeldLock>> {
        not_empty(&wanted.range)?;
        self.core.state()?.live(wanted.ino)?;
        let mut table = lock(&self.core.range_locks);
        loop {
            if table.has_ended() {
                drop(table);
                return Err(self.core.state().map_or_else(|error| error, |_| LvError::Closed));
            }
            if table.full() {
                return Err(LvError::TooManyLocks);
            }
            let Some(held) = table.conflict(wanted) else {
                table.take(wanted);
                drop(table);
                // An exclusive lock that became a shared one lets others in.
                self.core.lock_freed.notify_all();
                return Ok(None);
            };
            let Some(still) = wait else { return Ok(Some(held.clone())) };
            if table.would_deadlock(wanted) {
                return Err(LvError::Deadlock { ino: wanted.ino });
            }
            // No change of the answer falls between the question and the wait: whoever changes it locks the table next.
            if !still() {
                return Err(LvError::Interrupted);
            }
            table.wait(wanted);
            table = self.core.lock_freed.wait(table).unwrap_or_else(PoisonError::into_inner);
            if table.stop_waiting(wanted.owner) {
                return Err(LvError::Interrupted);
            }
        }
    }
}

fn not_empty(range: &Range<u64>) -> Result<()> {
    if range.is_empty() { Err(LvError::Invalid { what: "a lock needs at least one byte" }) } else { Ok(()) }
}
