//! Extent rows and owner rows.

use std::path::Path;

use rusqlite::blob::{Blob, ZeroBlob};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::format::table;
use crate::sqlite::error;
use crate::{
    Epoch, ExtentBatch, ExtentContents, ExtentHeader, FamilyUuid, FlushNo, FoundExtent, FreshExtent, LeIndex,
    ListedExtent, LvUuid, OwnerRow, PeIndex, PvError, Result, Txg, row_sum,
};

const OWNER: &str = "SELECT body FROM owner WHERE family = ?1";
const ADVANCE: &str = "UPDATE owner SET body = ?3 WHERE family = ?1 AND body = ?2";
const SET_OWNER: &str = "INSERT OR REPLACE INTO owner (family, body) VALUES (?1, ?2)";
const DROP_OWNER: &str = "DELETE FROM owner WHERE family = ?1";
const INSERT: &str = "INSERT INTO extent (pe, lv, family, le, epoch, flush, sum, toc, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const DELETE: &str = "DELETE FROM extent WHERE pe = ?1 AND family = ?2";
const DELETE_SOME: &str = "DELETE FROM extent WHERE pe IN (SELECT pe FROM extent WHERE family = ?1 LIMIT 32)";
const HEADER: &str = "SELECT pe, lv, family, le, epoch, flush, sum, toc, length(data) FROM extent WHERE pe = ?1";
const HELD: &str = "SELECT 1 FROM extent WHERE pe = ?1";
const LIST: &str = "SELECT pe, lv, family, le, epoch, flush, sum, toc, length(data) FROM extent WHERE pe > ?1
    ORDER BY pe LIMIT ?2";
const AFTER: &str = "SELECT pe, lv, family, le, epoch, flush, sum, toc, length(data) FROM extent
    WHERE family = ?1 AND (epoch, flush) > (?2, ?3) ORDER BY epoch, flush, pe";

/// Length of an owner row's body: it must never change, so that an update never moves anything in its page.
const OWNER_BODY: usize = 32;

fn number(path: &Path, value: u64) -> Result<i64> {
    let refused =
        || PvError::Refused { path: path.to_owned(), what: "a number is too large for the format".to_owned() };
    i64::try_from(value).map_err(|_| refused())
}

fn owner_sum(row: &OwnerRow) -> [u8; 8] {
    let mut out = [0u8; 40];
    let parts =
        [&row.family.as_bytes()[..], &row.epoch.0.to_be_bytes(), &row.flush.0.to_be_bytes(), &row.txg.0.to_be_bytes()];
    for (slot, byte) in out.iter_mut().zip(parts.concat()) {
        *slot = byte;
    }
    row_sum(table::OWNER, &out).to_be_bytes()
}

fn encode_owner(row: &OwnerRow) -> [u8; OWNER_BODY] {
    let mut out = [0u8; OWNER_BODY];
    let numbers = [row.epoch.0, row.flush.0, row.txg.0].map(u64::to_be_bytes);
    for (slot, bytes) in out.chunks_mut(8).zip(numbers.into_iter().chain([owner_sum(row)])) {
        slot.copy_from_slice(&bytes);
    }
    out
}

fn decode_owner(family: FamilyUuid, body: &[u8]) -> Option<OwnerRow> {
    let body: &[u8; OWNER_BODY] = body.try_into().ok()?;
    let mut numbers = body.chunks(8).filter_map(|part| part.try_into().ok().map(u64::from_be_bytes));
    let row =
        OwnerRow { family, epoch: Epoch(numbers.next()?), flush: FlushNo(numbers.next()?), txg: Txg(numbers.next()?) };
    (encode_owner(&row) == *body).then_some(row)
}

pub(super) fn owner(conn: &Connection, path: &Path, family: FamilyUuid) -> Result<Option<OwnerRow>> {
    let body: Option<Vec<u8>> = conn
        .prepare_cached(OWNER)
        .and_then(|mut s| s.query_row([family.as_bytes().as_slice()], |row| row.get(0)).optional())
        .map_err(|e| error(path, "read an owner row", e))?;
    let Some(body) = body else { return Ok(None) };
    let row = decode_owner(family, &body).ok_or_else(|| PvError::Damaged {
        path: path.to_owned(),
        what: format!("the owner row of family {family} fails its checksum"),
    })?;
    Ok(Some(row))
}

/// The whole PV transaction: owner row, fresh extents, freed ones last (pages freed in a transaction are journaled
/// before they are used again, pages freed earlier are not).
pub(super) fn commit(conn: &Connection, path: &Path, batch: &ExtentBatch<'_>) -> Result<()> {
    advance(conn, path, batch)?;
    for fresh in batch.fresh {
        insert(conn, path, batch, fresh)?;
    }
    fill(conn, path, batch.fresh)?;
    let fail = |e| error(path, "delete an extent", e);
    let mut delete = conn.prepare_cached(DELETE).map_err(fail)?;
    for pe in batch.freed {
        delete.execute(params![pe.get(), batch.family.as_bytes().as_slice()]).map_err(fail)?;
    }
    Ok(())
}

fn advance(conn: &Connection, path: &Path, batch: &ExtentBatch<'_>) -> Result<()> {
    let ExtentBatch { family, epoch, flush, txg, .. } = *batch;
    let fenced = || PvError::Fenced { path: path.to_owned(), family, epoch };
    let have = owner(conn, path, family)?.filter(|row| row.epoch == epoch).ok_or_else(fenced)?;
    if flush <= have.flush {
        return Err(PvError::FlushNotRising { path: path.to_owned(), family, flush, last: have.flush });
    }
    let next = OwnerRow { family, epoch, flush, txg };
    let changed = conn
        .prepare_cached(ADVANCE)
        .and_then(|mut s| {
            s.execute(params![
                family.as_bytes().as_slice(),
                encode_owner(&have).as_slice(),
                encode_owner(&next).as_slice()
            ])
        })
        .map_err(|e| error(path, "write an owner row", e))?;
    if changed == 1 { Ok(()) } else { Err(fenced()) }
}

/// Inserts a row with a payload of zeros.
fn insert(conn: &Connection, path: &Path, batch: &ExtentBatch<'_>, fresh: &FreshExtent) -> Result<()> {
    let header =
        ExtentHeader { lv: fresh.lv, family: batch.family, le: fresh.le, epoch: batch.epoch, flush: batch.flush };
    let refused =
        || PvError::Refused { path: path.to_owned(), what: "an extent is too large for the format".to_owned() };
    let len = i32::try_from(fresh.fill()).map_err(|_| refused())?;
    let (epoch, flush) = (number(path, batch.epoch.0)?, number(path, batch.flush.0)?);
    conn.prepare_cached(INSERT)
        .and_then(|mut s| {
            s.execute(params![
                fresh.pe.get(),
                fresh.lv.as_bytes().as_slice(),
                batch.family.as_bytes().as_slice(),
                fresh.le.get(),
                epoch,
                flush,
                header_sum(fresh.pe, &header, &fresh.toc, u64::from(len.unsigned_abs())),
                fresh.toc,
                ZeroBlob(len)
            ])
        })
        .map(drop)
        .map_err(|e| error(path, "insert an extent", e))
}

/// Writes the payloads of inserted rows straight into their pages, which are dirty already: nothing is journaled for it.
fn fill(conn: &Connection, path: &Path, fresh: &[FreshExtent]) -> Result<()> {
    let fail = |e| error(path, "write an extent", e);
    let mut open: Option<Blob<'_>> = None;
    for extent in fresh {
        let row = i64::from(extent.pe.get());
        let mut blob = match open.take() {
            None => conn.blob_open("main", "extent", "data", row, false).map_err(fail)?,
            Some(mut blob) => {
                blob.reopen(row).map_err(fail)?;
                blob
            }
        };
        let mut at = 0;
        for part in &extent.data {
            blob.write_all_at(part, at).map_err(fail)?;
            at = at.saturating_add(part.len());
        }
        open = Some(blob);
    }
    Ok(())
}

/// Covers the whole row but the payload's bytes, whose checksums the catalogue and the table of contents have.
fn header_sum(pe: PeIndex, header: &ExtentHeader, toc: &[u8], data: u64) -> i64 {
    let mut out = Vec::with_capacity(toc.len().saturating_add(72));
    out.extend_from_slice(&pe.0.to_le_bytes());
    out.extend_from_slice(header.lv.as_bytes());
    out.extend_from_slice(header.family.as_bytes());
    out.extend_from_slice(&header.le.0.to_le_bytes());
    out.extend_from_slice(&header.epoch.0.to_le_bytes());
    out.extend_from_slice(&header.flush.0.to_le_bytes());
    out.extend_from_slice(&data.to_le_bytes());
    out.extend_from_slice(toc);
    row_sum(table::EXTENT, &out)
}

fn decode(row: &Row<'_>) -> Option<(FoundExtent, Vec<u8>)> {
    let number = |at: usize| u64::try_from(row.get::<_, i64>(at).ok()?).ok();
    let pe = PeIndex(row.get(0).ok()?);
    let header = ExtentHeader {
        lv: LvUuid::from_bytes(row.get(1).ok()?),
        family: FamilyUuid::from_bytes(row.get(2).ok()?),
        le: LeIndex(row.get(3).ok()?),
        epoch: Epoch(number(4)?),
        flush: FlushNo(number(5)?),
    };
    let toc: Vec<u8> = row.get(7).ok()?;
    let right = row.get::<_, i64>(6).ok()? == header_sum(pe, &header, &toc, number(8)?);
    right.then_some((FoundExtent { pe, header }, toc))
}

fn damaged(path: &Path, row: &Row<'_>) -> PvError {
    let pe = row.get::<_, i64>(0).unwrap_or(-1);
    PvError::Damaged { path: path.to_owned(), what: format!("the header of extent {pe} fails its checksum") }
}

pub(super) fn header(conn: &Connection, path: &Path, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
    let fail = |e| error(path, "read an extent header", e);
    let mut statement = conn.prepare_cached(HEADER).map_err(fail)?;
    let mut rows = statement.query([pe.get()]).map_err(fail)?;
    let Some(row) = rows.next().map_err(fail)? else { return Ok(None) };
    let (found, toc) = decode(row).ok_or_else(|| damaged(path, row))?;
    Ok(Some((found.header, toc)))
}

pub(super) fn held(conn: &Connection, path: &Path, pes: &[PeIndex]) -> Result<Vec<PeIndex>> {
    let fail = |e| error(path, "look for extents", e);
    let mut statement = conn.prepare_cached(HELD).map_err(fail)?;
    let mut held = Vec::new();
    for pe in pes {
        if statement.exists([pe.get()]).map_err(fail)? {
            held.push(*pe);
        }
    }
    Ok(held)
}

pub(super) fn list(conn: &Connection, path: &Path, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
    let fail = |e| error(path, "list extents", e);
    let mut statement = conn.prepare_cached(LIST).map_err(fail)?;
    let after = pe.map_or(-1, |pe| i64::from(pe.get()));
    let mut rows = statement.query((after, i64::try_from(limit).unwrap_or(i64::MAX))).map_err(fail)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        // Places beyond 32 bits are nobody's; the row's checksum would not match either.
        let Ok(pe) = row.get::<_, i64>(0).map(u32::try_from).map_err(fail)? else { continue };
        let len = row.get::<_, i64>(8).ok().and_then(|len| u64::try_from(len).ok());
        let found = decode(row).zip(len);
        let found = found.map(|((found, toc), len)| ExtentContents { header: found.header, toc, len });
        out.push(ListedExtent { pe: PeIndex(pe), found });
    }
    Ok(out)
}

pub(super) fn extents_after(
    conn: &Connection,
    path: &Path,
    family: FamilyUuid,
    (epoch, flush): (Epoch, FlushNo),
) -> Result<Vec<FoundExtent>> {
    let fail = |e| error(path, "list extents", e);
    let mut statement = conn.prepare_cached(AFTER).map_err(fail)?;
    // Stored numbers stop at the largest signed one, so that nothing lies after a larger bound.
    let bound = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let mut rows =
        statement.query(params![family.as_bytes().as_slice(), bound(epoch.0), bound(flush.0)]).map_err(fail)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        out.push(decode(row).ok_or_else(|| damaged(path, row))?.0);
    }
    Ok(out)
}

pub(super) fn read(conn: &Connection, path: &Path, (pe, at): (PeIndex, u32), buf: &mut [u8]) -> Result<()> {
    const READ: &str = "read an extent";
    let missing = || PvError::ExtentMissing { path: path.to_owned(), pe };
    let blob = conn.blob_open("main", "extent", "data", i64::from(pe.get()), true).map_err(|e| {
        // A plain error is what a missing row gives; damage and I/O have codes of their own.
        match e.sqlite_error().map(|code| code.extended_code) {
            Some(rusqlite::ffi::SQLITE_ERROR) => missing(),
            _ => error(path, READ, e),
        }
    })?;
    let at = usize::try_from(at).map_err(|_| missing())?;
    if at.checked_add(buf.len()).is_none_or(|end| end > blob.len()) {
        return Err(missing());
    }
    blob.read_at_exact(buf, at).map_err(|e| error(path, READ, e))
}

/// Makes `row` the family's owner row.
pub(super) fn take(conn: &Connection, path: &Path, row: OwnerRow) -> Result<()> {
    if owner(conn, path, row.family)?.is_some_and(|have| have.epoch >= row.epoch) {
        return Err(PvError::Fenced { path: path.to_owned(), family: row.family, epoch: row.epoch });
    }
    number(path, row.epoch.0)?;
    conn.prepare_cached(SET_OWNER)
        .and_then(|mut s| s.execute(params![row.family.as_bytes().as_slice(), encode_owner(&row).as_slice()]))
        .map(drop)
        .map_err(|e| error(path, "write an owner row", e))
}

pub(super) fn forget_owner(conn: &Connection, path: &Path, family: FamilyUuid) -> Result<()> {
    conn.prepare_cached(DROP_OWNER)
        .and_then(|mut s| s.execute([family.as_bytes().as_slice()]))
        .map(drop)
        .map_err(|e| error(path, "delete an owner row", e))
}

/// Deletes a bounded number of a family's extents; how many.
pub(super) fn forget_some(conn: &Connection, path: &Path, family: FamilyUuid) -> Result<usize> {
    conn.prepare_cached(DELETE_SOME)
        .and_then(|mut s| s.execute([family.as_bytes().as_slice()]))
        .map_err(|e| error(path, "delete extents", e))
}
