//! What must be there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use crate::fs::bytes;

/// A file: what its bytes follow from, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) seed: u64,
    pub(super) len: usize,
}

impl Content {
    /// Its seed, its length, then bytes that follow from the seed: a file says itself what it should be.
    pub(super) fn bytes(self) -> Vec<u8> {
        let mut all = self.seed.to_le_bytes().to_vec();
        all.extend_from_slice(&(self.len as u64).to_le_bytes());
        all.extend_from_slice(&bytes(self.seed, self.len));
        all
    }

    /// What a file says it is, if that is what it is.
    pub(super) fn of(all: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_le_bytes(all.get(at..at + 8)?.try_into().ok()?));
        let content = Self { seed: word(0)?, len: usize::try_from(word(8)?).ok()? };
        (content.len == all.len() - 16 && content.bytes() == all).then_some(content)
    }
}

/// A logical volume that one racer alone changes.
#[derive(Debug, Clone, Default)]
pub(super) struct OwnVolume {
    pub(super) extents: u32,
    pub(super) files: BTreeMap<String, Content>,
}

/// Logical volumes that belong to nobody.
pub(super) const SHARED: [&str; 2] = ["s0", "s1"];

/// One that all extend and nobody removes.
pub(super) const GROWING: &str = "grows";

/// How often each of them was made, less how often it was removed; extents that were added to the one that grows.
#[derive(Debug, Default)]
pub(super) struct Shared([AtomicI64; 2], AtomicU32);

impl Shared {
    pub(super) fn made(&self, number: usize) {
        self.0[number].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn removed(&self, number: usize) {
        self.0[number].fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn grew(&self, extents: u32) {
        self.1.fetch_add(extents, Ordering::Relaxed);
    }

    /// Extents of the volume that grows.
    pub(super) fn grown(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }

    /// Makings and removals that succeeded took turns: when all have returned, this is 0 or 1.
    pub(super) fn standing(&self, number: usize) -> i64 {
        self.0[number].load(Ordering::Relaxed)
    }
}
