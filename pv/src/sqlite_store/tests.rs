use std::io;

use super::*;
use crate::{FileId, FreshExtent, Host, HostLock, HostSpace, LeIndex, LvUuid, Pv, PvOptions, RealHost};

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

/// Whoever looks may be stopped in the middle, and others write meanwhile.
#[test]
fn a_look_at_all_pages_waits_for_nobody_and_nobody_for_it() {
    let place = Place::new();
    let store = place.pv().store().unwrap();
    store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
    put(&*store, (1, 1), &[fresh(0, 10), fresh(1, 11)], &[]).unwrap();
    let lock = lock::take(&place.env, &place.path().canonicalize().unwrap()).unwrap();
    assert_eq!(store.contradictions().unwrap(), 0);
    drop(lock);
    // The last page, which is in use, is also the list of free ones.
    let mut bytes = std::fs::read(place.path()).unwrap();
    let last: [u8; 4] = bytes[28..32].try_into().unwrap();
    bytes[32..36].copy_from_slice(&last);
    bytes[36..40].copy_from_slice(&1u32.to_be_bytes());
    std::fs::write(place.path(), bytes).unwrap();
    assert!(store.contradictions().unwrap() > 0);
}

/// The machine's files on a host that has as much room as is said.
#[derive(Debug)]
struct Told(RealHost, AtomicU64);

impl Host for Told {
    fn space(&self, path: &Path) -> io::Result<HostSpace> {
        Ok(HostSpace { free: Bytes(self.1.load(Ordering::SeqCst)), ..self.0.space(path)? })
    }
    fn stat(&self, path: &Path) -> io::Result<FileId> {
        self.0.stat(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.0.list(dir)
    }
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.make_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.0.sync_file(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename_new(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.remove_dir(dir)
    }
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.0.read(path, limit)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.write(path, bytes)
    }
    fn allocate(&self, path: &Path, bytes: Bytes) -> io::Result<()> {
        self.0.allocate(path, bytes)
    }
    fn lock(&self, path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>> {
        self.0.lock(path, wait, note)
    }
}

#[test]
fn journals_are_kept_short_while_the_host_has_little_room() {
    let host = Arc::new(Told(RealHost, AtomicU64::new(1 << 40)));
    let mut place = Place::new();
    place.env.host = Arc::clone(&host) as Arc<dyn Host>;
    let store = place.pv().store().unwrap();
    store.take(FAMILY, Epoch(1), Txg(0)).unwrap();
    let mut flush = 0;
    let mut kept = |free: u64| {
        host.1.store(free, Ordering::SeqCst);
        flush += 3;
        put(&*store, (1, flush), &(0..60).map(|pe| fresh(pe, 7)).collect::<Vec<_>>(), &[]).unwrap();
        put(&*store, (1, flush + 1), &[], &(0..30).collect::<Vec<_>>()).unwrap();
        // The others move to where these were.
        store.shrink(Bytes(2 << 20)).unwrap();
        let len = std::fs::metadata(place.dir.path().join("a.db-journal")).unwrap().len();
        put(&*store, (1, flush + 2), &[], &(30..60).collect::<Vec<_>>()).unwrap();
        len
    };
    assert!(kept(1 << 40) > u64::from(sqlite::SHORT_JOURNAL));
    assert!(kept(1 << 20) <= u64::from(sqlite::SHORT_JOURNAL));
    assert!(kept(1 << 40) > u64::from(sqlite::SHORT_JOURNAL));
}
