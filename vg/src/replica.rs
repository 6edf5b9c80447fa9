//! Copies of the descriptor on PVs: the seam between the change protocol and what stores the copies.

use pv::{DescriptorCopy, Epoch, ExtentSize, Membership, PvUuid, Result, Seqno};

use crate::quorum::{Generation, Replica};
use crate::{CodecError, Descriptor};

/// What a PV says about its VG.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplicaState {
    /// Highest epoch it promised.
    pub(crate) promised: Epoch,
    /// Stored generations, newest last.
    pub(crate) copies: Vec<DescriptorCopy>,
    /// Stored generations that failed their checksum.
    pub(crate) damaged: usize,
}

/// A replica's newest readable generation, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Decoded {
    pub(crate) replica: Replica,
    pub(crate) descriptor: Option<Descriptor>,
    /// Generations that cannot be read.
    pub(crate) damaged: usize,
}

impl ReplicaState {
    /// Reads the newest readable generation.
    ///
    /// # Errors
    /// [`CodecError::Newer`]: what a newer program wrote is never passed over.
    pub(crate) fn decode(&self, pv: PvUuid) -> Result<Decoded, CodecError> {
        let mut out = Decoded {
            replica: Replica { pv, promised: self.promised, newest: None },
            descriptor: None,
            damaged: self.damaged,
        };
        for copy in self.copies.iter().rev() {
            match Descriptor::decode(&copy.body) {
                Ok(descriptor) if (descriptor.epoch, descriptor.seqno) == (copy.epoch, copy.seqno) => {
                    out.replica.newest = Some(Generation::of(&descriptor, &copy.body));
                    out.descriptor = Some(descriptor);
                    return Ok(out);
                }
                Err(CodecError::Newer(version)) => return Err(CodecError::Newer(version)),
                Ok(_) | Err(_) => out.damaged = out.damaged.saturating_add(1),
            }
        }
        Ok(out)
    }
}

/// What a PV's label is to say about its VG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The VG; `None` for a PV of no VG.
    pub(crate) member: Option<Membership>,
    /// The PVs that hold descriptor copies, when this one does not; else empty.
    pub(crate) holders: Vec<PvUuid>,
}

impl Place {
    /// What the label of `pv` says under `descriptor`.
    pub(crate) fn under(descriptor: &Descriptor, pv: PvUuid) -> Self {
        let Some(record) = descriptor.pv(pv) else { return Self { member: None, holders: Vec::new() } };
        let extent_size: ExtentSize = descriptor.extent_size;
        let member = Membership {
            vg: descriptor.vg,
            name: descriptor.name.to_string(),
            extent_size,
            extent_count: record.pe_count,
        };
        let holders = if record.holder { Vec::new() } else { descriptor.holders().into_iter().collect() };
        Self { member: Some(member), holders }
    }
}

/// A PV as a place for copies of the descriptor.
pub(crate) trait DescriptorReplica {
    /// The PV.
    fn uuid(&self) -> PvUuid;

    /// What it says now.
    ///
    /// # Errors
    /// I/O errors and damage.
    fn read(&self) -> Result<ReplicaState>;

    /// Locks it for a change.
    ///
    /// # Errors
    /// I/O errors, damage, no write access.
    fn begin(&self) -> Result<Box<dyn ReplicaChange>>;
}

/// The exclusive right to change one replica. Dropped without [`ReplicaChange::commit`], it undoes everything but
/// promises.
pub(crate) trait ReplicaChange {
    /// What it says now.
    ///
    /// # Errors
    /// I/O errors and damage.
    fn read(&self) -> Result<ReplicaState>;

    /// Promises `epoch`, durable on return.
    ///
    /// # Errors
    /// [`Superseded`](pv::PvError::Superseded) when as much was promised before; I/O errors.
    fn promise(&self, epoch: Epoch) -> Result<()>;

    /// Stores a generation, provided that the promise is `copy.epoch` and the newest generation here is `previous`.
    ///
    /// # Errors
    /// [`Superseded`](pv::PvError::Superseded) otherwise; I/O errors.
    fn install(&self, copy: &DescriptorCopy, previous: Option<Seqno>) -> Result<()>;

    /// Forgets all generations.
    ///
    /// # Errors
    /// I/O errors.
    fn clear(&self) -> Result<()>;

    /// Makes the label say `place`.
    ///
    /// # Errors
    /// I/O errors.
    fn set_place(&self, place: &Place) -> Result<()>;

    /// Makes the change durable.
    ///
    /// # Errors
    /// Outcome unknown.
    fn commit(self: Box<Self>) -> Result<()>;
}

impl DescriptorReplica for pv::Pv {
    fn uuid(&self) -> PvUuid {
        self.label().pv
    }

    fn read(&self) -> Result<ReplicaState> {
        let found = self.descriptors()?;
        Ok(ReplicaState { promised: self.promise()?, copies: found.copies, damaged: found.damaged })
    }

    fn begin(&self) -> Result<Box<dyn ReplicaChange>> {
        Ok(Box::new(self.begin_change()?))
    }
}

impl ReplicaChange for pv::ChangeGuard {
    fn read(&self) -> Result<ReplicaState> {
        let found = self.descriptors()?;
        Ok(ReplicaState { promised: self.promised()?, copies: found.copies, damaged: found.damaged })
    }

    fn promise(&self, epoch: Epoch) -> Result<()> {
        pv::ChangeGuard::promise(self, epoch)
    }

    fn install(&self, copy: &DescriptorCopy, previous: Option<Seqno>) -> Result<()> {
        pv::ChangeGuard::install(self, copy, copy.epoch, previous)
    }

    fn clear(&self) -> Result<()> {
        self.clear_descriptors()
    }

    fn set_place(&self, place: &Place) -> Result<()> {
        let mut label = self.label()?;
        if label.membership == place.member && label.holders == place.holders {
            return Ok(());
        }
        label.membership.clone_from(&place.member);
        label.holders.clone_from(&place.holders);
        self.set_label(&label)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        pv::ChangeGuard::commit(*self)
    }
}
