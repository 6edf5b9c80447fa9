//! The seam of the storage stack: one PV's extents, whatever holds them.

use std::fmt::Debug;
use std::sync::Arc;

use crate::{Bytes, Epoch, ExtentHeader, FamilyUuid, FlushNo, FreshExtent, PeIndex, Result, Txg};

/// One family's row in a PV: fences stale owners and dates the PV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerRow {
    /// The family.
    pub family: FamilyUuid,
    /// Activation that may write.
    pub epoch: Epoch,
    /// Last PV transaction of that activation.
    pub flush: FlushNo,
    /// Last catalogue commit known to have returned when that transaction began.
    pub txg: Txg,
}

/// Everything one PV transaction does for a family. Complete before the transaction begins: nothing is waited for
/// while a PV is locked.
#[derive(Debug, Clone, Copy)]
pub struct ExtentBatch<'a> {
    /// The family that writes.
    pub family: FamilyUuid,
    /// Its activation; the PV's owner row must carry the same.
    pub epoch: Epoch,
    /// Number of this PV transaction, above the last one's.
    pub flush: FlushNo,
    /// Last catalogue commit known to have returned.
    pub txg: Txg,
    /// Rows to insert, first.
    pub fresh: &'a [FreshExtent],
    /// Rows to delete, last: extents whose freeing catalogue commit has returned. Rows of other families stay.
    pub freed: &'a [PeIndex],
}

/// How hard a read tries to see the newest state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// No locks; may see an old state, or fail, while a commit runs. The caller verifies checksums.
    Fast,
    /// As `Fast`, on a connection opened after this call began.
    Reopen,
    /// While no commit runs: what it says is final.
    Locked,
}

/// An extent row found by [`ExtentStore::extents_after`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundExtent {
    /// Its place.
    pub pe: PeIndex,
    /// Its header.
    pub header: ExtentHeader,
}

/// An extent row as [`ExtentStore::list`] finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedExtent {
    /// Its place.
    pub pe: PeIndex,
    /// What it says about itself; `None` when that does not match its checksum.
    pub found: Option<ExtentContents>,
}

/// What an extent row says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtentContents {
    /// Its header.
    pub header: ExtentHeader,
    /// Its encoded table of contents ([`decode_toc`](crate::decode_toc)).
    pub toc: Vec<u8>,
    /// Bytes of its payload.
    pub len: u64,
}

/// Space of one PV file on its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreSpace {
    /// Size of the file.
    pub file: Bytes,
    /// Bytes inside the file that can be written again without growing it.
    pub reusable: Bytes,
}

/// One PV's extents.
///
/// # Contract
/// * [`commit`](ExtentStore::commit) is atomic and durable when it returns `Ok`. After an error its outcome is
///   unknown: the store refuses further commits until it is opened again.
/// * A row is written once and never changed; it is deleted and inserted anew.
/// * Readers never block a commit and a commit never blocks a `Fast` read.
///
/// # Concurrency
/// All methods take `&self` and may be called from several threads; commits queue.
pub trait ExtentStore: Send + Sync + Debug {
    /// Runs one PV transaction: checks and advances the owner row, inserts `fresh`, deletes `freed`.
    ///
    /// # Errors
    /// [`Fenced`](crate::PvError::Fenced) when another activation owns the family here (nothing was written);
    /// [`NoSpace`](crate::PvError::NoSpace), [`Io`](crate::PvError::Io) and others: outcome unknown, store poisoned.
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()>;

    /// Fills `buf` from byte `at` of an extent's payload.
    ///
    /// # Errors
    /// [`ExtentMissing`](crate::PvError::ExtentMissing) when there is no such row or it is shorter (final only with
    /// [`ReadMode::Locked`]); [`Damaged`](crate::PvError::Damaged) or [`Io`](crate::PvError::Io).
    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()>;

    /// Header and encoded table of contents of an extent, as [`ReadMode::Locked`]; `None` when there is no row.
    ///
    /// # Errors
    /// [`Damaged`](crate::PvError::Damaged) when the header's checksum is wrong; I/O errors.
    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>>;

    /// Those of these places that hold a row, whatever is in it, as [`ReadMode::Locked`].
    ///
    /// # Errors
    /// I/O errors, and damage that hides rows.
    fn held(&self, pes: &[PeIndex]) -> Result<Vec<PeIndex>> {
        let mut held = Vec::new();
        for pe in pes {
            match self.header(*pe) {
                Ok(None) => {}
                Ok(Some(_)) | Err(crate::PvError::Damaged { .. }) => held.push(*pe),
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// The extents of `family` written after PV transaction (`epoch`, `flush`), found by an index, as
    /// [`ReadMode::Locked`].
    ///
    /// # Errors
    /// I/O errors and damage.
    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>>;

    /// Up to `limit` extent rows of all families after `pe` (from the first one on for `None`), in the order of their
    /// places, as [`ReadMode::Locked`]. Fewer than `limit` are the last ones. Damaged rows are listed, too.
    ///
    /// # Errors
    /// I/O errors, and damage that hides rows.
    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>>;

    /// The family's owner row, as [`ReadMode::Locked`]; `None` before its first activation here.
    ///
    /// # Errors
    /// I/O errors and damage.
    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>>;

    /// Makes (`epoch`, flush 0, `txg`) the family's owner row, durably.
    ///
    /// # Errors
    /// [`Fenced`](crate::PvError::Fenced) when the row already carries `epoch` or a higher one; I/O errors.
    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()>;

    /// Deletes the family's owner row and all its extents (when its LV is removed), durably, in bounded transactions.
    ///
    /// # Errors
    /// I/O errors.
    fn forget(&self, family: FamilyUuid) -> Result<()>;

    /// Space of the file.
    ///
    /// # Errors
    /// I/O errors.
    fn space(&self) -> Result<StoreSpace>;

    /// In how many places (up to 10) the file's own structure does not hold together: what it counts as free and is in use,
    /// what belongs to two extents. Reads the whole file; keeps commits from it only where something looks wrong.
    ///
    /// # Errors
    /// I/O errors, and damage that hides the rest.
    fn contradictions(&self) -> Result<usize>;

    /// Gives up to `bytes` of what the file could write again back to the host, in one transaction. Extents stay what
    /// they are. It may take three times as much on the host while it runs.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn shrink(&self, bytes: Bytes) -> Result<()>;
}

impl<S: ExtentStore + ?Sized> ExtentStore for Arc<S> {
    fn commit(&self, batch: &ExtentBatch<'_>) -> Result<()> {
        (**self).commit(batch)
    }

    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: ReadMode) -> Result<()> {
        (**self).read(pe, at, buf, mode)
    }

    fn header(&self, pe: PeIndex) -> Result<Option<(ExtentHeader, Vec<u8>)>> {
        (**self).header(pe)
    }

    fn held(&self, pes: &[PeIndex]) -> Result<Vec<PeIndex>> {
        (**self).held(pes)
    }

    fn extents_after(&self, family: FamilyUuid, epoch: Epoch, flush: FlushNo) -> Result<Vec<FoundExtent>> {
        (**self).extents_after(family, epoch, flush)
    }

    fn list(&self, pe: Option<PeIndex>, limit: usize) -> Result<Vec<ListedExtent>> {
        (**self).list(pe, limit)
    }

    fn owner(&self, family: FamilyUuid) -> Result<Option<OwnerRow>> {
        (**self).owner(family)
    }

    fn take(&self, family: FamilyUuid, epoch: Epoch, txg: Txg) -> Result<()> {
        (**self).take(family, epoch, txg)
    }

    fn forget(&self, family: FamilyUuid) -> Result<()> {
        (**self).forget(family)
    }

    fn space(&self) -> Result<StoreSpace> {
        (**self).space()
    }

    fn contradictions(&self) -> Result<usize> {
        (**self).contradictions()
    }

    fn shrink(&self, bytes: Bytes) -> Result<()> {
        (**self).shrink(bytes)
    }
}
