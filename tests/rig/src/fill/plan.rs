//! What one cycle is like, drawn from its seed.

use super::ground::Kind;
use crate::prng::Prng;

/// How large files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Up to 600 bytes: inside the metadata volume.
    Tiny,
    /// Up to 40 KiB.
    Small,
    /// Up to 4 MiB.
    Large,
    /// All of these.
    Mixed,
}

/// What one cycle is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Size of the host filesystem.
    pub(crate) host: u64,
    pub(crate) pvs: u8,
    pub(crate) copies: u32,
    pub(crate) extent: u64,
    pub(crate) threads: bool,
    pub(crate) sizes: Sizes,
    /// An fsync after one file in so many; 0: none.
    pub(crate) fsync: u64,
    /// Another program takes the host's space between.
    pub(crate) ballast: bool,
    /// Fills and deletes, one after the other.
    pub(crate) turns: u32,
}

const MIB: u64 = 1 << 20;

impl Plan {
    pub(crate) fn draw(seed: u64, kinds: &[Kind]) -> Self {
        let mut rng = Prng::derived(seed, &[1]);
        let kind = kinds[rng.index(kinds.len())];
        let extent = [64 << 10, 128 << 10, 256 << 10, 256 << 10, MIB][rng.index(5)];
        let sizes = [Sizes::Tiny, Sizes::Small, Sizes::Large, Sizes::Mixed, Sizes::Mixed][rng.index(5)];
        // Many files take long.
        let host = if sizes == Sizes::Tiny { 12 + rng.below(4) } else { 16 + rng.below(24) };
        Self {
            kind,
            host: host * MIB,
            pvs: 1 + u8::try_from(rng.below(3)).unwrap_or(0),
            copies: 1 + u32::try_from(rng.below(2)).unwrap_or(0),
            extent,
            threads: kind != Kind::Memory && !rng.one_in(3),
            sizes,
            // After each of very many files it takes long.
            fsync: [0, if sizes == Sizes::Tiny { 20 } else { 1 }, 7, 50][rng.index(4)],
            ballast: rng.one_in(2),
            turns: 2 + u32::try_from(rng.below(2)).unwrap_or(0),
        }
    }

    /// The length of the next file.
    pub(crate) fn length(&self, rng: &mut Prng) -> u64 {
        let sizes = match self.sizes {
            Sizes::Mixed => [Sizes::Tiny, Sizes::Small, Sizes::Small, Sizes::Large][rng.index(4)],
            other => other,
        };
        match sizes {
            Sizes::Tiny => 1 + rng.below(600),
            Sizes::Small => 1 + rng.below(40 << 10),
            Sizes::Large | Sizes::Mixed => 1 + rng.below(4 * MIB),
        }
    }
}
