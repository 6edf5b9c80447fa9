//! Volumes that become smaller while they are active.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyfs_lvm_lv::{Ino, LvError, NewNode, Volume};
use pv::{ExtentStore, LeCount, LeIndex, PeIndex};
use vg::{VolumeExtents, cut};

use super::faults::Misdirected;
use super::support::{Rig, contents, pattern};

const EXTENT: u64 = 16 * 1024;

fn shorter(extents: &VolumeExtents, count: u32) -> VolumeExtents {
    VolumeExtents { segments: cut(&extents.segments, LeCount(count)).into(), ..extents.clone() }
}

fn put(volume: &Volume, name: &str, seed: u64, len: usize) -> (Ino, Vec<u8>) {
    let data = pattern(seed, len);
    let file = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o644)).unwrap().ino;
    volume.write(file, 0, &data).unwrap();
    (file, data)
}

/// A volume of two PVs with files all over it.
fn filled(rig: &Rig) -> (Volume, Vec<(Ino, Vec<u8>)>) {
    let volume = rig.open();
    let mut files: Vec<_> = (0..40).map(|number| put(&volume, &format!("{number}"), number, 20_000)).collect();
    volume.sync().unwrap();
    for number in (0..40).filter(|number| number % 3 != 0) {
        volume.unlink(Ino::ROOT, format!("{number}").as_bytes()).unwrap();
    }
    let mut number = 0;
    files.retain(|_| {
        number += 1;
        (number - 1) % 3 == 0
    });
    volume.sync().unwrap();
    (volume, files)
}

fn all_there(volume: &Volume, files: &[(Ino, Vec<u8>)]) {
    for (ino, data) in files {
        assert!(contents(volume, *ino) == *data);
    }
}

#[test]
fn what_the_last_extents_hold_moves_and_they_are_empty_afterwards() {
    let mut rig = Rig::new(2, 40, EXTENT);
    let (volume, files) = filled(&rig);
    let before = volume.statfs().unwrap();
    volume.shrink(LeCount(30)).unwrap();
    let after = volume.statfs().unwrap();
    assert_eq!((after.total, after.used), (26 * EXTENT, before.used));
    assert_eq!(volume.extents().count(), LeCount(30));
    for (slot, from) in [(0, 30), (1, 0)] {
        let gone: Vec<PeIndex> = (from..40).map(PeIndex).collect();
        assert_eq!(rig.extents.pvs[slot].store.as_ref().unwrap().held(&gone).unwrap(), []);
    }
    all_there(&volume, &files);
    // What it may still hold it can hold, and no more.
    let (last, _) = put(&volume, "last", 99, 0);
    let mut size = 0;
    let refused = loop {
        match volume.append(last, &pattern(size, 8192)) {
            Ok(_) => size += 8192,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LvError::NoSpace { .. }), "{refused}");
    assert!(size + 8192 > after.free && size <= after.free, "{size} of {}", after.free);
    volume.close().unwrap();
    rig.extents = shorter(&rig.extents, 30);
    rig.check();
    let volume = rig.open();
    all_there(&volume, &files);
    assert_eq!(volume.statfs().unwrap().total, 26 * EXTENT);
}

#[test]
fn until_the_group_takes_the_extents_the_next_activation_has_them_again_and_so_has_one_that_grows() {
    let rig = Rig::new(2, 40, EXTENT);
    let (volume, files) = filled(&rig);
    let before = volume.statfs().unwrap();
    volume.shrink(LeCount(41)).unwrap();
    volume.grow(&rig.extents).unwrap();
    assert_eq!(volume.statfs().unwrap().total, before.total);
    let (more, data) = put(&volume, "more", 1000, 600_000);
    volume.sync().unwrap();
    volume.shrink(LeCount(70)).unwrap();
    // As after kill -9.
    volume.abandon();
    rig.check();
    let volume = rig.open();
    assert_eq!(volume.statfs().unwrap().total, before.total);
    all_there(&volume, &files);
    assert!(contents(&volume, more) == data);
}

#[test]
fn a_size_that_what_is_there_does_not_fit_in_is_refused_with_the_smallest_that_is_possible() {
    let rig = Rig::new(2, 40, EXTENT);
    let (volume, files) = filled(&rig);
    let before = volume.statfs().unwrap();
    let error = volume.shrink(LeCount(10)).unwrap_err();
    let LvError::TooSmall { least, used, .. } = error else { panic!("{error}") };
    assert_eq!(used, before.used);
    assert!(error.errno() == 28 && error.hint().is_some());
    assert_eq!(volume.statfs().unwrap(), before);
    let one_less = volume.shrink(LeCount(least.0 - 1)).unwrap_err();
    assert!(matches!(one_less, LvError::TooSmall { .. }), "{one_less}");
    volume.shrink(least).unwrap();
    all_there(&volume, &files);
    assert!(volume.statfs().unwrap().free < EXTENT);
    assert!(matches!(volume.shrink(LeCount(80)), Err(LvError::Invalid { .. })));
    volume.shrink(least).unwrap();
    volume.close().unwrap();
}

/// A full volume keeps its free extents for compaction, and they are the ones that go.
#[test]
fn a_volume_whose_free_extents_all_leave_is_compacted_into_one_of_them() {
    let mut rig = Rig::new(1, 24, EXTENT);
    rig.options.grace = std::time::Duration::ZERO;
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    for number in 0..20 {
        volume.write(file, number * EXTENT, &pattern(number, 16_384)).unwrap();
        volume.step(anyfs_lvm_lv::Work::Flush).unwrap();
    }
    volume.sync().unwrap();
    for number in 0..20 {
        volume.punch(file, number * EXTENT, number * EXTENT + 6000).unwrap();
    }
    volume.sync().unwrap();
    let before = contents(&volume, file);
    volume.shrink(LeCount(20)).unwrap();
    volume.shrink(LeCount(17)).unwrap();
    assert!(contents(&volume, file) == before);
    volume.close().unwrap();
    rig.extents = shorter(&rig.extents, 17);
    rig.check();
}

#[test]
fn an_extent_that_cannot_be_read_keeps_a_volume_as_it_is() {
    let store = Arc::new(Misdirected::default());
    let env = pv::Env { threads: false, ..pv::Env::system() };
    let rig = Rig::on(tempfile::tempdir().unwrap(), env, vec![store.clone()], 40, EXTENT, 1);
    let volume = rig.open();
    for number in 0..20 {
        put(&volume, &format!("{number}"), number, 16_000);
    }
    volume.sync().unwrap();
    for number in 0..10 {
        volume.unlink(Ino::ROOT, format!("{number}").as_bytes()).unwrap();
    }
    let all: Vec<PeIndex> = (0..40).map(PeIndex).collect();
    let held = store.held(&all).unwrap();
    let (hurt, count) = (*held.last().unwrap(), held.last().unwrap().0);
    *store.read_instead.lock().unwrap() = Some((hurt, held[15]));
    let before = volume.statfs().unwrap();
    let error = volume.shrink(LeCount(count)).unwrap_err();
    let LvError::CannotMove { pe, le, .. } = error else { panic!("{error}") };
    assert_eq!((pe, le), (hurt, LeIndex(hurt.0)));
    assert_eq!(volume.statfs().unwrap(), before);
    *store.read_instead.lock().unwrap() = None;
    put(&volume, "more", 99, 16_000);
    volume.close().unwrap();
    rig.open().shrink(LeCount(count)).unwrap();
}

#[test]
fn files_are_written_and_read_while_a_volume_becomes_smaller() {
    let mut rig = Rig::new(2, 200, EXTENT);
    rig.env.threads = true;
    let (volume, files) = filled(&rig);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2u64)
        .map(|writer| {
            let (volume, stop) = (volume.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let name = format!("writer {writer}");
                let (file, _) = put(&volume, &name, writer, 0);
                let mut round = 0u64;
                while !stop.load(Ordering::Relaxed) || round < 20 {
                    let data = pattern(round ^ writer << 32, 30_000);
                    volume.write(file, round % 7 * 30_000, &data).unwrap();
                    let mut back = vec![0; data.len()];
                    volume.read(file, round % 7 * 30_000, &mut back).unwrap();
                    assert!(back == data, "round {round}");
                    if round.is_multiple_of(5) {
                        volume.fsync(file).unwrap();
                    }
                    round += 1;
                }
            })
        })
        .collect();
    for count in [300, 200, 150, 120] {
        volume.shrink(LeCount(count)).unwrap();
        all_there(&volume, &files);
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
    all_there(&volume, &files);
    volume.close().unwrap();
    rig.extents = shorter(&rig.extents, 120);
    rig.check();
}
