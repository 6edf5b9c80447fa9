//! The engine with one of its rules switched off: what the rig must find, or it does not look.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lv::{TestSwitches, VolumeOptions};
use pv::{
    Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, FreshExtent, OwnerRow, PeIndex,
    PvError, ReadMode, Result, StoreSpace, Txg,
};

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
    /// Freed extents are reused without waiting for the commit that freed them (R3).
    ReuseAtOnce,
    /// A catalogue commit does not care who owns the family.
    NoCatalogueFence,
}

impl Weakness {
    /// The store with the rule off, if it is one of stores.
    pub(super) fn wrap(self, store: Arc<dyn ExtentStore>) -> Arc<dyn ExtentStore> {
        match self {
            Self::LazyPv => Arc::new(LazyStore { store, waiting: Mutex::new(None) }),
            Self::NoPvFence => Arc::new(UnfencedStore { store }),
            Self::None | Self::ReuseAtOnce | Self::NoCatalogueFence => store,
        }
    }

    /// The options with the rule off, if it is one of the engine's switches.
    pub(super) fn options(self, options: VolumeOptions) -> VolumeOptions {
        let none = TestSwitches::default();
        let switches = match self {
            Self::ReuseAtOnce => TestSwitches { reuse_at_once: true, ..none },
            Self::NoCatalogueFence => TestSwitches { no_catalogue_fence: true, ..none },
            _ => none,
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
            let part = fresh.data.get(at..at.saturating_add(buf.len()));
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
}

/// Commits in whoever's name is in the owner row.
#[derive(Debug)]
struct UnfencedStore {
    store: Arc<dyn ExtentStore>,
}

impl ExtentStore for UnfencedStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        match self.store.owner(batch.family)? {
            Some(owner) if owner.epoch != batch.epoch => {
                let flush = FlushNo(owner.flush.0.saturating_add(1));
                self.store.commit(&ExtentBatch { epoch: owner.epoch, flush, ..*batch })
            }
            _ => self.store.commit(batch),
        }
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
}
