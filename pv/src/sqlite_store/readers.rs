//! Readers without locks: a pool of immutable connections.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use r2d2::Pool;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::Connection;
use scheduled_thread_pool::ScheduledThreadPool;

use crate::format::{PV_SCHEMA, READER_TUNING};
use crate::sqlite::{self, Access, mode, uri};
use crate::{Env, Result};

/// Connections a PV's readers share.
const READERS: u32 = 4;
/// How long a reader waits for one of them before it opens its own.
const PATIENCE: Duration = Duration::from_millis(500);
/// Twice the pause before a connection that could not be opened is tried again: one that meets a commit fails for a
/// moment only.
const RETRY: Duration = Duration::from_millis(10);

/// One pool, and how many commits had returned when it was made.
#[derive(Debug, Clone)]
struct Generation {
    pool: Pool<SqliteConnectionManager>,
    opened: u64,
}

#[derive(Debug)]
pub(super) struct Readers {
    env: Env,
    path: PathBuf,
    current: Mutex<Option<Generation>>,
    /// The only connection where the stack may not use threads of its own.
    single: Mutex<Option<(Connection, u64)>>,
    /// Commits that had returned when a new pool was last asked for.
    since: Mutex<u64>,
}

/// One thread opens connections for all PVs of the process, so that a pool costs nothing before its first read.
fn opener() -> Arc<ScheduledThreadPool> {
    static OPENER: OnceLock<Arc<ScheduledThreadPool>> = OnceLock::new();
    let make = || ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("pv-reader-{}").build();
    Arc::clone(OPENER.get_or_init(|| Arc::new(make())))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is inside is replaced as a whole, so that a panic elsewhere cannot leave it half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Readers {
    pub(super) fn new(env: &Env, path: &Path) -> Self {
        Self {
            env: env.clone(),
            path: path.to_owned(),
            current: Mutex::new(None),
            single: Mutex::new(None),
            since: Mutex::new(0),
        }
    }

    /// Makes the next read open a new connection, unless another thread did since the pool of `opened`.
    pub(super) fn renew(&self, opened: Option<u64>, commits: u64) {
        *lock(&self.since) = commits;
        let stale = |have: u64| opened.is_none_or(|o| o == have);
        let mut current = lock(&self.current);
        if current.as_ref().is_some_and(|g| stale(g.opened)) {
            *current = None;
        }
        drop(current);
        let mut single = lock(&self.single);
        if single.as_ref().is_some_and(|(_, have)| stale(*have)) {
            *single = None;
        }
    }

    /// Runs `run` on a reader; also how many commits had returned when that reader's pool was made.
    pub(super) fn with<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> (Result<T>, u64) {
        if !self.env.threads {
            return self.with_single(run);
        }
        let generation = self.generation();
        match generation.pool.get_timeout(PATIENCE) {
            Ok(conn) => (run(&conn), generation.opened),
            // All are busy, or none can be opened: one of our own says which, in better words.
            Err(_) => (self.fresh().and_then(|conn| run(&conn)), generation.opened),
        }
    }

    fn with_single<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> (Result<T>, u64) {
        let since = *lock(&self.since);
        let mut single = lock(&self.single);
        let (conn, opened) = match single.take() {
            Some(have) => have,
            None => match self.fresh() {
                Ok(conn) => (conn, since),
                Err(error) => return (Err(error), since),
            },
        };
        let result = run(&conn);
        *single = Some((conn, opened));
        (result, opened)
    }

    fn fresh(&self) -> Result<Connection> {
        sqlite::open(&self.env, &self.path, &PV_SCHEMA, &READER_TUNING, Access::Immutable)
    }

    fn generation(&self) -> Generation {
        let since = *lock(&self.since);
        let mut current = lock(&self.current);
        current.get_or_insert_with(|| Generation { pool: self.pool(), opened: since }).clone()
    }

    fn pool(&self) -> Pool<SqliteConnectionManager> {
        let name = uri(&self.env, &self.path, mode(Access::Immutable), true);
        let manager = SqliteConnectionManager::file(name)
            .with_flags(sqlite::reader_flags())
            .with_init(|conn| sqlite::reader_init(conn, &READER_TUNING));
        Pool::builder()
            .max_size(READERS)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .max_lifetime(None)
            .idle_timeout(None)
            .connection_timeout(RETRY)
            .thread_pool(opener())
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(manager)
    }
}
