//! Descriptors for tests.

use std::collections::BTreeSet;

use pv::{Epoch, ExtentSize, FamilyUuid, LvUuid, PeCount, PvUuid, Seqno, VgUuid};

use crate::{AllocPolicy, Descriptor, LvKind, LvName, LvRecord, MetadataCopy, PvRecord, Segment, Tag, VgName};

pub(crate) fn pv(n: u8) -> PvUuid {
    PvUuid::from_bytes([n; 16])
}

/// A VG whose PVs have these numbers of extents.
pub(crate) fn group(sizes: &[u32]) -> Descriptor {
    let record = |(n, size): (u8, &u32)| PvRecord {
        uuid: pv(n),
        hint: format!("d/pv{n}.db"),
        pe_count: PeCount(*size),
        allocatable: true,
        missing: false,
        holder: n < 7,
        class: None,
        tags: BTreeSet::from([Tag::new("ssd").unwrap()]),
    };
    Descriptor {
        vg: VgUuid::from_bytes([9; 16]),
        name: VgName::new("vg0").unwrap(),
        epoch: Epoch(1),
        seqno: Seqno(1),
        parent: None,
        change: [3; 16],
        prior_holders: BTreeSet::new(),
        forks: Vec::new(),
        extent_size: ExtentSize::MIN,
        alloc: AllocPolicy::Normal,
        resizeable: true,
        exported: false,
        metadata_copies: 0,
        tags: BTreeSet::new(),
        pvs: (0u8..).zip(sizes).map(record).collect(),
        lvs: Vec::new(),
        removals: Vec::new(),
    }
}

pub(crate) fn lv(n: u8, segments: Vec<Segment>) -> LvRecord {
    LvRecord {
        uuid: LvUuid::from_bytes([n; 16]),
        name: LvName::new(&format!("lv{n}")).unwrap(),
        family: FamilyUuid::from_bytes([n; 16]),
        kind: LvKind::Plain,
        segments,
        copies: vec![MetadataCopy { pv: pv(0), since: Epoch(1) }],
        alloc: AllocPolicy::Inherit,
        metadata_copies: 2,
        read_only: false,
        created: -5,
        tags: BTreeSet::new(),
    }
}
