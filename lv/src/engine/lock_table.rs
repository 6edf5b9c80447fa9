//! Advisory locks: who holds which bytes of which file, who waits for whom.
//!
//! The rules are those of POSIX record locks: an owner's new lock replaces what it held of the range, locks of one
//! owner and kind that touch are one, any owner's shared locks get along, an exclusive one with nobody else's.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::{HeldLock, Ino, LockKind, LockOwner, LockScope};

/// Locks of all files together.
pub(crate) const LOCKS_MAX: usize = 16_384;

/// What a lock is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) ino: Ino,
    pub(crate) scope: LockScope,
    pub(crate) owner: LockOwner,
    pub(crate) range: Range<u64>,
    pub(crate) kind: LockKind,
}

/// All locks of a volume.
#[derive(Debug, Default)]
pub(crate) struct LockTable {
    held: HashMap<(Ino, LockScope), Vec<HeldLock>>,
    count: usize,
    waiting: HashMap<LockOwner, Wanted>,
    /// Owners whose waiting is to end.
    cancelled: HashSet<LockOwner>,
    /// The volume is closed or has stopped.
    ended: bool,
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

impl LockTable {
    /// The volume ends: nobody waits any more.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn full(&self) -> bool {
        self.count >= LOCKS_MAX
    }

    fn in_the_way<'a>(&'a self, wanted: &Wanted) -> impl Iterator<Item = &'a HeldLock> {
        let (owner, range, exclusive) = (wanted.owner, wanted.range.clone(), wanted.kind == LockKind::Exclusive);
        self.held.get(&(wanted.ino, wanted.scope)).into_iter().flatten().filter(move |held| {
            held.owner != owner && overlap(&held.range, &range) && (exclusive || held.kind == LockKind::Exclusive)
        })
    }

    /// The first lock that stands in the way.
    pub(crate) fn conflict(&self, wanted: &Wanted) -> Option<&HeldLock> {
        self.in_the_way(wanted).min_by_key(|held| held.range.start)
    }

    /// Takes a lock that nothing stands in the way of.
    pub(crate) fn take(&mut self, wanted: &Wanted) {
        let lock = HeldLock { owner: wanted.owner, range: wanted.range.clone(), kind: wanted.kind };
        self.change((wanted.ino, wanted.scope), wanted.owner, &wanted.range, Some(lock));
    }

    /// Gives back what an owner holds of a range.
    pub(crate) fn give(&mut self, ino: Ino, scope: LockScope, owner: LockOwner, range: &Range<u64>) {
        self.change((ino, scope), owner, range, None);
    }

    fn change(&mut self, file: (Ino, LockScope), owner: LockOwner, range: &Range<u64>, new: Option<HeldLock>) {
        let mut locks = self.held.remove(&file).unwrap_or_default();
        self.count = self.count.saturating_sub(locks.len());
        let mut mine: Vec<HeldLock> = Vec::new();
        locks.retain(|held| {
            if held.owner != owner {
                return true;
            }
            let before = held.range.start..held.range.end.min(range.start);
            let after = held.range.start.max(range.end)..held.range.end;
            let left = [before, after].into_iter().filter(|part| !part.is_empty());
            mine.extend(left.map(|range| HeldLock { range, ..held.clone() }));
            false
        });
        mine.extend(new);
        mine.sort_unstable_by_key(|held| held.range.start);
        for lock in mine {
            match locks.last_mut().filter(|last| last.owner == owner) {
                Some(last) if last.kind == lock.kind && last.range.end == lock.range.start => {
                    last.range.end = lock.range.end;
                }
                _ => locks.push(lock),
            }
        }
        self.count = self.count.saturating_add(locks.len());
        if !locks.is_empty() {
            self.held.insert(file, locks);
        }
    }

    /// Gives back everything an owner holds.
    pub(crate) fn give_all(&mut self, owner: LockOwner) {
        self.held.retain(|_, locks| {
            locks.retain(|held| held.owner != owner);
            !locks.is_empty()
        });
        self.count = self.held.values().map(Vec::len).sum();
    }

    /// Whether waiting for this lock would wait for the waiting owner itself.
    pub(crate) fn would_deadlock(&self, wanted: &Wanted) -> bool {
        let mut seen = HashSet::new();
        let mut todo: Vec<LockOwner> = self.in_the_way(wanted).map(|held| held.owner).collect();
        while let Some(owner) = todo.pop() {
            if owner == wanted.owner {
                return true;
            }
            if let Some(next) = self.waiting.get(&owner).filter(|_| seen.insert(owner)) {
                todo.extend(self.in_the_way(next).map(|held| held.owner));
            }
        }
        false
    }

    /// Notes that an owner waits.
    pub(crate) fn wait(&mut self, wanted: &Wanted) {
        self.waiting.insert(wanted.owner, wanted.clone());
    }

    /// Notes that an owner no longer waits; `true` when it was told to stop.
    pub(crate) fn stop_waiting(&mut self, owner: LockOwner) -> bool {
        self.waiting.remove(&owner);
        self.cancelled.remove(&owner)
    }

    /// Tells an owner that waits to stop.
    pub(crate) fn cancel(&mut self, owner: LockOwner) {
        if self.waiting.contains_key(&owner) {
            self.cancelled.insert(owner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const BYTES: u64 = 24;
    const FILE: (Ino, LockScope) = (Ino(7), LockScope::Range);

    fn wanted(owner: u64, range: Range<u64>, exclusive: bool) -> Wanted {
        let kind = if exclusive { LockKind::Exclusive } else { LockKind::Shared };
        Wanted { ino: FILE.0, scope: FILE.1, owner: LockOwner(owner), range, kind }
    }

    /// Per byte and owner, what is held: the rules without ranges.
    type Model = BTreeMap<(u64, u64), LockKind>;

    fn of_table(table: &LockTable) -> Model {
        let mut model = Model::new();
        for held in table.held.values().flatten() {
            for byte in held.range.clone() {
                let twice = model.insert((byte, held.owner.0), held.kind);
                assert_eq!(twice, None, "byte {byte} is locked twice by one owner");
            }
        }
        model
    }

    fn ops() -> impl Strategy<Value = Vec<(u64, Range<u64>, u8)>> {
        let one = (0u64..3, 0..BYTES, 1..=BYTES, 0u8..7);
        let one = one.prop_map(|(owner, start, len, what)| (owner, start..(start + len).min(BYTES), what));
        proptest::collection::vec(one, 1..40)
    }

    proptest! {
        #[test]
        fn ranges_behave_as_bytes_do(ops in ops()) {
            let (mut table, mut model) = (LockTable::default(), Model::new());
            for (owner, range, what) in ops {
                if what == 0 {
                    table.give_all(LockOwner(owner));
                    model.retain(|(_, holder), _| *holder != owner);
                } else if what <= 2 {
                    table.give(FILE.0, FILE.1, LockOwner(owner), &range);
                    model.retain(|(byte, holder), _| *holder != owner || !range.contains(byte));
                } else {
                    let wanted = wanted(owner, range.clone(), what <= 4);
                    let free = !model.iter().any(|((byte, holder), kind)| {
                        *holder != owner && range.contains(byte)
                            && (wanted.kind == LockKind::Exclusive || *kind == LockKind::Exclusive)
                    });
                    prop_assert_eq!(table.conflict(&wanted).is_none(), free);
                    if free {
                        table.take(&wanted);
                        model.extend(range.map(|byte| ((byte, owner), wanted.kind)));
                    }
                }
                prop_assert_eq!(of_table(&table), model.clone());
                // Touching locks of one kind are one.
                for held in table.held.values().flatten() {
                    let next = model.get(&(held.range.end, held.owner.0));
                    prop_assert!(next != Some(&held.kind), "two locks that touch at {}", held.range.end);
                }
                prop_assert_eq!(table.count, table.held.values().map(Vec::len).sum::<usize>());
            }
        }
    }

    #[test]
    fn a_ring_of_waiting_owners_is_seen_at_its_last_link() {
        let mut table = LockTable::default();
        for owner in 0..3 {
            table.take(&wanted(owner, owner..owner + 1, true));
        }
        let waits = |owner: u64, byte: u64| wanted(owner, byte..byte + 1, false);
        for owner in 0..2 {
            assert!(!table.would_deadlock(&waits(owner, owner + 1)));
            table.wait(&waits(owner, owner + 1));
        }
        assert!(table.would_deadlock(&waits(2, 0)));
        assert!(!table.would_deadlock(&waits(2, 9)));
        table.stop_waiting(LockOwner(0));
        assert!(!table.would_deadlock(&waits(2, 0)));
    }
}
