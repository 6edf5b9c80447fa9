//! Directory entries in memory, by bucket.
//!
//! An entry's cookie is its name's keyed hash (56 bits) and a number among equal hashes (7 bits): stable listing
//! positions without a second index. A bucket is all entries of one hash; a bucket in memory is the truth, whatever the
//! catalogue still says.

use std::collections::BTreeMap;

use pv::Txg;
use twox_hash::XxHash3_64;

use crate::catalogue::DirentRow;

const NUMBER_BITS: u32 = 7;
/// Largest number among equal hashes.
pub(crate) const LAST_NUMBER: u64 = (1 << NUMBER_BITS) - 1;

/// First cookie of the bucket that `name` belongs to. Never 0.
pub(crate) fn bucket_of(name_key: u64, name: &[u8]) -> u64 {
    let hash = XxHash3_64::oneshot_with_seed(name_key, name) >> 8;
    hash.max(1) << NUMBER_BITS
}

/// First cookie of the bucket that holds `cookie`.
pub(crate) fn bucket_at(cookie: u64) -> u64 {
    cookie & !LAST_NUMBER
}

/// One bucket.
#[derive(Default)]
pub(crate) struct Bucket {
    pub(crate) entries: Vec<DirentRow>,
    pub(crate) stamp: Txg,
    pub(crate) used: bool,
}

impl Bucket {
    pub(crate) fn find(&self, name: &[u8]) -> Option<&DirentRow> {
        self.entries.iter().find(|entry| entry.name.as_ref() == name)
    }

    /// The lowest free cookie.
    pub(crate) fn free_cookie(&self, base: u64) -> Option<u64> {
        (base..=base | LAST_NUMBER).find(|cookie| self.entries.iter().all(|entry| entry.cookie != *cookie))
    }
}

/// What is in memory of one directory.
#[derive(Default)]
pub(crate) struct Directory {
    pub(crate) buckets: BTreeMap<u64, Bucket>,
    /// Made since activation and never dropped from memory: a bucket that is not here is empty.
    pub(crate) complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_leads_back_to_its_bucket_and_fits_a_signed_integer() {
        for n in 0u32..10_000 {
            let base = bucket_of(42, &n.to_le_bytes());
            assert!(base > LAST_NUMBER && i64::try_from(base).is_ok());
            assert_eq!(bucket_at(base + 3), base);
        }
    }
}
