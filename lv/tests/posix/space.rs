//! statvfs(3), and the errors of a volume that is full or has a quota: told by the call that finds no room, which then
//! has changed nothing.

use anyfs_lvm_lv::{Ino, Kind, LvError, NewNode, Quota, Rename, SetXattr, VolumeOptions};

use super::ground::{EDQUOT, ENOSPC, Ground, ROOT, errno};
use super::support::pattern;

fn index(value: u64) -> usize {
    usize::try_from(value).unwrap()
}

/// A volume with a bound.
fn bounded(bytes: u64, files: u64) -> Ground {
    Ground::with(|options| VolumeOptions { quota: Quota { bytes, files }, ..options })
}

#[test]
fn free_space_falls_and_rises_by_the_bytes_that_files_hold() {
    let mut ground = Ground::new();
    let total = ground.statfs().unwrap().total;
    let mut used = 0;
    let mut check = |ground: &Ground, change: i64, what: &str| {
        used += change;
        ground.settle();
        let statfs = ground.statfs().unwrap();
        assert_eq!((statfs.total, i64::try_from(statfs.total - statfs.free).unwrap()), (total, used), "{what}");
    };
    check(&ground, 0, "empty");
    let file = ground.filled(b"file", &pattern(1, 100_000));
    check(&ground, 100_000, "written");
    ground.write(file, 50_000, &pattern(2, 20_000)).unwrap();
    check(&ground, 0, "overwritten");
    ground.append(file, &pattern(3, 10_001)).unwrap();
    check(&ground, 10_001, "appended");
    ground.truncate(file, 1_000_000).unwrap();
    check(&ground, 0, "grown");
    ground.write(file, 900_000, &pattern(4, 5000)).unwrap();
    check(&ground, 5000, "written beyond a hole");
    ground.punch(file, 10_000, 30_000).unwrap();
    check(&ground, -20_000, "punched");
    ground.link(file, ROOT, b"second").unwrap();
    ground.mv(b"file", b"moved").unwrap();
    ground.unlink(ROOT, b"moved").unwrap();
    check(&ground, 0, "one of two names");
    ground.reopen();
    check(&ground, 0, "reopened");
    ground.unlink(ROOT, b"second").unwrap();
    check(&ground, -95_001, "unlinked");
    let whole = ground.filled(b"whole", &pattern(5, 200_000));
    let copy = ground.file(ROOT, b"copy");
    ground.copy_file(whole, copy).unwrap();
    check(&ground, 200_000, "shared");
    ground.truncate(whole, 0).unwrap();
    check(&ground, 0, "cut on one side");
    ground.truncate(copy, 1000).unwrap();
    check(&ground, -199_000, "cut on the other");
}

#[test]
fn every_inode_counts_once_from_its_making_to_its_end() {
    let mut ground = Ground::new();
    let mut expected = 1;
    let mut check = |ground: &Ground, change: i64, what: &str| {
        expected += change;
        assert_eq!(i64::try_from(ground.files()).unwrap(), expected, "{what}");
    };
    check(&ground, 0, "empty");
    let file = ground.file(ROOT, b"file");
    let dir = ground.dir(ROOT, b"dir");
    ground.symlink(ROOT, b"link", b"x", &NewNode::file(0o777)).unwrap();
    ground.create(ROOT, b"pipe", &NewNode { kind: Kind::Fifo, ..NewNode::file(0o600) }).unwrap();
    check(&ground, 4, "made");
    ground.create(ROOT, b"file", &NewNode::file(0o600)).unwrap_err();
    ground.mkdir(file, b"x", &NewNode::directory(0o700)).unwrap_err();
    ground.unlink(ROOT, b"none").unwrap_err();
    check(&ground, 0, "failed");
    ground.link(file, dir, b"second").unwrap();
    ground.unlink(ROOT, b"file").unwrap();
    check(&ground, 0, "linked");
    ground.rename((dir, b"second"), (ROOT, b"pipe"), Rename::Exchange).unwrap();
    check(&ground, 0, "exchanged");
    ground.rename((ROOT, b"pipe"), (ROOT, b"link"), Rename::Replace).unwrap();
    check(&ground, -1, "replaced");
    ground.open(file).unwrap();
    ground.unlink(ROOT, b"link").unwrap();
    check(&ground, 0, "unlinked and open");
    ground.release(file).unwrap();
    check(&ground, -1, "released");
    ground.sync().unwrap();
    ground.crash();
    check(&ground, 0, "reopened");
    ground.unlink(dir, b"second").unwrap();
    ground.rmdir(ROOT, b"dir").unwrap();
    check(&ground, -2, "removed");
}

#[test]
fn a_volume_takes_the_last_byte_it_says_is_free_and_not_one_more() {
    let mut ground = Ground::new();
    let free = ground.free();
    let file = ground.file(ROOT, b"file");
    ground.chmod(file, 0o6755);
    let before = ground.attr(file);
    let bytes = pattern(1, index(free) + 1);
    let refused = ground.write(file, 0, &bytes).unwrap_err();
    assert!(
        matches!(refused, LvError::NoSpace { free: told, needed } if told == free && needed == free + 1),
        "{refused}"
    );
    assert_eq!((ground.attr(file), ground.free()), (before, free));
    ground.write(file, 0, &bytes[..index(free)]).unwrap();
    ground.settle();
    assert_eq!(ground.free(), 0);
    assert_eq!(errno(ground.append(file, b"x")), ENOSPC);
    ground.reopen();
    assert!(ground.free() == 0 && ground.bytes(file) == bytes[..index(free)]);
}

#[test]
fn a_full_volume_refuses_bytes_and_nothing_else() {
    let ground = Ground::new();
    let free = ground.free();
    let file = ground.filled(b"file", &pattern(1, index(free)));
    ground.settle();
    let (attr, failed) = (ground.attr(file), |result: Result<(), LvError>| assert_eq!(errno(result), ENOSPC));
    failed(ground.write(file, free, &[1; 1000]));
    failed(ground.append(file, b"x").map(drop));
    failed(ground.allocate(file, 0, free + 1, false));
    failed(ground.transaction(|tx| tx.append(file, b"x")).map(drop));
    assert_eq!(ground.attr(file), attr);
    // Names and attributes, holes, and sharing take no bytes of it.
    let dir = ground.dir(ROOT, b"dir");
    let copy = ground.file(dir, b"copy");
    ground.copy_file(file, copy).unwrap();
    ground.link(file, dir, b"second").unwrap();
    ground.mv(b"file", b"moved").unwrap();
    ground.symlink(dir, b"link", b"x", &NewNode::file(0o777)).unwrap();
    ground.chmod(file, 0o600);
    ground.setxattr(file, b"user.a", b"1", SetXattr::Any).unwrap();
    ground.truncate(file, free + 1_000_000).unwrap();
    ground.write(file, 0, b"").unwrap();
    ground.sync().unwrap();
    assert_eq!(ground.free(), 0);
    // What is given back can be used at once.
    ground.unlink(dir, b"copy").unwrap();
    ground.punch(file, 0, 100_000).unwrap();
    ground.write(file, free, &pattern(2, 100_000)).unwrap();
    assert_eq!(errno(ground.append(file, b"x")), ENOSPC);
}

#[test]
fn a_quota_on_inodes_stops_new_inodes_of_every_kind_and_no_new_names() {
    let ground = bounded(u64::MAX, 3);
    let (file, dir) = (ground.file(ROOT, b"file"), ground.dir(ROOT, b"dir"));
    let (attr, node) = (ground.attr(dir), NewNode::file(0o600));
    let failed = |result: Result<(), LvError>| assert_eq!(errno(result), EDQUOT);
    for kind in super::ground::PLAIN_KINDS {
        failed(ground.create(dir, b"x", &NewNode { kind, ..node }).map(drop));
    }
    failed(ground.mkdir(dir, b"x", &node).map(drop));
    failed(ground.mkdir_all(b"/dir/x/y", &node).map(drop));
    failed(ground.symlink(dir, b"x", b"x", &node).map(drop));
    failed(ground.transaction(|tx| tx.create(dir, b"x", &node)).map(drop));
    assert_eq!((ground.attr(dir), ground.names(dir).len()), (attr, 0));
    ground.link(file, dir, b"second").unwrap();
    ground.rename((ROOT, b"file"), (dir, b"moved"), Rename::Keep).unwrap();
    ground.unlink(dir, b"second").unwrap();
    failed(ground.create(dir, b"x", &node).map(drop));
    // One gone is one more that can be, also when it was open meanwhile.
    ground.open(file).unwrap();
    ground.unlink(dir, b"moved").unwrap();
    failed(ground.create(dir, b"x", &node).map(drop));
    ground.release(file).unwrap();
    ground.create(dir, b"x", &node).unwrap();
    failed(ground.create(dir, b"y", &node).map(drop));
}

#[test]
fn a_quota_on_bytes_is_exact_and_what_it_refuses_has_changed_nothing() {
    let ground = bounded(100_000, u64::MAX);
    let file = ground.filled(b"file", &pattern(1, 60_000));
    ground.chmod(file, 0o6755);
    let (attr, failed) = (ground.attr(file), |result: Result<(), LvError>| assert_eq!(errno(result), EDQUOT));
    failed(ground.append(file, &vec![1; 40_001]).map(drop));
    failed(ground.write(file, 30_000, &vec![1; 70_001]));
    failed(ground.write(file, 1 << 40, &vec![1; 40_001]));
    failed(ground.allocate(file, 60_000, 40_001, false));
    failed(ground.transaction(|tx| tx.append(file, &vec![1; 40_001])).map(drop));
    assert_eq!(ground.attr(file), anyfs_lvm_lv::Attr { stored: ground.attr(file).stored, ..attr });
    assert!(ground.bytes(file) == pattern(1, 60_000));
    // To the last byte; then over what is there, into no hole, and as much as is given back.
    ground.write(file, 1 << 40, &vec![1; 40_000]).unwrap();
    ground.write(file, 10, &pattern(2, 50_000)).unwrap();
    failed(ground.write(file, 1 << 30, b"x"));
    ground.punch(file, 0, 1000).unwrap();
    failed(ground.write(file, 1 << 30, &[1; 1001]));
    ground.write(file, 1 << 30, &[1; 1000]).unwrap();
    failed(ground.write(file, 500, b"x"));
    let copy = ground.file(ROOT, b"copy");
    ground.copy_file(file, copy).unwrap();
    failed(ground.write(copy, 0, b"x"));
    ground.unlink(ROOT, b"file").unwrap();
    failed(ground.write(copy, 0, b"x"));
    ground.unlink(ROOT, b"copy").unwrap();
    let last: Ino = ground.filled(b"last", &pattern(3, 100_000));
    failed(ground.append(last, b"x").map(drop));
}
