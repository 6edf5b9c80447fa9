//! The one connection that writes a PV's extents.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, TransactionState};

use crate::format::{PV_SCHEMA, PV_TUNING};
use crate::sqlite::{self, Access, error, writeback};
use crate::{Env, PvError, Result, lock};

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
/// Any read makes SQLite look for a journal that waits to be rolled back.
const SETTLE: &str = "SELECT count(*) FROM promise";
/// Whether all connections of the process share one pool of pages. A cache that is full then takes the oldest page of any
/// other, and gives it back to nobody when the sizes differ: it grows past its limit.
const SHARED_CACHE: &str = "SELECT sqlite_compileoption_used('ENABLE_MEMORY_MANAGEMENT')";
const WRITE: &str = "commit to it";
/// Bytes free on the host below which journals are kept short.
const LITTLE: u64 = 64 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Writer {
    env: Env,
    path: PathBuf,
    /// `None` when opened for reading only.
    conn: Mutex<Option<Connection>>,
    /// Pages are given back after each commit, or there is no bound on them.
    give_back: bool,
    poisoned: AtomicBool,
    /// The journal's name is durable.
    named: AtomicBool,
    /// The journal is kept short.
    short: AtomicBool,
    commits: Arc<AtomicU64>,
}

/// Keeps commits of this process away.
pub(super) struct Held<'a> {
    writer: &'a Writer,
    conn: MutexGuard<'a, Option<Connection>>,
}

impl Held<'_> {
    /// Rolls back what an interrupted write of any process left; whether that is certain. Under the PV's lock.
    pub(super) fn settle(&self) -> Result<bool> {
        let Some(conn) = self.conn.as_ref().filter(|_| !self.writer.is_poisoned()) else { return Ok(false) };
        sqlite::unmark(&self.writer.env, &self.writer.path)?;
        conn.query_row(SETTLE, [], |_| Ok(())).map_err(|e| error(&self.writer.path, "read it", e))?;
        Ok(true)
    }
}

impl Writer {
    pub(super) fn open(env: &Env, path: &Path, access: Access, commits: Arc<AtomicU64>) -> Result<Self> {
        let conn = if access.writes() {
            let _lock = lock::take(env, path)?;
            Some(sqlite::open(env, path, &PV_SCHEMA, &PV_TUNING, access)?)
        } else {
            None
        };
        let shared = |conn: &Connection| conn.query_row(SHARED_CACHE, [], |row| row.get(0)).unwrap_or(true);
        Ok(Self {
            give_back: conn.as_ref().is_some_and(shared),
            env: env.clone(),
            path: path.to_owned(),
            conn: Mutex::new(conn),
            poisoned: AtomicBool::new(false),
            named: AtomicBool::new(false),
            short: AtomicBool::new(false),
            commits,
        })
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn poison(&self) {
        self.poisoned.store(true, Ordering::Release);
    }

    pub(super) fn hold(&self) -> Held<'_> {
        // A thread that panicked inside a commit left its outcome unknown: that poisons the store, not the readers.
        let conn = self.conn.lock().unwrap_or_else(|e| {
            self.poison();
            PoisonError::into_inner(e)
        });
        Held { writer: self, conn }
    }

    /// Runs `run` in a transaction of its own and commits it.
    pub(super) fn transact<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let held = self.hold();
        let Some(conn) = held.conn.as_ref() else { return Err(PvError::ReadOnly { path: self.path.clone() }) };
        if self.is_poisoned() {
            return Err(PvError::Poisoned { path: self.path.clone() });
        }
        let _lock = lock::take(&self.env, &self.path)?;
        // The transaction may begin with the rollback of what another process left.
        sqlite::unmark(&self.env, &self.path)?;
        let little = self.env.host.space(&self.path).is_ok_and(|space| space.free.0 < LITTLE);
        if self.short.swap(little, Ordering::Relaxed) != little {
            sqlite::shorten_journal(conn, little).map_err(|e| error(&self.path, WRITE, e))?;
        }
        if let Err(e) = conn.execute_batch(BEGIN) {
            let failed = error(&self.path, WRITE, e);
            if !matches!(failed, PvError::Busy { .. }) {
                self.poison();
            }
            return Err(failed);
        }
        let done = run(conn).and_then(|value| {
            if !self.named.load(Ordering::Acquire) {
                lock::name_journal(&self.env, &self.path)?;
                self.named.store(true, Ordering::Release);
            }
            let _early = writeback::during();
            conn.execute_batch(COMMIT).map_err(|e| error(&self.path, WRITE, e))?;
            Ok(value)
        });
        if let Err(failed) = &done {
            self.undo(conn, failed);
        }
        if self.give_back {
            // Nothing depends on it.
            let _ = conn.release_memory();
        }
        // After the commit: a reader opened before this line counts as older than it.
        self.commits.fetch_add(1, Ordering::AcqRel);
        done
    }

    fn undo(&self, conn: &Connection, failed: &PvError) {
        // SQLite may have rolled back by itself.
        let rolled_back = conn.is_autocommit() || conn.execute_batch(ROLLBACK).is_ok();
        let idle = conn.transaction_state(None::<&str>).is_ok_and(|state| state == TransactionState::None);
        let refused =
            matches!(failed, PvError::Fenced { .. } | PvError::FlushNotRising { .. } | PvError::Refused { .. });
        if !(refused && rolled_back && idle) {
            self.poison();
        }
    }
}
