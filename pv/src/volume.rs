//! One PV file: opening it and reading what is not extents.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::change::ChangeGuard;
use crate::format::{PV_SCHEMA, PV_TUNING};
use crate::sqlite::{self, Access};
use crate::{Descriptors, Env, Epoch, Label, PvError, Result, SqliteStore, descriptor, label, lock};

/// First bytes of a journal that has something to roll back.
const HOT: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// A physical volume whose file was checked.
///
/// # Concurrency
/// Holds no connection and no lock between calls; each method opens what it needs.
#[derive(Debug, Clone)]
pub struct Pv {
    env: Env,
    path: PathBuf,
    access: Access,
    label: Label,
    recovered: bool,
}

impl Pv {
    /// Opens the PV file `path`. With [`Access::ReadWrite`] an interrupted write is rolled back first, under the PV's
    /// lock file ([`Pv::recovered`] tells).
    ///
    /// # Errors
    /// [`PvError::Foreign`], [`PvError::Newer`] and [`PvError::Damaged`] about what the file is;
    /// [`PvError::NeedsRecovery`] without write access; [`PvError::Busy`]; [`PvError::Io`], also about its journal.
    ///
    /// # Durability
    /// Without write access nothing is written, except a lock file where that is possible.
    pub fn open(env: &Env, path: &Path, access: Access) -> Result<Self> {
        let path = env.host.canonical(path).map_err(|source| PvError::Io {
            path: path.to_owned(),
            operation: "open it",
            source,
        })?;
        if access != Access::Immutable {
            lock::refuse_linked_folder(env, &path)?;
        }
        if !access.writes() {
            let label = read(env, &path, access, |conn| label::read(conn, &path, false))?;
            return Ok(Self { env: env.clone(), path, access, label, recovered: false });
        }
        // Says what a foreign file is before anything is made beside it.
        sqlite::probe(env, &path, &PV_SCHEMA, &PV_TUNING)?;
        let _lock = lock::take(env, &path)?;
        let recovered = hot_journal(env, &path);
        let opened = sqlite::open(env, &path, &PV_SCHEMA, &PV_TUNING, access);
        let conn = opened.map_err(|error| waits_for(env, &path, error))?;
        let label = label::read(&conn, &path, true)?;
        Ok(Self { env: env.clone(), path, access, label, recovered })
    }

    /// The file, as one canonical path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How it was opened.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The label as it was when the PV was opened.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether opening it rolled back an interrupted write, which is worth a message.
    pub fn recovered(&self) -> bool {
        self.recovered
    }

    /// The folder beside the file, which may not exist yet.
    pub fn folder(&self) -> PathBuf {
        lock::side_folder(&self.path)
    }

    /// The label as it is now.
    ///
    /// # Errors
    /// As [`Pv::open`].
    pub fn read_label(&self) -> Result<Label> {
        self.read(|conn| label::read(conn, &self.path, false))
    }

    /// The descriptor generations, newest last. Damaged ones are counted.
    ///
    /// # Errors
    /// As [`Pv::open`].
    pub fn descriptors(&self) -> Result<Descriptors> {
        self.read(|conn| descriptor::read(conn, &self.path))
    }

    /// The epoch this PV has promised.
    ///
    /// # Errors
    /// As [`Pv::open`].
    pub fn promise(&self) -> Result<Epoch> {
        self.read(|conn| descriptor::read_promise(conn, &self.path))
    }

    /// Takes the PV's lock file, waiting for its holder, and begins a descriptor change. Several PVs are taken in the
    /// order of their uuids.
    ///
    /// # Errors
    /// [`PvError::ReadOnly`]; as [`Pv::open`].
    pub fn begin_change(&self) -> Result<ChangeGuard> {
        if !self.access.writes() {
            return Err(PvError::ReadOnly { path: self.path.clone() });
        }
        ChangeGuard::begin(&self.env, &self.path, self.label.pv)
    }

    /// The PV's extents. Without write access every commit is refused.
    ///
    /// # Errors
    /// As [`Pv::open`].
    pub fn store(&self) -> Result<Arc<SqliteStore>> {
        SqliteStore::open(&self.env, &self.path, self.access).map(Arc::new)
    }

    /// The PV's extents, to be read only, however the PV was opened.
    ///
    /// # Errors
    /// As [`Pv::open`].
    pub fn store_to_read(&self) -> Result<Arc<SqliteStore>> {
        let access = if self.access.writes() { Access::ReadOnly } else { self.access };
        SqliteStore::open(&self.env, &self.path, access).map(Arc::new)
    }

    fn read<T>(&self, run: impl Fn(&Connection) -> Result<T>) -> Result<T> {
        let access = if self.access == Access::Immutable { Access::Immutable } else { Access::ReadOnly };
        read(&self.env, &self.path, access, run)
    }
}

fn read<T>(env: &Env, path: &Path, access: Access, run: impl Fn(&Connection) -> Result<T>) -> Result<T> {
    let once = || sqlite::open(env, path, &PV_SCHEMA, &PV_TUNING, access).and_then(|conn| run(&conn));
    match once() {
        // Commits follow each other closely: stand in line instead of hoping for a gap.
        Err(PvError::Busy { .. } | PvError::NeedsRecovery { .. }) if access != Access::Immutable => {
            let _lock = lock::take_to_read(env, path)?;
            once().map_err(|error| waits_for(env, path, error))
        }
        other => other,
    }
}

/// What a PV really waits for that seems to wait for a rollback: a journal that it cannot look into SQLite takes for one
/// that has something to roll back.
fn waits_for(env: &Env, path: &Path, error: PvError) -> PvError {
    if !matches!(error, PvError::NeedsRecovery { .. }) {
        return error;
    }
    let journal = journal(path);
    match env.host.read(&journal, HOT.len()) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            PvError::Io { path: journal, operation: "read this journal of a physical volume", source }
        }
        _ => error,
    }
}

fn hot_journal(env: &Env, path: &Path) -> bool {
    env.host.read(&journal(path), HOT.len()).is_ok_and(|bytes| bytes == HOT)
}

fn journal(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    PathBuf::from(name)
}
