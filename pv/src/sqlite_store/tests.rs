use super::*;
use crate::{FreshExtent, LeIndex, LvUuid, Pv, PvOptions};

const FAMILY: FamilyUuid = FamilyUuid::from_bytes([7; 16]);

struct Place {
    dir: tempfile::TempDir,
    env: Env,
}

impl Place {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), env: Env::system() }
    }
    fn path(&self) -> PathBuf {
        self.dir.path().join("a.db")
    }
    fn pv(&self) -> Pv {
        Pv::create(&self.env, &self.path(), &PvOptions::default()).unwrap()
    }
}

fn fresh(pe: u32, byte: u8) -> FreshExtent {
    FreshExtent {
        pe: PeIndex(pe),
        lv: LvUuid::from_bytes([1; 16]),
        le: LeIndex(pe),
        toc: vec![9; 57],
        data: vec![vec![byte; 64 * 1024].into()],
    }
}

fn put(store: &dyn ExtentStore, (epoch, flush): (u64, u64), fresh: &[FreshExtent], freed: &[u32]) -> Result<()> {
    let freed: Vec<_> = freed.iter().copied().map(PeIndex).collect();
    let (epoch, flush) = (Epoch(epoch), FlushNo(flush));
    store.commit(&ExtentBatch { family: FAMILY, epoch, flush, txg: Txg(0), fresh, freed: &freed })
}

fn get(store: &dyn ExtentStore, pe: u32, mode: ReadMode) -> Result<u8> {
    let mut buf = [0u8; 16];
    store.read(PeIndex(pe), 60_000, &mut buf, mode)?;
    Ok(buf[3])
}

#[test]
fn fast_reads_find_what_was_committed_after_their_pool_was_made() {
    let place = Place::new();
    let store = place.pv().store().unwrap();
    store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
    put(&*store, (1, 1), &[fresh(0, 10)], &[]).unwrap();
    assert_eq!(get(&*store, 0, ReadMode::Fast).unwrap(), 10);
    put(&*store, (1, 2), &[fresh(1, 11)], &[]).unwrap();
    assert_eq!(get(&*store, 1, ReadMode::Fast).unwrap(), 11);
    assert!(matches!(get(&*store, 2, ReadMode::Fast), Err(PvError::ExtentMissing { .. })));
    put(&*store, (1, 3), &[], &[0]).unwrap();
    put(&*store, (1, 4), &[fresh(0, 12)], &[]).unwrap();
    assert_eq!(get(&*store, 0, ReadMode::Reopen).unwrap(), 12);
    assert_eq!(get(&*store, 0, ReadMode::Locked).unwrap(), 12);
}
