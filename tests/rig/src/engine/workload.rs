//! The workloads of one volume, by name.

use std::time::Duration;

use lv::VolumeOptions;

use super::pool::Shape;
use super::weak::Weakness;
use crate::fs::Mix;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// The pool.
    pub shape: Shape,
    /// Share of the pool's bytes that files may take, in percent.
    pub fill: u64,
    /// Operations.
    pub steps: u32,
    /// Most writes are small and go over what files have, and the cleaner runs often.
    pub overwrites: bool,
    /// The pool is a volume group, and a copy of the metadata is lost at about one of so many operations; 0: neither.
    pub lose_one_in: u64,
    /// What the engine is set to.
    pub options: VolumeOptions,
    /// The rule that is off.
    pub weakness: Weakness,
}

impl Workload {
    /// Some space to spare; everything happens.
    pub fn random() -> Self {
        let options = VolumeOptions {
            cache_bytes: 64 * 1024,
            dirty_bytes: 64 * 1024,
            flush_bytes: 16 * 1024,
            cached_rows: 40,
            commit_interval: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            wal_bytes: 96 * 1024,
            ..VolumeOptions::default()
        };
        let shape = Shape { pvs: 2, extent: 4096, extents: 40, copies: 1 };
        let weakness = Weakness::None;
        Self { shape, fill: 50, steps: 120, overwrites: false, lose_one_in: 0, options, weakness }
    }

    /// Little space: extents are reused all the time, and compaction runs.
    pub fn tight() -> Self {
        let random = Self::random();
        Self { shape: Shape { extents: 14, ..random.shape }, fill: 65, steps: 160, ..random }
    }

    /// As [`Workload::random`] with two copies of the metadata.
    pub fn copies() -> Self {
        let random = Self::random();
        Self { shape: Shape { copies: 2, ..random.shape }, ..random }
    }

    /// The pool nearly full, small overwrites all over it, copies that share bytes, the cleaner between them.
    pub fn compaction() -> Self {
        let random = Self::random();
        let shape = Shape { extent: 8192, extents: 14, ..random.shape };
        Self { shape, fill: 72, steps: 160, overwrites: true, ..random }
    }

    /// Three PVs, two copies of the metadata, and everything happens.
    pub fn several() -> Self {
        let random = Self::random();
        Self { shape: Shape { pvs: 3, extent: 4096, extents: 20, copies: 2 }, fill: 60, ..random }
    }

    /// Copies of the metadata fail, are dropped by a change of the descriptor, and return as they were.
    pub fn lost_copy() -> Self {
        let random = Self::random();
        Self { shape: Shape { pvs: 3, extents: 20, copies: 3, ..random.shape }, steps: 60, lose_one_in: 12, ..random }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "random" => Some(Self::random()),
            "tight" => Some(Self::tight()),
            "copies" => Some(Self::copies()),
            "compaction" => Some(Self::compaction()),
            "several" => Some(Self::several()),
            "lost-copy" => Some(Self::lost_copy()),
            _ => None,
        }
    }

    /// Bytes of all extents together.
    pub fn bytes(&self) -> u64 {
        self.shape.extent * u64::from(self.shape.extents) * u64::from(self.shape.pvs)
    }

    /// What its operations are like.
    pub fn mix(&self) -> Mix {
        let bytes = self.bytes();
        let live = bytes * self.fill / 100;
        Mix { live, file: bytes / 8, write: 12 * 1024, work: 25, sync: 12, overwrites: self.overwrites }
    }
}
