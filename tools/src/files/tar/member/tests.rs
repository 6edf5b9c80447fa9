//! Members of archives that were damaged at random: thousands of times without a volume.

use std::os::fd::AsFd;

use super::super::header::Head;
use super::super::sparse;
use super::*;
use crate::files::progress::Progress;
use crate::files::stop::Stop;

fn archive() -> Vec<u8> {
    let meta = Meta {
        kind: Kind::File,
        mode: 0o644,
        uid: 3_000_000,
        gid: 2,
        size: 0,
        atime: 0,
        mtime: 1_234_567_890_123_456_789,
        rdev: 0,
        id: (0, 0),
        nlink: 1,
    };
    let xattrs = [Xattr { name: b"user.a".to_vec(), value: b"a\nb".to_vec() }];
    let map = Map { size: 90_000, pieces: vec![(0, 512), (4096, 1024), (81_920, 512)] };
    let list = sparse::text(&map);
    let mut out = Vec::new();
    for (name, map, contents) in
        [(&b"plain"[..], None, vec![1; 1000]), (b"holes", Some(&map), [list, vec![2; 2048]].concat())]
    {
        let stored = u64::try_from(contents.len()).unwrap();
        let head = Head { name, link: b"", kind: EntryType::Regular, meta: &meta, stored, xattrs: &xattrs, map };
        out.extend(head.blocks());
        out.extend(contents);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend([0; 2 * BLOCK]);
    out
}

/// Reads everything; names and lengths of contents.
fn read(bytes: &[u8]) -> Result<Vec<(Vec<u8>, u64)>, String> {
    let (progress, stop) = (Progress::new(false), Stop::default());
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut source = bytes;
    let input = Input::new((&mut source, null.as_fd()), "test".to_owned(), (&progress, &stop));
    let mut members = Members::new(input, 0);
    let mut all = Vec::new();
    let told = |Broken(failure): Broken| failure.lines.join("; ");
    while let Some(member) = members.next().map_err(told)? {
        let mut sum = 0;
        loop {
            let count = members.contents(u64::MAX).map_err(told)?.len();
            if count == 0 {
                break;
            }
            sum += u64::try_from(count).unwrap();
        }
        if let Some(map) = &member.map {
            assert_eq!(map.pieces.iter().map(|(_, len)| len).sum::<u64>(), sum);
        }
        all.push((member.name, sum));
    }
    Ok(all)
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(read(&archive()).unwrap(), [(b"plain".to_vec(), 1000), (b"holes".to_vec(), 2048)]);
}

#[test]
fn every_shortened_archive_is_refused() {
    let whole = archive();
    // One block of zeros is an end mark, too.
    for len in 0..=whole.len() - 2 * BLOCK {
        let told = read(&whole[..len]).unwrap_err();
        assert!(told.contains("cut off") || told.contains("not a tar archive"), "{len}: {told}");
    }
}

#[test]
fn damage_ends_in_members_or_in_one_failure() {
    let whole = archive();
    let mut state = 88_172_645_463_325_252u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit).unwrap()).unwrap()
    };
    let mut refused = 0;
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=below(3) {
            let block = below(bytes.len() / BLOCK) * BLOCK;
            bytes[block + below(BLOCK)] = [0, b'0', b'9', b'\n', b' ', b'x', 0x80, 0xff][below(8)];
            if bytes[block + 257..].starts_with(b"ustar") && below(4) != 0 {
                let mut header = Header::new_old();
                header.as_mut_bytes().copy_from_slice(&bytes[block..block + BLOCK]);
                header.set_cksum();
                bytes[block..block + BLOCK].copy_from_slice(header.as_bytes());
            }
        }
        if let Err(told) = read(&bytes) {
            refused += 1;
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
    assert!((1000..20_000).contains(&refused), "{refused}");
}
