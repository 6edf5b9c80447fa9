//! Opening a file.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::identity::{cannot_connect, check_application, check_schema};
use super::journal::unmark;
use super::settings::{harden, journal_mode, tune};
use super::{Access, Schema, Tuning, error, mode, uri};
use crate::error::LinkInTheWay;
use crate::{Env, PvError, Result};

/// Older versions can corrupt a write-ahead log that two connections use (fixed in 3.51.3).
const OLDEST: i32 = 3_051_003;
const OPEN: &str = "open it";

/// Opens a file of the kind `schema`, hardened, after checking that it is one.
///
/// # Errors
/// [`PvError::Foreign`], [`PvError::Newer`], [`PvError::Damaged`] about what the file is; [`PvError::Io`] when it is
/// missing or may not be opened; [`PvError::NeedsRecovery`] when only a read-write connection can open it;
/// [`PvError::Busy`] when another program keeps it locked; [`PvError::OldSqlite`].
///
/// # Durability
/// A read-write connection rolls back a hot journal and makes that durable. The others write nothing.
///
/// # Concurrency
/// The connection may move between threads. [`Access::Immutable`] takes no locks at all.
pub fn open(env: &Env, path: &Path, schema: &Schema, tuning: &Tuning, access: Access) -> Result<Connection> {
    check_version()?;
    if access.writes() {
        probe(env, path, schema, tuning)?;
        unmark(env, path)?;
    }
    let conn = connect(env, path, access, tuning)?;
    check_application(env, &conn, path, schema)?;
    check_schema(&conn, path, schema)?;
    tune(&conn, tuning, access).map_err(|e| error(path, OPEN, e))?;
    if access.writes() {
        check_writable(&conn, path)?;
        check_journal(&conn, path, tuning)?;
    }
    Ok(conn)
}

/// Looks at the header alone, without locks or journals: a foreign file's hot journal is not ours to roll back.
///
/// After a crash the header may count pages that only the log can explain, or be torn where the journal has it whole: a
/// look that makes no sense decides nothing, and the real opening, which uses them, does.
pub(crate) fn probe(env: &Env, path: &Path, schema: &Schema, tuning: &Tuning) -> Result<()> {
    let look = connect(env, path, Access::Immutable, tuning)?;
    let id = look.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
    match id.map_err(|found| found.sqlite_error_code()) {
        Err(Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => Ok(()),
        _ => check_application(env, &look, path, schema),
    }
}

pub(super) fn check_version() -> Result<()> {
    let found = rusqlite::version_number();
    if found < OLDEST { Err(PvError::OldSqlite { found: rusqlite::version() }) } else { Ok(()) }
}

pub(super) fn connect(env: &Env, path: &Path, access: Access, tuning: &Tuning) -> Result<Connection> {
    // Opening a pipe would wait for its other end.
    regular(env, path)?;
    no_link(env, path, tuning)?;
    if tuning.wal {
        folder_is_own(env, path, OPEN)?;
    }
    for end in ["-journal", "-wal", "-shm"] {
        let mut side = path.as_os_str().to_owned();
        side.push(end);
        regular(env, Path::new(&side))?;
        no_link(env, Path::new(&side), tuning)?;
    }
    let name = uri(env, path, mode(access), !tuning.wal);
    let conn = Connection::open_with_flags(name, flags(access)).map_err(|e| cannot_connect(env, path, e))?;
    harden(&conn, access).map_err(|e| error(path, OPEN, e))?;
    Ok(conn)
}

/// Refuses what is there and is no file.
fn regular(env: &Env, path: &Path) -> Result<()> {
    if env.host.stat(path).is_ok_and(|file| !file.regular) {
        let what = "a folder, pipe, socket or device".to_owned();
        return Err(PvError::Foreign { path: path.to_owned(), what });
    }
    Ok(())
}

/// Refuses a symbolic link: SQLite would follow it, and make files where it leads. A PV may be named by a link, which was
/// followed before; nothing else of a pool is one.
fn no_link(env: &Env, path: &Path, tuning: &Tuning) -> Result<()> {
    const WHAT: LinkInTheWay = LinkInTheWay("file");
    if !env.host.is_link(path) {
        return Ok(());
    }
    if tuning.wal {
        return Err(PvError::Foreign { path: path.to_owned(), what: WHAT.to_string() });
    }
    // What is in the way of a PV's journal says nothing about the PV, which must not pass for something else.
    Err(PvError::Io { path: path.to_owned(), operation: OPEN, source: WHAT.failure() })
}

/// Refuses a metadata volume in a folder that is a symbolic link: its log would be made where that leads. The copy may be
/// whole, so that it is not called foreign.
pub(super) fn folder_is_own(env: &Env, path: &Path, operation: &'static str) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| env.host.is_link(folder)) else { return Ok(()) };
    Err(PvError::Io { path: folder.to_owned(), operation, source: LinkInTheWay("folder").failure() })
}

pub(super) fn flags(access: Access) -> OpenFlags {
    let how = if access.writes() { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    how | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE
}

/// Flags for a pool of immutable connections.
pub(crate) fn reader_flags() -> OpenFlags {
    flags(Access::Immutable)
}

/// Prepares a connection of such a pool. The file's identity was checked before the pool was made.
pub(crate) fn reader_init(conn: &Connection, tuning: &Tuning) -> rusqlite::Result<()> {
    harden(conn, Access::Immutable)?;
    tune(conn, tuning, Access::Immutable)
}

/// SQLite opens a file that cannot be written for reading, and says so to whoever asks.
fn check_writable(conn: &Connection, path: &Path) -> Result<()> {
    if !conn.is_readonly(rusqlite::MAIN_DB).map_err(|e| error(path, OPEN, e))? {
        return Ok(());
    }
    let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "it can only be read");
    Err(PvError::Io { path: path.to_owned(), operation: "open it for writing", source })
}

/// Sets and verifies what a commit's safety rests on.
fn check_journal(conn: &Connection, path: &Path, tuning: &Tuning) -> Result<()> {
    let fail = |e| error(path, OPEN, e);
    let wanted = journal_mode(tuning);
    let before: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).map_err(fail)?;
    if (before == "wal") != tuning.wal {
        let what = "its journal mode was changed by another program".to_owned();
        return Err(PvError::Foreign { path: path.to_owned(), what });
    }
    let now: String = conn.pragma_update_and_check(None, "journal_mode", wanted, |row| row.get(0)).map_err(fail)?;
    let sync: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0)).map_err(fail)?;
    let secure: i64 = conn.pragma_query_value(None, "secure_delete", |row| row.get(0)).map_err(fail)?;
    // secure_delete would journal and overwrite every freed page: nine times the bytes.
    if now == wanted && sync == 2 && secure == 0 {
        return Ok(());
    }
    let source = std::io::Error::other("it does not accept the settings that commits rest on");
    Err(PvError::Io { path: path.to_owned(), operation: OPEN, source })
}
