//! Appending, sharing, allocating, and looking for data and holes.

use anyfs_lvm_lv::{Ino, LvError, NewNode, Seek, SetAttr, Volume, VolumeOptions, Work};

use super::support::{Rig, contents, pattern};

fn file(volume: &Volume, name: &[u8]) -> Ino {
    volume.create(Ino::ROOT, name, &NewNode::file(0o644)).unwrap().ino
}

#[test]
fn appends_of_many_threads_follow_each_other_whole() {
    let mut rig = Rig::new(2, 200, 65536);
    rig.env.threads = true;
    let volume = rig.open();
    let log = file(&volume, b"log");
    std::thread::scope(|scope| {
        for thread in 0u8..8 {
            let volume = &volume;
            scope.spawn(move || {
                for n in 0..200 {
                    let at = volume.append(log, &[thread; 100]).unwrap();
                    assert_eq!(at % 100, 0);
                    if n % 50 == 0 {
                        volume.fsync(log).unwrap();
                    }
                }
            });
        }
    });
    let bytes = contents(&volume, log);
    assert_eq!(bytes.len(), 8 * 200 * 100);
    let mut count = [0; 8];
    for line in bytes.chunks(100) {
        assert!(line.iter().all(|byte| *byte == line[0]), "an append was torn");
        count[usize::from(line[0])] += 1;
    }
    assert_eq!(count, [200; 8]);
}

#[test]
fn a_copy_shares_its_bytes_until_one_side_changes() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let (a, b) = (file(&volume, b"a"), file(&volume, b"b"));
    let data = pattern(1, 1_000_000);
    volume.write(a, 0, &data).unwrap();
    volume.sync().unwrap();
    let before = volume.statfs().unwrap().free;
    assert_eq!(volume.copy_range((a, 0), (b, 0), u64::MAX).unwrap(), 1_000_000);
    assert_eq!(volume.statfs().unwrap().free, before, "shared bytes take no space");
    assert_eq!(contents(&volume, b), data);
    volume.write(b, 500_000, b"changed").unwrap();
    volume.unlink(Ino::ROOT, b"a").unwrap();
    volume.sync().unwrap();
    volume.abandon();

    let volume = rig.open();
    let mut expected = data;
    expected[500_000..500_007].copy_from_slice(b"changed");
    assert_eq!(contents(&volume, b), expected);
    volume.unlink(Ino::ROOT, b"b").unwrap();
    volume.sync().unwrap();
    assert_eq!(volume.statfs().unwrap().free, volume.statfs().unwrap().total, "the last name gives all back");
}

#[test]
fn a_copy_goes_to_any_offset_keeps_holes_and_stops_at_the_end_of_its_source() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let (a, b) = (file(&volume, b"a"), file(&volume, b"b"));
    volume.write(a, 0, &[1; 1000]).unwrap();
    volume.write(a, 100_000, &[2; 1000]).unwrap();
    volume.write(b, 0, &vec![9; 300_000]).unwrap();
    // Across the end of a window, where no map entry may lie.
    let to = 16 * 1024 * 1024 - 777;
    assert_eq!(volume.copy_range((a, 500), (b, to), 200_000).unwrap(), 100_500);
    assert_eq!(volume.getattr(b).unwrap().size, to + 100_500);
    let mut tail = vec![7; 100_500];
    assert_eq!(volume.read(b, to, &mut tail).unwrap(), tail.len());
    assert!(tail[..500].iter().all(|byte| *byte == 1) && tail[99_500..].iter().all(|byte| *byte == 2));
    assert!(tail[500..99_500].iter().all(|byte| *byte == 0));
    assert_eq!(volume.copy_range((a, 101_000), (b, 0), 10).unwrap(), 0);
    assert_eq!(volume.seek(b, 300_000, Seek::Data).unwrap(), to);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(volume.read(b, to, &mut tail).unwrap(), tail.len());
    assert_eq!((tail[0], tail[100_499]), (1, 2));
}

#[test]
fn a_copy_within_a_file_must_not_overlap_itself() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let a = file(&volume, b"a");
    volume.write(a, 0, &pattern(1, 10_000)).unwrap();
    assert!(matches!(volume.copy_range((a, 0), (a, 5_000), 6_000), Err(LvError::Invalid { .. })));
    assert_eq!(volume.copy_range((a, 0), (a, 5_000), 5_000).unwrap(), 5_000);
    assert_eq!(contents(&volume, a)[5_000..], pattern(1, 10_000)[..5_000]);
}

#[test]
fn data_and_holes_are_found_before_and_after_they_are_placed() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let f = file(&volume, b"f");
    volume.write(f, 300_000, &[1; 10_000]).unwrap();
    volume.setattr(f, &SetAttr { size: Some(1_000_000), ..SetAttr::default() }).unwrap();
    for step in 0..3 {
        assert_eq!(volume.seek(f, 0, Seek::Hole).unwrap(), 0);
        assert_eq!(volume.seek(f, 0, Seek::Data).unwrap(), 300_000);
        assert_eq!(volume.seek(f, 305_000, Seek::Data).unwrap(), 305_000);
        assert_eq!(volume.seek(f, 305_000, Seek::Hole).unwrap(), 310_000);
        for (off, what) in [(310_000, Seek::Data), (1_000_000, Seek::Hole), (2_000_000, Seek::Data)] {
            let error = volume.seek(f, off, what).unwrap_err();
            assert_eq!(error.errno(), 6, "step {step}: {error}");
        }
        if step == 0 { volume.step(Work::Flush).map(drop).unwrap() } else { volume.sync().unwrap() }
    }
    volume.write(f, 900_000, &[2; 100]).unwrap();
    volume.punch(f, 300_000, 305_000).unwrap();
    assert_eq!(volume.seek(f, 0, Seek::Data).unwrap(), 305_000);
    assert_eq!(volume.seek(f, 310_000, Seek::Data).unwrap(), 900_000);
}

#[test]
fn allocating_asks_for_room_and_grows_the_file_unless_it_is_to_stay() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let f = file(&volume, b"f");
    volume.allocate(f, 1000, 9000, true).unwrap();
    assert_eq!(volume.getattr(f).unwrap().size, 0);
    volume.allocate(f, 1000, 9000, false).unwrap();
    assert_eq!(volume.getattr(f).unwrap().size, 10_000);
    let free = volume.statfs().unwrap().free;
    assert!(matches!(volume.allocate(f, 0, free + 1, false), Err(LvError::NoSpace { .. })));
    assert_eq!(volume.getattr(f).unwrap().size, 10_000, "what failed changed nothing");
    volume.write(f, 0, &[1; 10_000]).unwrap();
    volume.allocate(f, 0, free, false).unwrap();
    assert!(matches!(volume.allocate(f, u64::MAX, 2, false), Err(LvError::TooLarge { .. })));
    assert_eq!(contents(&volume, f)[..10_000], [1; 10_000]);
}

#[test]
fn zeroing_beyond_the_end_grows_the_file_unless_it_is_to_stay() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let f = file(&volume, b"f");
    volume.write(f, 0, &[1; 1000]).unwrap();
    volume.zero(f, 500, 1000, true).unwrap();
    assert_eq!(contents(&volume, f), [[1; 500], [0; 500]].concat());
    volume.zero(f, 900, 1100, false).unwrap();
    assert_eq!(contents(&volume, f).len(), 2000);
}

#[test]
fn a_file_that_would_be_too_large_is_refused_with_its_own_error() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let f = file(&volume, b"f");
    let largest = i64::MAX as u64;
    assert_eq!(volume.write(f, largest, b"x").unwrap_err().errno(), 27);
    assert_eq!(volume.write(f, u64::MAX, b"x").unwrap_err().errno(), 27);
    let size = |size| SetAttr { size: Some(size), ..SetAttr::default() };
    assert_eq!(volume.setattr(f, &size(largest + 1)).unwrap_err().errno(), 27);
    volume.setattr(f, &size(largest)).unwrap();
    assert_eq!(volume.append(f, b"x").unwrap_err().errno(), 27);
    volume.write(f, largest - 1, b"x").unwrap();
    assert_eq!(volume.seek(f, 0, Seek::Data).unwrap(), largest - 1);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(volume.seek(f, 0, Seek::Data).unwrap(), largest - 1);
    assert_eq!(volume.copy_range((f, largest - 1), (f, 0), 1).unwrap(), 1);
}

#[test]
fn files_written_all_the_time_are_copied_right_too() {
    let mut rig = Rig::new(2, 400, 65536);
    rig.env.threads = true;
    rig.options = VolumeOptions { flush_bytes: 1 << 16, ..rig.options };
    let volume = rig.open();
    let (a, b) = (file(&volume, b"a"), file(&volume, b"b"));
    volume.write(a, 0, &vec![0; 1_000_000]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..60u8).for_each(|n| volume.write(a, 0, &vec![n; 1_000_000]).unwrap()));
        while !writer.is_finished() {
            volume.copy_range((a, 0), (b, 0), 1_000_000).unwrap();
            let copy = contents(&volume, b);
            assert_eq!(copy.len(), 1_000_000);
            // Copied piece by piece, later pieces may be of later writes, never the other way round.
            assert!(copy.is_sorted(), "bytes of different writes are out of order");
        }
    });
    // Layers that followed each other through the pipeline were taken over in their order.
    assert!(contents(&volume, a) == vec![59; 1_000_000]);
    volume.close().unwrap();
    assert!(contents(&rig.open(), a) == vec![59; 1_000_000]);
}

#[test]
fn a_hole_of_the_largest_size_is_copied_without_walking_through_it() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let (a, b) = (file(&volume, b"a"), file(&volume, b"b"));
    let largest = i64::MAX as u64;
    volume.write(a, 0, &pattern(1, 1000)).unwrap();
    volume.write(a, largest - 1000, &pattern(2, 1000)).unwrap();
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(volume.copy_range((a, 0), (b, 0), u64::MAX).unwrap(), largest);
    volume.copy_file(b, a).unwrap();
    for (off, seed) in [(0, 1), (largest - 1000, 2)] {
        let mut bytes = vec![0; 2000];
        let count = volume.read(a, off, &mut bytes).unwrap();
        assert_eq!(bytes[..1000], pattern(seed, 1000));
        assert!(count == 1000 || bytes[1000..] == [0; 1000]);
    }
    assert!(matches!(volume.read_all(a), Err(LvError::TooLarge { .. })));
    assert_eq!(volume.seek(a, 1000, Seek::Data).unwrap(), largest - 1000);
}
