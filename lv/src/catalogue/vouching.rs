//! Reading what vouches for rows: windows, and sums over many rows.

use rusqlite::Connection;

use super::reader::{CatalogueReader, Columns, InodeRow, dirent_from, inode_from};
use super::row::Table;
use super::sums::{Totals, entry_mark};
use crate::{Ino, Result};

const WINDOW: &str = "SELECT * FROM window WHERE fs=? AND ino=? AND win=?";
const WINDOWS: &str = "SELECT * FROM window WHERE fs=? AND ino=? ORDER BY win";
const WINDOW_NEXT: &str = "SELECT win FROM window WHERE fs=? AND ino=? AND win>=? ORDER BY win LIMIT 1";
const DIRENTS: &str = "SELECT * FROM dirent WHERE fs=? AND parent=?";
const INODES: &str = "SELECT * FROM inode WHERE (fs, ino) > (?, ?) ORDER BY fs, ino LIMIT ?";

/// What vouches for the entries of a window of a map after the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowRow {
    pub(crate) window: u64,
    /// What the window's entries add up to.
    pub(crate) below: u64,
    /// Checksum of the row.
    pub(crate) sum: u64,
}

fn window_from(mut c: Columns<'_>) -> Option<WindowRow> {
    let (_fs, _ino) = (c.int()?, c.int()?);
    let (window, below, _row_txg) = (c.u64()?, c.u64()?, c.u64()?);
    Some(WindowRow { window, below, sum: c.u64()? })
}

/// The tables that a total stands for, with all their rows.
const WHOLE: [(Table, &str); 6] = [
    (Table::Inode, "SELECT * FROM inode"),
    (Table::Window, "SELECT * FROM window"),
    (Table::Slice, "SELECT * FROM slice"),
    (Table::Le, "SELECT * FROM le"),
    (Table::Pv, "SELECT * FROM pv"),
    (Table::Fs, "SELECT * FROM fs"),
];

impl CatalogueReader {
    /// The row of a window of a map after the first; there is none for a window without entries.
    pub(crate) fn window(&self, fs: i64, ino: Ino, window: u64) -> Result<Option<WindowRow>> {
        let key = (fs, ino.0.cast_signed(), window.cast_signed());
        Ok(self.rows(Table::Window, WINDOW, key, window_from)?.pop())
    }

    /// The windows of a map after the first, each with what its entries add up to.
    pub(super) fn windows(&self, fs: i64, ino: Ino) -> Result<Vec<(u64, u64)>> {
        let rows = self.rows(Table::Window, WINDOWS, (fs, ino.0.cast_signed()), window_from)?;
        Ok(rows.into_iter().map(|row| (row.window, row.below)).collect())
    }

    /// The first window with a row at or after `window`.
    pub(crate) fn window_next(&self, fs: i64, ino: Ino, window: u64) -> Result<Option<u64>> {
        let key = (fs, ino.0.cast_signed(), i64::try_from(window).unwrap_or(i64::MAX));
        let mut statement = self.connection.prepare_cached(WINDOW_NEXT).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(key).map_err(|e| self.fail(e))?;
        let Some(row) = rows.next().map_err(|e| self.fail(e))? else { return Ok(None) };
        row.get::<_, i64>(0).map(|window| Some(window.cast_unsigned())).map_err(|e| self.fail(e))
    }

    /// Number and sum of all entries of a directory. O(entries), without keeping them.
    pub(crate) fn dirents_sum(&self, fs: i64, parent: Ino) -> Result<(u64, u64)> {
        let (mut count, mut sum) = (0u64, 0u64);
        self.each(Table::Dirent, DIRENTS, (fs, parent.0.cast_signed()), dirent_from, |entry| {
            count = count.saturating_add(1);
            sum = sum.wrapping_add(entry_mark(&entry));
        })?;
        Ok((count, sum))
    }

    /// Inodes of all filesystems in order of their numbers, with their filesystem.
    pub(super) fn inodes_after(&self, after: (i64, i64), limit: usize) -> Result<Vec<(i64, InodeRow)>> {
        let key = (after.0, after.1, i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(Table::Inode, INODES, key, |columns| {
            let fs = columns.ahead().int()?;
            Some((fs, inode_from(columns)?))
        })
    }

    /// What all rows of the tables with a total add up to.
    pub(super) fn totals(&self) -> Result<Totals> {
        let mut totals = Totals::default();
        for (table, sql) in WHOLE {
            self.each(table, sql, [], |mut columns| columns.last(), |sum| totals.change(table, 0, sum))?;
        }
        Ok(totals)
    }

    /// Rows of a table.
    pub(super) fn count(&self, table: Table) -> Result<u64> {
        let sql = match table {
            Table::Dirent => "SELECT count(*) FROM dirent",
            Table::Map => "SELECT count(*) FROM map",
            Table::Xattr => "SELECT count(*) FROM xattr",
            _ => "SELECT count(*) FROM window",
        };
        let count = self.connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|e| self.fail(e))?;
        Ok(count.cast_unsigned())
    }

    /// From now on this connection sees one commit.
    pub(super) fn freeze(&self) -> Result<()> {
        self.connection.execute_batch("BEGIN").map_err(|e| self.fail(e))
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}
