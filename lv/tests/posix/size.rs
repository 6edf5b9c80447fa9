//! Sizes: truncate(2) in every direction, read(2) and write(2) around the end, `O_APPEND` of open(2).

use anyfs_lvm_lv::{Ino, LvError, Seek, Work};

use super::ground::{EFBIG, Ground, ROOT, errno};
use super::support::pattern;

const LARGEST: u64 = i64::MAX as u64;

/// Sizes on both sides of what is stored in the catalogue, of blocks, of records and of extents.
const SIZES: [u64; 14] =
    [0, 1, 511, 513, 4095, 4096, 4097, 65_535, 65_537, 131_071, 131_072, 131_073, 196_608, 300_001];

fn grown(bytes: &[u8], size: u64) -> Vec<u8> {
    let mut expected = bytes.to_vec();
    expected.resize(usize::try_from(size).unwrap(), 0);
    expected
}

#[test]
fn a_file_cut_or_grown_from_any_size_to_any_size_has_its_head_and_zeros() {
    for placed in [false, true] {
        let mut ground = Ground::with(|options| anyfs_lvm_lv::VolumeOptions { dirty_bytes: 1 << 20, ..options });
        let mut expected: Vec<(Ino, Vec<u8>)> = Vec::new();
        for from in SIZES.into_iter().step_by(3) {
            let bytes = pattern(from, usize::try_from(from).unwrap());
            let file = ground.filled(b"file", &bytes);
            for to in SIZES {
                let cut = ground.file(ROOT, format!("{from} {to}").as_bytes());
                ground.copy_range((file, 0), (cut, 0), u64::MAX).unwrap();
                if placed {
                    ground.step(Work::Flush).unwrap();
                } else {
                    ground.write(cut, 0, &bytes[..bytes.len().min(100)]).unwrap();
                }
                assert_eq!(ground.truncate(cut, to).unwrap().size, to);
                expected.push((cut, grown(&bytes, to)));
            }
            ground.unlink(ROOT, b"file").unwrap();
        }
        for reopened in [false, true] {
            for (ino, bytes) in &expected {
                assert!(ground.bytes(*ino) == *bytes, "inode {ino}, placed: {placed}, reopened: {reopened}");
            }
            ground.reopen();
        }
    }
}

#[test]
fn what_was_cut_off_never_comes_back() {
    for settle in [false, true] {
        let ground = Ground::new();
        let file = ground.filled(b"file", &vec![7; 200_000]);
        if settle {
            ground.settle();
        }
        for size in [150_000, 4096, 100, 0] {
            ground.truncate(file, size).unwrap();
            ground.truncate(file, 200_000).unwrap();
            assert!(ground.bytes(file) == grown(&vec![7; usize::try_from(size).unwrap()], 200_000));
        }
        // Nor when a write lands beyond the new end.
        ground.write(file, 0, &[8; 1000]).unwrap();
        ground.truncate(file, 10).unwrap();
        ground.write(file, 500, b"x").unwrap();
        assert_eq!(ground.bytes(file), [&[8; 10][..], &[0; 490], b"x"].concat());
    }
}

#[test]
fn what_is_grown_takes_no_space_and_what_is_cut_gives_its_own_back() {
    let ground = Ground::new();
    let free = ground.free();
    let file = ground.file(ROOT, b"file");
    ground.truncate(file, 1 << 40).unwrap();
    ground.settle();
    assert_eq!((ground.free(), ground.attr(file).stored), (free, 0));
    ground.write(file, 0, &pattern(1, 200_000)).unwrap();
    ground.settle();
    assert_eq!((ground.free(), ground.attr(file).stored), (free - 200_000, 200_000));
    ground.truncate(file, 50_000).unwrap();
    ground.settle();
    assert_eq!((ground.free(), ground.attr(file).stored), (free - 50_000, 50_000));
    ground.truncate(file, 0).unwrap();
    ground.settle();
    assert_eq!((ground.free(), ground.attr(file).stored), (free, 0));
}

#[test]
fn a_write_beyond_the_end_leaves_a_hole_before_it() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"head");
    ground.write(file, 1 << 30, b"tail").unwrap();
    assert_eq!(ground.attr(file).size, (1 << 30) + 4);
    assert_eq!(ground.seek(file, 4, Seek::Data).unwrap(), 1 << 30);
    let mut bytes = [9; 8];
    assert_eq!(ground.read(file, (1 << 30) - 4, &mut bytes).unwrap(), 8);
    assert_eq!(&bytes, b"\0\0\0\0tail");
}

#[test]
fn a_read_ends_at_the_end() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"0123456789");
    for settle in [false, true] {
        for (off, expected) in
            [(0, &b"0123456789"[..]), (7, b"789"), (9, b"9"), (10, b""), (11, b""), (LARGEST, b""), (u64::MAX, b"")]
        {
            let mut bytes = [b'?'; 20];
            let count = ground.read(file, off, &mut bytes).unwrap();
            assert_eq!((&bytes[..count], bytes[count]), (expected, b'?'), "from {off}");
        }
        assert_eq!(ground.read(file, 0, &mut []).unwrap(), 0);
        if !settle {
            ground.settle();
        }
    }
}

#[test]
fn an_append_goes_to_the_end_wherever_that_is_by_then() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"abc");
    assert_eq!(ground.append(file, b"de").unwrap(), 3);
    ground.truncate(file, 1).unwrap();
    assert_eq!(ground.append(file, b"f").unwrap(), 1);
    ground.truncate(file, 4).unwrap();
    assert_eq!(ground.append(file, b"g").unwrap(), 4);
    ground.write(file, 6, b"h").unwrap();
    assert_eq!(ground.append(file, b"i").unwrap(), 7);
    assert_eq!(ground.append(file, b"").unwrap(), 8, "no bytes are still somewhere");
    assert_eq!(ground.bytes(file), b"af\0\0g\0hi");
}

#[test]
fn nothing_lies_beyond_the_largest_size() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    let before = ground.attr(file);
    let fails: [Result<(), LvError>; 9] = [
        ground.truncate(file, LARGEST + 1).map(drop),
        ground.truncate(file, u64::MAX).map(drop),
        ground.write(file, LARGEST, b"x"),
        ground.write(file, LARGEST - 1, b"xy"),
        ground.write(file, u64::MAX, b"x"),
        ground.allocate(file, LARGEST, 1, false),
        ground.allocate(file, 1, u64::MAX, true),
        ground.zero(file, LARGEST, 1, false),
        ground.copy_range((file, 0), (file, LARGEST - 3), 5).map(drop),
    ];
    for result in fails {
        assert_eq!(errno(result), EFBIG);
    }
    assert_eq!((ground.attr(file), ground.bytes(file)), (before, b"bytes".to_vec()));
    ground.write(file, LARGEST - 1, b"z").unwrap();
    assert_eq!(ground.attr(file).size, LARGEST);
    assert_eq!(errno(ground.append(file, b"x")), EFBIG);
    assert_eq!(ground.append(file, b"").unwrap(), LARGEST);
}
