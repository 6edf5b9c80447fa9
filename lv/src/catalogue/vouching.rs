//! Reading what vouches for rows: windows, and sums over many rows.

use super::decode::{Columns, dirent_from};
use super::reader::{CatalogueReader, Query};
use super::row::Table;
use super::sums::entry_mark;
use crate::{Ino, Result};

const WINDOW: Query = Query::new(Table::Window, 3, "SELECT * FROM window WHERE fs=? AND ino=? AND win=?");
const WINDOW_NEXT: &str = "SELECT win FROM window WHERE fs=? AND ino=? AND win>=? ORDER BY win LIMIT 1";
const DIRENTS: Query = Query::new(Table::Dirent, 2, "SELECT * FROM dirent WHERE fs=? AND parent=?");

/// What vouches for the entries of a window of a map after the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WindowRow {
    pub(crate) window: u64,
    /// What the window's entries add up to.
    pub(crate) below: u64,
    /// Checksum of the row.
    pub(crate) sum: u64,
}

pub(crate) fn window_from(mut c: Columns<'_>) -> Option<WindowRow> {
    let (_fs, _ino) = (c.int()?, c.int()?);
    let (window, below, _row_txg) = (c.u64()?, c.bits()?, c.u64()?);
    Some(WindowRow { window, below, sum: c.bits()? })
}

impl CatalogueReader {
    /// The row of a window of a map after the first; there is none for a window without entries.
    pub(crate) fn window(&self, fs: i64, ino: Ino, window: u64) -> Result<Option<WindowRow>> {
        Ok(self.rows(&WINDOW, &[fs, ino.0.cast_signed(), window.cast_signed()], window_from)?.pop())
    }

    /// The first window with a row at or after `window`.
    pub(crate) fn window_next(&self, fs: i64, ino: Ino, window: u64) -> Result<Option<u64>> {
        let key = (fs, ino.0.cast_signed(), i64::try_from(window).unwrap_or(i64::MAX));
        let mut statement = self.connection()?.prepare_cached(WINDOW_NEXT).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(key).map_err(|e| self.fail(e))?;
        let Some(row) = rows.next().map_err(|e| self.fail(e))? else { return Ok(None) };
        row.get::<_, i64>(0).map(|window| Some(window.cast_unsigned())).map_err(|e| self.fail(e))
    }

    /// Number and sum of all entries of a directory. O(entries), without keeping them.
    pub(crate) fn dirents_sum(&self, fs: i64, parent: Ino) -> Result<(u64, u64)> {
        let (mut count, mut sum) = (0u64, 0u64);
        self.each(&DIRENTS, &[fs, parent.0.cast_signed()], dirent_from, |entry| {
            count = count.saturating_add(1);
            sum = sum.wrapping_add(entry_mark(&entry));
        })?;
        Ok((count, sum))
    }
}
