//! Descriptor slots and the epoch promise: opaque documents with their order.

use std::path::Path;

use rusqlite::{Connection, Row, params};

use crate::format::table;
use crate::sqlite::error;
use crate::{Epoch, PvError, Result, Seqno, row_sum};

/// Generations kept on each PV.
pub const GENERATIONS: usize = 8;
/// Longest descriptor in bytes.
pub const MAX_DESCRIPTOR: usize = 4 * 1024 * 1024;

const SELECT: &str = "SELECT epoch, seqno, change_id, parent, body, sum FROM descriptor
    ORDER BY epoch DESC, seqno DESC LIMIT ?1";
const REPLACE: &str = "INSERT OR REPLACE INTO descriptor (epoch, seqno, change_id, parent, body, sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const TRIM: &str = "DELETE FROM descriptor WHERE (epoch, seqno) NOT IN
    (SELECT epoch, seqno FROM descriptor ORDER BY epoch DESC, seqno DESC LIMIT ?1)";
const CLEAR: &str = "DELETE FROM descriptor";
const SELECT_PROMISE: &str = "SELECT epoch, sum FROM promise WHERE id = 1";
const REPLACE_PROMISE: &str = "INSERT OR REPLACE INTO promise (id, epoch, sum) VALUES (1, ?1, ?2)";

/// One generation of a volume group's descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptorCopy {
    /// Promise under which it was written.
    pub epoch: Epoch,
    /// Its number.
    pub seqno: Seqno,
    /// Identifies the change that made it.
    pub change_id: [u8; 16],
    /// Hash of the generation before it.
    pub parent: [u8; 32],
    /// The document.
    pub body: Vec<u8>,
}

/// The descriptor generations of one PV.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Descriptors {
    /// Readable ones, newest last (by epoch, then seqno).
    pub copies: Vec<DescriptorCopy>,
    /// Rows that fail their checksum.
    pub damaged: usize,
}

impl Descriptors {
    /// The newest readable generation.
    pub fn newest(&self) -> Option<&DescriptorCopy> {
        self.copies.last()
    }
}

fn kept() -> i64 {
    i64::try_from(GENERATIONS).unwrap_or(i64::MAX)
}

fn sum(copy: &DescriptorCopy) -> i64 {
    let mut out = Vec::with_capacity(copy.body.len().saturating_add(64));
    out.extend_from_slice(&copy.epoch.0.to_le_bytes());
    out.extend_from_slice(&copy.seqno.0.to_le_bytes());
    out.extend_from_slice(&copy.change_id);
    out.extend_from_slice(&copy.parent);
    out.extend_from_slice(&copy.body);
    row_sum(table::DESCRIPTOR, &out)
}

fn decode(row: &Row<'_>) -> Option<DescriptorCopy> {
    let copy = DescriptorCopy {
        epoch: Epoch(u64::try_from(row.get::<_, i64>(0).ok()?).ok()?),
        seqno: Seqno(u64::try_from(row.get::<_, i64>(1).ok()?).ok()?),
        change_id: row.get(2).ok()?,
        parent: row.get(3).ok()?,
        body: row.get(4).ok()?,
    };
    (row.get::<_, i64>(5).ok()? == sum(&copy)).then_some(copy)
}

/// All generations.
pub(crate) fn read(conn: &Connection, path: &Path) -> Result<Descriptors> {
    let fail = |e| error(path, "read its descriptor copies", e);
    let mut statement = conn.prepare_cached(SELECT).map_err(fail)?;
    // Older ones are not looked at: a file may hold any number.
    let mut rows = statement.query([kept()]).map_err(fail)?;
    let mut out = Descriptors::default();
    while let Some(row) = rows.next().map_err(fail)? {
        match decode(row) {
            Some(copy) => out.copies.push(copy),
            None => out.damaged = out.damaged.saturating_add(1),
        }
    }
    out.copies.reverse();
    Ok(out)
}

/// Stores a generation and drops the oldest, inside the caller's transaction.
pub(crate) fn write(conn: &Connection, path: &Path, copy: &DescriptorCopy) -> Result<()> {
    let refused = |what: &str| PvError::Refused { path: path.to_owned(), what: what.to_owned() };
    if copy.body.len() > MAX_DESCRIPTOR {
        return Err(refused("the descriptor of its volume group is larger than 4 MiB"));
    }
    let number = |n: u64| i64::try_from(n).map_err(|_| refused("a number of the descriptor is too large"));
    let (epoch, seqno) = (number(copy.epoch.0)?, number(copy.seqno.0)?);
    let run = || {
        conn.prepare_cached(REPLACE)?.execute(params![
            epoch,
            seqno,
            copy.change_id.as_slice(),
            copy.parent.as_slice(),
            copy.body,
            sum(copy)
        ])?;
        conn.prepare_cached(TRIM)?.execute([kept()])
    };
    run().map(drop).map_err(|e| error(path, "write a descriptor copy", e))
}

/// Forgets all generations, inside the caller's transaction.
pub(crate) fn clear(conn: &Connection, path: &Path) -> Result<()> {
    conn.execute(CLEAR, []).map(drop).map_err(|e| error(path, "remove its descriptor copies", e))
}

fn promise_sum(epoch: Epoch) -> i64 {
    row_sum(table::PROMISE, &epoch.0.to_le_bytes())
}

/// The promise.
pub(crate) fn read_promise(conn: &Connection, path: &Path) -> Result<Epoch> {
    let (epoch, sum): (i64, i64) = conn
        .prepare_cached(SELECT_PROMISE)
        .and_then(|mut statement| statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(|e| error(path, "read its promise", e))?;
    let epoch = u64::try_from(epoch).map(Epoch).ok().filter(|epoch| promise_sum(*epoch) == sum);
    epoch.ok_or_else(|| PvError::Damaged { path: path.to_owned(), what: "its promise fails its checksum".to_owned() })
}

/// Stores a promise, inside the caller's transaction.
pub(crate) fn write_promise(conn: &Connection, path: &Path, epoch: Epoch) -> Result<()> {
    let number = i64::try_from(epoch.0)
        .map_err(|_| PvError::Refused { path: path.to_owned(), what: "an epoch is too large".to_owned() })?;
    conn.prepare_cached(REPLACE_PROMISE)
        .and_then(|mut statement| statement.execute([number, promise_sum(epoch)]))
        .map(drop)
        .map_err(|e| error(path, "write its promise", e))
}
