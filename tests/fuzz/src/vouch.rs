//! Right sums in the rows above, for wrong rows below.
//!
//! What a directory, a map or a table adds up to is no secret either. A second time in code, without the engine's help.

use std::collections::BTreeMap;

use rusqlite::{Connection, Result, params};

/// A file's map is vouched for by windows of so many bytes.
const WINDOW: i64 = 16 * 1024 * 1024;
/// A directory, as the table of inodes says it.
const DIRECTORY: i64 = 2;

type Sums = BTreeMap<(i64, i64), u64>;

fn mark(table: u8, numbers: &[i64], name: &[u8], value: &[u8]) -> u64 {
    let mut bytes = Vec::new();
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(value);
    pv::row_sum(table, &bytes).cast_unsigned()
}

/// Sums by the first two columns of a query, of what `of` makes of its rows; rows it cannot read add nothing.
fn sums(conn: &Connection, sql: &str, of: impl Fn(&rusqlite::Row<'_>) -> Result<u64>) -> Result<Sums> {
    let mut out = Sums::new();
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(fs), Ok(ino), Ok(mark)) = (row.get(0), row.get(1), of(row)) else { continue };
        let sum = out.entry((fs, ino)).or_default();
        *sum = sum.wrapping_add(mark);
    }
    Ok(out)
}

/// Lets every inode and window vouch for what is below it, whatever that is.
///
/// # Errors
/// As SQLite says.
pub(crate) fn below(conn: &Connection) -> Result<()> {
    let names = sums(conn, "SELECT fs, parent, cookie, ino, kind, name FROM dirent", |row| {
        let numbers = [row.get(2)?, row.get(3)?, row.get(4)?];
        Ok(mark(5, &numbers, &row.get::<_, Vec<u8>>(5)?, &[]))
    })?;
    let entry = |row: &rusqlite::Row<'_>| {
        let numbers = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
        Ok(mark(6, &numbers, &[], &[]))
    };
    let first = format!("SELECT fs, ino, off, len, slice, skip FROM map WHERE off < {WINDOW}");
    let first = sums(conn, &first, entry)?;
    let attributes = sums(conn, "SELECT fs, ino, name, value FROM xattr", |row| {
        Ok(mark(9, &[], &row.get::<_, Vec<u8>>(2)?, &row.get::<_, Vec<u8>>(3)?))
    })?;
    let mut statement = conn.prepare("SELECT fs, ino, kind FROM inode")?;
    let inodes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for (fs, ino, kind) in inodes.collect::<Result<Vec<(i64, i64, i64)>>>()? {
        let of = |sums: &Sums| sums.get(&(fs, ino)).copied().unwrap_or(0).cast_signed();
        let sum = if kind == DIRECTORY { of(&names) } else { of(&first) };
        conn.execute(
            "UPDATE inode SET below = ?3, xattrs = ?4 WHERE fs = ?1 AND ino = ?2",
            params![fs, ino, sum, of(&attributes)],
        )?;
    }
    windows(conn, entry)
}

fn windows(conn: &Connection, entry: impl Fn(&rusqlite::Row<'_>) -> Result<u64>) -> Result<()> {
    conn.execute("DELETE FROM window", [])?;
    let mut sums: BTreeMap<(i64, i64, i64), u64> = BTreeMap::new();
    let mut statement =
        conn.prepare(&format!("SELECT fs, ino, off, len, slice, skip FROM map WHERE off >= {WINDOW}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Ok(fs), Ok(ino), Ok(off), Ok(mark)) = (row.get(0), row.get(1), row.get::<_, i64>(2), entry(row)) else {
            continue;
        };
        let sum = sums.entry((fs, ino, off / WINDOW)).or_default();
        *sum = sum.wrapping_add(mark);
    }
    for ((fs, ino, window), sum) in sums {
        let sum = sum.cast_signed();
        conn.execute("INSERT INTO window VALUES (?1, ?2, ?3, ?4, 0, 0)", params![fs, ino, window, sum])?;
    }
    Ok(())
}

/// Lets the state row vouch for all rows of whole tables, which have their sums already.
///
/// # Errors
/// As SQLite says.
pub(crate) fn totals(conn: &Connection) -> Result<()> {
    let total = |tables: &[&str]| {
        let mut all = 0u64;
        for table in tables {
            let mut statement = conn.prepare(&format!("SELECT sum FROM {table}"))?;
            let found = statement.query_map([], |row| row.get::<_, i64>(0))?;
            for sum in found {
                all = all.wrapping_add(sum?.cast_unsigned());
            }
        }
        Ok::<_, rusqlite::Error>(all.cast_signed())
    };
    let sums = [total(&["inode", "window"])?, total(&["slice"])?, total(&["le"])?, total(&["pv", "fs"])?];
    conn.execute("UPDATE state SET inodes = ?1, slices = ?2, les = ?3, others = ?4", sums)?;
    Ok(())
}
