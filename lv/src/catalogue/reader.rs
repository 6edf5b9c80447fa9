//! Reading committed rows, each verified by its checksum.

use std::path::PathBuf;
use std::sync::Arc;

use pv::sqlite::{self, Access};
use pv::{Env, Epoch, ExtentSize, FlushNo, LeIndex, PvUuid, SliceId};
use rusqlite::{Connection, Params, Row};

use super::row::{Table, Value, sum_of};
use super::schema::{SCHEMA, TUNING};
use crate::limits::{ATTRIBUTES_MAX, check_name, is_attribute};
use crate::{Attr, Ino, Kind, LvError, Result};

/// A connection that sees the last commit.
#[derive(Debug)]
pub(crate) struct CatalogueReader {
    path: PathBuf,
    connection: Connection,
}

#[derive(Debug, Clone)]
pub(crate) struct FsRow {
    pub(crate) name_key: u64,
    pub(crate) lv: Arc<[u8]>,
    pub(crate) next_ino: u64,
    pub(crate) files: u64,
}

pub(crate) struct InodeRow {
    pub(crate) attr: Attr,
    pub(crate) generation: u64,
    pub(crate) flags: u64,
    pub(crate) project: u64,
    pub(crate) parent: Ino,
    pub(crate) target: Option<Arc<[u8]>>,
}

#[derive(Debug, Clone)]
pub(crate) struct DirentRow {
    pub(crate) cookie: u64,
    pub(crate) name: Arc<[u8]>,
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
}

pub(crate) struct XattrRow {
    pub(crate) name: Arc<[u8]>,
    pub(crate) value: Arc<[u8]>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct MapRow {
    pub(crate) off: u64,
    pub(crate) len: u32,
    pub(crate) slice: SliceId,
    pub(crate) skip: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct SliceRow {
    pub(crate) id: SliceId,
    pub(crate) epoch: Epoch,
    pub(crate) le: Option<LeIndex>,
    pub(crate) pos: u32,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    pub(crate) codec: u8,
    pub(crate) refs: u32,
    pub(crate) live: u64,
    pub(crate) ino: Ino,
    pub(crate) off: u64,
    pub(crate) blocks: Arc<[u8]>,
    pub(crate) data: Option<Arc<[u8]>>,
    pub(crate) data_txg: u64,
}

impl SliceRow {
    /// Bytes that it takes in its extent: those that files name, each once where they share the slice. (Where they share
    /// parts of it, at most those.)
    pub(crate) fn occupied(&self) -> u64 {
        self.live.min(u64::from(self.raw))
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LeRow {
    pub(crate) le: LeIndex,
    pub(crate) epoch: Epoch,
    pub(crate) flush: FlushNo,
    pub(crate) live: u64,
    pub(crate) fill: u32,
    pub(crate) since: Option<u64>,
}

pub(crate) struct PvRow {
    pub(crate) pv: PvUuid,
    pub(crate) epoch: Epoch,
    pub(crate) flush: FlushNo,
}

const INODE: &str = "SELECT * FROM inode WHERE fs=? AND ino=?";
const DIRENT_BUCKET: &str = "SELECT * FROM dirent WHERE fs=? AND parent=? AND cookie BETWEEN ? AND ?";
const DIRENT_PAGE: &str = "SELECT * FROM dirent WHERE fs=? AND parent=? AND cookie>? ORDER BY cookie LIMIT ?";
const DIRENTS_OF: &str = "SELECT * FROM dirent WHERE fs=? AND parent=? AND ino=?";
const DIRENTS_TO: &str = "SELECT * FROM dirent WHERE fs=? AND ino=?";
const MAP_WINDOW: &str = "SELECT * FROM map WHERE fs=? AND ino=? AND off>=? AND off<?";
const MAP_NEXT: &str = "SELECT off FROM map WHERE fs=? AND ino=? AND off>=? ORDER BY off LIMIT 1";
const XATTRS: &str = "SELECT * FROM xattr WHERE fs=? AND ino=?";
const SLICE: &str = "SELECT * FROM slice WHERE id=?";
const SLICES_OF_LE: &str = "SELECT * FROM slice WHERE le=?";
const INLINE_SLICES: &str = "SELECT * FROM slice WHERE le IS NULL AND raw>? ORDER BY id LIMIT ?";
const INLINE_BYTES: &str = "SELECT coalesce(sum(raw), 0) FROM slice WHERE le IS NULL AND raw>?";
const LES: &str = "SELECT * FROM le";
const PVS: &str = "SELECT * FROM pv";
const FS: &str = "SELECT * FROM fs WHERE fs=?";
const ORPHANS: &str = "SELECT ino FROM inode WHERE nlink=0 AND fs=?";
const LAST_INODE: &str = "SELECT coalesce(max(ino), 0) FROM inode WHERE fs=?";
const LAST_SLICE: &str = "SELECT coalesce(max(id), 0) FROM slice";

/// One row's columns, taken in order.
struct Columns<'a>(std::slice::Iter<'a, Value>);

impl Columns<'_> {
    fn int(&mut self) -> Option<i64> {
        match self.0.next()? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }
    fn u64(&mut self) -> Option<u64> {
        u64::try_from(self.int()?).ok()
    }
    /// A number of which every bit means something.
    fn bits(&mut self) -> Option<u64> {
        self.int().map(i64::cast_unsigned)
    }
    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.int()?).ok()
    }
    fn blob(&mut self) -> Option<Arc<[u8]>> {
        match self.0.next()? {
            Value::Blob(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }
    /// Takes a NULL if there is one.
    fn null(&mut self) -> bool {
        let null = matches!(self.0.as_slice().first(), Some(Value::Null));
        if null {
            self.0.next();
        }
        null
    }
}

fn inode_from(mut c: Columns<'_>) -> Option<InodeRow> {
    let (_fs, ino) = (c.int()?, c.u64()?);
    let attr = Attr {
        ino: Ino(ino),
        kind: Kind::from_code(c.int()?)?,
        mode: c.u32()?,
        uid: c.u32()?,
        gid: c.u32()?,
        nlink: c.u32()?,
        size: c.u64()?,
        stored: c.u64()?,
        atime: c.int()?,
        mtime: c.int()?,
        ctime: c.int()?,
        btime: c.int()?,
        rdev: c.bits()?,
    };
    let (generation, flags, project) = (c.u64()?, c.u64()?, c.u64()?);
    let parent = Ino(c.u64()?);
    let target = if c.null() { None } else { Some(c.blob()?) };
    Some(InodeRow { attr, generation, flags, project, parent, target })
}

fn dirent_from(mut c: Columns<'_>) -> Option<DirentRow> {
    let (_fs, _parent) = (c.int()?, c.u64()?);
    let row = DirentRow { cookie: c.u64()?, name: c.blob()?, ino: Ino(c.u64()?), kind: Kind::from_code(c.int()?)? };
    // Whoever makes files of the host by these names relies on it.
    check_name(&row.name).is_ok().then_some(row)
}

fn map_from(mut c: Columns<'_>) -> Option<MapRow> {
    let (_fs, _ino) = (c.int()?, c.u64()?);
    Some(MapRow { off: c.u64()?, len: c.u32()?, slice: SliceId(c.u64()?), skip: c.u32()? })
}

fn slice_from(mut c: Columns<'_>) -> Option<SliceRow> {
    let (id, epoch) = (SliceId(c.u64()?), Epoch(c.u64()?));
    let le = if c.null() { None } else { Some(LeIndex(c.u32()?)) };
    let (pos, stored, raw) = (c.u32()?, c.u32()?, c.u32()?);
    let (codec, refs, live) = (u8::try_from(c.int()?).ok()?, c.u32()?, c.u64()?);
    let (_fs, ino, off) = (c.int()?, Ino(c.u64()?), c.u64()?);
    let blocks = c.blob()?;
    let data = if c.null() { None } else { Some(c.blob()?) };
    if !c.null() {
        c.blob()?;
    }
    let data_txg = c.u64()?;
    let whole = blocks.len().checked_mul(pv::BLOCK / 4)? >= usize::try_from(stored).ok()?;
    // As it is, and never longer than an extent: what is read at once stays small whatever a row says.
    let plain = codec == 0 && stored == raw && raw <= ExtentSize::MAX.get();
    let placed = match &data {
        None => le.is_some(),
        Some(data) => le.is_none() && u32::try_from(data.len()).is_ok_and(|len| len == stored),
    };
    (whole && plain && placed).then_some(SliceRow {
        id,
        epoch,
        le,
        pos,
        stored,
        raw,
        codec,
        refs,
        live,
        ino,
        off,
        blocks,
        data,
        data_txg,
    })
}

fn le_from(mut c: Columns<'_>) -> Option<LeRow> {
    Some(LeRow {
        le: LeIndex(c.u32()?),
        epoch: Epoch(c.u64()?),
        flush: FlushNo(c.u64()?),
        live: c.u64()?,
        fill: c.u32()?,
        since: if c.null() { None } else { Some(c.u64()?) },
    })
}

fn pv_from(mut c: Columns<'_>) -> Option<PvRow> {
    let pv = <[u8; 16]>::try_from(c.blob()?.as_ref()).ok()?;
    Some(PvRow { pv: PvUuid::from_bytes(pv), epoch: Epoch(c.u64()?), flush: FlushNo(c.u64()?) })
}

fn fs_from(mut c: Columns<'_>) -> Option<FsRow> {
    let (_fs, lv) = (c.int()?, c.blob()?);
    if !c.null() {
        c.int()?;
    }
    let _born = c.int()?;
    Some(FsRow { lv, name_key: c.bits()?, next_ino: c.u64()?, files: c.u64()? })
}

fn xattr_from(mut c: Columns<'_>) -> Option<XattrRow> {
    let (_fs, _ino) = (c.int()?, c.int()?);
    let row = XattrRow { name: c.blob()?, value: c.blob()? };
    is_attribute(&row.name, row.value.len()).then_some(row)
}

fn values_of(row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
    (0..row.as_ref().column_count())
        .map(|index| {
            Ok(match row.get_ref(index)? {
                rusqlite::types::ValueRef::Integer(value) => Value::Int(value),
                rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
                _ => Value::Null,
            })
        })
        .collect()
}

impl CatalogueReader {
    pub(crate) fn open(env: &Env, path: PathBuf) -> Result<Self> {
        let connection = sqlite::open(env, &path, &SCHEMA, &TUNING, Access::ReadOnly)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { path, connection })
    }

    fn fail(&self, source: rusqlite::Error) -> LvError {
        sqlite::error(&self.path, "read", source).into()
    }

    fn rows<T>(
        &self,
        table: Table,
        sql: &str,
        params: impl Params,
        mut from: impl FnMut(Columns<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(params).map_err(|e| self.fail(e))?;
        let mut out = Vec::new();
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            let mut values = values_of(row).map_err(|e| self.fail(e))?;
            let sum = values.pop();
            if sum != Some(Value::Int(sum_of(table, &values))) {
                return Err(self.damaged(table, "does not match its checksum"));
            }
            out.push(from(Columns(values.iter())).ok_or_else(|| self.damaged(table, "holds impossible values"))?);
        }
        Ok(out)
    }

    fn damaged(&self, table: Table, what: &str) -> LvError {
        LvError::DamagedRow { file: self.path.clone(), what: format!("a row of {table:?} {what}").to_lowercase() }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    pub(crate) fn inode(&self, fs: i64, ino: Ino) -> Result<Option<InodeRow>> {
        Ok(self.rows(Table::Inode, INODE, (fs, ino.0.cast_signed()), inode_from)?.pop())
    }

    pub(crate) fn dirents_between(&self, fs: i64, parent: Ino, first: u64, last: u64) -> Result<Vec<DirentRow>> {
        let key = (fs, parent.0.cast_signed(), first.cast_signed(), last.cast_signed());
        self.rows(Table::Dirent, DIRENT_BUCKET, key, dirent_from)
    }

    pub(crate) fn dirents_after(&self, fs: i64, parent: Ino, cookie: u64, limit: usize) -> Result<Vec<DirentRow>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let key = (fs, parent.0.cast_signed(), cookie.cast_signed(), limit);
        self.rows(Table::Dirent, DIRENT_PAGE, key, dirent_from)
    }

    /// The entries of a directory that lead to an inode. O(entries).
    pub(crate) fn dirents_of(&self, fs: i64, parent: Ino, ino: Ino) -> Result<Vec<DirentRow>> {
        let key = (fs, parent.0.cast_signed(), ino.0.cast_signed());
        self.rows(Table::Dirent, DIRENTS_OF, key, dirent_from)
    }

    /// All entries that lead to an inode, with their directories. O(all entries).
    pub(crate) fn dirents_to(&self, fs: i64, ino: Ino) -> Result<Vec<(Ino, DirentRow)>> {
        let with_parent = |columns: Columns<'_>| {
            let mut ahead = Columns(columns.0.clone());
            let (_fs, parent) = (ahead.int()?, ahead.u64()?);
            Some((Ino(parent), dirent_from(columns)?))
        };
        self.rows(Table::Dirent, DIRENTS_TO, (fs, ino.0.cast_signed()), with_parent)
    }

    pub(crate) fn map_between(&self, fs: i64, ino: Ino, start: u64, end: u64) -> Result<Vec<MapRow>> {
        let key = (fs, ino.0.cast_signed(), start.cast_signed(), end.cast_signed());
        self.rows(Table::Map, MAP_WINDOW, key, map_from)
    }

    /// Offset of the first map row at or after `start`.
    pub(crate) fn map_next(&self, fs: i64, ino: Ino, start: u64) -> Result<Option<u64>> {
        // Past the end of the last window there is nothing; as a signed number it would be before the first.
        let Ok(start) = i64::try_from(start) else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(MAP_NEXT).map_err(|e| self.fail(e))?;
        let mut rows = statement.query((fs, ino.0.cast_signed(), start)).map_err(|e| self.fail(e))?;
        let Some(row) = rows.next().map_err(|e| self.fail(e))? else { return Ok(None) };
        row.get::<_, i64>(0).map(|off| Some(off.cast_unsigned())).map_err(|e| self.fail(e))
    }

    pub(crate) fn xattrs(&self, fs: i64, ino: Ino) -> Result<Vec<XattrRow>> {
        // They are in memory together: no more of them than could have been set.
        let mut left = ATTRIBUTES_MAX;
        self.rows(Table::Xattr, XATTRS, (fs, ino.0.cast_signed()), |columns| {
            let row = xattr_from(columns)?;
            left = left.checked_sub(row.name.len())?.checked_sub(row.value.len())?;
            Some(row)
        })
    }

    pub(crate) fn slice(&self, id: SliceId) -> Result<Option<SliceRow>> {
        Ok(self.rows(Table::Slice, SLICE, [id.0.cast_signed()], slice_from)?.pop())
    }

    pub(crate) fn slices_of(&self, le: LeIndex) -> Result<Vec<SliceRow>> {
        self.rows(Table::Slice, SLICES_OF_LE, [i64::from(le.0)], slice_from)
    }

    /// Slices above `tiny` bytes whose data lies in the catalogue itself, oldest first.
    pub(crate) fn inline_slices(&self, tiny: u32, limit: usize) -> Result<Vec<SliceRow>> {
        let key = (i64::from(tiny), i64::try_from(limit).unwrap_or(i64::MAX));
        self.rows(Table::Slice, INLINE_SLICES, key, slice_from)
    }

    /// Bytes of such slices.
    pub(crate) fn inline_bytes(&self, tiny: u32) -> Result<u64> {
        self.connection
            .query_row(INLINE_BYTES, [i64::from(tiny)], |row| row.get::<_, i64>(0))
            .map(i64::cast_unsigned)
            .map_err(|e| self.fail(e))
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
        let found = self.connection.query_row(sql, params, |row| row.get::<_, i64>(0)).map_err(|e| self.fail(e))?;
        Ok(u64::try_from(found).unwrap_or(0))
    }

    pub(crate) fn les(&self) -> Result<Vec<LeRow>> {
        self.rows(Table::Le, LES, [], le_from)
    }

    pub(crate) fn pvs(&self) -> Result<Vec<PvRow>> {
        self.rows(Table::Pv, PVS, [], pv_from)
    }

    pub(crate) fn fs(&self, fs: i64) -> Result<Option<FsRow>> {
        Ok(self.rows(Table::Fs, FS, [fs], fs_from)?.pop())
    }

    pub(crate) fn orphans(&self, fs: i64) -> Result<Vec<Ino>> {
        let mut statement = self.connection.prepare_cached(ORPHANS).map_err(|e| self.fail(e))?;
        let rows = statement.query_map([fs], |row| row.get::<_, i64>(0)).map_err(|e| self.fail(e))?;
        rows.map(|ino| ino.map(|i| Ino(i.cast_unsigned())).map_err(|e| self.fail(e))).collect()
    }
}
