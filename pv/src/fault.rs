//! An [`ExtentStore`] that fails when told to.

use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    Bytes, Epoch, ExtentBatch, ExtentHeader, ExtentStore, FamilyUuid, FlushNo, FoundExtent, ListedExtent, OwnerRow,
    PeIndex, PvError, ReadMode, Result, StoreSpace, Txg,
};

/// Where operations are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultOp {
    /// [`ExtentStore::commit`].
    Commit,
    /// [`ExtentStore::read`] in any mode.
    Read,
    /// [`ExtentStore::take`] and [`ExtentStore::forget`].
    Ownership,
    /// All others.
    Lookup,
}

/// What a fault looks like to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// [`PvError::Io`].
    Io,
    /// [`PvError::NoSpace`].
    NoSpace,
    /// [`PvError::Damaged`].
    Damaged,
    /// [`PvError::ExtentMissing`] (extent 0).
    Missing,
    /// [`PvError::Busy`].
    Busy,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Which operations are counted.
    pub op: FaultOp,
    /// The how manieth of them fails, from 0, counted from the store's beginning.
    pub at: u64,
    /// What the caller gets.
    pub kind: FaultKind,
    /// Whether the operation had taken effect.
    pub after: bool,
    /// Whether all later ones of that kind fail too.
    pub lasting: bool,
}

/// How often each kind of operation was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Commits.
    pub commits: u64,
    /// Reads.
    pub reads: u64,
    /// Takes and forgets.
    pub ownership: u64,
    /// Others.
    pub lookups: u64,
}

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Fault>,
    counts: FaultCounts,
    poisoned: bool,
}

/// A store around another one that fails as planned. As the contract says, it takes no commits after a failed one,
/// until [`FaultStore::reopen`].
#[derive(Debug)]
pub struct FaultStore<S> {
    inner: S,
    plan: Mutex<Plan>,
}

impl<S: ExtentStore> FaultStore<S> {
    /// No faults yet.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// Plans a fault.
    pub fn plan(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Drops all plans and lets commits through again, as opening the store anew would.
    pub fn reopen(&self) {
        let mut state = self.state();
        state.faults.clear();
        state.poisoned = false;
    }

    /// Calls so far, failed ones included.
    pub fn counts(&self) -> FaultCounts {
        self.state().counts
    }

    /// The store within.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn state(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T>(&self, op: FaultOp, effect: impl FnOnce() -> Result<T>) -> Result<T> {
        let changes = matches!(op, FaultOp::Commit | FaultOp::Ownership);
        let fault = {
            let mut state = self.state();
            let number = state.counts.advance(op);
            if changes && state.poisoned {
                return Err(PvError::Poisoned { path: PathBuf::from("fault") });
            }
            let strikes = |f: &&Fault| f.op == op && (f.at == number || f.lasting && f.at < number);
            let fault = state.faults.iter().find(strikes).copied();
            state.poisoned |= changes && fault.is_some();
            fault
        };
        let Some(fault) = fault else { return effect() };
        if fault.after {
            // What it says is lost on purpose: the caller hears of the fault instead.
            let _ = effect();
        }
        Err(fault.kind.error())
    }
}

impl FaultCounts {
    fn advance(&mut self, op: FaultOp) -> u64 {
        let count = match op {
            FaultOp::Commit => &mut self.commits,
            FaultOp::Read => &mut self.reads,
            FaultOp::Ownership => &mut self.ownership,
            FaultOp::Lookup => &mut self.lookups,
        };
        let number = *count;
        *count = count.saturating_add(1);
        number
    }
}

impl FaultKind {
    fn error(self) -> PvError {
        let path = PathBuf::from("fault");
        match self {
            Self::Io => PvError::Io { path, operation: "go on", source: io::Error::other("injected fault") },
            Self::NoSpace => PvError::NoSpace { path },
            Self::Damaged => PvError::Damaged { path, what: "injected fault".to_owned() },
            Self::Missing => PvError::ExtentMissing { path, pe: PeIndex(0) },
            Self::Busy => PvError::Busy { path },
        }
    }
}

impl<S: ExtentStore> ExtentStore for FaultStore<S> {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        self.run(FaultOp::Commit, || self.inner.commit(batch))
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        self.run(FaultOp::Read, || self.inner.read(pe, at, buf, mode))
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
        self.run(FaultOp::Lookup, || self.inner.header(pe))
    }

    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>> {
        self.run(FaultOp::Lookup, || self.inner.extents_after(family, epoch, flush))
    }

    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
        self.run(FaultOp::Lookup, || self.inner.list(pe, limit))
    }

    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>> {
        self.run(FaultOp::Lookup, || self.inner.owner(family))
    }

    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()> {
        self.run(FaultOp::Ownership, || self.inner.take(family, epoch, txg))
    }

    fn forget(&self, family: FamilyUuid) -> Result<()> {
        self.run(FaultOp::Ownership, || self.inner.forget(family))
    }

    fn space(&self) -> Result<StoreSpace> {
        self.run(FaultOp::Lookup, || self.inner.space())
    }

    fn contradictions(&self) -> Result<usize> {
        self.run(FaultOp::Lookup, || self.inner.contradictions())
    }

    fn shrink(&self, bytes: Bytes) -> Result<()> {
        self.run(FaultOp::Commit, || self.inner.shrink(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemStore;

    const FAMILY: FamilyUuid = FamilyUuid::from_bytes([1; 16]);

    fn commit(store: &impl ExtentStore, flush: u64) -> Result<()> {
        store.commit(&ExtentBatch {
            family: FAMILY,
            epoch: Epoch(1),
            flush: FlushNo(flush),
            txg: Txg(0),
            fresh: &[],
            freed: &[],
        })
    }

    #[test]
    fn a_planned_commit_fails_with_or_without_its_effect_and_poisons() {
        for after in [false, true] {
            let store = FaultStore::new(MemStore::default());
            store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
            store.plan(Fault { op: FaultOp::Commit, at: 1, kind: FaultKind::NoSpace, after, lasting: false });
            commit(&store, 1).unwrap();
            assert!(matches!(commit(&store, 2), Err(PvError::NoSpace { .. })));
            assert!(matches!(commit(&store, 3), Err(PvError::Poisoned { .. })));
            let flush = store.owner(FAMILY).unwrap().unwrap().flush;
            assert_eq!(flush, FlushNo(if after { 2 } else { 1 }));
            store.reopen();
            commit(&store, 4).unwrap();
            assert_eq!(store.counts().commits, 4);
        }
    }
}
