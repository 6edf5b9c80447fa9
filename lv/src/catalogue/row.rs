//! Catalogue rows as values: one shape for binding, checksums and the stored delta.

use std::sync::Arc;

use pv::row_sum;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// A column's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Blob(Arc<[u8]>),
}

impl Value {
    pub(crate) fn unsigned(value: u64) -> Self {
        Self::Int(value.cast_signed())
    }

    fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.as_ref()))
    }
}

/// A table with checksummed rows. The numbers are part of the format (checksums and stored deltas contain them).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Table {
    State = 1,
    Pv = 2,
    Fs = 3,
    Inode = 4,
    Dirent = 5,
    Map = 6,
    Slice = 7,
    Le = 8,
    Xattr = 9,
    /// A window of a file's map after the first. (10 marks stored deltas, 11 what a file says of its log.)
    Window = 11,
}

impl Table {
    const ALL: [Self; 10] = [
        Self::State,
        Self::Pv,
        Self::Fs,
        Self::Inode,
        Self::Dirent,
        Self::Map,
        Self::Slice,
        Self::Le,
        Self::Xattr,
        Self::Window,
    ];

    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Pv => 2,
            Self::Fs => 3,
            Self::Inode => 4,
            Self::Dirent => 5,
            Self::Map => 6,
            Self::Slice => 7,
            Self::Le => 8,
            Self::Xattr => 9,
            Self::Window => 11,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.code() == code)
    }

    /// Its name in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Pv => "pv",
            Self::Fs => "fs",
            Self::Inode => "inode",
            Self::Dirent => "dirent",
            Self::Map => "map",
            Self::Slice => "slice",
            Self::Le => "le",
            Self::Xattr => "xattr",
            Self::Window => "window",
        }
    }

    /// Its key columns, as a list for SQL.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::State | Self::Slice => "id",
            Self::Pv => "pv",
            Self::Fs => "fs",
            Self::Inode => "fs, ino",
            Self::Window => "fs, ino, win",
            Self::Dirent => "fs, parent, cookie",
            Self::Map => "fs, ino, off",
            Self::Le => "le",
            Self::Xattr => "fs, ino, name",
        }
    }

    /// How many of its first columns are its key.
    pub(crate) const fn key_columns(self) -> usize {
        match self {
            Self::State | Self::Pv | Self::Fs | Self::Slice | Self::Le => 1,
            Self::Inode => 2,
            Self::Dirent | Self::Map | Self::Xattr | Self::Window => 3,
        }
    }

    /// Writes a whole row, its checksum last.
    pub(crate) const fn put_sql(self) -> &'static str {
        match self {
            Self::State => "REPLACE INTO state VALUES(?,?,?,?,?,?,?,?,?,?,?)",
            Self::Pv => "REPLACE INTO pv VALUES(?,?,?,?)",
            Self::Fs => "REPLACE INTO fs VALUES(?,?,?,?,?,?,?,?,?)",
            Self::Inode => "REPLACE INTO inode VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            Self::Dirent => "REPLACE INTO dirent VALUES(?,?,?,?,?,?,?,?)",
            Self::Map => "REPLACE INTO map VALUES(?,?,?,?,?,?,?,?,?)",
            Self::Slice => "REPLACE INTO slice VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            Self::Le => "REPLACE INTO le VALUES(?,?,?,?,?,?,?)",
            Self::Xattr => "REPLACE INTO xattr VALUES(?,?,?,?,?,?)",
            Self::Window => "REPLACE INTO window VALUES(?,?,?,?,?,?)",
        }
    }

    /// Deletes the row with this key.
    pub(crate) const fn delete_sql(self) -> &'static str {
        match self {
            Self::State => "DELETE FROM state WHERE id=?",
            Self::Pv => "DELETE FROM pv WHERE pv=?",
            Self::Fs => "DELETE FROM fs WHERE fs=?",
            Self::Inode => "DELETE FROM inode WHERE fs=? AND ino=?",
            Self::Dirent => "DELETE FROM dirent WHERE fs=? AND parent=? AND cookie=?",
            Self::Map => "DELETE FROM map WHERE fs=? AND ino=? AND off=?",
            Self::Slice => "DELETE FROM slice WHERE id=?",
            Self::Le => "DELETE FROM le WHERE le=?",
            Self::Xattr => "DELETE FROM xattr WHERE fs=? AND ino=? AND name=?",
            Self::Window => "DELETE FROM window WHERE fs=? AND ino=? AND win=?",
        }
    }
}

/// One change of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowOp {
    pub(crate) table: Table,
    /// All columns but the checksum, or with `delete` the key columns.
    pub(crate) values: Vec<Value>,
    pub(crate) delete: bool,
    /// Checksum of the columns; 0 with `delete`.
    pub(crate) sum: i64,
}

impl RowOp {
    pub(crate) fn put(table: Table, values: Vec<Value>) -> Self {
        let sum = sum_of(table, &values);
        Self { table, values, delete: false, sum }
    }

    pub(crate) fn delete(table: Table, key: Vec<Value>) -> Self {
        Self { table, values: key, delete: true, sum: 0 }
    }
}

/// Checksum of a row's columns.
pub(crate) fn sum_of(table: Table, values: &[Value]) -> i64 {
    let mut bytes = Vec::with_capacity(values.len().saturating_mul(9).saturating_add(64));
    encode_values(values, &mut bytes);
    row_sum(table.code(), &bytes)
}

fn encode_values(values: &[Value], out: &mut Vec<u8>) {
    for value in values {
        match value {
            Value::Null => out.push(0),
            Value::Int(int) => {
                out.push(1);
                out.extend_from_slice(&int.to_le_bytes());
            }
            Value::Blob(bytes) => {
                out.push(2);
                out.extend_from_slice(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
}

/// A commit's rows as stored for copies that missed it.
pub(crate) fn encode_ops(ops: &[RowOp]) -> Vec<u8> {
    let mut out = Vec::new();
    for op in ops {
        out.push(op.table.code());
        out.push(u8::from(op.delete));
        out.push(u8::try_from(op.values.len()).unwrap_or(u8::MAX));
        encode_values(&op.values, &mut out);
    }
    out
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    fn word(&mut self) -> Option<[u8; 8]> {
        self.bytes(8)?.try_into().ok()
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => Value::Int(i64::from_le_bytes(self.word()?)),
            2 => {
                let len = usize::try_from(u64::from_le_bytes(self.word()?)).ok()?;
                Value::Blob(self.bytes(len)?.into())
            }
            _ => return None,
        })
    }

    fn op(&mut self) -> Option<RowOp> {
        let table = Table::from_code(self.byte()?)?;
        let delete = self.byte()? == 1;
        let count = self.byte()?;
        let values = (0..count).map(|_| self.value()).collect::<Option<Vec<_>>>()?;
        Some(if delete { RowOp::delete(table, values) } else { RowOp::put(table, values) })
    }
}

/// The rows of a stored commit; `None` when the bytes are not one.
pub(crate) fn decode_ops(bytes: &[u8]) -> Option<Vec<RowOp>> {
    let mut reader = Reader(bytes);
    let mut ops = Vec::new();
    while !reader.0.is_empty() {
        ops.push(reader.op()?);
    }
    Some(ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_commit_reads_back_and_refuses_a_torn_one() {
        let ops = vec![
            RowOp::put(Table::Le, vec![Value::Int(-5), Value::Null, Value::Blob(b"abc".as_slice().into())]),
            RowOp::delete(Table::Map, vec![Value::Int(1), Value::Int(2), Value::Int(3)]),
        ];
        let bytes = encode_ops(&ops);
        assert_eq!(decode_ops(&bytes).unwrap(), ops);
        assert_eq!(decode_ops(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn equal_columns_of_different_tables_have_different_checksums() {
        let values = [Value::Int(1), Value::Int(2)];
        assert_ne!(sum_of(Table::Le, &values), sum_of(Table::Map, &values));
        assert_ne!(sum_of(Table::Le, &values), sum_of(Table::Le, &[Value::Int(2), Value::Int(1)]));
    }
}
