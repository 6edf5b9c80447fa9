//! An [`ExtentStore`] in memory, for tests and throwaway volumes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    Bytes, Epoch, ExtentBatch, ExtentContents, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent,
    ListedExtent, OwnerRow, PeIndex, PvError, ReadMode, Result, StoreSpace, Txg,
};

#[derive(Debug)]
struct Extent {
    header: ExtentHeader,
    toc: Vec<u8>,
    data: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    owners: BTreeMap<FamilyUuid, OwnerRow>,
    extents: BTreeMap<PeIndex, Extent>,
}

/// Extents in memory: nothing survives a drop.
///
/// # Concurrency
/// One mutex; every read sees the newest state.
#[derive(Debug)]
pub struct MemStore {
    name: PathBuf,
    state: Mutex<State>,
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new("memory")
    }
}

impl MemStore {
    /// An empty store, called `name` in messages.
    pub fn new(name: impl Into<PathBuf>) -> Self {
        Self { name: name.into(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Changes are checked before they begin, so that a panic elsewhere leaves no half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn missing(&self, pe: PeIndex) -> PvError {
        PvError::ExtentMissing { path: self.name.clone(), pe }
    }
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl ExtentStore for MemStore {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        let ExtentBatch { family, epoch, flush, txg, fresh, freed } = *batch;
        let mut state = self.state();
        let fenced = || PvError::Fenced { path: self.name.clone(), family, epoch };
        let have = state.owners.get(&family).filter(|row| row.epoch == epoch).ok_or_else(fenced)?;
        if flush <= have.flush {
            return Err(PvError::FlushNotRising { path: self.name.clone(), family, flush, last: have.flush });
        }
        if let Some(taken) = fresh.iter().find(|f| state.extents.contains_key(&f.pe)) {
            let what = format!("extent {} exists already", taken.pe);
            return Err(PvError::Damaged { path: self.name.clone(), what });
        }
        state.owners.insert(family, OwnerRow { family, epoch, flush, txg });
        for f in fresh {
            let header = ExtentHeader { lv: f.lv, family, le: f.le, epoch, flush };
            state.extents.insert(
                f.pe,
                Extent {
                    header,
                    toc: f.toc.clone(),
                    data: f.data.iter().flat_map(|part| part.iter().copied()).collect(),
                },
            );
        }
        for pe in freed {
            if state.extents.get(pe).is_some_and(|e| e.header.family == family) {
                state.extents.remove(pe);
            }
        }
        Ok(())
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], _mode: ReadMode) -> Result<()> {
        let state = self.state();
        let extent = state.extents.get(&pe).ok_or_else(|| self.missing(pe))?;
        let at = usize::try_from(at).map_err(|_| self.missing(pe))?;
        let end = at.checked_add(buf.len()).ok_or_else(|| self.missing(pe))?;
        buf.copy_from_slice(extent.data.get(at..end).ok_or_else(|| self.missing(pe))?);
        Ok(())
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
        Ok(self.state().extents.get(&pe).map(|e| (e.header, e.toc.clone())))
    }

    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>> {
        let state = self.state();
        let mut found: Vec<_> = state
            .extents
            .iter()
            .map(|(pe, e)| FoundExtent { pe: *pe, header: e.header })
            .filter(|f| f.header.family == family && (f.header.epoch, f.header.flush) > (epoch, flush))
            .collect();
        found.sort_by_key(|f| (f.header.epoch, f.header.flush, f.pe));
        Ok(found)
    }

    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
        let state = self.state();
        let contents = |e: &Extent| ExtentContents { header: e.header, toc: e.toc.clone(), len: bytes(e.data.len()) };
        let after = state.extents.iter().filter(|(at, _)| pe.is_none_or(|pe| **at > pe)).take(limit);
        Ok(after.map(|(at, e)| ListedExtent { pe: *at, found: Some(contents(e)) }).collect())
    }

    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>> {
        Ok(self.state().owners.get(&family).copied())
    }

    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()> {
        let mut state = self.state();
        if state.owners.get(&family).is_some_and(|row| row.epoch >= epoch) {
            return Err(PvError::Fenced { path: self.name.clone(), family, epoch });
        }
        state.owners.insert(family, OwnerRow { family, epoch, flush: FlushNo(0), txg });
        Ok(())
    }

    fn forget(&self, family: FamilyUuid) -> Result<()> {
        let mut state = self.state();
        state.owners.remove(&family);
        state.extents.retain(|_, e| e.header.family != family);
        Ok(())
    }

    fn space(&self) -> Result<StoreSpace> {
        let state = self.state();
        let used = state.extents.values().map(|e| bytes(e.data.len())).fold(0u64, u64::saturating_add);
        Ok(StoreSpace { file: Bytes(used), reusable: Bytes(0) })
    }

    fn contradictions(&self) -> Result<usize> {
        Ok(0)
    }

    fn shrink(&self, _bytes: Bytes) -> Result<()> {
        Ok(())
    }
}
