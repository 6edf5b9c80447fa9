//! The VG descriptor: everything a VG knows about itself, as plain data of one generation.

use std::collections::BTreeSet;
use std::fmt;

use pv::{Epoch, ExtentSize, FamilyUuid, LeCount, LvUuid, PeCount, PeIndex, PvUuid, Seqno, VgUuid};

use crate::{LvName, Segment, Tag, VgName};

/// BLAKE3 of an encoded descriptor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of an encoded descriptor.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first eight hexadecimal digits.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// How extents are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum AllocPolicy {
    /// Adjacent PEs only.
    Contiguous,
    /// On the PVs that the LV already uses.
    Cling,
    /// Legs never share a PV.
    #[default]
    Normal,
    /// Wherever there is room.
    Anywhere,
    /// As the VG says.
    Inherit,
}

impl AllocPolicy {
    /// LVM's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contiguous => "contiguous",
            Self::Cling => "cling",
            Self::Normal => "normal",
            Self::Anywhere => "anywhere",
            Self::Inherit => "inherit",
        }
    }

    /// The policy of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Contiguous, Self::Cling, Self::Normal, Self::Anywhere, Self::Inherit]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }
}

impl fmt::Display for AllocPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A forced change: made without a majority, so that other copies may have gone another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fork {
    /// Random.
    pub id: [u8; 16],
    /// Generation that the forced change made.
    pub seqno: Seqno,
}

/// A PV of the VG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvRecord {
    /// Its identity.
    pub uuid: PvUuid,
    /// Where it was last seen, relative to the folder that all PVs had in common; empty when unknown.
    pub hint: String,
    /// Its extents.
    pub pe_count: PeCount,
    /// New extents may be allocated on it (`pvchange -x`).
    pub allocatable: bool,
    /// Declared missing: what it holds is out of date until `vgextend --restoremissing`.
    pub missing: bool,
    /// It carries a copy of the descriptor.
    pub holder: bool,
    /// Storage class (a tag), for placement.
    pub class: Option<Tag>,
    /// Tags.
    pub tags: BTreeSet<Tag>,
}

/// A copy of an LV's metadata volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetadataCopy {
    /// The PV in whose `.d` folder it lies.
    pub pv: PvUuid,
    /// In sync since this activation.
    pub since: Epoch,
}

/// What an LV is. Snapshots and thin pools will be further kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LvKind {
    /// A filesystem of its own.
    Plain,
}

/// A logical volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LvRecord {
    /// Its identity.
    pub uuid: LvUuid,
    /// Its name.
    pub name: LvName,
    /// The family that shares its metadata volume and its extents.
    pub family: FamilyUuid,
    /// What it is.
    pub kind: LvKind,
    /// Ordered, gapless segments from LE 0.
    pub segments: Vec<Segment>,
    /// Copies of its metadata volume.
    pub copies: Vec<MetadataCopy>,
    /// Copies there should be; 0 = not known, for LVs of before this was kept.
    pub metadata_copies: u32,
    /// How it grows.
    pub alloc: AllocPolicy,
    /// No writes.
    pub read_only: bool,
    /// When it was made, in nanoseconds since 1970. For people only.
    pub created: i64,
    /// Tags.
    pub tags: BTreeSet<Tag>,
}

impl LvRecord {
    /// Number of logical extents.
    pub fn count(&self) -> LeCount {
        LeCount(self.segments.last().and_then(Segment::end).map_or(0, |end| end.0))
    }
}

/// An LV on its way out: its extents stay claimed until every PV has forgotten them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The LV.
    pub lv: LvUuid,
    /// Its family.
    pub family: FamilyUuid,
    /// Where its extents lay.
    pub segments: Vec<Segment>,
    /// The PVs whose `.d` folders hold copies of its metadata volume.
    pub copies: Vec<PvUuid>,
}

/// A VG at one generation.
///
/// # Invariants
/// Those that [`Descriptor::validate`](crate::Descriptor::validate) lists; decoding and every change check them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Identity of the VG.
    pub vg: VgUuid,
    /// Its name.
    pub name: VgName,
    /// Promise under which this generation was written.
    pub epoch: Epoch,
    /// Generation.
    pub seqno: Seqno,
    /// Hash of the generation before; `None` for the first one.
    pub parent: Option<Hash>,
    /// Random, made anew with each change.
    pub change: [u8; 16],
    /// The holders of the generation before, where they differ from the present ones; else empty. The next change
    /// needs a majority of these too.
    pub prior_holders: BTreeSet<PvUuid>,
    /// Forced changes in this history, oldest first.
    pub forks: Vec<Fork>,
    /// Bytes per extent.
    pub extent_size: ExtentSize,
    /// What `inherit` means; never `inherit` itself.
    pub alloc: AllocPolicy,
    /// PVs may be added and removed (`vgchange -x`).
    pub resizeable: bool,
    /// Exported: not to be used here until imported.
    pub exported: bool,
    /// Copies of each new LV's metadata volume; 0 = as many as suits the host devices.
    pub metadata_copies: u32,
    /// Tags.
    pub tags: BTreeSet<Tag>,
    /// The PVs, in the order they were added.
    pub pvs: Vec<PvRecord>,
    /// The LVs, in the order they were made.
    pub lvs: Vec<LvRecord>,
    /// LVs being removed.
    pub removals: Vec<Removal>,
}

/// Extents of one PV that an LV claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) pv: PvUuid,
    pub(crate) start: PeIndex,
    pub(crate) count: PeCount,
}

impl Descriptor {
    /// The LV of that name.
    pub fn lv(&self, name: &LvName) -> Option<&LvRecord> {
        self.lvs.iter().find(|lv| lv.name == *name)
    }

    /// The PV with that uuid.
    pub fn pv(&self, uuid: PvUuid) -> Option<&PvRecord> {
        self.pvs.iter().find(|pv| pv.uuid == uuid)
    }

    /// Copies of its metadata volume that an LV should have.
    pub fn wanted_copies(&self, lv: &LvRecord) -> u32 {
        if lv.metadata_copies > 0 { lv.metadata_copies } else { self.metadata_copies.max(1) }
    }

    /// The PVs that carry copies of the descriptor.
    pub fn holders(&self) -> BTreeSet<PvUuid> {
        self.pvs.iter().filter(|pv| pv.holder).map(|pv| pv.uuid).collect()
    }

    /// All extents that LVs, present and leaving, claim.
    pub(crate) fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        let present = self.lvs.iter().flat_map(|lv| &lv.segments);
        let leaving = self.removals.iter().flat_map(|removal| &removal.segments);
        present.chain(leaving).flat_map(Segment::claims)
    }

    /// The LVs with an extent or a metadata copy on `pv`.
    pub fn users(&self, pv: PvUuid) -> Vec<&LvRecord> {
        let uses = |lv: &&LvRecord| {
            lv.copies.iter().any(|copy| copy.pv == pv)
                || lv.segments.iter().flat_map(Segment::legs).any(|leg| leg.pv == pv)
        };
        self.lvs.iter().filter(uses).collect()
    }
}
