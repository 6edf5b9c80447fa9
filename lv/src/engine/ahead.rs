//! Rows that are likely to be asked for next, loaded together: a query of the catalogue costs more than its rows.
//!
//! Nothing depends on them. What cannot be read, or is not sound, is left to whoever asks for it, and what is in memory
//! already is newer.

use super::directory::{Directory, bucket_at};
use super::inode::Inode;
use super::state::{FS, State};
use super::xattr::Xattrs;
use crate::Ino;
use crate::catalogue::InodeRow;

/// Inodes loaded after one that was asked for.
const INODES: u64 = 32;
/// Inodes that may be left out where they are asked for in their order.
const STEP: u64 = 8;
/// Once as many buckets of a directory were asked for one by one as this part of its entries, the others are loaded: a
/// directory that is dropped from memory again costs no more than a few times what it would have cost so.
const PART: u64 = 8;
/// A directory may take this part of the rows that are kept in memory.
const SHARE: usize = 4;

impl State {
    /// An inode that was read comes into memory.
    pub(super) fn keep_inode(&mut self, row: InodeRow, xattrs: bool) -> &mut Inode {
        let ino = row.attr.ino;
        let mut inode = Inode::new(row, false, self.committed);
        if !xattrs && inode.xattr_sum == 0 {
            inode.xattrs = Some(Xattrs::new());
        }
        self.entries = self.entries.saturating_add(1);
        self.inodes.entry(ino).or_insert(inode)
    }

    /// Where inodes are asked for in their order, those after `ino`.
    pub(super) fn inodes_after(&mut self, ino: Ino) {
        let in_order = ino.0.checked_sub(self.ahead).is_some_and(|step| (1..=STEP).contains(&step));
        self.ahead = ino.0;
        if !in_order {
            return;
        }
        let (first, last) = (ino.0.saturating_add(1), ino.0.saturating_add(INODES));
        for (row, xattrs) in self.reader.inodes_between(FS, Ino(first), Ino(last)).unwrap_or_default() {
            if !self.inodes.contains_key(&row.attr.ino) {
                // The first to go again, unless somebody wants it.
                self.keep_inode(row, xattrs).used = false;
            }
        }
        self.ahead = last;
    }

    /// A bucket of a directory is not in memory: when that has been so often enough, all others come, too.
    pub(super) fn directory_around(&mut self, ino: Ino) {
        let size = self.inodes.get(&ino).map_or(u64::MAX, |inode| inode.attr.size);
        let dir = self.dirs.entry(ino).or_default();
        dir.missed = dir.missed.saturating_add(1);
        let fits = usize::try_from(size).is_ok_and(|size| size <= self.rows_kept / SHARE);
        if !fits || dir.missed < size / PART {
            return;
        }
        dir.missed = 0;
        if let Some(rows) = self.reader.dirents_ahead(FS, ino) {
            let mut all = Directory { complete: true, ..Directory::loaded(rows, self.committed) };
            let dir = self.dirs.entry(ino).or_default();
            self.entries = self.entries.saturating_add(all.buckets.len()).saturating_sub(dir.buckets.len());
            // What is in memory is the truth, also about what is gone.
            all.buckets.append(&mut dir.buckets);
            all.verified = dir.verified;
            *dir = all;
        }
    }
}

impl Directory {
    /// Entries that were read.
    pub(super) fn loaded(rows: Vec<crate::catalogue::DirentRow>, committed: pv::Txg) -> Self {
        let mut loaded = Self::default();
        for row in rows {
            let bucket = loaded.buckets.entry(bucket_at(row.cookie)).or_default();
            (bucket.stamp, bucket.used) = (committed, true);
            bucket.entries.push(row);
        }
        loaded
    }
}
