//! fallocate(2) in all its modes, and lseek(2) with `SEEK_DATA` and `SEEK_HOLE`.

use anyfs_lvm_lv::{Ino, LvError, Seek};

use super::ground::{EINVAL, ENOSPC, ENXIO, Ground, ROOT, errno};
use super::support::pattern;

/// All runs of data of a file, found as a program that copies holes does.
fn data(ground: &Ground, ino: Ino) -> Vec<(u64, u64)> {
    let (mut runs, mut at) = (Vec::new(), 0);
    loop {
        let start = match ground.seek(ino, at, Seek::Data) {
            Ok(start) => start,
            Err(LvError::NoData { .. }) => return runs,
            Err(error) => panic!("{error}"),
        };
        at = ground.seek(ino, start, Seek::Hole).unwrap();
        assert!(start < at);
        runs.push((start, at));
    }
}

#[test]
fn allocating_changes_no_byte_and_grows_the_file_only_when_asked() {
    let mut ground = Ground::new();
    let file = ground.filled(b"file", &pattern(1, 10_000));
    for (off, len, keep, size) in
        [(0, 5000, false, 10_000), (0, 20_000, true, 10_000), (50_000, 9, true, 10_000), (9000, 9000, false, 18_000)]
    {
        ground.allocate(file, off, len, keep).unwrap();
        assert_eq!(ground.attr(file).size, size, "{off} {len} {keep}");
    }
    let expected = [&pattern(1, 10_000)[..], &[0; 8000]].concat();
    assert!(ground.bytes(file) == expected);
    ground.fsync(file).unwrap();
    ground.crash();
    assert!(ground.bytes(file) == expected);
}

#[test]
fn a_punched_range_is_zeros_and_a_hole_and_its_space_is_free() {
    let mut ground = Ground::new();
    let free = ground.free();
    let file = ground.filled(b"file", &pattern(1, 300_000));
    ground.settle();
    let mut expected = pattern(1, 300_000);
    // Within a block, over blocks, over records, at the end and beyond it.
    for (start, end) in [(100, 200), (4096, 12_288), (60_000, 200_000), (299_000, 300_000), (299_500, 400_000)] {
        ground.punch(file, start, end).unwrap();
        expected[usize::try_from(start).unwrap()..usize::try_from(end.min(300_000)).unwrap()].fill(0);
        assert!(ground.bytes(file) == expected, "{start}..{end}");
    }
    let runs = vec![(0, 100), (200, 4096), (12_288, 60_000), (200_000, 299_000)];
    assert_eq!((data(&ground, file), ground.attr(file).size), (runs.clone(), 300_000));
    ground.settle();
    let stored: u64 = runs.iter().map(|(start, end)| end - start).sum();
    assert_eq!((ground.free(), ground.attr(file).stored), (free - stored, stored));
    ground.reopen();
    assert!(ground.bytes(file) == expected);
    assert_eq!(data(&ground, file), runs);
    ground.punch(file, 0, u64::MAX).unwrap();
    ground.settle();
    assert_eq!((data(&ground, file), ground.attr(file).size, ground.free()), (vec![], 300_000, free));
}

#[test]
fn a_zeroed_range_reads_as_zeros_and_grows_the_file_only_when_asked() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &pattern(1, 100_000));
    let mut expected = pattern(1, 100_000);
    ground.zero(file, 10, 20_000, true).unwrap();
    expected[10..20_010].fill(0);
    assert!(ground.bytes(file) == expected);
    ground.zero(file, 99_000, 5000, true).unwrap();
    expected[99_000..].fill(0);
    assert!(ground.bytes(file) == expected);
    ground.zero(file, 120_000, 5000, false).unwrap();
    expected.resize(125_000, 0);
    assert!(ground.bytes(file) == expected);
}

#[test]
fn a_range_of_no_bytes_is_refused() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    let before = ground.attr(file);
    for (off, keep) in [(0, false), (0, true), (5, false), (100, false), (u64::MAX, true)] {
        assert_eq!(errno(ground.allocate(file, off, 0, keep)), EINVAL);
        assert_eq!(errno(ground.zero(file, off, 0, keep)), EINVAL);
    }
    assert_eq!(ground.attr(file), before);
}

#[test]
fn what_cannot_be_allocated_changes_nothing() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[1; 5000]);
    ground.settle();
    let (before, free) = (ground.attr(file), ground.free());
    for keep in [false, true] {
        assert_eq!(errno(ground.allocate(file, 0, free + 5001, keep)), ENOSPC);
        assert_eq!(errno(ground.allocate(file, 1 << 40, free + 1, keep)), ENOSPC);
    }
    assert_eq!((ground.attr(file), ground.free()), (before, free));
    // What is there already needs no room.
    ground.allocate(file, 0, free + 5000, true).unwrap();
}

#[test]
fn a_search_at_or_beyond_the_end_finds_nothing() {
    let ground = Ground::new();
    let (empty, file) = (ground.file(ROOT, b"empty"), ground.filled(b"file", &[1; 100]));
    let sparse = ground.file(ROOT, b"sparse");
    ground.truncate(sparse, 100).unwrap();
    for what in [Seek::Data, Seek::Hole] {
        assert_eq!(errno(ground.seek(empty, 0, what)), ENXIO);
        for (ino, off) in [(file, 100), (file, 101), (sparse, 100), (file, u64::MAX), (sparse, 1 << 63)] {
            assert_eq!(errno(ground.seek(ino, off, what)), ENXIO, "{off}");
        }
    }
    // The last byte is not beyond it, and behind the last byte there is always a hole.
    assert_eq!(ground.seek(file, 99, Seek::Data).unwrap(), 99);
    assert_eq!(ground.seek(file, 99, Seek::Hole).unwrap(), 100);
    assert_eq!(ground.seek(sparse, 99, Seek::Hole).unwrap(), 99);
    assert_eq!(errno(ground.seek(sparse, 99, Seek::Data)), ENXIO, "only a hole is left");
    assert_eq!(errno(ground.seek(sparse, 0, Seek::Data)), ENXIO);
}

#[test]
fn written_zeros_are_data_and_growing_makes_a_hole() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[0; 10_000]);
    ground.truncate(file, 30_000).unwrap();
    ground.write(file, 20_000, &[0; 10]).unwrap();
    for settled in [false, true] {
        assert_eq!(data(&ground, file), [(0, 10_000), (20_000, 20_010)], "settled: {settled}");
        ground.settle();
    }
    ground.truncate(file, 15_000).unwrap();
    ground.truncate(file, 30_000).unwrap();
    assert_eq!(data(&ground, file), [(0, 10_000)]);
}

#[test]
fn a_hole_that_is_written_again_is_data_and_neighbours_join() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &vec![1; 40_000]);
    ground.settle();
    ground.punch(file, 10_000, 30_000).unwrap();
    ground.write(file, 15_000, &[2; 5000]).unwrap();
    assert_eq!(data(&ground, file), [(0, 10_000), (15_000, 20_000), (30_000, 40_000)]);
    ground.write(file, 10_000, &[3; 5000]).unwrap();
    ground.write(file, 20_000, &[4; 10_000]).unwrap();
    assert_eq!(data(&ground, file), [(0, 40_000)]);
    ground.settle();
    assert_eq!(data(&ground, file), [(0, 40_000)]);
}
