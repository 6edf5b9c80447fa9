//! What a case starts from.

use std::time::Duration;

use lv::VolumeOptions;
use proptest::prelude::*;

use crate::engine::Weakness;

/// A pool and its volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Setup {
    /// PVs at first.
    pub(super) pvs: u8,
    /// Copies of the metadata, each beside another PV.
    pub(super) copies: u8,
    /// Extents are dealt to the PVs in turn.
    pub(super) striped: bool,
    /// Extents of 64 KiB and room for everything; else of 4 KiB and room for a few files.
    pub(super) large: bool,
}

impl Setup {
    /// Any of them.
    pub(super) fn any() -> BoxedStrategy<Self> {
        let pvs = prop_oneof![1 => Just(1u8), 4 => Just(2u8), 4 => Just(3u8)];
        let draw = (pvs, 1u8..3, any::<bool>(), prop::bool::weighted(0.25));
        draw.prop_map(|(pvs, copies, striped, large)| Self { pvs, copies: copies.min(pvs), striped, large }).boxed()
    }

    /// Bytes of an extent.
    pub(super) const fn extent(self) -> u64 {
        if self.large { 65_536 } else { 4096 }
    }

    /// PVs that extents are dealt to.
    pub(super) const fn stripes(self) -> u32 {
        if self.striped { self.pvs as u32 } else { 1 }
    }

    /// Extents of a PV.
    pub(super) const fn per_pv(self) -> u32 {
        if self.large { 60 } else { 48 }
    }

    /// Extents of the volume on each PV at first.
    pub(super) const fn share(self) -> u32 {
        if self.large { 24 } else { 12 / self.pvs as u32 + 6 }
    }

    /// The volume's settings: everything leaves memory soon, and rows do all the time.
    pub(super) fn options(self, weakness: Weakness) -> VolumeOptions {
        let memory = if self.large { 256 * 1024 } else { 96 * 1024 };
        weakness.options(VolumeOptions {
            cache_bytes: 64 * 1024,
            dirty_bytes: memory,
            flush_bytes: memory / 4,
            cached_rows: 12,
            grace: Duration::from_secs(if self.large { 20 } else { 3 }),
            wal_bytes: 128 * 1024,
            ..VolumeOptions::default()
        })
    }
}
