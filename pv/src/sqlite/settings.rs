//! Settings of a connection.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};

use super::{Access, Tuning};

/// How long a writer waits for another connection's lock. Commits are surrounded by a lock file, so only readers are
/// ever waited for.
const WRITER_PATIENCE: Duration = Duration::from_secs(5);

/// The same for a reader. Between commits that follow each other closely SQLite's waiting hardly finds a gap: the caller
/// does better to queue at the lock file.
const READER_PATIENCE: Duration = Duration::from_millis(200);

/// What a rollback journal keeps between transactions, in bytes at most.
const JOURNAL_KEPT: u32 = 1024 * 1024;

/// The same on a host with little room: whoever counts it counts so much for each PV.
pub const SHORT_JOURNAL: u32 = 384 * 1024;

/// Lets the next commits keep a short journal, or one of the usual length, which need not grow again each time.
pub(crate) fn shorten_journal(conn: &Connection, short: bool) -> Result<()> {
    conn.pragma_update(None, "journal_size_limit", if short { SHORT_JOURNAL } else { JOURNAL_KEPT })
}

/// Upper limits for what a file may make this process do.
const LIMITS: [(Limit, i32); 7] = [
    (Limit::SQLITE_LIMIT_LENGTH, 8 * 1024 * 1024),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 * 1024),
    (Limit::SQLITE_LIMIT_COLUMN, 64),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 64),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 16),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 0),
];

const SWITCHES: [(DbConfig, bool); 7] = [
    // A log whose sync failed may hold other bytes than were written to it. Whoever opens it next reads it by its
    // checksums; the connection that wrote it does not, and would move them into the file when it is closed.
    (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
    (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
    (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
    (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
];

/// Takes away what a hostile file could use. Reads nothing from the file.
pub(super) fn harden(conn: &Connection, access: Access) -> Result<()> {
    conn.busy_timeout(if access.writes() { WRITER_PATIENCE } else { READER_PATIENCE })?;
    for (limit, value) in LIMITS {
        conn.set_limit(limit, value)?;
    }
    for (switch, value) in SWITCHES {
        conn.set_db_config(switch, value)?;
    }
    conn.execute_batch("PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;")
}

/// Sets what depends on the kind of file and on the access. Runs after the file's identity is known.
pub(super) fn tune(conn: &Connection, tuning: &Tuning, access: Access) -> Result<()> {
    conn.pragma_update(None, "cache_size", -i64::from(tuning.cache_kib))?;
    if !access.writes() {
        return conn.pragma_update(None, "query_only", true);
    }
    // macOS: fsync alone leaves data in the drive's cache.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
         PRAGMA secure_delete = OFF;",
    )?;
    if tuning.wal {
        // The owner checkpoints when it suits.
        return conn.pragma_update(None, "wal_autocheckpoint", 0);
    }
    // A page that spills before the commit would lock readers out early.
    conn.execute_batch("PRAGMA cache_spill = OFF;")?;
    shorten_journal(conn, false)
}

/// The journal mode a connection to such a file must report.
pub(super) fn journal_mode(tuning: &Tuning) -> &'static str {
    if tuning.wal { "wal" } else { "persist" }
}
