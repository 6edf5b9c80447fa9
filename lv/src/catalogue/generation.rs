//! Which log belongs to which file.
//!
//! SQLite takes any log that lies beside a file for that file's own. An older file beside a newer log, or a log of another
//! moment or copy, then gives a mixture of rows each of which is valid. So each log has a number of its own: the first
//! commit to go into it writes a new one into the table `log`, beside the number of the log before. The file alone, read
//! without its log, must have one or the other, and no commit that it does not have with its log.
//!
//! A new number is written only when the file is known to have the last one durably, which it has after a checkpoint beside
//! which no commit ran. Otherwise it could be two behind, and a sound pair be refused.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use pv::sqlite::{self, Access};
use pv::{Env, PvError};
use rusqlite::Connection;

use super::copy::state_of;
use super::schema::{SCHEMA, TUNING};
use super::to_read::log_of;
use crate::{LvError, Result};

const READ: &str = "SELECT number, before, replaced, sum FROM log WHERE id=0";
const PUT: &str = "REPLACE INTO log VALUES(0,?,?,?,?)";
/// Tag of the row in its checksum.
const LOG: u8 = 11;

/// What a file says of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    /// Number of the log that this was written to, never 0.
    number: i64,
    /// Number of the log before it.
    before: i64,
    /// All of the file is about to be replaced by another copy's pages, with what they say of that one's log.
    replaced: bool,
}

impl Generation {
    /// That of a new file.
    ///
    /// # Errors
    /// The operating system has no random numbers.
    pub(super) fn first() -> std::io::Result<Self> {
        Ok(Self { number: number()?, before: 0, replaced: false })
    }

    /// Reads the row, which has a checksum of its own.
    pub(super) fn read(connection: &Connection, path: &Path) -> Result<Self> {
        let row =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get::<_, i64>(3)?));
        let (number, before, replaced, sum) = connection
            .prepare_cached(READ)
            .and_then(|mut statement| statement.query_row([], row))
            .map_err(|source| sqlite::error(path, "read the log's number of", source))?;
        let found = Self { number, before, replaced: replaced != 0 };
        if found.sum() != sum {
            let what = "the log's number does not match its checksum".to_owned();
            return Err(LvError::DamagedRow { file: path.to_owned(), what });
        }
        Ok(found)
    }

    /// Writes the row.
    pub(super) fn put(self, connection: &Connection) -> rusqlite::Result<()> {
        let values = (self.number, self.before, i64::from(self.replaced), self.sum());
        connection.prepare_cached(PUT)?.execute(values).map(drop)
    }

    /// The same, with the mark that all of it is about to be replaced.
    pub(super) fn to_be_replaced(self) -> Self {
        Self { replaced: true, ..self }
    }

    fn sum(self) -> i64 {
        let mut bytes = Vec::with_capacity(17);
        bytes.extend(self.number.to_le_bytes());
        bytes.extend(self.before.to_le_bytes());
        bytes.push(u8::from(self.replaced));
        pv::row_sum(LOG, &bytes)
    }
}

/// A number that no other log has; all are stored in eight bytes.
fn number() -> std::io::Result<i64> {
    let random = getrandom::u64().map_err(std::io::Error::from)?;
    Ok((random >> 2 | 1 << 61).cast_signed())
}

/// The number of the log that is known to be in the file, durably; shared by all connections to one copy.
#[derive(Debug, Default)]
pub(super) struct InFile(AtomicI64);

impl InFile {
    /// The file has all of its log, which was this one before it was moved.
    pub(super) fn set(&self, generation: Generation) {
        self.0.store(generation.number, Ordering::Release);
    }

    /// Nothing is known.
    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Inside a commit: a new number, if the file has the last one.
    pub(super) fn begin_log(&self, transaction: &Connection, path: &Path) -> Result<()> {
        let known = self.0.load(Ordering::Acquire);
        if known == 0 {
            return Ok(());
        }
        let last = Generation::read(transaction, path)?;
        self.forget();
        if last.number != known {
            return Ok(());
        }
        let fail = |source| sqlite::error(path, "commit to", source);
        let failed = |source| PvError::Io { path: path.to_owned(), operation: "choose a number for its log", source };
        let next = Generation { number: number().map_err(failed)?, before: last.number, replaced: false };
        Ok(next.put(transaction).map_err(fail)?)
    }
}

/// Refuses a file with a log that is not its own. `connection` must be in a transaction, so that nobody moves anything into
/// the file that it does not see.
///
/// # Errors
/// [`LvError::DamagedRow`].
pub(super) fn check_log(env: &Env, path: &Path, connection: &Connection) -> Result<()> {
    let both = (Generation::read(connection, path)?, state_of(connection, path)?);
    if env.host.stat(&log_of(path)).map_or(0, |file| file.len.0) == 0 {
        return Ok(());
    }
    let alone = sqlite::open(env, path, &SCHEMA, &TUNING, Access::Immutable).map_err(LvError::from);
    let alone = alone.and_then(|alone| Ok((Generation::read(&alone, path)?, state_of(&alone, path)?)));
    // While a log is moved into it, or after a crash meanwhile, a file makes no sense without its log.
    let Ok((file, file_state)) = alone else { return Ok(()) };
    let (log, state) = both;
    let what = if file.replaced {
        return Ok(());
    } else if file.number != log.number && file.number != log.before {
        "the file and its log are not of the same moment: one of the two was put in another's place"
    } else if (file_state.epoch, file_state.txg) > (state.epoch, state.txg) {
        "its log ends before what was moved from it into the file"
    } else {
        return Ok(());
    };
    Err(LvError::DamagedRow { file: path.to_owned(), what: what.to_owned() })
}
