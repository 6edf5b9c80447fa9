//! All sums of a catalogue recomputed: what reading single rows cannot notice.

use std::path::Path;

use pv::Env;

use super::copy::read_state;
use super::reader::CatalogueReader;
use super::row::Table;
use super::sums::{Totals, WINDOW, map_mark, xattr_mark};
use crate::{Ino, Kind, Result};

/// Most findings that are told one by one.
const TOLD: usize = 100;
/// Inodes looked at together.
const PAGE: usize = 512;

/// Reads every row of one copy of a catalogue, verifies its checksum and adds up what sums stand for: rows that are
/// missing, old or too many. One line for each finding; none when all is well. Works beside an owner: it sees one
/// commit.
///
/// # Errors
/// [`LvError::Pv`](crate::LvError::Pv) and [`LvError::DamagedRow`](crate::LvError::DamagedRow): the file, or a row, cannot be read.
pub fn verify_catalogue(env: &Env, path: &Path) -> Result<Vec<String>> {
    let reader = CatalogueReader::open(env, path.to_owned())?;
    reader.freeze()?;
    let state = read_state(reader.connection(), path)?;
    reader.expect(state.txg);
    let mut found = Vec::new();
    compare_totals(&reader, &state.totals, &mut found)?;
    let mut seen = Seen::default();
    let mut after = (i64::MIN, i64::MIN);
    loop {
        let page = reader.inodes_after(after, PAGE)?;
        let Some((fs, ino)) = page.last().map(|(fs, row)| (*fs, row.attr.ino.0.cast_signed())) else { break };
        after = (fs, ino);
        for (fs, row) in page {
            let ino = row.attr.ino;
            verify_below(&reader, fs, ino, (row.attr.kind, row.attr.size, row.below), &mut seen, &mut found)?;
            let xattrs = reader.xattrs(fs, ino)?;
            seen.xattrs = seen.xattrs.saturating_add(xattrs.len());
            let sum = xattrs.iter().fold(0u64, |sum, row| sum.wrapping_add(xattr_mark(&row.name, &row.value)));
            if sum != row.xattr_sum {
                found.push(format!("inode {ino}: extended attributes are missing or old"));
            }
        }
        found.truncate(TOLD);
    }
    for (table, count) in [
        (Table::Dirent, seen.dirents),
        (Table::Map, seen.maps),
        (Table::Xattr, seen.xattrs),
        (Table::Window, seen.windows),
    ] {
        let all = reader.count(table)?;
        if all != u64::try_from(count).unwrap_or(u64::MAX) {
            let name = format!("{table:?}").to_lowercase();
            found.push(format!("table {name}: {all} rows, of which {count} belong to an inode"));
        }
    }
    Ok(found)
}

/// Rows that belong to an inode.
#[derive(Debug, Default)]
struct Seen {
    dirents: usize,
    maps: usize,
    xattrs: usize,
    windows: usize,
}

fn compare_totals(reader: &CatalogueReader, expected: &Totals, found: &mut Vec<String>) -> Result<()> {
    let totals = reader.totals()?;
    let names = ["inodes or windows", "slices", "extents", "physical volumes or filesystems"];
    let pairs = totals.columns().into_iter().zip(expected.columns()).zip(names);
    found.extend(
        pairs
            .filter(|((have, wanted), _)| have != wanted)
            .map(|(_, name)| format!("rows of {name} are missing, old or too many")),
    );
    Ok(())
}

fn verify_below(
    reader: &CatalogueReader,
    fs: i64,
    ino: Ino,
    (kind, size, below): (Kind, u64, u64),
    seen: &mut Seen,
    found: &mut Vec<String>,
) -> Result<()> {
    if kind == Kind::Directory {
        let (count, sum) = reader.dirents_sum(fs, ino)?;
        seen.dirents = seen.dirents.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        if (count, sum) != (size, below) {
            found.push(format!("inode {ino}: names are missing, old or too many ({count} of {size} found)"));
        }
        return Ok(());
    }
    let rows = reader.map_between(fs, ino, 0, i64::MAX.unsigned_abs())?;
    let windows = reader.windows(fs, ino)?;
    seen.maps = seen.maps.saturating_add(rows.len());
    seen.windows = seen.windows.saturating_add(windows.len());
    let mut sums = std::collections::BTreeMap::new();
    for row in &rows {
        let sum: &mut u64 = sums.entry(row.off / WINDOW).or_default();
        *sum = sum.wrapping_add(map_mark(row));
    }
    let first = sums.remove(&0).unwrap_or(0);
    if first != below || !sums.into_iter().eq(windows) {
        found.push(format!("inode {ino}: its contents are listed incompletely, or as they once were"));
    }
    Ok(())
}
