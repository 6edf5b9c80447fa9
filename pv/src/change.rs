//! A descriptor change on one PV.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::format::{PV_SCHEMA, PV_TUNING};
use crate::sqlite::{self, Access, error};
use crate::{
    DescriptorCopy, Descriptors, Env, Epoch, HostLock, Label, PvError, PvUuid, Result, Seqno, descriptor, label, lock,
};

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// The exclusive right to change one PV's label, promise and descriptors.
///
/// Dropped without [`ChangeGuard::commit`], it rolls back what came after the last promise.
///
/// # Concurrency
/// Holds the PV's lock file: commits of extents wait meanwhile, also in other processes. Keep it short.
#[derive(Debug)]
pub struct ChangeGuard {
    conn: Connection,
    env: Env,
    path: PathBuf,
    pv: PvUuid,
    // Fields drop in order: the connection is closed before the lock is released.
    _lock: Box<dyn HostLock>,
}

impl ChangeGuard {
    pub(crate) fn begin(env: &Env, path: &Path, pv: PvUuid) -> Result<Self> {
        let held = lock::take(env, path)?;
        let conn = sqlite::open(env, path, &PV_SCHEMA, &PV_TUNING, Access::ReadWrite)?;
        let guard = Self { conn, env: env.clone(), path: path.to_owned(), pv, _lock: held };
        guard.run(BEGIN)?;
        if guard.label()?.pv != pv {
            let what = "another physical volume than before has this name".to_owned();
            return Err(PvError::Foreign { path: guard.path.clone(), what });
        }
        Ok(guard)
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.conn.execute_batch(sql).map_err(|e| error(&self.path, "change it", e))
    }

    /// The PV.
    pub fn pv(&self) -> PvUuid {
        self.pv
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The label.
    ///
    /// # Errors
    /// [`PvError::Damaged`], [`PvError::Newer`], [`PvError::Io`].
    pub fn label(&self) -> Result<Label> {
        label::read(&self.conn, &self.path, true)
    }

    /// The descriptor generations, newest last.
    ///
    /// # Errors
    /// [`PvError::Damaged`], [`PvError::Io`].
    pub fn descriptors(&self) -> Result<Descriptors> {
        descriptor::read(&self.conn, &self.path)
    }

    /// The promise.
    ///
    /// # Errors
    /// [`PvError::Damaged`], [`PvError::Io`].
    pub fn promised(&self) -> Result<Epoch> {
        descriptor::read_promise(&self.conn, &self.path)
    }

    /// Promises `epoch` in a commit of its own, with everything changed before it. The change goes on in a new
    /// transaction, still under the lock.
    ///
    /// # Errors
    /// [`PvError::Superseded`] when as much or more was promised already; [`PvError::Io`] and others: outcome unknown,
    /// drop the guard and start over.
    ///
    /// # Durability
    /// The promise is durable when this returns.
    pub fn promise(&self, epoch: Epoch) -> Result<()> {
        if self.promised()? >= epoch {
            return Err(PvError::Superseded { path: self.path.clone() });
        }
        descriptor::write_promise(&self.conn, &self.path, epoch)?;
        lock::name_journal(&self.env, &self.path)?;
        self.run(COMMIT)?;
        self.run(BEGIN)
    }

    /// Stores a generation, after checking inside the transaction that the promise is still `promise` and that the
    /// newest generation here still is number `previous` (`None` for the first). Older generations than the last
    /// [`GENERATIONS`](crate::GENERATIONS) go.
    ///
    /// # Errors
    /// [`PvError::Superseded`] when something got in between; [`PvError::Refused`] when the document is too long;
    /// [`PvError::Io`] and others.
    pub fn install(&self, copy: &DescriptorCopy, promise: Epoch, previous: Option<Seqno>) -> Result<()> {
        let newest = self.descriptors()?.newest().map(|d| d.seqno);
        if self.promised()? != promise || newest != previous {
            return Err(PvError::Superseded { path: self.path.clone() });
        }
        descriptor::write(&self.conn, &self.path, copy)
    }

    /// Forgets all descriptor generations (a PV that leaves its group, or stops holding copies).
    ///
    /// # Errors
    /// [`PvError::Io`] and others.
    pub fn clear_descriptors(&self) -> Result<()> {
        descriptor::clear(&self.conn, &self.path)
    }

    /// Replaces the label. Its uuid must stay.
    ///
    /// # Errors
    /// [`PvError::Refused`]; [`PvError::Io`] and others.
    pub fn set_label(&self, label: &Label) -> Result<()> {
        if label.pv != self.pv {
            let what = "the uuid of a physical volume never changes".to_owned();
            return Err(PvError::Refused { path: self.path.clone(), what });
        }
        label::write(&self.conn, &self.path, label)
    }

    /// Commits.
    ///
    /// # Errors
    /// Outcome unknown: read the PV again.
    ///
    /// # Durability
    /// Durable when this returns.
    pub fn commit(self) -> Result<()> {
        lock::name_journal(&self.env, &self.path)?;
        self.run(COMMIT)
    }
}

impl Drop for ChangeGuard {
    fn drop(&mut self) {
        if !self.conn.is_autocommit() {
            // Closing the connection would roll back too.
            let _ = self.conn.execute_batch(ROLLBACK);
        }
    }
}
