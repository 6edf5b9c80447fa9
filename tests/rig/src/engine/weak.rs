//! The engine with one of its rules switched off: what the rig must find, or it does not look.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lv::{Rule, TestSwitches, VolumeOptions};
use pv::{
    Bytes, Env, Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, FreshExtent,
    ListedExtent, OwnerRow, PeIndex, PvError, ReadMode, Result, StoreSpace, Txg,
};
use rusqlite::{Connection, OpenFlags};

use crate::Disk;

/// Which rule is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Weakness {
    /// None.
    #[default]
    None,
    /// A PV commit returns before it is durable (R1, R2): it happens with the next one.
    LazyPv,
    /// A PV commit does not care who owns the family.
    NoPvFence,
    /// One of the engine's own rules is off.
    Without(Rule),
    /// The descriptor names a new volume's metadata copies before they are made (R5).
    NameBeforeFiles,
    /// lvextend returns before the descriptor says so: that happens with the next operation (R5).
    LazyDescriptor,
    /// lvremove gives the extents back before the PVs have forgotten what they held (R5).
    ReleaseBeforeSweep,
    /// A new PV or metadata volume is named while its name is not durable in its folder (R7).
    UnsyncedNames,
}

/// The engine's own rules by what is done instead.
const RULES: [(&str, Rule); 16] = [
    ("reuse-at-once", Rule::DeferredReuse),
    ("no-catalogue-fence", Rule::CatalogueFence),
    ("blind-takeover", Rule::UnchangedCatalogue),
    ("size-before-data", Rule::SizeWithData),
    ("rename-before-data", Rule::RenameWithData),
    ("split-transactions", Rule::WholeTransactions),
    ("names-later", Rule::NamesInOrder),
    ("no-sweep", Rule::Sweep),
    ("go-on", Rule::StopAfterFailure),
    ("first-copy", Rule::AllCopies),
    ("trust-log", Rule::DurableLog),
    ("checkpoint-beside", Rule::HeldCheckpoint),
    ("unequal-copies", Rule::EqualCopies),
    ("blind-host", Rule::HostRoom),
    ("unfinished", Rule::UnfinishedFirst),
    ("no-reserve", Rule::Reserve),
];

impl Weakness {
    /// All, with their names.
    const NAMES: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("lazy-pv", Self::LazyPv),
        ("no-pv-fence", Self::NoPvFence),
        ("name-before-files", Self::NameBeforeFiles),
        ("lazy-descriptor", Self::LazyDescriptor),
        ("release-before-sweep", Self::ReleaseBeforeSweep),
        ("unsynced-names", Self::UnsyncedNames),
    ];

    /// The rule of this name switched off.
    pub fn named(name: &str) -> Option<Self> {
        let known = RULES.iter().find(|(known, _)| *known == name).map(|(_, rule)| Self::Without(*rule));
        known.or_else(|| Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, weakness)| *weakness))
    }

    /// What it is called on a command line.
    pub fn name(self) -> &'static str {
        let rule = RULES.iter().find(|(_, rule)| Self::Without(*rule) == self).map(|(name, _)| *name);
        let other = || Self::NAMES.iter().find(|(_, known)| *known == self).map_or("none", |(name, _)| name);
        rule.unwrap_or_else(other)
    }

    /// The store with the rule off, if it is one of stores.
    pub(crate) fn wrap(self, store: Arc<dyn ExtentStore>, env: &Env, path: &Path) -> Arc<dyn ExtentStore> {
        match self {
            Self::LazyPv => Arc::new(LazyStore { store, waiting: Mutex::new(None) }),
            Self::NoPvFence => Arc::new(UnfencedStore {
                store,
                file: format!("file:{}?vfs={}", path.display(), env.vfs.as_deref().unwrap_or("unix")),
                mine: Mutex::new(None),
            }),
            _ => store,
        }
    }

    /// What the engine gets from outside, with the rule off if it is one of files.
    pub(super) fn env(self, disk: &Disk) -> Env {
        if self == Self::UnsyncedNames { disk.env_of(&disk.host().without_folder_syncs()) } else { disk.env() }
    }

    /// The options with the rule off, if it is one of the engine's switches.
    pub fn options(self, options: VolumeOptions) -> VolumeOptions {
        let switches = match self {
            Self::Without(rule) => TestSwitches::without(rule),
            _ => TestSwitches::default(),
        };
        VolumeOptions { switches, ..options }
    }
}

/// A batch that has returned and not happened.
#[derive(Debug)]
struct Waiting {
    batch: (FamilyUuid, Epoch, FlushNo, Txg),
    fresh: Vec<FreshExtent>,
    freed: Vec<PeIndex>,
}

/// Commits that happen with the next one.
#[derive(Debug)]
struct LazyStore {
    store: Arc<dyn ExtentStore>,
    waiting: Mutex<Option<Waiting>>,
}

impl LazyStore {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happen(&self) -> Result<()> {
        let Some(Waiting { batch: (family, epoch, flush, txg), fresh, freed }) = self.lock().take() else {
            return Ok(());
        };
        self.store.commit(&ExtentBatch { family, epoch, flush, txg, fresh: &fresh, freed: &freed })
    }
}

impl ExtentStore for LazyStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        self.happen()?;
        *self.lock() = Some(Waiting {
            batch: (batch.family, batch.epoch, batch.flush, batch.txg),
            fresh: batch.fresh.to_vec(),
            freed: batch.freed.to_vec(),
        });
        Ok(())
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        if let Some(waiting) = &*self.lock()
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
        self.happen()?;
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

/// Commits whoever owns the family: the owner row is what this store left it as for the time of a commit, and then
/// what it was.
#[derive(Debug)]
struct UnfencedStore {
    store: Arc<dyn ExtentStore>,
    /// The PV, for SQLite.
    file: String,
    /// The owner row after the last commit.
    mine: Mutex<Option<Vec<u8>>>,
}

impl UnfencedStore {
    fn lock(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.mine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs SQL on the family's owner row. This is the rig's own doing: it must not fail.
    fn row<T>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
        Connection::open_with_flags(&self.file, flags).and_then(|db| run(&db)).expect("the owner row is there")
    }

    fn read_row(&self, family: FamilyUuid) -> Vec<u8> {
        let key = family.as_bytes().as_slice();
        self.row(|db| db.query_row("SELECT body FROM owner WHERE family=?1", [key], |row| row.get(0)))
    }

    fn write_row(&self, family: FamilyUuid, body: &[u8]) {
        let key = family.as_bytes().as_slice();
        self.row(|db| db.execute("UPDATE owner SET body=?2 WHERE family=?1", [key, body]));
    }
}

impl ExtentStore for UnfencedStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        let fenced = self.store.owner(batch.family)?.is_some_and(|owner| owner.epoch != batch.epoch);
        let theirs = self.read_row(batch.family);
        let mut mine = self.lock();
        if let (true, Some(mine)) = (fenced, &*mine) {
            self.write_row(batch.family, mine);
        }
        let outcome = self.store.commit(batch);
        if outcome.is_ok() {
            *mine = Some(self.read_row(batch.family));
        }
        if fenced {
            self.write_row(batch.family, &theirs);
        }
        outcome
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        self.store.read(pe, at, buf, mode)
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
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
