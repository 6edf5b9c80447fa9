//! Reading committed rows, each verified by its checksum.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use pv::sqlite::{self, Access};
use pv::{Env, Epoch, LeIndex, SliceId, Txg};
use rusqlite::{Connection, Params, params_from_iter};

use super::copy::state_of;
use super::decode::{
    Columns, DirentRow, FsRow, InodeRow, LeRow, MapRow, PvRow, SliceRow, XattrRow, dirent_from, fs_from, inode_from,
    le_from, map_from, pv_from, slice_from, values_of, xattr_from,
};
use super::row::{Table, Value, sum_of};
use super::schema::{SCHEMA, TUNING};
use super::view::CopyView;
use crate::limits::ATTRIBUTES_MAX;
use crate::{Ino, LvError, Result};

/// A connection that sees the last commit.
///
/// Changes of the state read what they need as they go. One that has changed something and then cannot go on leaves it
/// half done, so the reader remembers that.
#[derive(Debug)]
pub(crate) struct CatalogueReader {
    path: PathBuf,
    connection: Option<Connection>,
    /// The last commit that may be there.
    newest: AtomicU64,
    /// Whoever holds the state has changed it.
    changing: Cell<bool>,
    /// Something could not be read after that.
    torn: Cell<bool>,
}

/// Rows of a table that are asked for by their key.
pub(super) struct Query {
    table: Table,
    sql: &'static str,
    /// How many of the parameters are the row's first columns. A seek in a damaged tree may end at another row.
    same: usize,
}

impl Query {
    pub(super) const fn new(table: Table, same: usize, sql: &'static str) -> Self {
        Self { table, sql, same }
    }
}

/// Inodes, each with whether it has extended attributes, whatever its row says: one statement, since each takes and gives
/// back a lock of the file, which costs more than the look.
macro_rules! inodes {
    ($which:literal) => {
        concat!(
            "SELECT *, EXISTS (SELECT 1 FROM xattr WHERE xattr.fs=inode.fs AND xattr.ino=inode.ino) FROM inode ",
            "WHERE fs=? AND ino ",
            $which
        )
    };
}
const INODE: Query = Query::new(Table::Inode, 2, inodes!("=?"));
const INODES: Query = Query::new(Table::Inode, 1, inodes!("BETWEEN ? AND ?"));
const DIRENT_BUCKET: Query =
    Query::new(Table::Dirent, 2, "SELECT * FROM dirent WHERE fs=? AND parent=? AND cookie BETWEEN ? AND ?");
const DIRENT_PAGE: Query =
    Query::new(Table::Dirent, 2, "SELECT * FROM dirent WHERE fs=? AND parent=? AND cookie>? ORDER BY cookie LIMIT ?");
const DIRENTS_OF: Query = Query::new(Table::Dirent, 2, "SELECT * FROM dirent WHERE fs=? AND parent=? AND ino=?");
const DIRENTS_TO: Query = Query::new(Table::Dirent, 1, "SELECT * FROM dirent WHERE fs=? AND ino=?");
const MAP_WINDOW: Query = Query::new(Table::Map, 2, "SELECT * FROM map WHERE fs=? AND ino=? AND off>=? AND off<?");
const MAP_NEXT: &str = "SELECT off FROM map WHERE fs=? AND ino=? AND off>=? ORDER BY off LIMIT 1";
const BORROWED: &str = "SELECT ino, off, len FROM map WHERE slice=? AND borrowed=1 AND fs=?";
const XATTRS: Query = Query::new(Table::Xattr, 2, "SELECT * FROM xattr WHERE fs=? AND ino=?");
const SLICE: Query = Query::new(Table::Slice, 1, "SELECT * FROM slice WHERE id=?");
const SLICES_OF_LE: Query = Query::new(Table::Slice, 0, "SELECT * FROM slice WHERE le=?");
const INLINE_SLICES: Query =
    Query::new(Table::Slice, 0, "SELECT * FROM slice WHERE le IS NULL AND raw>? ORDER BY id LIMIT ?");
const INLINE_BYTES: &str = "SELECT coalesce(sum(raw), 0) FROM slice WHERE le IS NULL AND raw>?";
const LES: Query = Query::new(Table::Le, 0, "SELECT * FROM le");
const PVS: Query = Query::new(Table::Pv, 0, "SELECT * FROM pv");
const FS: Query = Query::new(Table::Fs, 1, "SELECT * FROM fs WHERE fs=?");
const ORPHANS: &str = "SELECT ino FROM inode WHERE nlink=0 AND fs=?";
const LAST_INODE: &str = "SELECT coalesce(max(ino), 0) FROM inode WHERE fs=?";
const LAST_SLICE: &str = "SELECT coalesce(max(id), 0) FROM slice";

impl CatalogueReader {
    pub(crate) fn open(env: &Env, path: PathBuf) -> Result<Self> {
        let connection = sqlite::open(env, &path, &SCHEMA, &TUNING, Access::ReadOnly)?;
        Ok(Self::new(path, connection))
    }

    /// A reader that sees the commit that `view` sees, for as long as it lives.
    pub(crate) fn of_view(view: CopyView) -> Self {
        let (place, connection) = view.into_parts();
        Self::new(place.path, connection)
    }

    fn new(path: PathBuf, connection: Connection) -> Self {
        connection.set_prepared_statement_cache_capacity(64);
        let (changing, torn) = (Cell::new(false), Cell::new(false));
        Self { path, connection: Some(connection), newest: AtomicU64::new(u64::MAX), changing, torn }
    }

    pub(super) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or(LvError::Closed)
    }

    /// Nobody reads any more.
    pub(crate) fn close(&mut self) {
        self.connection = None;
    }

    /// Somebody takes the state who has changed nothing yet.
    pub(crate) fn begin(&self) {
        self.changing.set(false);
    }

    /// The state is being changed.
    pub(crate) fn changing(&self) {
        self.changing.set(true);
    }

    /// What is needed cannot be read.
    pub(crate) fn failed(&self) {
        if self.changing.get() {
            self.torn.set(true);
        }
    }

    /// Whether a change could not go on.
    pub(crate) fn torn(&self) -> bool {
        self.torn.get()
    }

    /// What was half done has been put back.
    pub(crate) fn mend(&self) {
        self.torn.set(false);
    }

    pub(super) fn fail(&self, source: rusqlite::Error) -> LvError {
        self.failed();
        sqlite::error(&self.path, "read", source).into()
    }

    pub(super) fn rows<T>(
        &self,
        query: &Query,
        params: &[i64],
        from: impl FnMut(Columns<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        self.each(query, params, from, |row| out.push(row))?;
        Ok(out)
    }

    /// Hands over rows one by one.
    pub(super) fn each<T>(
        &self,
        query: &Query,
        params: &[i64],
        mut from: impl FnMut(Columns<'_>) -> Option<T>,
        mut to: impl FnMut(T),
    ) -> Result<()> {
        let mut statement = self.connection()?.prepare_cached(query.sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(params_from_iter(params)).map_err(|e| self.fail(e))?;
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            let values = values_of(row).map_err(|e| self.fail(e))?;
            to(self.verified(query, params, &values, &mut from)?);
        }
        Ok(())
    }

    fn verified<T>(
        &self,
        query: &Query,
        params: &[i64],
        values: &[Value],
        from: impl FnOnce(Columns<'_>) -> Option<T>,
    ) -> Result<T> {
        self.sound(query, params, values, from).map_err(|what| self.damaged(query.table, what))
    }

    /// What a row stands for, or what is wrong with it.
    fn sound<T>(
        &self,
        query: &Query,
        params: &[i64],
        values: &[Value],
        from: impl FnOnce(Columns<'_>) -> Option<T>,
    ) -> Result<T, &'static str> {
        self.verify(query.table, values)?;
        let mut key = values.iter().zip(params).take(query.same);
        if key.any(|(value, wanted)| *value != Value::Int(*wanted)) {
            return Err("stands where another belongs");
        }
        from(Columns::of(values)).ok_or("holds impossible values")
    }

    /// Rows for whoever can do without them: none unless all can be read and are sound.
    fn ahead<T>(
        &self,
        query: &Query,
        params: &[i64],
        mut from: impl FnMut(&mut Vec<Value>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut statement = self.connection.as_ref()?.prepare_cached(query.sql).ok()?;
        let mut rows = statement.query(params_from_iter(params)).ok()?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().ok()? {
            out.push(from(&mut values_of(row).ok()?)?);
        }
        Some(out)
    }

    /// Checks a row, its checksum last, and that it is not of a later commit than the last one.
    fn verify(&self, table: Table, values: &[Value]) -> Result<(), &'static str> {
        let Some((sum, values)) = values.split_last() else { return Ok(()) };
        if *sum != Value::Int(sum_of(table, values)) {
            return Err("does not match its checksum");
        }
        let newest = self.newest.load(Ordering::Relaxed);
        let dated = !matches!(table, Table::State | Table::Pv | Table::Le);
        match values.last() {
            Some(Value::Int(txg)) if dated && txg.cast_unsigned() > newest => {
                Err("is of a later commit than the state row, which is an old one")
            }
            _ => Ok(()),
        }
    }

    /// The epoch that commits are made under by now.
    pub(crate) fn epoch(&self) -> Result<Epoch> {
        Ok(state_of(self.connection()?, &self.path)?.epoch)
    }

    /// From now on rows of commits up to `txg` are expected.
    pub(crate) fn expect_until(&self, txg: Txg) {
        self.newest.store(txg.0, Ordering::Relaxed);
    }

    fn damaged(&self, table: Table, what: &str) -> LvError {
        self.failed();
        LvError::DamagedRow { file: self.path.clone(), what: format!("a row of {table:?} {what}").to_lowercase() }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// An inode, and whether there are extended attributes of it.
    pub(crate) fn inode(&self, fs: i64, ino: Ino) -> Result<Option<(InodeRow, bool)>> {
        let key = [fs, ino.0.cast_signed()];
        let mut statement = self.connection()?.prepare_cached(INODE.sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(key).map_err(|e| self.fail(e))?;
        let Some(row) = rows.next().map_err(|e| self.fail(e))? else { return Ok(None) };
        let mut values = values_of(row).map_err(|e| self.fail(e))?;
        let xattrs = values.pop() != Some(Value::Int(0));
        self.verified(&INODE, &key, &values, inode_from).map(|inode| Some((inode, xattrs)))
    }

    /// Inodes of these numbers, as [`inode`](Self::inode), if nothing keeps them from being read.
    pub(crate) fn inodes_between(&self, fs: i64, first: Ino, last: Ino) -> Option<Vec<(InodeRow, bool)>> {
        let key = [fs, first.0.cast_signed(), last.0.cast_signed()];
        let within = |(row, _): &(InodeRow, bool)| (first..=last).contains(&row.attr.ino);
        self.ahead(&INODES, &key, |values| {
            let xattrs = values.pop() != Some(Value::Int(0));
            self.sound(&INODES, &key, values, inode_from).ok().map(|row| (row, xattrs)).filter(within)
        })
    }

    /// All entries of a directory, if nothing keeps them from being read.
    pub(crate) fn dirents_ahead(&self, fs: i64, parent: Ino) -> Option<Vec<DirentRow>> {
        let key = [fs, parent.0.cast_signed(), 0, i64::MAX];
        self.ahead(&DIRENT_BUCKET, &key, |values| self.sound(&DIRENT_BUCKET, &key, values, dirent_from).ok())
    }

    pub(crate) fn dirents_between(&self, fs: i64, parent: Ino, first: u64, last: u64) -> Result<Vec<DirentRow>> {
        let key = [fs, parent.0.cast_signed(), first.cast_signed(), last.cast_signed()];
        let within = |row: &DirentRow| (first..=last).contains(&row.cookie);
        self.rows(&DIRENT_BUCKET, &key, |columns| dirent_from(columns).filter(within))
    }

    pub(crate) fn dirents_after(&self, fs: i64, parent: Ino, cookie: u64, limit: usize) -> Result<Vec<DirentRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let key = [fs, parent.0.cast_signed(), cookie.cast_signed(), limit];
        self.rows(&DIRENT_PAGE, &key, |columns| dirent_from(columns).filter(|row| row.cookie > cookie))
    }

    /// The entries of a directory that lead to an inode. O(entries).
    pub(crate) fn dirents_of(&self, fs: i64, parent: Ino, ino: Ino) -> Result<Vec<DirentRow>> {
        self.rows(&DIRENTS_OF, &[fs, parent.0.cast_signed(), ino.0.cast_signed()], dirent_from)
    }

    /// All entries that lead to an inode, with their directories. O(all entries).
    pub(crate) fn dirents_to(&self, fs: i64, ino: Ino) -> Result<Vec<(Ino, DirentRow)>> {
        let with_parent = |columns: Columns<'_>| {
            let mut ahead = columns.clone();
            let (_fs, parent) = (ahead.int()?, ahead.u64()?);
            Some((Ino(parent), dirent_from(columns)?))
        };
        self.rows(&DIRENTS_TO, &[fs, ino.0.cast_signed()], with_parent)
    }

    pub(crate) fn map_between(&self, fs: i64, ino: Ino, start: u64, end: u64) -> Result<Vec<MapRow>> {
        let key = [fs, ino.0.cast_signed(), start.cast_signed(), end.cast_signed()];
        self.rows(&MAP_WINDOW, &key, |columns| map_from(columns).filter(|row| (start..end).contains(&row.off)))
    }

    /// Offset of the first map row at or after `start`.
    pub(crate) fn map_next(&self, fs: i64, ino: Ino, start: u64) -> Result<Option<u64>> {
        // Past the end of the last window there is nothing; as a signed number it would be before the first.
        let Ok(start) = i64::try_from(start) else { return Ok(None) };
        let mut statement = self.connection()?.prepare_cached(MAP_NEXT).map_err(|e| self.fail(e))?;
        let mut rows = statement.query((fs, ino.0.cast_signed(), start)).map_err(|e| self.fail(e))?;
        let Some(row) = rows.next().map_err(|e| self.fail(e))? else { return Ok(None) };
        row.get::<_, i64>(0).map(|off| Some(off.cast_unsigned())).map_err(|e| self.fail(e))
    }

    /// Where map rows may be that name a slice which was written for another place: inode, offset and length, as an index
    /// says it, which has no checksums.
    pub(crate) fn borrowed(&self, fs: i64, slice: SliceId) -> Result<Vec<(Ino, u64, u32)>> {
        let mut statement = self.connection()?.prepare_cached(BORROWED).map_err(|e| self.fail(e))?;
        let place = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let found = statement.query_map((slice.0.cast_signed(), fs), place).map_err(|e| self.fail(e))?;
        let mut out = Vec::new();
        for place in found {
            let (ino, off, len) = place.map_err(|e| self.fail(e))?;
            if let (Ok(off), Ok(len)) = (u64::try_from(off), u32::try_from(len)) {
                out.push((Ino(ino.cast_unsigned()), off, len));
            }
        }
        Ok(out)
    }

    pub(crate) fn xattrs(&self, fs: i64, ino: Ino) -> Result<Vec<XattrRow>> {
        // They are in memory together: no more of them than could have been set.
        let mut left = ATTRIBUTES_MAX;
        self.rows(&XATTRS, &[fs, ino.0.cast_signed()], |columns| {
            let row = xattr_from(columns)?;
            left = left.checked_sub(row.name.len())?.checked_sub(row.value.len())?;
            Some(row)
        })
    }

    pub(crate) fn slice(&self, id: SliceId) -> Result<Option<SliceRow>> {
        Ok(self.rows(&SLICE, &[id.0.cast_signed()], slice_from)?.pop())
    }

    pub(crate) fn slices_of(&self, le: LeIndex) -> Result<Vec<SliceRow>> {
        // By an index, which has no checksums.
        self.rows(&SLICES_OF_LE, &[i64::from(le.0)], |columns| slice_from(columns).filter(|row| row.le == Some(le)))
    }

    /// Slices above `tiny` bytes whose data lies in the catalogue itself, oldest first.
    pub(crate) fn inline_slices(&self, tiny: u32, limit: usize) -> Result<Vec<SliceRow>> {
        let key = [i64::from(tiny), i64::try_from(limit).unwrap_or(i64::MAX)];
        self.rows(&INLINE_SLICES, &key, |columns| slice_from(columns).filter(|row| row.le.is_none()))
    }

    /// Bytes of such slices.
    pub(crate) fn inline_bytes(&self, tiny: u32) -> Result<u64> {
        self.connection()?
            .query_row(INLINE_BYTES, [i64::from(tiny)], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
            .map_err(|e| self.fail(e))
    }

    /// Bytes of free pages: the file does not grow for what goes there.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let pages: i64 = self
            .connection()?
            .pragma_query_value(None, "freelist_count", |row| row.get(0))
            .map_err(|e| self.fail(e))?;
        Ok(u64::try_from(pages).unwrap_or(0).saturating_mul(u64::from(TUNING.page_size)))
    }

    /// The highest inode number in use.
    pub(crate) fn last_inode(&self, fs: i64) -> Result<u64> {
        self.highest(LAST_INODE, [fs])
    }

    /// The highest slice number in use.
    pub(crate) fn last_slice(&self) -> Result<u64> {
        self.highest(LAST_SLICE, [])
    }

    fn highest(&self, sql: &str, params: impl Params) -> Result<u64> {
        let found = self.connection()?.query_row(sql, params, |row| row.get::<_, i64>(0)).map_err(|e| self.fail(e))?;
        Ok(u64::try_from(found).unwrap_or(0))
    }

    pub(crate) fn les(&self) -> Result<Vec<LeRow>> {
        self.rows(&LES, &[], le_from)
    }

    pub(crate) fn pvs(&self) -> Result<Vec<PvRow>> {
        self.rows(&PVS, &[], pv_from)
    }

    pub(crate) fn fs(&self, fs: i64) -> Result<Option<FsRow>> {
        Ok(self.rows(&FS, &[fs], fs_from)?.pop())
    }

    pub(crate) fn orphans(&self, fs: i64) -> Result<Vec<Ino>> {
        let mut statement = self.connection()?.prepare_cached(ORPHANS).map_err(|e| self.fail(e))?;
        let rows = statement.query_map([fs], |row| row.get::<_, i64>(0)).map_err(|e| self.fail(e))?;
        let found: Vec<Ino> =
            rows.map(|ino| ino.map(|i| Ino(i.cast_unsigned())).map_err(|e| self.fail(e))).collect::<Result<_>>()?;
        for ino in &found {
            // The index has no checksums: what is taken apart on its word must be an orphan by its own row.
            if self.inode(fs, *ino)?.is_none_or(|(row, _)| row.attr.nlink != 0) {
                return Err(self.damaged(Table::Inode, &format!("({ino}) is listed as deleted and is not")));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::create_catalogue;

    /// As where a seek ends in a page that is of another part of the table.
    #[test]
    fn a_row_that_is_not_the_one_that_was_asked_for_is_damage() {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env { threads: false, ..Env::system() });
        let path = dir.path().join("c.meta");
        let (family, lv) = (pv::FamilyUuid::random().unwrap(), pv::LvUuid::random().unwrap());
        create_catalogue(&env, &path, (family, lv), (1, 0)).unwrap();
        let reader = CatalogueReader::open(&env, path).unwrap();
        assert!(reader.inode(1, Ino::ROOT).unwrap().is_some() && reader.inode(1, Ino(2)).unwrap().is_none());
        let other = |same| Query::new(Table::Inode, same, "SELECT * FROM inode WHERE fs=? AND ino<>?");
        assert_eq!(reader.rows(&other(1), &[1, 2], inode_from).unwrap().len(), 1);
        let found = reader.rows(&other(2), &[1, 2], inode_from).map(|rows| rows.len());
        assert!(matches!(found, Err(LvError::DamagedRow { .. })), "{found:?}");
    }
}
