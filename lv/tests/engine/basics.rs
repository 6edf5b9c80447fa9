//! What a filesystem owes in plain use.

use anyfs_lvm_lv::{Ino, Kind, LvError, NewNode, Rename, SetAttr, Work};

use super::support::{Rig, contents, pattern};

#[test]
fn a_file_reads_back_before_and_after_flush_commit_and_reopen() {
    let rig = Rig::new(2, 64, 65536);
    let volume = rig.open();
    let data = pattern(1, 300_000);
    let file = volume.create(Ino::ROOT, b"a", &NewNode::file(0o644)).unwrap().ino;
    volume.write(file, 0, &data).unwrap();
    assert_eq!(contents(&volume, file), data);
    volume.step(Work::Flush).unwrap();
    assert_eq!(contents(&volume, file), data);
    volume.sync().unwrap();
    assert_eq!(contents(&volume, file), data);
    volume.write(file, 100_001, b"changed").unwrap();
    volume.close().unwrap();

    let mut expected = data;
    expected[100_001..100_008].copy_from_slice(b"changed");
    let volume = rig.open();
    let attr = volume.lookup(Ino::ROOT, b"a").unwrap();
    assert_eq!((attr.kind, attr.mode, attr.size), (Kind::File, 0o644, 300_000));
    assert_eq!(contents(&volume, attr.ino), expected);
}

#[test]
fn what_an_fsync_acknowledged_survives_a_crash_and_nothing_else_is_needed_for_it() {
    let rig = Rig::new(2, 64, 65536);
    let volume = rig.open();
    let small = volume.create(Ino::ROOT, b"small", &NewNode::file(0o600)).unwrap().ino;
    let large = volume.create(Ino::ROOT, b"large", &NewNode::file(0o600)).unwrap().ino;
    let other = volume.create(Ino::ROOT, b"other", &NewNode::file(0o600)).unwrap().ino;
    volume.write(small, 10, b"intent").unwrap();
    volume.write(large, 0, &pattern(2, 200_000)).unwrap();
    volume.write(other, 0, &pattern(3, 1000)).unwrap();
    volume.fsync(small).unwrap();
    volume.fsync(large).unwrap();
    volume.abandon();

    let volume = rig.open();
    assert_eq!(contents(&volume, small), b"\0\0\0\0\0\0\0\0\0\0intent");
    assert_eq!(contents(&volume, large), pattern(2, 200_000));
    // The name was committed with the fsyncs, the data was not.
    assert_eq!(contents(&volume, other), b"");
}

#[test]
fn a_file_renamed_over_another_is_never_empty_after_a_crash() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let old = volume.create(Ino::ROOT, b"config", &NewNode::file(0o600)).unwrap().ino;
    volume.write(old, 0, b"old contents").unwrap();
    volume.sync().unwrap();
    let new = volume.create(Ino::ROOT, b"config.tmp", &NewNode::file(0o600)).unwrap().ino;
    volume.write(new, 0, &pattern(4, 200_000)).unwrap();
    volume.rename((Ino::ROOT, b"config.tmp"), (Ino::ROOT, b"config"), Rename::Replace).unwrap();
    let bystander = volume.create(Ino::ROOT, b"x", &NewNode::file(0o600)).unwrap().ino;
    volume.fsync(bystander).unwrap();
    volume.abandon();

    let volume = rig.open();
    let config = volume.lookup(Ino::ROOT, b"config").unwrap().ino;
    assert_eq!(contents(&volume, config), pattern(4, 200_000));
    assert!(matches!(volume.lookup(Ino::ROOT, b"config.tmp"), Err(LvError::NotFound { .. })));
}

#[test]
fn cutting_and_growing_leaves_zeros_where_nothing_was_written() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(5, 150_000)).unwrap();
    volume.sync().unwrap();
    volume.setattr(file, &SetAttr { size: Some(70_000), ..SetAttr::default() }).unwrap();
    volume.setattr(file, &SetAttr { size: Some(160_000), ..SetAttr::default() }).unwrap();
    let mut expected = pattern(5, 150_000);
    expected.truncate(70_000);
    expected.resize(160_000, 0);
    assert_eq!(contents(&volume, file), expected);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(contents(&volume, file), expected);
    volume.punch(file, 1000, 60_000).unwrap();
    expected[1000..60_000].fill(0);
    assert_eq!(contents(&volume, file), expected);
}

#[test]
fn directories_keep_their_rules() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let dir = NewNode::directory(0o755);
    let a = volume.mkdir(Ino::ROOT, b"a", &dir).unwrap().ino;
    let b = volume.mkdir(a, b"b", &dir).unwrap().ino;
    assert_eq!(volume.getattr(Ino::ROOT).unwrap().nlink, 3);
    assert!(matches!(volume.rmdir(Ino::ROOT, b"a"), Err(LvError::NotEmpty { .. })));
    assert!(matches!(volume.rename((Ino::ROOT, b"a"), (b, b"c"), Rename::Replace), Err(LvError::Invalid { .. })));
    assert!(matches!(volume.mkdir(Ino::ROOT, b"a", &dir), Err(LvError::Exists { .. })));
    assert!(matches!(volume.unlink(Ino::ROOT, b"a"), Err(LvError::IsDirectory { .. })));
    assert!(matches!(volume.mkdir(Ino::ROOT, &[b'x'; 256], &dir), Err(LvError::NameTooLong { .. })));
    for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
        assert!(matches!(volume.mkdir(Ino::ROOT, bad, &dir), Err(LvError::Invalid { .. })));
    }
    volume.rename((a, b"b"), (Ino::ROOT, b"moved"), Rename::Replace).unwrap();
    assert_eq!(volume.getattr(a).unwrap().nlink, 2);
    assert_eq!(volume.getattr(Ino::ROOT).unwrap().nlink, 4);
    volume.rmdir(Ino::ROOT, b"a").unwrap();
    assert_eq!(volume.resolve(b"/moved/../moved/.", true).unwrap().ino, b);
}

#[test]
fn listing_goes_on_where_it_stopped_before_and_after_a_commit() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    for n in 0..500 {
        volume.create(Ino::ROOT, format!("f{n}").as_bytes(), &NewNode::file(0o600)).unwrap();
    }
    let all = |volume: &anyfs_lvm_lv::Volume, step: usize| {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let page = volume.readdir(Ino::ROOT, cookie, step).unwrap();
            let Some(last) = page.last() else { break };
            cookie = last.cookie;
            names.extend(page.into_iter().map(|entry| entry.name));
        }
        names.sort();
        names
    };
    let first = all(&volume, 7);
    assert_eq!(first.len(), 500);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(all(&volume, 13), first);
    volume.unlink(Ino::ROOT, b"f17").unwrap();
    volume.create(Ino::ROOT, b"new", &NewNode::file(0o600)).unwrap();
    let changed = all(&volume, 5);
    assert_eq!(changed.len(), 500);
    assert!(changed.contains(&b"new".to_vec()) && !changed.contains(&b"f17".to_vec()));
}

#[test]
fn a_deleted_file_gives_its_space_back() {
    let rig = Rig::new(2, 16, 65536);
    let volume = rig.open();
    let total = volume.statfs().unwrap().free;
    for round in 0..20u64 {
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(round, 1_200_000)).unwrap();
        volume.sync().unwrap();
        assert_eq!(contents(&volume, file), pattern(round, 1_200_000));
        volume.unlink(Ino::ROOT, b"f").unwrap();
        volume.sync().unwrap();
        assert_eq!(volume.statfs().unwrap().free, total);
    }
}

#[test]
fn an_open_file_lives_on_without_a_name_and_goes_at_the_last_close_or_crash() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.open(file).unwrap();
    volume.write(file, 0, &pattern(1, 100_000)).unwrap();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    volume.sync().unwrap();
    assert_eq!(contents(&volume, file), pattern(1, 100_000));
    volume.abandon();
    let volume = rig.open();
    while volume.step(Work::Clean { idle: true }).unwrap() {}
    volume.sync().unwrap();
    assert!(matches!(volume.getattr(file), Err(LvError::NoInode { .. })));
    assert_eq!(volume.statfs().unwrap().files, 1);
    assert_eq!(volume.statfs().unwrap().free, volume.statfs().unwrap().total);
}

#[test]
fn a_volume_has_one_owner() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    assert!(matches!(rig.try_open(), Err(LvError::InUse { .. })));
    drop(volume);
    rig.open();
}

#[test]
fn reading_what_has_no_contents_says_what_it_is() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let link = volume.symlink(Ino::ROOT, b"l", b"a", &NewNode::file(0o777)).unwrap().ino;
    let pipe = NewNode { kind: Kind::Fifo, ..NewNode::file(0o600) };
    let pipe = volume.create(Ino::ROOT, b"p", &pipe).unwrap().ino;
    for (ino, errno) in [(Ino::ROOT, 21), (link, 22), (pipe, 22)] {
        assert_eq!(volume.read(ino, 0, &mut [0; 8]).unwrap_err().errno(), errno);
        assert_eq!(volume.write(ino, 0, b"x").unwrap_err().errno(), errno);
        assert_eq!(volume.read_all(ino).unwrap_err().errno(), errno);
    }
}

#[test]
fn a_listing_from_beyond_the_last_cookie_is_empty() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    for n in 0..10 {
        volume.create(Ino::ROOT, format!("f{n}").as_bytes(), &NewNode::file(0o600)).unwrap();
    }
    volume.close().unwrap();
    let volume = rig.open();
    for cookie in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1] {
        for limit in [0, 1, 3, 100, usize::MAX] {
            assert_eq!(volume.readdir(Ino::ROOT, cookie, limit).unwrap(), [], "after {cookie}");
        }
    }
    assert_eq!(volume.readdir(Ino::ROOT, 0, usize::MAX).unwrap().len(), 10);
}

#[test]
fn a_closed_volume_is_closed_for_all_its_clones() {
    for threads in [false, true] {
        let mut rig = Rig::new(1, 64, 65536);
        rig.env.threads = threads;
        let volume = rig.open();
        let clone = volume.clone();
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, b"kept").unwrap();
        volume.close().unwrap();
        assert!(matches!(clone.getattr(file), Err(LvError::Closed)));
        assert!(matches!(clone.write(file, 0, b"lost"), Err(LvError::Closed)));
        assert!(matches!(clone.fsync(file), Err(LvError::Closed)));
        assert!(matches!(clone.sync(), Err(LvError::Closed)));
        let owner = rig.open();
        assert_eq!(contents(&owner, file), b"kept");
        clone.close().unwrap();
        assert!(matches!(rig.try_open(), Err(LvError::InUse { .. })), "closing twice gives nothing free twice");
    }
}

#[test]
fn an_inode_whose_last_name_is_gone_takes_no_more_changes_however_long_its_map_is() {
    let rig = Rig::new(1, 200, 65536);
    let volume = rig.open();
    // More map entries than an unlink takes apart at once.
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    for n in 0..3000u64 {
        volume.write(file, n * 8192, &pattern(n, 700)).unwrap();
    }
    volume.sync().unwrap();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    let gone = |outcome: Result<(), LvError>| assert!(matches!(outcome, Err(LvError::NoInode { .. })), "{outcome:?}");
    gone(volume.getattr(file).map(drop));
    gone(volume.read(file, 0, &mut [0; 8]).map(drop));
    gone(volume.open(file));
    gone(volume.write(file, 0, b"late"));
    volume.sync().unwrap();
    while volume.step(Work::Clean { idle: true }).unwrap() {}
    volume.sync().unwrap();
    let (space, usage) = (volume.statfs().unwrap(), volume.usage().unwrap());
    assert_eq!((space.free, space.files, usage.dirty_bytes), (space.total, 1, 0));
    volume.close().unwrap();
    assert_eq!((rig.rows("inode"), rig.rows("map"), rig.rows("slice")), (1, 0, 0));
}

#[test]
fn a_nameless_file_gets_its_name_with_its_data_or_goes() {
    let rig = Rig::new(1, 200, 65536);
    let volume = rig.open();
    let other = volume.create(Ino::ROOT, b"other", &NewNode::file(0o600)).unwrap().ino;
    let old = volume.create(Ino::ROOT, b"taken", &NewNode::file(0o600)).unwrap().ino;
    let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap().ino;
    let nameless = |seed: u64| {
        let ino = volume.create_nameless(dir, &NewNode::file(0o640)).unwrap().ino;
        volume.write(ino, 0, &pattern(seed, 30_000)).unwrap();
        ino
    };
    let (new, over, unnamed, dropped) = (nameless(1), nameless(2), nameless(3), nameless(4));
    volume.give_name(new, dir, b"new").unwrap();
    volume.give_name(over, Ino::ROOT, b"taken").unwrap();
    volume.release(dropped).unwrap();
    assert!(matches!(volume.getattr(dropped), Err(LvError::NoInode { .. })));
    assert!(matches!(volume.getattr(old), Err(LvError::NoInode { .. })));
    assert!(matches!(volume.give_name(unnamed, Ino::ROOT, b"dir"), Err(LvError::IsDirectory { .. })));
    assert!(matches!(volume.give_name(new, Ino::ROOT, b"again"), Err(LvError::Invalid { .. })));
    assert!(matches!(volume.create_nameless(other, &NewNode::file(0)), Err(LvError::NotDirectory { .. })));
    let path = volume.path_of(over).unwrap();
    assert_eq!((volume.getattr(new).unwrap().nlink, path.as_deref()), (1, Some(b"/taken".as_slice())));
    // Only another file is synced; then the process dies.
    volume.write(other, 0, b"x").unwrap();
    volume.fsync(other).unwrap();
    volume.abandon();
    let volume = rig.open();
    assert!(contents(&volume, volume.lookup(dir, b"new").unwrap().ino) == pattern(1, 30_000));
    assert!(contents(&volume, volume.lookup(Ino::ROOT, b"taken").unwrap().ino) == pattern(2, 30_000));
    assert!(matches!(volume.getattr(unnamed), Err(LvError::NoInode { .. })));
    while volume.step(Work::Clean { idle: true }).unwrap() {}
    volume.sync().unwrap();
    assert_eq!((volume.statfs().unwrap().files, rig.rows("inode")), (5, 5));
}
