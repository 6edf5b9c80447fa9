//! What vouches for what: sums by which a row that is missing, old or too many is noticed.
//!
//! A row's own checksum says that it is as it was once written, not that it is the newest or that all are there: a page
//! of the file that falls back to an older state is full of valid rows. So each group of rows has a sum in a row above:
//!
//! * a directory's entries, the first window of a file's map and an inode's extended attributes: in the inode's row;
//! * the entries of each later window of a map: in its window row;
//! * the rows of all other tables, inodes and windows included: in the state row.
//!
//! Sums add up modulo 2^64, so that a change costs a subtraction and an addition.

use pv::{SliceId, row_sum};

use super::row::Table;
use super::{DirentRow, MapRow};

/// A file's map is vouched for, and loaded, by windows of this many bytes of the file; no entry crosses a window's end.
pub(crate) const WINDOW: u64 = 16 * 1024 * 1024;

/// Sums over the checksums of the rows of whole tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// The tables `inode` and `window`.
    pub(crate) inodes: u64,
    pub(crate) slices: u64,
    pub(crate) les: u64,
    /// The tables `pv` and `fs`.
    pub(crate) others: u64,
}

impl Totals {
    /// A row of `table` with the sum `old` (0 for none) has become one with the sum `new` (0 for none).
    pub(crate) fn change(&mut self, table: Table, old: u64, new: u64) {
        let total = match table {
            Table::Inode | Table::Window => &mut self.inodes,
            Table::Slice => &mut self.slices,
            Table::Le => &mut self.les,
            Table::Pv | Table::Fs => &mut self.others,
            Table::State | Table::Dirent | Table::Map | Table::Xattr => return,
        };
        *total = total.wrapping_sub(old).wrapping_add(new);
    }

    pub(crate) fn columns(&self) -> [u64; 4] {
        [self.inodes, self.slices, self.les, self.others]
    }

    pub(crate) fn from_columns([inodes, slices, les, others]: [u64; 4]) -> Self {
        Self { inodes, slices, les, others }
    }
}

fn mark(table: Table, numbers: &[u64], name: &[u8], value: &[u8]) -> u64 {
    let mut bytes = Vec::with_capacity(numbers.len().saturating_mul(8).saturating_add(name.len()).saturating_add(8));
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(value);
    row_sum(table.code(), &bytes).cast_unsigned()
}

/// What an entry adds to its directory's sum.
pub(crate) fn entry_mark(row: &DirentRow) -> u64 {
    mark(Table::Dirent, &[row.cookie, row.ino.0, row.kind.code().cast_unsigned()], &row.name, &[])
}

/// What a map entry adds to its window's sum.
pub(crate) fn map_mark(row: &MapRow) -> u64 {
    let MapRow { off, len, slice: SliceId(slice), skip } = *row;
    mark(Table::Map, &[off, len.into(), slice, skip.into()], &[], &[])
}

/// What an extended attribute adds to its inode's sum.
pub(crate) fn xattr_mark(name: &[u8], value: &[u8]) -> u64 {
    mark(Table::Xattr, &[], name, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_return_to_where_they_were() {
        let mut totals = Totals::default();
        totals.change(Table::Le, 0, 5);
        totals.change(Table::Le, 0, u64::MAX);
        let before = totals;
        totals.change(Table::Le, 5, 9);
        assert_ne!(totals, before);
        totals.change(Table::Le, 9, 5);
        assert_eq!(Totals::from_columns(totals.columns()), before);
    }

    #[test]
    fn what_is_in_another_place_has_another_mark() {
        let row = MapRow { off: 0, len: 10, slice: SliceId(3), skip: 0 };
        assert_ne!(map_mark(&row), map_mark(&MapRow { off: 10, ..row }));
        assert_ne!(xattr_mark(b"ab", b"c"), xattr_mark(b"a", b"bc"));
    }
}
