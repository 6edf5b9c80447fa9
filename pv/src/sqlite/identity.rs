//! Whether a file is what it is taken for: header fields and the whole schema, byte by byte.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode};

use super::{Schema, error};
use crate::error::DiskFailure;
use crate::{Env, PvError, Result};

const SCHEMA_ROWS: &str = "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name";
const SCHEMA_COUNT: &str = "SELECT count(*) FROM sqlite_schema";
const READ: &str = "read its header";
/// Bytes below which a journal or a log's index cannot be made.
const ONE_FILE: u64 = 64 * 1024;

type SchemaRow = (String, String, String, String);
/// The rows that a kind of file, known by its statements, must have.
type Expected = (&'static [&'static str], Arc<Vec<SchemaRow>>);

/// What this file is, when it is not ours.
fn foreign(path: &Path, what: impl Into<String>) -> PvError {
    PvError::Foreign { path: path.to_owned(), what: what.into() }
}

/// An error of the first read of a file.
pub(super) fn first_read(env: &Env, path: &Path, schema: &Schema, found: rusqlite::Error) -> PvError {
    match found.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => foreign(path, format!("not a {} (not a SQLite database)", schema.what)),
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) => match cannot_open(env, path, found) {
            // A journal that is in the way, or as many files as there may be: the host knows which, as far as anybody does.
            PvError::Io { source, path, operation } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                let source = env.host.may_open(&path).err().unwrap_or(source);
                PvError::Io { path, operation, source }
            }
            failed => failed,
        },
        _ => error(path, READ, found),
    }
}

/// Says why a file itself, without what lies beside it, cannot be opened.
pub(super) fn cannot_connect(env: &Env, path: &Path, found: rusqlite::Error) -> PvError {
    match cannot_open(env, path, found) {
        PvError::Io { source, path, operation } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            let failure = || std::io::Error::other(DiskFailure("the operating system could not open it"));
            let source = env.host.may_open(&path).err().unwrap_or_else(failure);
            PvError::Io { path, operation, source }
        }
        failed => failed,
    }
}

/// Says why a file, or what lies beside it, cannot be opened, as far as the host knows.
fn cannot_open(env: &Env, path: &Path, found: rusqlite::Error) -> PvError {
    use std::io::{Error, ErrorKind};
    let source = match env.host.stat(path) {
        Err(source) => source,
        Ok(id) if !id.regular => return foreign(path, "a folder or a device, not a file"),
        Ok(_) if env.host.space(path).is_ok_and(|space| space.free.get() < ONE_FILE) => {
            return PvError::NoSpace { path: path.to_owned() };
        }
        Ok(_) if found.sqlite_error_code() == Some(ErrorCode::CannotOpen) => Error::from(ErrorKind::PermissionDenied),
        Ok(_) => return error(path, "open it", found),
    };
    PvError::Io { path: path.to_owned(), operation: "open it", source }
}

/// Checks `application_id` alone.
pub(super) fn check_application(env: &Env, conn: &Connection, path: &Path, schema: &Schema) -> Result<()> {
    let id: i32 = conn
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(|e| first_read(env, path, schema, e))?;
    if id == schema.application_id {
        return Ok(());
    }
    let tables: i64 =
        conn.query_row(SCHEMA_COUNT, [], |row| row.get(0)).map_err(|e| first_read(env, path, schema, e))?;
    let what = match (id, tables) {
        (0, 0) => "an empty file or an empty SQLite database",
        _ => "a SQLite database of another application",
    };
    Err(foreign(path, format!("not a {} ({what})", schema.what)))
}

/// Checks format and schema.
pub(super) fn check_schema(conn: &Connection, path: &Path, schema: &Schema) -> Result<()> {
    let read = |e| error(path, READ, e);
    let version: i32 = conn.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(read)?;
    if version > schema.user_version {
        let features = u64::try_from(version).unwrap_or(0);
        return Err(PvError::Newer { path: path.to_owned(), features });
    }
    if version < schema.user_version {
        return Err(foreign(path, format!("a {} of an old format that is no longer read", schema.what)));
    }
    // The model is ours, built in memory: nothing that fails there concerns the file's contents.
    let expected = expected_once(schema).map_err(read)?;
    let limit = expected.len().saturating_add(1);
    let found = rows(conn, limit).map_err(read)?;
    if found == *expected {
        return Ok(());
    }
    let name = found.iter().find(|row| !expected.contains(row)).map(|row| row.1.as_str());
    Err(foreign(
        path,
        match name {
            Some(name) => format!("not a {}: its schema was changed (\"{}\")", schema.what, name.escape_default()),
            None => format!("not a {}: its schema is incomplete", schema.what),
        },
    ))
}

/// The white list of a kind of file, worked out once per process: files are opened often.
fn expected_once(schema: &Schema) -> rusqlite::Result<Arc<Vec<SchemaRow>>> {
    static KNOWN: Mutex<Vec<Expected>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, rows)) = known.iter().find(|(statements, _)| *statements == schema.statements) {
        return Ok(Arc::clone(rows));
    }
    let rows = Arc::new(expected(schema)?);
    known.push((schema.statements, Arc::clone(&rows)));
    Ok(rows)
}

fn expected(schema: &Schema) -> rusqlite::Result<Vec<SchemaRow>> {
    let model = Connection::open_in_memory()?;
    for statement in schema.statements {
        model.execute_batch(statement)?;
    }
    rows(&model, usize::MAX)
}

fn rows(conn: &Connection, limit: usize) -> rusqlite::Result<Vec<SchemaRow>> {
    let mut statement = conn.prepare(SCHEMA_ROWS)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.take(limit).collect()
}
