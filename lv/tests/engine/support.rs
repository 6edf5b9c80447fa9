//! A small volume on memory stores or real PV files.

use std::sync::Arc;

use anyfs_lvm_lv::{CheckOptions, CheckReport, CopyPlace, LvError, Volume, VolumeOptions, check, create_catalogue};
use pv::{Env, ExtentSize, ExtentStore, FamilyUuid, LeCount, LeIndex, LvUuid, MemStore, PeIndex, PvUuid};
use vg::{PvSlot, Segment, SegmentKind, StripeLeg, VolumeExtents};

pub(crate) struct Rig {
    #[expect(dead_code, reason = "keeps the folder until the end")]
    dir: tempfile::TempDir,
    pub(crate) env: Env,
    pub(crate) extents: VolumeExtents,
    pub(crate) copies: Vec<CopyPlace>,
    pub(crate) options: VolumeOptions,
}

impl Rig {
    /// `pvs` memory stores with `per_pv` extents each, one catalogue copy.
    pub(crate) fn new(pvs: u8, per_pv: u32, extent: u64) -> Self {
        Self::with_copies(pvs, per_pv, extent, 1)
    }

    pub(crate) fn with_copies(pvs: u8, per_pv: u32, extent: u64, copies: u8) -> Self {
        // Durability is the crash rig's subject: here memory will do.
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let env = Env { threads: false, ..Env::system() };
        let stores = (0..pvs).map(|_| Arc::new(MemStore::default()) as Arc<dyn ExtentStore>).collect();
        Self::on(dir, env, stores, per_pv, extent, copies)
    }

    pub(crate) fn on(
        dir: tempfile::TempDir,
        env: Env,
        stores: Vec<Arc<dyn ExtentStore>>,
        per_pv: u32,
        extent: u64,
        copies: u8,
    ) -> Self {
        let family = FamilyUuid::random().unwrap();
        let lv = LvUuid::random().unwrap();
        let uuids: Vec<PvUuid> = stores.iter().map(|_| PvUuid::random().unwrap()).collect();
        let slots: Vec<PvSlot> = stores
            .into_iter()
            .enumerate()
            .map(|(n, store)| PvSlot { uuid: uuids[n], path: dir.path().join(format!("p{n}.db")), store: Some(store) })
            .collect();
        for slot in &slots {
            if !slot.path.exists() {
                std::fs::write(&slot.path, b"stands for a PV").unwrap();
            }
        }
        let mut start = 0;
        let segments: Vec<Segment> = uuids
            .iter()
            .map(|pv| {
                let segment = Segment {
                    start: LeIndex(start),
                    count: LeCount(per_pv),
                    kind: SegmentKind::Linear(StripeLeg { pv: *pv, pe: PeIndex(0) }),
                };
                start += per_pv;
                segment
            })
            .collect();
        let extents = VolumeExtents {
            lv,
            family,
            extent_size: ExtentSize::for_tests(extent).unwrap(),
            segments: segments.into(),
            pvs: slots.into(),
        };
        let copies: Vec<CopyPlace> = (0..copies)
            .map(|n| CopyPlace { pv: uuids[usize::from(n) % uuids.len()], path: dir.path().join(format!("c{n}.meta")) })
            .collect();
        for copy in &copies {
            create_catalogue(&env, &copy.path, (family, lv), (12345, 0)).unwrap();
        }
        let options = VolumeOptions { dirty_bytes: 256 * 1024, flush_bytes: 64 * 1024, ..VolumeOptions::default() };
        Self { dir, env, extents, copies, options }
    }

    pub(crate) fn open(&self) -> Volume {
        self.try_open().unwrap()
    }

    /// Checks the volume's files while nobody has it open: nothing is wrong.
    pub(crate) fn check(&self) -> CheckReport {
        let report = check(&self.env, &self.extents, &self.copies, CheckOptions::ALL).unwrap();
        assert!(report.is_clean(), "{:#?}", report.problems);
        report
    }

    /// Rows of a table of the first metadata volume, while nobody has it open.
    pub(crate) fn rows(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        rusqlite::Connection::open(&self.copies[0].path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Volume, LvError> {
        Volume::activate(&self.env, self.extents.clone(), &self.copies, self.options, &mut |_, why| {
            panic!("copy lost: {why}")
        })
    }
}

/// Bytes that differ from place to place.
pub(crate) fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x.to_le_bytes()[3]
        })
        .collect()
}

/// A file's whole contents.
pub(crate) fn contents(volume: &Volume, ino: anyfs_lvm_lv::Ino) -> Vec<u8> {
    let size = volume.getattr(ino).unwrap().size;
    let mut out = vec![0xEE; usize::try_from(size).unwrap()];
    assert_eq!(volume.read(ino, 0, &mut out).unwrap(), out.len());
    out
}
