//! Rows as what they stand for.

use std::sync::Arc;

use pv::{Epoch, ExtentSize, FlushNo, LeIndex, PvUuid, SliceId};
use rusqlite::Row;

use super::row::Value;
use crate::limits::{check_name, is_attribute};
use crate::{Attr, Ino, Kind};

#[derive(Debug, Clone)]
pub(crate) struct FsRow {
    pub(crate) name_key: u64,
    pub(crate) lv: Arc<[u8]>,
    pub(crate) next_ino: u64,
    pub(crate) files: u64,
    /// Checksum of the committed row.
    pub(crate) sum: u64,
}

pub(crate) struct InodeRow {
    pub(crate) attr: Attr,
    pub(crate) generation: u64,
    pub(crate) flags: u64,
    pub(crate) project: u64,
    pub(crate) parent: Ino,
    pub(crate) target: Option<Arc<[u8]>>,
    /// Sum of what is below: entries of a directory, or the map of a file.
    pub(crate) below: u64,
    /// Sum of the extended attributes.
    pub(crate) xattr_sum: u64,
    /// Checksum of the committed row; 0 for none.
    pub(crate) sum: u64,
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

/// A slice that more map entries name moves whole. Part of the format: live bytes are counted by it.
const NAMED_MAX: u32 = 1024;

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
    /// Checksum of the committed row; 0 for none.
    pub(crate) sum: u64,
}

impl SliceRow {
    /// Bytes that it takes in its extent: those that files name, each once where they share the slice. (Where they share
    /// parts of it, at most those.) All of it where too many entries name it to move it in pieces.
    pub(crate) fn occupied(&self) -> u64 {
        if self.moves_whole() { self.raw.into() } else { self.live.min(self.raw.into()) }
    }

    /// Whether so many entries name it that they are not turned over one by one when its bytes move.
    pub(crate) fn moves_whole(&self) -> bool {
        self.refs > NAMED_MAX
    }

    /// Whether a map entry of `ino` stands where the slice was written for. All others have borrowed its bytes.
    pub(crate) fn is_home_of(&self, ino: Ino, entry: &MapRow) -> bool {
        ino == self.ino && entry.off.checked_sub(u64::from(entry.skip)) == Some(self.off)
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
    /// Checksum of the row.
    pub(crate) sum: u64,
}

pub(crate) struct PvRow {
    pub(crate) pv: PvUuid,
    pub(crate) epoch: Epoch,
    pub(crate) flush: FlushNo,
    /// Checksum of the row.
    pub(crate) sum: u64,
}

/// One row's columns, taken in order.
#[derive(Clone)]
pub(crate) struct Columns<'a>(std::slice::Iter<'a, Value>);

impl<'a> Columns<'a> {
    pub(crate) fn of(values: &'a [Value]) -> Self {
        Self(values.iter())
    }

    pub(crate) fn int(&mut self) -> Option<i64> {
        match self.0.next()? {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }
    pub(crate) fn u64(&mut self) -> Option<u64> {
        u64::try_from(self.int()?).ok()
    }

    /// A number of which every bit means something.
    pub(crate) fn bits(&mut self) -> Option<u64> {
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

pub(crate) fn inode_from(mut c: Columns<'_>) -> Option<InodeRow> {
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
    let (below, xattr_sum, _row_txg) = (c.bits()?, c.bits()?, c.u64()?);
    Some(InodeRow { attr, generation, flags, project, parent, target, below, xattr_sum, sum: c.bits()? })
}

pub(crate) fn dirent_from(mut c: Columns<'_>) -> Option<DirentRow> {
    let (_fs, _parent) = (c.int()?, c.u64()?);
    let row = DirentRow { cookie: c.u64()?, name: c.blob()?, ino: Ino(c.u64()?), kind: Kind::from_code(c.int()?)? };
    // Whoever makes files of the host by these names relies on it.
    check_name(&row.name).is_ok().then_some(row)
}

pub(crate) fn map_from(mut c: Columns<'_>) -> Option<MapRow> {
    let (_fs, _ino) = (c.int()?, c.u64()?);
    Some(MapRow { off: c.u64()?, len: c.u32()?, slice: SliceId(c.u64()?), skip: c.u32()? })
}

/// Whether a map row says that its slice was written for another place.
pub(crate) fn map_is_borrowed(mut c: Columns<'_>) -> Option<bool> {
    c.0.nth(6).map(|value| *value != Value::Int(0))
}

pub(crate) fn slice_from(mut c: Columns<'_>) -> Option<SliceRow> {
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
        sum: c.bits()?,
    })
}

pub(crate) fn le_from(mut c: Columns<'_>) -> Option<LeRow> {
    Some(LeRow {
        le: LeIndex(c.u32()?),
        epoch: Epoch(c.u64()?),
        flush: FlushNo(c.u64()?),
        live: c.u64()?,
        fill: c.u32()?,
        since: if c.null() { None } else { Some(c.u64()?) },
        sum: c.bits()?,
    })
}

pub(crate) fn pv_from(mut c: Columns<'_>) -> Option<PvRow> {
    let pv = <[u8; 16]>::try_from(c.blob()?.as_ref()).ok()?;
    Some(PvRow { pv: PvUuid::from_bytes(pv), epoch: Epoch(c.u64()?), flush: FlushNo(c.u64()?), sum: c.bits()? })
}

pub(crate) fn fs_from(mut c: Columns<'_>) -> Option<FsRow> {
    let (_fs, lv) = (c.int()?, c.blob()?);
    if !c.null() {
        c.int()?;
    }
    let _born = c.int()?;
    let (name_key, next_ino, files, _row_txg) = (c.bits()?, c.u64()?, c.u64()?, c.u64()?);
    Some(FsRow { lv, name_key, next_ino, files, sum: c.bits()? })
}

pub(crate) fn xattr_from(mut c: Columns<'_>) -> Option<XattrRow> {
    let (_fs, _ino) = (c.int()?, c.int()?);
    let row = XattrRow { name: c.blob()?, value: c.blob()? };
    is_attribute(&row.name, row.value.len()).then_some(row)
}

pub(crate) fn values_of(row: &Row<'_>) -> rusqlite::Result<Vec<Value>> {
    let count = row.as_ref().column_count();
    let mut values = Vec::with_capacity(count);
    for index in 0..count {
        values.push(match row.get_ref(index)? {
            rusqlite::types::ValueRef::Integer(value) => Value::Int(value),
            rusqlite::types::ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
            _ => Value::Null,
        });
    }
    Ok(values)
}
