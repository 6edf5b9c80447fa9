//! Failures below: fencing, failed commits, damage, missing PVs.

use std::sync::{Arc, Mutex};

use anyfs_lvm_lv::{Ino, LvError, NewNode, SetXattr, Work};
use pv::{Env, ExtentStore, Fault, FaultKind, FaultOp, FaultStore, MemStore, PeIndex};
use vg::{PvSlot, VolumeExtents};

use super::support::{Rig, contents, pattern};

#[test]
fn a_failure_at_any_pv_commit_leaves_no_extent_that_nobody_names() {
    // Tight space: flushes have to compact, and so to commit, between their chunks.
    let again = 14 * 4096;
    for at in 1.. {
        let store = Arc::new(FaultStore::new(MemStore::default()));
        let dir = tempfile::tempdir().unwrap();
        let env = Env { threads: false, ..Env::system() };
        let mut rig = Rig::on(dir, env, vec![store.clone() as Arc<dyn ExtentStore>], 40, 4096, 1);
        rig.options.dirty_bytes = 1 << 20;
        rig.options.flush_bytes = 1 << 20;
        let volume = rig.open();
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        volume.sync().unwrap();
        store.plan(Fault { op: FaultOp::Commit, at, kind: FaultKind::Io, after: at % 2 == 0, lasting: false });
        let outcome = (|| {
            // Nearly every extent in use, each a third full: the next flush finds few free ones.
            for n in 0..33u64 {
                volume.write(file, n * 4096, &pattern(n, 4096))?;
                volume.step(Work::Flush)?;
                volume.punch(file, n * 4096, n * 4096 + 2700)?;
            }
            volume.sync()?;
            volume.write(file, 0, &pattern(at, 20 * 4096))?;
            volume.step(Work::Flush)
        })();
        volume.abandon();
        store.reopen();
        let volume = rig.open();
        // Every free extent is filled again: a leftover would be in the way.
        for round in 0..8u64 {
            volume.write(file, 0, &pattern(round, again)).unwrap();
            volume.step(Work::Flush).unwrap();
            volume.sync().unwrap();
        }
        assert!(contents(&volume, file)[..again] == pattern(7, again));
        if outcome.is_ok() {
            assert!(at > 38, "only {at} commits: nothing was compacted");
            return;
        }
    }
}

/// The worker of a PV ends with its first failure, while more is on its way to it.
#[test]
fn whoever_sends_a_worker_more_after_its_failure_is_told_of_that() {
    for round in 0..12 {
        let store = Arc::new(FaultStore::new(MemStore::default()));
        let dir = tempfile::tempdir().unwrap();
        let env = Env { threads: true, ..Env::system() };
        let mut rig = Rig::on(dir, env, vec![store.clone() as Arc<dyn ExtentStore>], 1000, 65536, 1);
        (rig.options.dirty_bytes, rig.options.flush_bytes) = (64 << 20, 64 << 20);
        let volume = rig.open();
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        volume.sync().unwrap();
        volume.write(file, 0, &pattern(round, 40 << 20)).unwrap();
        store.plan(Fault { op: FaultOp::Commit, at: 1, kind: FaultKind::Io, after: round % 2 == 0, lasting: true });
        let failed = volume.sync().unwrap_err();
        assert!(matches!(failed, LvError::Pv(_)), "{failed}");
        let stopped = volume.sync().unwrap_err().to_string();
        assert!(!stopped.contains("thread"), "{stopped}");
        volume.abandon();
    }
}

#[test]
fn a_former_owner_that_wakes_up_is_refused_and_changes_nothing() {
    let rig = Rig::new(2, 32, 65536);
    let zombie = rig.open();
    let file = zombie.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    zombie.write(file, 0, b"acknowledged").unwrap();
    zombie.sync().unwrap();
    // The lock does not protect against an owner that was stopped and passed over: the epochs must.
    for copy in &rig.copies {
        std::fs::remove_file(copy.path.with_extension("lock")).unwrap();
    }
    let owner = rig.open();
    owner.write(file, 0, b"ACKNOWLEDGED").unwrap();
    owner.sync().unwrap();

    zombie.write(file, 0, &pattern(1, 300_000)).unwrap();
    let refused = zombie.sync().unwrap_err();
    assert!(matches!(refused, LvError::Fenced { .. }), "{refused}");
    assert!(matches!(zombie.getattr(file), Err(LvError::Poisoned { .. })));
    zombie.abandon();
    assert_eq!(contents(&owner, file), b"ACKNOWLEDGED");
    owner.abandon();
    assert_eq!(contents(&rig.open(), file), b"ACKNOWLEDGED");
}

#[test]
fn a_former_owner_that_stumbles_over_rows_of_the_new_one_is_told_why() {
    let rig = Rig::new(1, 32, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.setxattr(file, b"user.a", b"old", SetXattr::Any).unwrap();
    volume.close().unwrap();
    let former = rig.open();
    assert_eq!(former.getattr(file).unwrap().mode, 0o600);
    std::fs::remove_file(rig.copies[0].path.with_extension("lock")).unwrap();
    let owner = rig.open();
    owner.setxattr(file, b"user.a", b"new", SetXattr::Any).unwrap();
    owner.sync().unwrap();
    // A write takes the set-id bits away before it looks at the attributes, of a commit that this owner knows nothing of.
    assert!(matches!(former.write(file, 0, b"x"), Err(LvError::DamagedRow { .. })));
    let Err(LvError::Poisoned { why, .. }) = former.sync() else { panic!("half a change was synced") };
    assert!(why.contains("has taken the logical volume over"), "{why}");
    former.abandon();
    assert_eq!(owner.getxattr(file, b"user.a").unwrap(), b"new");
}

#[test]
fn a_former_owner_whose_sync_meets_rows_of_the_new_one_is_told_why() {
    let rig = Rig::new(1, 32, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 200_000)).unwrap();
    volume.close().unwrap();
    let former = rig.open();
    former.write(file, 1000, &pattern(2, 50_000)).unwrap();
    std::fs::remove_file(rig.copies[0].path.with_extension("lock")).unwrap();
    let owner = rig.open();
    owner.write(file, 500, &pattern(3, 60_000)).unwrap();
    owner.sync().unwrap();
    // What the written bytes replace is looked up, in a commit that this owner knows nothing of.
    let refused = former.sync();
    assert!(matches!(refused, Err(LvError::Fenced { by: None, .. })), "{refused:?}");
    let Err(LvError::Poisoned { why, .. }) = former.sync() else { panic!("a former owner goes on") };
    assert!(why.contains("has taken the logical volume over"), "{why}");
    former.abandon();
    let mut expected = pattern(1, 200_000);
    expected[500..60_500].copy_from_slice(&pattern(3, 60_000));
    assert_eq!(contents(&owner, file), expected);
}

#[test]
fn a_former_owners_catalogue_commit_is_refused_too() {
    let rig = Rig::new(1, 32, 65536);
    let zombie = rig.open();
    for copy in &rig.copies {
        std::fs::remove_file(copy.path.with_extension("lock")).unwrap();
    }
    let owner = rig.open();
    zombie.mkdir(Ino::ROOT, b"never", &NewNode::directory(0o700)).unwrap();
    assert!(matches!(zombie.sync(), Err(LvError::Fenced { .. })));
    zombie.abandon();
    assert!(matches!(owner.lookup(Ino::ROOT, b"never"), Err(LvError::NotFound { .. })));
    owner.abandon();
    assert!(matches!(rig.open().lookup(Ino::ROOT, b"never"), Err(LvError::NotFound { .. })));
}

/// The rig's extents with PV `n` gone.
fn without(rig: &Rig, n: usize) -> VolumeExtents {
    let mut slots: Vec<PvSlot> = rig.extents.pvs.to_vec();
    slots[n].store = None;
    VolumeExtents { pvs: slots.into(), ..rig.extents.clone() }
}

#[test]
fn with_a_pv_away_intact_files_read_and_damaged_ones_name_path_and_pv() {
    let mut rig = Rig::new(2, 32, 65536);
    let volume = rig.open();
    let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap().ino;
    let mut files = Vec::new();
    for n in 0..10u64 {
        let file = volume.create(dir, format!("f{n}").as_bytes(), &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(n, 60_000)).unwrap();
        volume.step(Work::Flush).unwrap();
        files.push(file);
    }
    volume.close().unwrap();
    let whole = rig.extents.clone();
    rig.extents = without(&rig, 1);
    let volume = rig.open();
    let (mut intact, mut lost) = (0, 0);
    for (n, file) in files.iter().enumerate() {
        let mut buffer = vec![0; 60_000];
        match volume.read(*file, 0, &mut buffer) {
            Ok(_) => {
                assert!(buffer == pattern(n as u64, 60_000));
                intact += 1;
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&format!("/dir/f{n}")) && text.contains("p1.db"), "{text}");
                lost += 1;
            }
        }
    }
    assert!(intact > 0 && lost > 0, "{intact} intact, {lost} lost");
    volume.write(files[0], 0, b"still writable").unwrap();
    volume.close().unwrap();
    rig.extents = whole;
    let volume = rig.open();
    for (n, file) in files.iter().enumerate().skip(1) {
        assert!(contents(&volume, *file) == pattern(n as u64, 60_000));
    }
}

/// A PV that returns the bytes of one extent for those of another.
#[derive(Debug, Default)]
struct Misdirected {
    inner: MemStore,
    read_instead: Mutex<Option<(PeIndex, PeIndex)>>,
}

impl ExtentStore for Misdirected {
    fn commit(&self, batch: &pv::ExtentBatch<'_>) -> pv::Result<()> {
        self.inner.commit(batch)
    }
    fn read(&self, pe: PeIndex, at: u32, buf: &mut [u8], mode: pv::ReadMode) -> pv::Result<()> {
        let instead = self.read_instead.lock().unwrap().filter(|(from, _)| *from == pe).map_or(pe, |(_, to)| to);
        self.inner.read(instead, at, buf, mode)
    }
    fn header(&self, pe: PeIndex) -> pv::Result<Option<(pv::ExtentHeader, Vec<u8>)>> {
        self.inner.header(pe)
    }
    fn extents_after(&self, f: pv::FamilyUuid, e: pv::Epoch, n: pv::FlushNo) -> pv::Result<Vec<pv::FoundExtent>> {
        self.inner.extents_after(f, e, n)
    }
    fn list(&self, pe: Option<PeIndex>, limit: usize) -> pv::Result<Vec<pv::ListedExtent>> {
        self.inner.list(pe, limit)
    }
    fn owner(&self, family: pv::FamilyUuid) -> pv::Result<Option<pv::OwnerRow>> {
        self.inner.owner(family)
    }
    fn take(&self, family: pv::FamilyUuid, epoch: pv::Epoch, txg: pv::Txg) -> pv::Result<()> {
        self.inner.take(family, epoch, txg)
    }
    fn forget(&self, family: pv::FamilyUuid) -> pv::Result<()> {
        self.inner.forget(family)
    }
    fn space(&self) -> pv::Result<pv::StoreSpace> {
        self.inner.space()
    }

    fn contradictions(&self) -> pv::Result<usize> {
        self.inner.contradictions()
    }
    fn shrink(&self, bytes: pv::Bytes) -> pv::Result<()> {
        self.inner.shrink(bytes)
    }
}

#[test]
fn damaged_extents_are_named_and_do_not_stop_anything_else() {
    let store = Arc::new(Misdirected::default());
    let dir = tempfile::tempdir().unwrap();
    let env = Env { threads: false, ..Env::system() };
    let rig = Rig::on(dir, env, vec![store.clone() as Arc<dyn ExtentStore>], 64, 65536, 1);
    let volume = rig.open();
    let mut files = Vec::new();
    for n in 0..20u64 {
        let file = volume.create(Ino::ROOT, format!("f{n}").as_bytes(), &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(n, 65536)).unwrap();
        volume.step(Work::Flush).unwrap();
        files.push(file);
    }
    volume.sync().unwrap();
    // One extent swapped for another one's bytes: valid in itself, but not what was written there.
    let (victim, _) = store.header(PeIndex(3)).unwrap().unwrap();
    *store.read_instead.lock().unwrap() = Some((PeIndex(3), PeIndex(7)));
    let damaged: Vec<usize> = (0..20)
        .filter(|n| {
            let mut buffer = vec![0; 65536];
            match volume.read(files[*n], 0, &mut buffer) {
                Ok(_) => {
                    assert!(buffer == pattern(*n as u64, 65536));
                    false
                }
                Err(LvError::Damaged { path, le, .. }) => {
                    assert_eq!((path, le), (format!("/f{n}").into_bytes(), victim.le));
                    true
                }
                Err(other) => panic!("{other}"),
            }
        })
        .collect();
    assert_eq!(damaged.len(), 1);
    for n in (0..20).filter(|n| *n != damaged[0]) {
        volume.punch(files[n], 0, 20_000).unwrap();
    }
    for round in 0..200u64 {
        volume.write(files[0], 0, &pattern(round, 65536)).unwrap();
        volume.sync().unwrap();
        volume.step(Work::Compact).unwrap();
    }
}

#[test]
fn a_file_whose_first_name_went_is_named_by_another_one() {
    let mut rig = Rig::new(1, 16, 65536);
    let volume = rig.open();
    let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap().ino;
    let file = volume.create(Ino::ROOT, b"first", &NewNode::file(0o644)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 70_000)).unwrap();
    volume.step(Work::Flush).unwrap();
    volume.link(file, dir, b"second").unwrap();
    volume.unlink(Ino::ROOT, b"first").unwrap();
    volume.close().unwrap();
    let mut slots = rig.extents.pvs.to_vec();
    slots[0].store = None;
    rig.extents.pvs = slots.into();
    let error = rig.open().read(file, 0, &mut [0; 10]).unwrap_err();
    assert!(matches!(&error, LvError::PvMissing { path, .. } if *path == b"/dir/second"), "{error}");
}
