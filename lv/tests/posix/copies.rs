//! `copy_file_range(2)` and `ioctl_ficlone(2)`: bytes that two files share, and what becomes of each side.

use anyfs_lvm_lv::{Ino, Seek};

use super::ground::{EINVAL, EISDIR, ENOENT, Ground, ROOT, errno};
use super::support::pattern;

fn index(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

/// What a copy makes of bytes.
fn copied(mut to: Vec<u8>, at: u64, part: &[u8]) -> Vec<u8> {
    let (start, end) = (index(at), index(at) + part.len());
    to.resize(to.len().max(end), 0);
    to[start..end].copy_from_slice(part);
    to
}

/// Offsets beside what blocks, records and extents begin with.
const OFFSETS: [u64; 7] = [0, 1, 4095, 4096, 65_537, 131_072, 180_001];

#[test]
fn bytes_are_copied_from_any_offset_to_any_offset() {
    for settled in [false, true] {
        let mut ground = Ground::new();
        let (source, target) = (pattern(1, 200_000), pattern(2, 150_000));
        let (from, base) = (ground.filled(b"from", &source), ground.filled(b"base", &target));
        if settled {
            ground.settle();
        }
        let mut expected: Vec<(Ino, Vec<u8>)> = Vec::new();
        for (n, (start, to)) in OFFSETS.into_iter().flat_map(|from| OFFSETS.map(|to| (from, to))).enumerate() {
            let len = [1, 4096, 70_000, u64::MAX][n % 4];
            let file = ground.file(ROOT, format!("{start} {to}").as_bytes());
            ground.copy_file(base, file).unwrap();
            let part = &source[index(start)..index(start.saturating_add(len).min(200_000))];
            assert_eq!(ground.copy_range((from, start), (file, to), len).unwrap(), part.len() as u64);
            expected.push((file, copied(target.clone(), to, part)));
        }
        for reopened in [false, true] {
            for (file, bytes) in &expected {
                assert!(ground.bytes(*file) == *bytes, "inode {file}, settled: {settled}, reopened: {reopened}");
            }
            assert!(ground.bytes(from) == source && ground.bytes(base) == target);
            ground.reopen();
        }
    }
}

#[test]
fn either_side_may_change_and_go_and_the_other_keeps_its_bytes() {
    for settled in [false, true] {
        let mut ground = Ground::new();
        let bytes = pattern(1, 200_000);
        let (source, copy) = (ground.filled(b"source", &bytes), ground.file(ROOT, b"copy"));
        ground.copy_range((source, 0), (copy, 0), u64::MAX).unwrap();
        if settled {
            ground.settle();
        }
        ground.write(source, 1000, &[1; 5000]).unwrap();
        assert!(ground.bytes(copy) == bytes);
        ground.write(copy, 100_000, &[2; 5000]).unwrap();
        let (one, two) = (copied(bytes.clone(), 1000, &[1; 5000]), copied(bytes.clone(), 100_000, &[2; 5000]));
        assert!(ground.bytes(source) == one && ground.bytes(copy) == two);
        ground.truncate(source, 50).unwrap();
        ground.punch(source, 0, 10).unwrap();
        assert!(ground.bytes(copy) == two);
        ground.unlink(ROOT, b"source").unwrap();
        ground.settle();
        assert!(ground.bytes(copy) == two);
        ground.reopen();
        assert!(ground.bytes(copy) == two);
        ground.unlink(ROOT, b"copy").unwrap();
        ground.settle();
        assert_eq!(ground.free(), ground.statfs().unwrap().total);
    }
}

#[test]
fn a_chain_of_copies_survives_the_loss_of_its_links() {
    let mut ground = Ground::new();
    let bytes = pattern(3, 150_000);
    let mut last = ground.filled(b"0", &bytes);
    for n in 1..20u8 {
        let next = ground.file(ROOT, &[b'0' + n]);
        ground.copy_file(last, next).unwrap();
        ground.unlink(ROOT, &[b'0' + n - 1]).unwrap();
        last = next;
        if n % 7 == 0 {
            ground.settle();
        }
    }
    ground.fsync(last).unwrap();
    ground.crash();
    assert!(ground.bytes(last) == bytes);
    ground.settle();
    assert_eq!((ground.files(), ground.free()), (2, ground.statfs().unwrap().total - 150_000));
}

#[test]
fn shared_bytes_take_space_once_until_the_last_file_gives_them_back() {
    let ground = Ground::new();
    let free = ground.free();
    let source = ground.filled(b"source", &pattern(1, 200_000));
    for name in [b"a", b"b", b"c"] {
        let copy = ground.file(ROOT, name);
        ground.copy_range((source, 0), (copy, 0), u64::MAX).unwrap();
        ground.settle();
        assert_eq!((ground.free(), ground.attr(copy).stored), (free - 200_000, 200_000));
    }
    for name in [&b"source"[..], b"a", b"b"] {
        ground.unlink(ROOT, name).unwrap();
        ground.settle();
        assert_eq!(ground.free(), free - 200_000);
    }
    ground.unlink(ROOT, b"c").unwrap();
    ground.settle();
    assert_eq!(ground.free(), free);
}

#[test]
fn holes_are_copied_as_holes_and_over_data() {
    let ground = Ground::new();
    let source = ground.filled(b"source", &[1; 10_000]);
    ground.write(source, 50_000, &[2; 10_000]).unwrap();
    let target = ground.filled(b"target", &vec![9; 100_000]);
    assert_eq!(ground.copy_range((source, 5000), (target, 20_000), 50_000).unwrap(), 50_000);
    let expected = [&vec![9; 20_000][..], &[1; 5000], &vec![0; 40_000], &[2; 5000], &vec![9; 30_000]].concat();
    assert!(ground.bytes(target) == expected);
    assert_eq!(ground.seek(target, 0, Seek::Hole).unwrap(), 25_000);
    assert_eq!(ground.seek(target, 25_000, Seek::Data).unwrap(), 65_000);
}

#[test]
fn a_copy_ends_at_the_end_of_its_source_and_grows_its_target_only_to_there() {
    let ground = Ground::new();
    let (source, target) = (ground.filled(b"source", &[1; 1000]), ground.filled(b"target", &[2; 10]));
    for (from, to, len, count, size) in [
        (1000, 0, 10, 0, 10),
        (5000, 50, 10, 0, 10),
        (u64::MAX, 50, 10, 0, 10),
        (0, 50, 0, 0, 10),
        (990, 5, 100, 10, 15),
        (0, 100, 5, 5, 105),
        (0, 0, u64::MAX, 1000, 1000),
    ] {
        assert_eq!(ground.copy_range((source, from), (target, to), len).unwrap(), count, "{from} {to} {len}");
        assert_eq!(ground.attr(target).size, size, "{from} {to} {len}");
    }
    assert_eq!(ground.bytes(target), [1; 1000]);
}

#[test]
fn within_one_file_ranges_may_touch_and_not_overlap() {
    let ground = Ground::new();
    let bytes = pattern(1, 100_000);
    let file = ground.filled(b"file", &bytes);
    for (from, to, len) in [(0, 0, 1), (0, 4999, 5000), (4999, 0, 5000), (90_000, 95_000, 6000), (0, 99_999, 100_000)] {
        assert_eq!(errno(ground.copy_range((file, from), (file, to), len)), EINVAL, "{from} {to} {len}");
    }
    assert!(ground.bytes(file) == bytes);
    assert_eq!(ground.copy_range((file, 0), (file, 50_000), 50_000).unwrap(), 50_000);
    assert!(ground.bytes(file) == [&bytes[..50_000], &bytes[..50_000]].concat());
    assert_eq!(
        ground.copy_range((file, 99_000), (file, 100_000), 5000).unwrap(),
        1000,
        "what lies behind the end is not copied"
    );
    assert_eq!(ground.attr(file).size, 101_000);
    ground.copy_file(file, file).unwrap();
    assert_eq!(ground.attr(file).size, 101_000);
}

#[test]
fn only_files_are_copied() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    for (ino, expected) in [(ROOT, EISDIR), (Ino(999), ENOENT)] {
        assert_eq!(errno(ground.copy_range((ino, 0), (file, 0), 1)), expected);
        assert_eq!(errno(ground.copy_range((file, 0), (ino, 0), 1)), expected);
        assert_eq!(errno(ground.copy_file(ino, file)), expected);
        assert_eq!(errno(ground.copy_file(file, ino)), expected);
    }
    assert_eq!(ground.bytes(file), b"bytes");
}
