//! Making a file: complete and durable under its name, or not at all.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::open::{check_version, folder_is_own};
use super::{Schema, Tuning, error, uri};
use crate::{Env, PvError, Result};

const CREATE: &str = "create it";

/// Makes the file `path` of the kind `schema`, for its owner alone (0600). `fill` writes the first rows, inside a
/// transaction that is committed when it returns `Ok`.
///
/// # Errors
/// [`PvError::Io`] with kind `AlreadyExists` when the name is taken, `NotFound` or `PermissionDenied` about the folder;
/// [`PvError::NoSpace`]; what `fill` returns. Nothing is left behind.
///
/// # Durability
/// The file and its name are durable when this returns.
pub fn create(
    env: &Env,
    path: &Path,
    schema: &Schema,
    tuning: &Tuning,
    fill: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    build(env, path, schema, tuning, (false, fill))
}

/// As [`create`], but replaces whatever file has that name.
///
/// # Errors
/// As [`create`], without `AlreadyExists`.
pub fn replace(
    env: &Env,
    path: &Path,
    schema: &Schema,
    tuning: &Tuning,
    fill: impl FnOnce(&Connection) -> Result<()>,
) -> Result<()> {
    build(env, path, schema, tuning, (true, fill))
}

fn build<F: FnOnce(&Connection) -> Result<()>>(
    env: &Env,
    path: &Path,
    schema: &Schema,
    tuning: &Tuning,
    (over, fill): (bool, F),
) -> Result<()> {
    check_version()?;
    let io = |source| PvError::Io { path: path.to_owned(), operation: CREATE, source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    env.host.stat(folder).map_err(io)?;
    if tuning.wal {
        folder_is_own(env, path, CREATE)?;
    }
    let temporary = temporary(path).map_err(io)?;
    let finished = write(env, &temporary, (schema, tuning), fill).map_err(|e| rename_error(e, &temporary, path));
    let finished = finished.and_then(|()| {
        env.host.sync_file(&temporary).map_err(io)?;
        if !over {
            return env.host.rename_new(&temporary, path).map_err(io);
        }
        for end in ["-journal", "-wal", "-shm"] {
            // A replaced file's journal must not be rolled into the new one.
            env.host.remove_file(&with_end(path, end)).map_err(io)?;
        }
        env.host.rename(&temporary, path).map_err(io)
    });
    if let Err(error) = finished {
        for end in ["", "-journal", "-wal", "-shm"] {
            // The first error is the one to report; a leftover temporary file harms nobody.
            let _ = env.host.remove_file(&with_end(&temporary, end));
        }
        return Err(error);
    }
    env.host.sync_dir(folder).map_err(io)
}

fn write<F: FnOnce(&Connection) -> Result<()>>(
    env: &Env,
    path: &Path,
    (schema, tuning): (&Schema, &Tuning),
    fill: F,
) -> Result<()> {
    let fail = |e| error(path, CREATE, e);
    let name = uri(env, path, "mode=rwc", !tuning.wal);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(name, flags).map_err(|e| match e.sqlite_error_code() {
        Some(rusqlite::ErrorCode::CannotOpen) => PvError::Io {
            path: path.to_owned(),
            operation: CREATE,
            source: std::io::Error::from(std::io::ErrorKind::PermissionDenied),
        },
        _ => fail(e),
    })?;
    env.host.make_private(path).map_err(|source| PvError::Io { path: path.to_owned(), operation: CREATE, source })?;
    // Before the first table: neither can be changed later without rewriting the file.
    conn.pragma_update(None, "page_size", tuning.page_size).map_err(fail)?;
    let vacuum = if tuning.incremental_vacuum { "INCREMENTAL" } else { "NONE" };
    conn.pragma_update(None, "auto_vacuum", vacuum).map_err(fail)?;
    conn.execute_batch("PRAGMA synchronous = EXTRA; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;")
        .map_err(fail)?;
    let mode = if tuning.wal { "WAL" } else { "DELETE" };
    conn.pragma_update_and_check(None, "journal_mode", mode, |row| row.get::<_, String>(0)).map_err(fail)?;
    conn.pragma_update(None, "application_id", schema.application_id).map_err(fail)?;
    conn.pragma_update(None, "user_version", schema.user_version).map_err(fail)?;
    conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
    for statement in schema.statements {
        conn.execute_batch(statement).map_err(fail)?;
    }
    fill(&conn)?;
    conn.execute_batch("COMMIT").map_err(fail)?;
    if tuning.wal {
        conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(fail)?;
    }
    conn.close().map_err(|(_, e)| fail(e))
}

/// Errors name the file the user asked for, not the temporary one.
fn rename_error(error: PvError, from: &Path, to: &Path) -> PvError {
    match error {
        PvError::Io { path, operation, source } if path == from => {
            PvError::Io { path: to.to_owned(), operation, source }
        }
        PvError::NoSpace { path } if path == from => PvError::NoSpace { path: to.to_owned() },
        PvError::Damaged { path, what } if path == from => PvError::Damaged { path: to.to_owned(), what },
        other => other,
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn temporary(path: &Path) -> std::io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(std::io::Error::from(std::io::ErrorKind::InvalidInput));
    };
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(std::io::Error::from)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".new-{:016x}", u64::from_le_bytes(random)));
    Ok(path.with_file_name(hidden))
}
