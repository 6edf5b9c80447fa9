//! What a volume counts of what it does.

use anyfs_lvm_lv::{Ino, NewNode, SetAttr, Timings, Volume};

use super::support::{Rig, pattern};

/// Operations so far: reads, writes, syncs, others.
fn counts(volume: &Volume) -> [u64; 4] {
    let meters = volume.meters();
    let all = [&meters.read, &meters.write, &meters.sync, &meters.metadata];
    for timings in all {
        assert_eq!(timings.buckets.iter().sum::<u64>(), timings.timed);
        assert_eq!((timings.count > 0, timings.nanos > 0), (timings.mean().is_some(), timings.mean().is_some()));
    }
    all.map(|timings| timings.count)
}

#[test]
fn every_operation_is_counted_once_and_its_bytes_when_it_succeeds() {
    let rig = Rig::new(2, 64, 65536);
    let volume = rig.open();
    assert_eq!(counts(&volume), [0; 4]);
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap().ino;
    volume.lookup(Ino::ROOT, b"file").unwrap();
    volume.lookup(Ino::ROOT, b"none").unwrap_err();
    volume.getattr(file).unwrap();
    volume.setattr(file, &SetAttr { mode: Some(0o600), ..SetAttr::default() }).unwrap();
    assert_eq!(counts(&volume), [0, 0, 0, 6]);
    volume.write(file, 0, &pattern(1, 200_000)).unwrap();
    volume.append(file, b"12345").unwrap();
    volume.write_back(file, 7, b"1234567").unwrap();
    volume.write(dir, 0, b"no bytes").unwrap_err();
    assert_eq!((counts(&volume), volume.meters().written_bytes), ([0, 4, 0, 6], 200_012));
    let mut buf = vec![0; 4096];
    volume.read(file, 0, &mut buf).unwrap();
    volume.read(file, 200_000, &mut buf).unwrap();
    volume.read(dir, 0, &mut buf).unwrap_err();
    assert_eq!(volume.read_all(file).unwrap().len(), 200_005);
    assert_eq!((counts(&volume), volume.meters().read_bytes), ([4, 4, 0, 6], 4096 + 5 + 200_005));
    volume.fsync(file).unwrap();
    volume.sync().unwrap();
    assert_eq!(counts(&volume), [4, 4, 2, 6]);
    volume
        .transaction(|tx| {
            let new = tx.create(Ino::ROOT, b"new", &NewNode::file(0o644))?.ino;
            tx.write(new, 0, b"ten bytes.")?;
            tx.read(new, 0, &mut buf).map(drop)
        })
        .unwrap();
    assert_eq!(counts(&volume), [5, 5, 2, 7]);
    // Looking is none.
    volume.statfs().unwrap();
    volume.usage().unwrap();
    assert_eq!(counts(&volume), [5, 5, 2, 7]);
    volume.close().unwrap();
}

#[test]
fn blocks_commits_and_pvs_are_counted() {
    let rig = Rig::new(2, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    let before = volume.meters();
    volume.write(file, 0, &pattern(1, 400_000)).unwrap();
    volume.sync().unwrap();
    let after = volume.meters();
    let commits = after.commits.since(&before.commits);
    assert!(commits.count >= 1 && after.txg > before.txg && !after.last_commit.is_zero(), "{after:?}");
    assert!(after.last_commit <= commits.within(1000).unwrap());
    volume.create(Ino::ROOT, b"other", &NewNode::file(0o644)).unwrap();
    volume.sync().unwrap();
    let one = volume.meters();
    assert_eq!((one.commits.count, one.txg), (after.commits.count + 1, after.txg + 1));
    let written: u64 = one.pvs.iter().map(|pv| pv.written_bytes).sum();
    let transactions: u64 = one.pvs.iter().map(|pv| pv.writes.count).sum();
    assert!(one.pvs.len() == 2 && written == 400_000 && transactions >= 1, "{:?}", one.pvs);
    let mut buf = vec![0; 8192];
    for _ in 0..3 {
        volume.read(file, 0, &mut buf).unwrap();
    }
    let read = volume.meters();
    assert_eq!((read.cache_misses, read.cache_hits), (2, 4));
    let on_pvs: (u64, u64) =
        read.pvs.iter().fold((0, 0), |(count, bytes), pv| (count + pv.reads.count, bytes + pv.read_bytes));
    assert_eq!(on_pvs, (2, 8192));
    volume.close().unwrap();
}

#[test]
fn counts_of_threads_add_up() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o644)).unwrap().ino;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..250).for_each(|_| drop(volume.append(file, b"123"))));
        }
    });
    let Timings { count, .. } = volume.meters().write;
    assert_eq!((count, volume.meters().written_bytes), (1000, 3000));
}
