//! Contents of files: appending, cutting, holes, direct and shared copies.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

use super::support::{Ground, errno};

const MIB: u64 = 1 << 20;
/// The number of the last file of a writer.
const LAST: u8 = 39;

#[test]
fn what_two_openers_append_follows_each_other() {
    let Some(ground) = Ground::new() else { return };
    let open = || OpenOptions::new().append(true).create(true).open(ground.at("log")).unwrap();
    let (mut one, mut other) = (open(), open());
    for n in 0..100 {
        writeln!(one, "one {n}").unwrap();
        writeln!(other, "other {n}").unwrap();
    }
    let expected = (0..100).flat_map(|n| [format!("one {n}\n"), format!("other {n}\n")]).collect::<String>();
    assert_eq!(fs::read_to_string(ground.at("log")).unwrap(), expected);
    drop((one, other));
    ground.again("rw");
    assert_eq!(fs::read_to_string(ground.at("log")).unwrap(), expected);
}

#[test]
fn an_open_that_cuts_empties_the_file_for_all() {
    for options in ["rw", "noatime", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        fs::write(ground.at("file"), vec![7; 300_000]).unwrap();
        let reader = File::open(ground.at("file")).unwrap();
        let writer = File::create(ground.at("file")).unwrap();
        assert_eq!(reader.metadata().unwrap().len(), 0, "{options}");
        assert_eq!(reader.read_at(&mut [0; 10], 0).unwrap(), 0);
        writer.write_at(b"new", 5).unwrap();
        assert_eq!(fs::read(ground.at("file")).unwrap(), b"\0\0\0\0\0new");
        drop((reader, writer));
        ground.again(options);
        assert_eq!(fs::read(ground.at("file")).unwrap(), b"\0\0\0\0\0new", "{options}");
    }
}

#[test]
fn cutting_and_growing_leaves_zeros() {
    let Some(ground) = Ground::new() else { return };
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(ground.at("file")).unwrap();
    file.write_all_at(&[9; 10_000], 0).unwrap();
    file.set_len(4097).unwrap();
    file.set_len(10_000).unwrap();
    let mut expected = vec![9; 4097];
    expected.resize(10_000, 0);
    assert_eq!(fs::read(ground.at("file")).unwrap(), expected);
    drop(file);
    ground.again("rw");
    assert_eq!(fs::read(ground.at("file")).unwrap(), expected);
}

#[test]
fn holes_are_found_also_where_data_is_only_in_the_cache() {
    for options in ["rw", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        let fresh = File::create_new(ground.at("fresh")).unwrap();
        fresh.write_all_at(&[1; 4096], MIB).unwrap();
        assert_eq!(seek(&fresh, SeekFrom::Data(0)), Ok(MIB), "{options}");
        fresh.write_all_at(&[1; 4096], 3 * MIB).unwrap();
        assert_eq!(seek(&fresh, SeekFrom::Hole(MIB)), Ok(MIB + 4096), "{options}");
        assert_eq!(seek(&fresh, SeekFrom::Data(2 * MIB)), Ok(3 * MIB), "{options}");
        let file = File::create_new(ground.at("file")).unwrap();
        file.write_all_at(&[1; 4096], 2 * MIB).unwrap();
        file.set_len(4 * MIB).unwrap();
        let look = || {
            assert_eq!(seek(&file, SeekFrom::Data(0)), Ok(2 * MIB), "{options}");
            assert_eq!(seek(&file, SeekFrom::Hole(0)), Ok(0));
            assert_eq!(seek(&file, SeekFrom::Hole(2 * MIB)), Ok(2 * MIB + 4096));
            assert_eq!(errno(seek(&file, SeekFrom::Data(3 * MIB))), Errno::NXIO);
            assert_eq!(errno(seek(&file, SeekFrom::Hole(4 * MIB))), Errno::NXIO);
            assert_eq!(seek(&file, SeekFrom::Hole(4 * MIB - 1)), Ok(4 * MIB - 1));
        };
        look();
        file.sync_all().unwrap();
        look();
        assert!(file.metadata().unwrap().blocks() * 512 <= 8192, "{options}: a hole takes no space");
    }
}

#[test]
fn ranges_are_punched_zeroed_and_allocated() {
    let Some(ground) = Ground::new() else { return };
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(ground.at("file")).unwrap();
    let mut expected = vec![3u8; 100_000];
    file.write_all_at(&expected, 0).unwrap();
    fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 10_000, 20_000).unwrap();
    expected[10_000..30_000].fill(0);
    fallocate(&file, FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE, 95_000, 10_000).unwrap();
    expected[95_000..].fill(0);
    assert_eq!(fs::read(ground.at("file")).unwrap(), expected);
    fallocate(&file, FallocateFlags::ZERO_RANGE, 99_000, 11_000).unwrap();
    expected.resize(110_000, 0);
    fallocate(&file, FallocateFlags::KEEP_SIZE, 0, 500_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 110_000);
    fallocate(&file, FallocateFlags::empty(), 0, 120_000).unwrap();
    expected.resize(120_000, 0);
    assert_eq!(fs::read(ground.at("file")).unwrap(), expected);
    drop(file);
    ground.again("rw");
    assert_eq!(fs::read(ground.at("file")).unwrap(), expected);
}

#[test]
fn a_copied_range_shares_its_bytes_also_those_only_in_the_cache() {
    let Some(ground) = Ground::new() else { return };
    let bytes: Vec<u8> = (0..8 * MIB).map(|n| (n % 251) as u8).collect();
    let from = OpenOptions::new().read(true).write(true).create_new(true).open(ground.at("from")).unwrap();
    let to = OpenOptions::new().read(true).write(true).create_new(true).open(ground.at("to")).unwrap();
    from.write_all_at(&bytes, 0).unwrap();
    to.write_all_at(&[1; 10], 0).unwrap();
    from.sync_all().unwrap();
    let free = || rustix::fs::statvfs(ground.at("")).unwrap();
    let before = free().f_bavail * free().f_bsize;
    let (mut off_in, mut off_out) = (0, 5);
    while off_in < 8 * MIB {
        let left = usize::try_from(8 * MIB - off_in).unwrap();
        assert!(rustix::fs::copy_file_range(&from, Some(&mut off_in), &to, Some(&mut off_out), left).unwrap() > 0);
    }
    from.write_all_at(&[0; 100], 0).unwrap();
    let copied = fs::read(ground.at("to")).unwrap();
    assert!(copied[..5] == [1; 5] && copied[5..] == bytes);
    to.sync_all().unwrap();
    let after = free().f_bavail * free().f_bsize;
    assert!(before - after < MIB, "the copy took {} bytes", before - after);
    drop((from, to));
    ground.again("rw");
    assert!(fs::read(ground.at("to")).unwrap()[5..] == bytes);
}

#[test]
fn direct_and_cached_bytes_are_the_same() {
    let Some(ground) = Ground::new() else { return };
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true).custom_flags(direct);
    let mut raw = options.open(ground.at("file")).unwrap();
    let mut cached = OpenOptions::new().read(true).write(true).open(ground.at("file")).unwrap();
    raw.write_all(&vec![1; 65536]).unwrap();
    let mut seen = vec![0; 65536];
    cached.read_exact(&mut seen).unwrap();
    assert!(seen == vec![1; 65536]);
    cached.write_all_at(&[2; 4096], 4096).unwrap();
    raw.rewind().unwrap();
    raw.read_exact(&mut seen).unwrap();
    assert!(seen[..4096] == [1; 4096] && seen[4096..8192] == [2; 4096] && seen[8192..] == vec![1; 57344]);
    raw.write_all_at(&[3; 4096], 8192).unwrap();
    cached.read_exact_at(&mut seen, 0).unwrap();
    assert!(seen[8192..12288] == [3; 4096]);
}

#[test]
fn eight_writers_at_once_lose_nothing() {
    let Some(ground) = Ground::new() else { return };
    let work = |n: u8| {
        let dir = ground.at(&format!("dir{n}"));
        fs::create_dir(&dir).unwrap();
        let shared = OpenOptions::new().write(true).create(true).truncate(false).open(ground.at("shared")).unwrap();
        for m in 0..40u64 {
            let bytes = vec![n ^ u8::try_from(m).unwrap(); 20_000];
            fs::write(dir.join(format!("file{m}")), &bytes).unwrap();
            shared.write_all_at(&[n; 1000], (m * 8 + u64::from(n)) * 1000).unwrap();
            if m % 7 == 0 {
                shared.sync_all().unwrap();
            }
            if m % 5 == 4 {
                fs::rename(dir.join(format!("file{m}")), dir.join("moved")).unwrap();
            }
        }
    };
    std::thread::scope(|scope| {
        for n in 0..8 {
            scope.spawn(move || work(n));
        }
    });
    ground.again("rw");
    let shared = fs::read(ground.at("shared")).unwrap();
    assert_eq!(shared.len(), 320_000);
    assert!(shared.chunks(1000).zip((0..8u8).cycle()).all(|(bytes, n)| bytes.iter().all(|byte| *byte == n)));
    for n in 0..8u8 {
        for m in (0..40u8).filter(|m| m % 5 != 4) {
            let bytes = fs::read(ground.at(&format!("dir{n}/file{m}"))).unwrap();
            assert!(bytes.len() == 20_000 && bytes.iter().all(|byte| *byte == n ^ m));
        }
        assert_eq!(fs::read(ground.at(&format!("dir{n}/moved"))).unwrap()[0], n ^ LAST);
    }
}

/// Who looks for holes has a part of the file written out before, by a thread beside those that serve the mount.
#[test]
fn holes_are_found_also_where_no_more_threads_can_be_started() {
    let Some(ground) = Ground::new() else { return };
    let files: Vec<_> = (0..24).map(|n| File::create_new(ground.at(&format!("file{n}"))).unwrap()).collect();
    for file in &files {
        file.write_all_at(&[1; 4096], MIB).unwrap();
    }
    let pid = ground.owner();
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")?.trim().strip_suffix(" kB")).unwrap();
    // Enough for what a seek takes, and less than the stack of one thread.
    let little = size.parse::<u64>().unwrap() * 1024 + MIB;
    let few = Rlimit { current: Some(little), ..getrlimit(Resource::As) };
    let before = prlimit(Some(pid), Resource::As, few).unwrap();
    let found: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = files.iter().map(|file| scope.spawn(move || seek(file, SeekFrom::Data(0)))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    prlimit(Some(pid), Resource::As, before).unwrap();
    assert_eq!(found, vec![Ok(MIB); files.len()]);
}
