//! What the kernel knows: how often each inode was handed to it, and which of them have no name any more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lv::Ino;

use super::errno::Errno;

/// Parts with a lock each, so that threads seldom meet.
const SHARDS: usize = 64;

/// An inode that the kernel knows.
#[derive(Debug, Default)]
struct Node {
    /// How often it was handed over and not forgotten.
    lookups: u64,
    /// It is kept open in the volume although it has no name.
    kept: bool,
    /// How often it is open to be written to.
    writers: u32,
    /// Why bytes of it that the kernel had taken into its cache were refused since its writers were told last.
    refused: Option<Errno>,
}

/// All inodes that the kernel knows.
#[derive(Debug)]
pub(super) struct Nodes {
    shards: Vec<Mutex<HashMap<Ino, Node>>>,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, ino: Ino) -> Option<MutexGuard<'_, HashMap<Ino, Node>>> {
        let at = usize::try_from(ino.0).unwrap_or(usize::MAX) % SHARDS;
        Some(self.shards.get(at)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The kernel is about to learn of an inode (once more).
    pub(super) fn hand_over(&self, ino: Ino) {
        if let Some(mut shard) = self.shard(ino) {
            let node = shard.entry(ino).or_default();
            node.lookups = node.lookups.saturating_add(1);
        }
    }

    /// Whether the kernel knows an inode. It knows the root without having asked for it.
    pub(super) fn knows(&self, ino: Ino) -> bool {
        ino == Ino::ROOT || self.shard(ino).is_some_and(|shard| shard.contains_key(&ino))
    }

    /// The kernel has forgotten an inode that often; whether it was kept open and is not needed any more.
    pub(super) fn forget(&self, ino: Ino, lookups: u64) -> bool {
        let Some(mut shard) = self.shard(ino) else { return false };
        let Some(node) = shard.get_mut(&ino) else { return false };
        node.lookups = node.lookups.saturating_sub(lookups);
        node.lookups == 0 && shard.remove(&ino).is_some_and(|node| node.kept)
    }

    /// An inode that is open in the volume has lost its last name: whether it stays open until it is forgotten.
    pub(super) fn keep(&self, ino: Ino) -> bool {
        let Some(mut shard) = self.shard(ino) else { return false };
        shard.get_mut(&ino).is_some_and(|node| !std::mem::replace(&mut node.kept, true))
    }

    /// A file was opened to be written to.
    pub(super) fn writer_came(&self, ino: Ino) {
        if let Some(mut shard) = self.shard(ino)
            && let Some(node) = shard.get_mut(&ino)
        {
            node.writers = node.writers.saturating_add(1);
        }
    }

    /// Such a file was closed.
    pub(super) fn writer_left(&self, ino: Ino) {
        if let Some(mut shard) = self.shard(ino)
            && let Some(node) = shard.get_mut(&ino)
        {
            node.writers = node.writers.saturating_sub(1);
            if node.writers == 0 {
                // Its close has told.
                node.refused = None;
            }
        }
    }

    /// Whether a file is open to be written to, so that there may be more of it in the kernel's cache than in the volume.
    pub(super) fn has_writers(&self, ino: Ino) -> bool {
        self.shard(ino).is_some_and(|shard| shard.get(&ino).is_some_and(|node| node.writers > 0))
    }

    /// The files that are open to be written to.
    pub(super) fn writers(&self) -> Vec<Ino> {
        let open = |shard: &Mutex<HashMap<Ino, Node>>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.iter().filter(|(_, node)| node.writers > 0).map(|(ino, _)| *ino).collect::<Vec<_>>()
        };
        self.shards.iter().flat_map(open).collect()
    }

    /// Bytes of a file that the kernel had taken into its cache were refused.
    pub(super) fn refused(&self, ino: Ino, why: Errno) {
        if let Some(mut shard) = self.shard(ino)
            && let Some(node) = shard.get_mut(&ino)
        {
            node.refused = Some(why);
        }
    }

    /// What its writers are to be told of such bytes, once.
    pub(super) fn take_refused(&self, ino: Ino) -> Option<Errno> {
        self.shard(ino)?.get_mut(&ino)?.refused.take()
    }

    /// Forgets everything; the inodes that were kept open.
    pub(super) fn clear(&self) -> Vec<Ino> {
        let taken =
            self.shards.iter().map(|shard| std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner)));
        taken.flatten().filter_map(|(ino, node)| node.kept.then_some(ino)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lost_its_name_is_kept_until_it_is_forgotten_as_often_as_it_was_handed_over() {
        let nodes = Nodes::new();
        let ino = Ino(77);
        assert!(!nodes.keep(ino), "nobody knows it");
        nodes.hand_over(ino);
        nodes.hand_over(ino);
        assert!(nodes.keep(ino));
        assert!(!nodes.keep(ino), "once is enough");
        assert!(!nodes.forget(ino, 1));
        assert!(nodes.forget(ino, 1));
        assert!(!nodes.forget(ino, 1) && !nodes.keep(ino));
    }

    #[test]
    fn writers_are_told_once_what_was_refused_and_later_ones_nothing() {
        let nodes = Nodes::new();
        let ino = Ino(77);
        nodes.refused(ino, Errno::NOSPC);
        assert_eq!(nodes.take_refused(ino), None, "nobody knows it");
        nodes.hand_over(ino);
        nodes.writer_came(ino);
        nodes.writer_came(ino);
        nodes.refused(ino, Errno::NOSPC);
        nodes.writer_left(ino);
        assert_eq!(nodes.writers(), [ino]);
        assert_eq!(nodes.take_refused(ino), Some(Errno::NOSPC));
        assert_eq!(nodes.take_refused(ino), None);
        nodes.refused(ino, Errno::IO);
        nodes.writer_left(ino);
        assert_eq!(nodes.take_refused(ino), None);
        assert!(nodes.knows(ino) && nodes.writers().is_empty());
        nodes.forget(ino, 1);
        assert!(!nodes.knows(ino) && nodes.knows(Ino::ROOT));
    }

    #[test]
    fn what_has_a_name_is_forgotten_without_a_trace() {
        let nodes = Nodes::new();
        for ino in (1..500).map(Ino) {
            nodes.hand_over(ino);
        }
        assert!(nodes.keep(Ino(65)) && nodes.keep(Ino(1)));
        for ino in (2..65).map(Ino) {
            assert!(!nodes.forget(ino, 1));
        }
        let mut left = nodes.clear();
        left.sort_unstable();
        assert_eq!(left, [Ino(1), Ino(65)]);
        assert!(nodes.clear().is_empty());
    }
}
