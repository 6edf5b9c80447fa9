//! The extents of a PV with a rule switched off.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pv::{
    Bytes, Env, Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, FreshExtent,
    ListedExtent, OwnerRow, PeIndex, PvError, ReadMode, Result, StoreSpace, Txg,
};
use rusqlite::{Connection, OpenFlags};

/// A store that does something else than it should.
#[derive(Debug)]
pub(super) struct WeakStore {
    store: Arc<dyn ExtentStore>,
    twist: Twist,
}

/// What it does.
#[derive(Debug)]
enum Twist {
    /// Its commits happen with the next one.
    Lazy(Mutex<Option<Waiting>>),
    /// It commits whoever owns the family: the owner row is what this store left it as for the time of a commit, and then
    /// what it was.
    Unfenced {
        rows: OwnerRows,
        /// The owner row after the last commit.
        mine: Mutex<Option<Vec<u8>>>,
    },
}

/// A batch that has returned and not happened.
#[derive(Debug)]
struct Waiting {
    batch: (FamilyUuid, Epoch, FlushNo, Txg),
    fresh: Vec<FreshExtent>,
    freed: Vec<PeIndex>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The owner rows of a PV, for whoever does not keep to the rules.
#[derive(Debug)]
struct OwnerRows {
    /// The PV, for SQLite.
    file: String,
}

impl OwnerRows {
    fn of(env: &Env, path: &Path) -> Self {
        Self { file: format!("file:{}?vfs={}", path.display(), env.vfs.as_deref().unwrap_or("unix")) }
    }

    /// Runs SQL. This is the rig's own doing: it must not fail.
    fn run<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(&self.file, flags).and_then(|db| run(&db)).expect("the owner row is there")
    }

    fn read(&self, family: FamilyUuid) -> Vec<u8> {
        let key = family.as_bytes().as_slice();
        self.run(|db| db.query_row("SELECT body FROM owner WHERE family=?1", [key], |row| row.get(0)))
    }

    fn write(&self, family: FamilyUuid, body: &[u8]) {
        let key = family.as_bytes().as_slice();
        self.run(|db| db.execute("UPDATE owner SET body=?2 WHERE family=?1", [key, body]));
    }
}

impl WeakStore {
    pub(super) fn lazy(store: Arc<dyn ExtentStore>) -> Self {
        Self { store, twist: Twist::Lazy(Mutex::new(None)) }
    }

    pub(super) fn unfenced(store: Arc<dyn ExtentStore>, env: &Env, path: &Path) -> Self {
        Self { store, twist: Twist::Unfenced { rows: OwnerRows::of(env, path), mine: Mutex::new(None) } }
    }

    /// Lets what has returned happen.
    fn happen(&self, waiting: &Mutex<Option<Waiting>>) -> Result<()> {
        let Some(Waiting { batch: (family, epoch, flush, txg), fresh, freed }) = lock(waiting).take() else {
            return Ok(());
        };
        self.store.commit(&ExtentBatch { family, epoch, flush, txg, fresh: &fresh, freed: &freed })
    }

    fn commit_unfenced(&self, batch: &ExtentBatch<'_>, rows: &OwnerRows, mine: &Mutex<Option<Vec<u8>>>) -> Result<()> {
        let fenced = self.store.owner(batch.family)?.is_some_and(|owner| owner.epoch != batch.epoch);
        let theirs = rows.read(batch.family);
        let mut mine = lock(mine);
        if let (true, Some(mine)) = (fenced, &*mine) {
            rows.write(batch.family, mine);
        }
        let outcome = self.store.commit(batch);
        if outcome.is_ok() {
            *mine = Some(rows.read(batch.family));
        }
        if fenced {
            rows.write(batch.family, &theirs);
        }
        outcome
    }
}

impl ExtentStore for WeakStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        match &self.twist {
            Twist::Lazy(waiting) => {
                self.happen(waiting)?;
                *lock(waiting) = Some(Waiting {
                    batch: (batch.family, batch.epoch, batch.flush, batch.txg),
                    fresh: batch.fresh.to_vec(),
                    freed: batch.freed.to_vec(),
                });
                Ok(())
            }
            Twist::Unfenced { rows, mine } => self.commit_unfenced(batch, rows, mine),
        }
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        if let Twist::Lazy(waiting) = &self.twist
            && let Some(waiting) = &*lock(waiting)
            && let Some(fresh) = waiting.fresh.iter().find(|fresh| fresh.pe == pe)
        {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let whole: Vec<u8> = fresh.data.iter().flat_map(|part| part.iter().copied()).collect();
            let part = whole.get(at..at.saturating_add(buf.len()));
            let part = part.ok_or(PvError::ExtentMissing { path: "lazy".into(), pe })?;
            buf.copy_from_slice(part);
            return Ok(());
        }
        self.store.read(pe, at, buf, mode)
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
        if let Twist::Lazy(waiting) = &self.twist {
            self.happen(waiting)?;
        }
        self.store.header(pe)
    }

    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>> {
        self.store.extents_after(family, epoch, flush)
    }

    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
        self.store.list(pe, limit)
    }

    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>> {
        self.store.owner(family)
    }

    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()> {
        self.store.take(family, epoch, txg)
    }

    fn forget(&self, family: FamilyUuid) -> Result<()> {
        self.store.forget(family)
    }

    fn space(&self) -> Result<StoreSpace> {
        self.store.space()
    }

    fn contradictions(&self) -> Result<usize> {
        self.store.contradictions()
    }

    fn shrink(&self, bytes: Bytes) -> Result<()> {
        self.store.shrink(bytes)
    }
}
