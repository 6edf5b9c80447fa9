//! A host filesystem that runs full: refused before anything is written, and nothing else stops working.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyfs_lvm_lv::{Ino, LvError, NewNode, Work};
use pv::{
    Bytes, Env, ExtentStore, Fault, FaultKind, FaultOp, FaultStore, FileId, Host, HostLock, HostSpace, MemStore,
    RealHost,
};

use super::support::{Rig, contents, pattern};

const TOTAL: u64 = 1 << 30;

/// The machine's files, with as much free space as a test says.
#[derive(Debug)]
struct Told {
    inner: RealHost,
    free: AtomicU64,
    meanwhile: Meanwhile,
}

type Act = Box<dyn FnOnce(&Told) + Send>;

/// What somebody else does during the next look at the space, before the answer.
#[derive(Default)]
struct Meanwhile(Mutex<Option<Act>>);

impl std::fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl Told {
    fn new() -> Arc<Self> {
        Arc::new(Self { inner: RealHost, free: AtomicU64::new(TOTAL / 2), meanwhile: Meanwhile::default() })
    }

    fn set(&self, free: u64) {
        self.free.store(free, Ordering::SeqCst);
    }

    fn meanwhile(&self, act: impl FnOnce(&Self) + Send + 'static) {
        *self.meanwhile.0.lock().unwrap() = Some(Box::new(act));
    }
}

impl Host for Told {
    fn space(&self, path: &Path) -> io::Result<HostSpace> {
        let device = self.inner.space(path)?.device;
        let act = self.meanwhile.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(act) = act {
            act(self);
        }
        Ok(HostSpace { device, free: Bytes(self.free.load(Ordering::SeqCst)), total: Bytes(TOTAL) })
    }
    fn allocate(&self, path: &Path, bytes: Bytes) -> io::Result<()> {
        if bytes.get() > self.free.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.inner.allocate(path, bytes)
    }
    fn stat(&self, path: &Path) -> io::Result<FileId> {
        self.inner.stat(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.inner.list(dir)
    }
    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.make_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
    fn sync_file(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_file(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename_new(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.remove_dir(dir)
    }
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        self.inner.read(path, limit)
    }
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.inner.write(path, bytes)
    }
    fn lock(&self, path: &Path, wait: bool, note: &str) -> io::Result<Option<Box<dyn HostLock>>> {
        self.inner.lock(path, wait, note)
    }
}

fn rig() -> (Rig, Arc<Told>) {
    let host = Told::new();
    let mut rig = Rig::new(2, 400, 65536);
    rig.env = Env { host: Arc::clone(&host) as Arc<dyn Host>, ..rig.env };
    (rig, host)
}

/// Lengths of the files that belong to the volume.
fn lengths(rig: &Rig) -> Vec<u64> {
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    let paths = rig.copies.iter().flat_map(|copy| [copy.path.clone(), log(&copy.path)]);
    let files = paths.map(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
    files.chain(stores(rig)).collect()
}

/// Lengths of the PVs.
fn stores(rig: &Rig) -> Vec<u64> {
    rig.extents.pvs.iter().map(|slot| slot.store.as_ref().unwrap().space().unwrap().file.get()).collect()
}

#[test]
fn a_full_host_refuses_a_write_before_anything_is_written() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 100_000)).unwrap();
    volume.sync().unwrap();
    volume.step(Work::Clean { idle: true }).unwrap();
    host.set(50_000);
    // What was known before the host filled up may still be accepted, and no more than that.
    let mut at = 100_000u64;
    let error = loop {
        match volume.write(file, at, &pattern(at, 50_000)) {
            Ok(()) => at += 50_000,
            Err(error) => break error,
        }
        assert!(at < 10_000_000, "never refused");
    };
    assert!(matches!(error, LvError::HostFull { needed, free, .. } if free < needed), "{error}");
    assert_eq!(error.errno(), 28);
    assert!(error.hint().is_some() && error.to_string().contains("p0.db"), "{error}");
    let before = (lengths(&rig), volume.usage().unwrap().dirty_bytes, volume.getattr(file).unwrap().size);
    assert!(matches!(volume.write(file, 0, &pattern(2, 50_000)), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.append(file, b"x"), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.replace(file, &pattern(2, 50_000)), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.create(Ino::ROOT, b"g", &NewNode::file(0o600)), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.mkdir(Ino::ROOT, b"d", &NewNode::directory(0o700)), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.link(file, Ino::ROOT, b"h"), Err(LvError::HostFull { .. })));
    assert!(matches!(volume.transaction(|tx| tx.write(file, 0, b"x")), Err(LvError::HostFull { .. })));
    let after = (lengths(&rig), volume.usage().unwrap().dirty_bytes, volume.getattr(file).unwrap().size);
    assert_eq!(before, after);
    assert_eq!(volume.statfs().unwrap().free, 0);
    let mut read = vec![0; 100_000];
    assert_eq!(volume.read(file, 0, &mut read).unwrap(), read.len());
    assert!(read == pattern(1, 100_000));
}

#[test]
fn with_a_full_host_reading_deleting_and_syncing_work_and_space_returns() {
    let (rig, host) = rig();
    let volume = rig.open();
    let mut files = Vec::new();
    for n in 0..20u64 {
        let name = format!("f{n}");
        let file = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(n, 100_000)).unwrap();
        files.push((name, file));
    }
    volume.sync().unwrap();
    let reserve = std::fs::metadata(rig.extents.pvs[0].path.with_extension("db.d").join("reserve"));
    assert!(reserve.is_err(), "this pool has no folder for it");
    // A little, as the reserve leaves it.
    host.set(1 << 20);
    for (name, _) in &files[..15] {
        volume.unlink(Ino::ROOT, name.as_bytes()).unwrap();
    }
    volume.sync().unwrap();
    for (n, (_, file)) in (0u64..).zip(&files).skip(15) {
        assert!(contents(&volume, *file) == pattern(n, 100_000));
    }
    volume.rename((Ino::ROOT, b"f19"), (Ino::ROOT, b"f18"), anyfs_lvm_lv::Rename::Replace).unwrap();
    volume.close().unwrap();
    let volume = rig.open();
    assert!(matches!(volume.lookup(Ino::ROOT, b"f3"), Err(LvError::NotFound { .. })));
    assert!(contents(&volume, volume.lookup(Ino::ROOT, b"f18").unwrap().ino) == pattern(19, 100_000));
    assert!(matches!(volume.create(Ino::ROOT, b"new", &NewNode::file(0o600)), Err(LvError::HostFull { .. })));
    host.set(TOTAL / 2);
    let file = volume.create(Ino::ROOT, b"new", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(9, 1_000_000)).unwrap();
    volume.sync().unwrap();
    assert!(contents(&volume, file) == pattern(9, 1_000_000));
}

#[test]
fn a_commit_for_which_there_is_no_byte_is_refused_before_it_begins_and_works_later() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 300_000)).unwrap();
    let before = stores(&rig);
    host.set(0);
    // It moves the log into its file, and looks again.
    assert!(matches!(volume.sync(), Err(LvError::HostFull { .. })));
    assert_eq!(before, stores(&rig));
    let before = lengths(&rig);
    for _ in 0..3 {
        let error = volume.sync().unwrap_err();
        assert!(matches!(error, LvError::HostFull { .. }), "{error}");
    }
    assert_eq!(before, lengths(&rig));
    assert!(contents(&volume, file) == pattern(1, 300_000));
    host.set(TOTAL / 2);
    volume.sync().unwrap();
    volume.abandon();
    assert!(contents(&rig.open(), file) == pattern(1, 300_000));
}

#[test]
fn a_volume_in_which_nothing_changed_is_read_synced_and_closed_with_no_byte_free() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 300_000)).unwrap();
    volume.close().unwrap();
    let volume = rig.open();
    host.set(0);
    assert!(contents(&volume, file) == pattern(1, 300_000));
    volume.sync().unwrap();
    volume.fsync(file).unwrap();
    volume.close().unwrap();
}

#[test]
fn a_volume_is_not_opened_where_the_index_of_its_log_has_no_room_and_no_copy_is_given_up_for_that() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 300_000)).unwrap();
    volume.sync().unwrap();
    volume.abandon();
    host.set(100_000);
    rig.try_open().unwrap().abandon();
    // What an old index took is not enough: the log comes first.
    host.set(50_000);
    assert!(matches!(rig.try_open(), Err(LvError::Pv(pv::PvError::NoSpace { .. }))));
    host.set(100_000);
    let index = rig.copies[0].path.with_extension("meta-shm");
    std::fs::remove_file(index).unwrap();
    let error = rig.try_open().unwrap_err();
    assert!(matches!(error, LvError::Pv(pv::PvError::NoSpace { .. })), "{error}");
    assert!(error.hint().is_some());
    host.set(TOTAL / 2);
    assert!(contents(&rig.open(), file) == pattern(1, 300_000));
}

#[test]
fn what_a_host_has_no_room_for_is_not_called_used() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 100_000)).unwrap();
    volume.sync().unwrap();
    let before = volume.statfs().unwrap();
    assert_eq!((before.used, before.used + before.free), (100_000, before.total));
    host.set(20 << 20);
    let after = volume.statfs().unwrap();
    assert!(after.free < before.free && (after.used, after.total) == (before.used, before.total), "{after:?}");
}

/// The last owner deleted them and did not live to commit that.
#[test]
fn extents_that_are_gone_already_are_not_counted_as_room_that_will_be() {
    let (mut rig, host) = rig();
    rig.options.grace = std::time::Duration::ZERO;
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 3 << 20)).unwrap();
    volume.step(Work::Flush).unwrap();
    volume.sync().unwrap();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    volume.sync().unwrap();
    assert!(volume.step(Work::Delete).unwrap());
    volume.abandon();
    let volume = rig.open();
    host.set(48 << 20);
    assert_eq!(volume.usage().unwrap().quarantined_extents, 48);
    let shown = volume.statfs().unwrap().free;
    assert!(volume.step(Work::Delete).unwrap());
    assert_eq!(volume.usage().unwrap().quarantined_extents, 0);
    let left = volume.statfs().unwrap().free;
    // But for the rows of the deletion, which are not yet committed.
    assert!(shown.abs_diff(left) < 1 << 20 && left > 8 << 20, "{shown} bytes, then {left}");
}

/// Some of the reserve may be gone already: the less is left, the less waits for one commit.
#[test]
fn a_file_of_many_pieces_is_deleted_with_half_of_the_reserve() {
    let host = Told::new();
    let mut rig = Rig::with_copies(2, 400, 65536, 2);
    rig.env = Env { host: Arc::clone(&host) as Arc<dyn Host>, ..rig.env };
    let volume = rig.open();
    for name in [b"a", b"b", b"c"] {
        let file = volume.create(Ino::ROOT, name, &NewNode::file(0o600)).unwrap().ino;
        for piece in 0..200 {
            volume.write(file, piece * 8192, &pattern(piece, 4096)).unwrap();
        }
        volume.step(Work::Flush).unwrap();
    }
    volume.close().unwrap();
    host.set(480_000);
    let volume = rig.open();
    for name in [b"a", b"b", b"c"] {
        volume.unlink(Ino::ROOT, name).unwrap();
    }
    volume.sync().unwrap();
    host.set(TOTAL / 2);
    volume.close().unwrap();
    rig.check();
}

/// Where little may wait for a commit, a large file is taken apart in several steps.
#[test]
fn a_deleted_file_does_not_count_while_it_is_taken_apart() {
    let (rig, host) = rig();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    for piece in 0..3000 {
        volume.write(file, piece * 8192, &pattern(piece, 4096)).unwrap();
    }
    volume.close().unwrap();
    host.set(480_000);
    let volume = rig.open();
    assert_eq!(volume.statfs().unwrap().files, 2);
    volume.unlink(Ino::ROOT, b"f").unwrap();
    assert_eq!(volume.statfs().unwrap().files, 1);
    assert!(volume.statfs().unwrap().used > 1 << 20, "it is gone already");
    volume.sync().unwrap();
    while volume.step(Work::Clean { idle: true }).unwrap() {}
    let space = volume.statfs().unwrap();
    assert_eq!((space.files, space.used), (1, 0));
}

/// Compaction would make room on the volume, and finds none on the disk.
#[test]
fn a_full_disk_is_named_where_it_keeps_a_volume_from_being_compacted() {
    let host = Told::new();
    let mut rig = Rig::new(1, 48, 65536);
    rig.env = Env { host: Arc::clone(&host) as Arc<dyn Host>, ..rig.env };
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    for extent in 0..46 {
        volume.write(file, extent * 65536, &pattern(extent, 40_000)).unwrap();
        volume.step(Work::Flush).unwrap();
    }
    volume.sync().unwrap();
    // Beside the reserve, less than an extent.
    host.set(8 * 1024 * 1024 + 60_000);
    let small = |number: u64| volume.write(file, number * 65536 + 45_056, &pattern(number, 14_000)).unwrap();
    small(0);
    volume.step(Work::Flush).unwrap();
    small(1);
    let error = volume.step(Work::Flush).unwrap_err();
    assert!(matches!(error, LvError::HostFull { needed, free, .. } if free < needed), "{error}");
    host.set(TOTAL / 2);
    volume.sync().unwrap();
    assert_eq!(contents(&volume, file)[65536 + 45_056..][..14_000], pattern(1, 14_000));
    volume.close().unwrap();
    rig.check();
}

/// Between the look at the host and the commit others may ask for more to be in it.
#[test]
fn a_commit_takes_no_more_than_was_counted_when_it_was_let_begin() {
    const LEFT: u64 = 300_000;
    let (mut rig, host) = rig();
    rig.options.dirty_bytes = 4 << 20;
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, b"small").unwrap();
    let (other, (done, doing)) = (volume.clone(), channel());
    host.meanwhile(move |host| {
        std::thread::spawn(move || {
            let made = other.transaction(|tx| {
                let file = tx.create(Ino::ROOT, b"large", &NewNode::file(0o600))?.ino;
                tx.write(file, 0, &pattern(2, 1_000_000))
            });
            // Whoever waited for it may be gone.
            let _ = done.send(made.is_ok());
        });
        // It may have to wait until the commit has begun.
        let _ = doing.recv_timeout(Duration::from_millis(500));
        host.set(LEFT);
    });
    volume.sync().unwrap();
    assert_eq!(host.free.load(Ordering::SeqCst), LEFT, "nobody looked");
    let log = volume.usage().unwrap().log_bytes;
    assert!(log < LEFT, "{log} bytes where {LEFT} were free");
    host.set(TOTAL / 2);
    volume.sync().unwrap();
    volume.close().unwrap();
    let volume = rig.open();
    assert!(contents(&volume, file) == b"small");
}

#[test]
fn a_volume_that_stopped_for_want_of_room_says_what_to_do_and_keeps_what_was_synced() {
    let store = Arc::new(FaultStore::new(MemStore::default()));
    let dir = tempfile::tempdir().unwrap();
    let env = Env { threads: false, ..Env::system() };
    let rig = Rig::on(dir, env, vec![store.clone() as Arc<dyn ExtentStore>], 40, 65536, 1);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 100_000)).unwrap();
    volume.sync().unwrap();
    store.plan(Fault {
        op: FaultOp::Commit,
        at: store.counts().commits,
        kind: FaultKind::NoSpace,
        after: false,
        lasting: true,
    });
    volume.write(file, 0, &pattern(2, 200_000)).unwrap();
    // Whoever met it, and whoever comes later.
    for error in [volume.sync().unwrap_err(), volume.sync().unwrap_err(), volume.getattr(file).unwrap_err()] {
        assert!(matches!(error, LvError::Poisoned { full: true, .. }), "{error}");
        assert!(error.errno() == 28 && error.to_string().contains("no space left"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("make room") && hint.contains("open")), "{error}");
    }
    volume.abandon();
    store.reopen();
    assert!(contents(&rig.open(), file) == pattern(1, 100_000));
}
