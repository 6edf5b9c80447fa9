//! A copy of the catalogue read as it was at one moment, row by row, sound or not.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::Path;

use pv::sqlite;
use pv::{Env, LeIndex};
use rusqlite::{Connection, Params, Rows};

use super::copy::{CopyPlace, CopyState, state_of};
use super::decode::{Columns, SliceRow, slice_from, values_of};
use super::generation::check_log;
use super::row::{Table, Value, sum_of};
use super::to_read::open_to_read;
use crate::{Ino, LvError, Result};

const BEGIN: &str = "BEGIN";
const SLICES_OF_LE: &str = "SELECT * FROM slice WHERE le=?";
const NAME_OF: &str = "SELECT name FROM dirent WHERE fs=? AND parent=? AND ino=? LIMIT 1";
const ABOVE: &str = "SELECT parent FROM inode WHERE fs=? AND ino=?";
const ABOVE_BY_NAME: &str = "SELECT parent FROM dirent WHERE fs=? AND ino=? LIMIT 1";

/// A copy, and a transaction that sees one commit of it.
#[derive(Debug)]
pub(crate) struct CopyView {
    pub(crate) place: CopyPlace,
    pub(crate) state: CopyState,
    connection: Connection,
}

/// Rows of a table in which two copies differ.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    pub(crate) count: u64,
    /// Rows that were compared.
    pub(crate) rows: u64,
    /// The keys of the first that differ.
    pub(crate) named: Vec<String>,
}

/// Rows that differ which are named one by one.
const NAMED: u64 = 3;

impl CopyView {
    pub(crate) fn open(env: &Env, place: &CopyPlace) -> Result<Self> {
        let connection = open_to_read(env, &place.path)?;
        connection.set_prepared_statement_cache_capacity(32);
        let fail = |source| sqlite::error(&place.path, "read", source);
        connection.execute_batch(BEGIN).map_err(fail)?;
        check_log(env, &place.path, &connection)?;
        let state = state_of(&connection, &place.path)?;
        Ok(Self { place: place.clone(), state, connection })
    }

    /// What it is made of: the copy's place, and the connection that sees one commit of it.
    pub(super) fn into_parts(self) -> (CopyPlace, Connection) {
        (self.place, self.connection)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.place.path
    }

    fn fail(&self, source: rusqlite::Error) -> LvError {
        sqlite::error(self.path(), "read", source).into()
    }

    /// In how many places (up to 10) the file's own structure does not hold together: trees, indexes, free pages.
    pub(crate) fn structure(&self) -> Result<usize> {
        Ok(sqlite::contradictions(&self.connection, self.path())?)
    }

    /// Hands all rows of a table to `each`, in the order of `by`: the columns with the checksum, and whether that is right.
    pub(crate) fn each_row(&self, table: Table, by: &str, each: impl FnMut(&[Value], bool)) -> Result<()> {
        self.rows(table, &all_rows(table, by), [], each)
    }

    fn rows(&self, table: Table, sql: &str, params: impl Params, mut each: impl FnMut(&[Value], bool)) -> Result<()> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|e| self.fail(e))?;
        let mut rows = statement.query(params).map_err(|e| self.fail(e))?;
        while let Some(row) = rows.next().map_err(|e| self.fail(e))? {
            let values = values_of(row).map_err(|e| self.fail(e))?;
            let right = values.split_last().is_some_and(|(sum, rest)| *sum == Value::Int(sum_of(table, rest)));
            each(&values, right);
        }
        Ok(())
    }

    /// The slices of an LE that can be read.
    pub(crate) fn slices_of(&self, le: LeIndex) -> Result<Vec<SliceRow>> {
        let mut out = Vec::new();
        self.rows(Table::Slice, SLICES_OF_LE, [i64::from(le.0)], |values, right| {
            if right {
                out.extend(slice_from(Columns::of(values)));
            }
        })?;
        Ok(out)
    }

    /// A path that leads to an inode, if one does.
    pub(crate) fn path_of(&self, fs: i64, ino: Ino) -> Option<Vec<u8>> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut seen = HashSet::new();
        let mut at = ino;
        while at != Ino::ROOT {
            // What is damaged may lead round in a circle.
            if !seen.insert(at) {
                return None;
            }
            let (above, name) = self.step_up(fs, at)?;
            parts.push(name);
            at = above;
        }
        let mut path = Vec::new();
        for part in parts.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(part);
        }
        Some(if path.is_empty() { b"/".to_vec() } else { path })
    }

    /// The directory above an inode and the name it has there.
    fn step_up(&self, fs: i64, ino: Ino) -> Option<(Ino, Vec<u8>)> {
        let key = ino.0.cast_signed();
        let parent = |sql: &str| {
            let mut statement = self.connection.prepare_cached(sql).ok()?;
            statement.query_row((fs, key), |row| row.get::<_, i64>(0)).ok()
        };
        let name = |parent: i64| {
            let mut statement = self.connection.prepare_cached(NAME_OF).ok()?;
            statement.query_row((fs, parent, key), |row| row.get::<_, Vec<u8>>(0)).ok()
        };
        let by_row = parent(ABOVE).and_then(|above| Some((above, name(above)?)));
        let (above, name) = by_row.or_else(|| {
            // O(all names), for what is damaged or was renamed away from its first directory.
            let above = parent(ABOVE_BY_NAME)?;
            Some((above, name(above)?))
        })?;
        Some((Ino(above.cast_unsigned()), name))
    }

    /// The rows of a table in which `other` differs.
    pub(crate) fn differences(&self, other: &Self, table: Table) -> Result<Differences> {
        let sql = all_rows(table, table.key());
        let mut first = self.connection.prepare(&sql).map_err(|e| self.fail(e))?;
        let mut second = other.connection.prepare(&sql).map_err(|e| other.fail(e))?;
        let mut first = first.query([]).map_err(|e| self.fail(e))?;
        let mut second = second.query([]).map_err(|e| other.fail(e))?;
        let mut left = next(&mut first).map_err(|e| self.fail(e))?;
        let mut right = next(&mut second).map_err(|e| other.fail(e))?;
        let mut found = Differences::default();
        loop {
            let order = match (&left, &right) {
                (None, None) => return Ok(found),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => order(table, a, b),
            };
            found.rows = found.rows.saturating_add(1);
            if order != Ordering::Equal || left != right {
                found.count = found.count.saturating_add(1);
                let row = if order == Ordering::Greater { &right } else { &left };
                found.named.extend(row.iter().filter(|_| found.count <= NAMED).map(|row| key_of(table, row)));
            }
            if order != Ordering::Greater {
                left = next(&mut first).map_err(|e| self.fail(e))?;
            }
            if order != Ordering::Less {
                right = next(&mut second).map_err(|e| other.fail(e))?;
            }
        }
    }
}

fn all_rows(table: Table, by: &str) -> String {
    format!("SELECT * FROM {} ORDER BY {by}", table.name())
}

fn next(rows: &mut Rows<'_>) -> rusqlite::Result<Option<Vec<Value>>> {
    rows.next()?.map(values_of).transpose()
}

/// SQLite's order of two keys: nothing before numbers before bytes.
fn order(table: Table, a: &[Value], b: &[Value]) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Int(_) => 1,
        Value::Blob(_) => 2,
    };
    let columns = a.iter().zip(b).take(table.key_columns());
    let mut orders = columns.map(|(a, b)| match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        (a, b) => rank(a).cmp(&rank(b)),
    });
    orders.find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

/// A row's key, for people.
pub(crate) fn key_of(table: Table, values: &[Value]) -> String {
    let columns = values.iter().take(table.key_columns()).map(|value| match value {
        Value::Null => "nothing".to_owned(),
        Value::Int(int) => int.to_string(),
        Value::Blob(bytes) => bytes.escape_ascii().to_string(),
    });
    columns.collect::<Vec<_>>().join(", ")
}
