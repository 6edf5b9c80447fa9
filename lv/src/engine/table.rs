//! Hash tables of the engine: fast for numbers, and in the rig of the same order in every run.
//!
//! What order a table has decides what is evicted or written first, so a run repeats only if the tables do. Elsewhere
//! each volume has a seed of its own: numbers in a file that was made to slow readers down find no common bucket.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use foldhash::fast::FixedState;
use pv::Env;

/// A table under keys that the engine gave out.
pub(crate) type Table<K, V> = HashMap<K, V, FixedState>;

/// The hash function of one volume's tables.
pub(super) fn hasher(env: &Env) -> FixedState {
    FixedState::with_seed(if env.threads { RandomState::new().hash_one(0) } else { 0 })
}
