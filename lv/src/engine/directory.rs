//! Directory entries in memory, by bucket.
//!
//! An entry's cookie is its name's keyed hash (56 bits) and a number among equal hashes (7 bits): stable listing
//! positions without a second index. A bucket is all entries of one hash; a bucket in memory is the truth, whatever the
//! catalogue still says.

use std::collections::BTreeMap;

use pv::Txg;
use twox_hash::XxHash3_64;

use super::state::{FS, State};
use crate::catalogue::{DirentRow, entry_mark};
use crate::{Ino, Kind, Result};

/// Directories of up to this many entries come into memory as a whole.
const WHOLE: u64 = 256;
/// Directories of up to this many entries are counted and added up before the first name is looked up in them; larger
/// ones only before they are listed.
pub(crate) const VERIFIED: u64 = 65_536;

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
    /// Its committed entries were once counted and added up, and are what the directory says.
    pub(crate) verified: bool,
    /// Buckets that were asked for and not in memory, since the directory was last loaded as a whole.
    pub(crate) missed: u64,
}

impl State {
    /// Sees to it, once, that no committed entry of a directory is missing or old, unless there are more than `most`. A
    /// name that is not found then is not there.
    pub(crate) fn verify_directory(&mut self, ino: Ino, most: u64) -> Result<()> {
        if self.dirs.get(&ino).is_some_and(|dir| dir.complete || dir.verified) {
            return Ok(());
        }
        let inode = self.inode(ino)?;
        let (size, below) = (inode.attr.size, inode.below);
        if inode.attr.kind != Kind::Directory || size > most {
            return Ok(());
        }
        // Names that wait for their commit are ahead of the catalogue.
        let committed = self.committed;
        if self.dirs.get(&ino).is_some_and(|dir| dir.buckets.values().any(|bucket| bucket.stamp > committed)) {
            return Ok(());
        }
        let found = if size <= WHOLE { self.load_directory(ino)? } else { self.reader.dirents_sum(FS, ino)? };
        if found == (size, below) {
            let dir = self.dirs.entry(ino).or_default();
            dir.verified = size > WHOLE;
            return Ok(());
        }
        self.dirs.remove(&ino);
        let (path, there) = (self.path_of(ino), found.0);
        let path = path.escape_ascii();
        Err(self.damaged(format!("the names in {path} are not all there, or old ({there} of {size} found)")))
    }

    /// Brings all entries into memory; their number and sum.
    fn load_directory(&mut self, ino: Ino) -> Result<(u64, u64)> {
        let rows = self.reader.dirents_between(FS, ino, 0, i64::MAX.unsigned_abs())?;
        let sum = rows.iter().fold(0u64, |sum, row| sum.wrapping_add(entry_mark(row)));
        let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let loaded = Directory { complete: true, ..Directory::loaded(rows, self.committed) };
        self.entries = self.entries.saturating_add(loaded.buckets.len());
        self.dirs.insert(ino, loaded);
        Ok((count, sum))
    }
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
