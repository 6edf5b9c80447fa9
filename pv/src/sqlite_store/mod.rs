//! The extents of a PV file.
//!
//! # Invariants
//! * One connection writes, behind a mutex; the PV's lock file is held around each commit.
//! * Nothing is waited for between `BEGIN` and `COMMIT`.
//! * Any error after `BEGIN` that leaves the outcome unknown poisons the store.
//! * `Fast` readers are immutable connections: what they say may be old, so they never conclude anything final.
//! * No statement or blob handle outlives a read.

mod readers;
mod rows;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use self::readers::Readers;
use self::writer::Writer;
use crate::format::{PV_SCHEMA, READER_TUNING};
use crate::sqlite::{self, Access, error, shrink};
use crate::{
    Bytes, Env, Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, ListedExtent,
    OwnerRow, PeIndex, PvError, ReadMode, Result, StoreSpace, Txg, lock,
};

const SPACE: &str = "read its size";
/// Looks at all pages without a lock, before one with it.
const LOOKS: usize = 2;

/// [`ExtentStore`] of a PV file.
///
/// # Durability
/// A commit is durable when it returns (rollback journal PERSIST, synchronous FULL).
#[derive(Debug)]
pub struct SqliteStore {
    env: Env,
    path: PathBuf,
    access: Access,
    writer: Writer,
    readers: Readers,
    /// Commits since the store was opened, so that readers know whether their view can be old.
    commits: Arc<AtomicU64>,
    /// As of this process's last commit: asking must not wait for the next one.
    space: Mutex<Option<StoreSpace>>,
}

impl SqliteStore {
    /// Opens the extents of the PV `path` (a canonical path).
    ///
    /// # Errors
    /// As [`Pv::open`](crate::Pv::open).
    pub(crate) fn open(env: &Env, path: &Path, access: Access) -> Result<Self> {
        let commits = Arc::new(AtomicU64::new(0));
        // The writer first: it rolls back a hot journal, which no reader would see.
        let writer = Writer::open(env, path, access, Arc::clone(&commits))?;
        if !access.writes() {
            // Readers of the pool skip the check of the schema, so that it must have been made once.
            sqlite::open(env, path, &PV_SCHEMA, &READER_TUNING, access)?;
        }
        let readers = Readers::new(env, path);
        Ok(Self { env: env.clone(), path: path.to_owned(), access, writer, readers, commits, space: Mutex::default() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an earlier commit failed with an unknown outcome.
    pub fn is_poisoned(&self) -> bool {
        self.writer.is_poisoned()
    }

    /// Runs `run` while no commit runs, on a connection that sees the newest state.
    fn locked<T>(&self, run: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        if self.access == Access::Immutable {
            let conn = self.fresh(Access::Immutable)?;
            return run(&conn);
        }
        let writer = self.writer.hold();
        let _lock = lock::take_to_read(&self.env, &self.path)?;
        // An immutable connection is right only when no journal waits to be rolled back. The writer does that; without
        // one, SQLite's own locks and checks are needed.
        let access = if writer.settle()? { Access::Immutable } else { Access::ReadOnly };
        let conn = self.fresh(access)?;
        run(&conn)
    }

    fn fresh(&self, access: Access) -> Result<Connection> {
        sqlite::open(&self.env, &self.path, &PV_SCHEMA, &READER_TUNING, access)
    }
}

impl ExtentStore for SqliteStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        let space = self.writer.transact(|conn| {
            rows::commit(conn, &self.path, batch)?;
            space_of(conn, &self.path)
        })?;
        *self.space.lock().unwrap_or_else(PoisonError::into_inner) = Some(space);
        Ok(())
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        match mode {
            ReadMode::Locked => self.locked(|conn| rows::read(conn, &self.path, (pe, at), buf)),
            ReadMode::Reopen => {
                self.readers.renew(None, self.commits.load(Ordering::Acquire));
                self.readers.with(|conn| rows::read(conn, &self.path, (pe, at), buf)).0
            }
            ReadMode::Fast => {
                let (first, opened) = self.readers.with(|conn| rows::read(conn, &self.path, (pe, at), buf));
                let now = self.commits.load(Ordering::Acquire);
                if first.is_ok() || now == opened {
                    return first;
                }
                self.readers.renew(Some(opened), now);
                self.readers.with(|conn| rows::read(conn, &self.path, (pe, at), buf)).0
            }
        }
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
        self.locked(|conn| rows::header(conn, &self.path, pe))
    }

    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>> {
        self.locked(|conn| rows::extents_after(conn, &self.path, family, (epoch, flush)))
    }

    fn held(&self, pes: &[PeIndex]) -> Result<Vec<PeIndex>> {
        self.locked(|conn| rows::held(conn, &self.path, pes))
    }

    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
        self.locked(|conn| rows::list(conn, &self.path, pe, limit))
    }

    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>> {
        self.locked(|conn| rows::owner(conn, &self.path, family))
    }

    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()> {
        self.writer.transact(|conn| rows::take(conn, &self.path, OwnerRow { family, epoch, flush: FlushNo(0), txg }))
    }

    fn forget(&self, family: FamilyUuid) -> Result<()> {
        // The owner first: whoever still writes is fenced before its extents go.
        self.writer.transact(|conn| rows::forget_owner(conn, &self.path, family))?;
        while self.writer.transact(|conn| rows::forget_some(conn, &self.path, family))? > 0 {}
        Ok(())
    }

    fn contradictions(&self) -> Result<usize> {
        // All of a PV takes long to read, and nobody's commit should wait for that, or for a reader that is stopped. What is
        // sound while others write is sound; what is not may be what a commit changed meanwhile.
        for _ in 0..LOOKS {
            let looked = self.fresh(Access::Immutable).and_then(|conn| sqlite::contradictions(&conn, &self.path));
            if matches!(looked, Ok(0)) {
                return Ok(0);
            }
        }
        self.locked(|conn| sqlite::contradictions(conn, &self.path))
    }

    fn shrink(&self, bytes: Bytes) -> Result<()> {
        let space = self.writer.transact(|conn| {
            shrink(conn, &self.path, bytes)?;
            space_of(conn, &self.path)
        })?;
        *self.space.lock().unwrap_or_else(PoisonError::into_inner) = Some(space);
        Ok(())
    }

    fn space(&self) -> Result<StoreSpace> {
        let known = *self.space.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(space) = known {
            return Ok(space);
        }
        let space = self.locked(|conn| space_of(conn, &self.path))?;
        *self.space.lock().unwrap_or_else(PoisonError::into_inner) = Some(space);
        Ok(space)
    }
}

fn space_of(conn: &Connection, path: &Path) -> Result<StoreSpace> {
    let number =
        |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|e| error(path, SPACE, e));
    let page = number("page_size")?;
    let bytes = |pages: i64| {
        let bytes = pages.checked_mul(page).and_then(|n| u64::try_from(n).ok());
        bytes.map(Bytes).ok_or_else(|| PvError::Damaged {
            path: path.to_owned(),
            what: "its header counts pages that cannot be".to_owned(),
        })
    };
    Ok(StoreSpace { file: bytes(number("page_count")?)?, reusable: bytes(number("freelist_count")?)? })
}

#[cfg(test)]
mod tests;
