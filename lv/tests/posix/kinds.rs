//! New inodes of every kind: mknod(2), mkdir(2), open(2) with `O_CREAT | O_EXCL`, inode(7).

use anyfs_lvm_lv::{Kind, NewNode, Rename, SetAttr};

use super::ground::{EEXIST, EINVAL, EISDIR, Ground, PLAIN_KINDS, ROOT, errno};

#[test]
fn every_kind_keeps_its_kind_mode_owner_and_device_number() {
    let mut ground = Ground::new();
    let rdev = u64::from(u32::MAX) << 8 | 3;
    let mut made = Vec::new();
    for (n, kind) in (0u32..).zip(PLAIN_KINDS) {
        let node = NewNode { kind, mode: 0o7000 + n, uid: u32::MAX - n, gid: n, rdev };
        made.push(ground.create(ROOT, format!("{kind:?}").as_bytes(), &node).unwrap());
    }
    let dir = NewNode::directory(0o1777).owned_by(1, u32::MAX);
    made.push(ground.mkdir(ROOT, b"dir", &dir).unwrap());
    ground.reopen();
    for (n, before) in (0u32..).zip(made) {
        let attr = ground.attr(before.ino);
        assert_eq!(attr, before);
        let device = matches!(attr.kind, Kind::CharDevice | Kind::BlockDevice);
        assert_eq!(attr.rdev, if device { rdev } else { 0 }, "{:?}: only devices have a number", attr.kind);
        assert_eq!((attr.size, attr.stored), (0, 0));
        if attr.kind == Kind::Directory {
            assert_eq!((attr.mode, attr.uid, attr.gid, attr.nlink), (0o1777, 1, u32::MAX, 2));
        } else {
            assert_eq!((attr.kind, attr.mode, attr.nlink), (PLAIN_KINDS[n as usize], 0o7000 + n, 1));
            assert_eq!((attr.uid, attr.gid), (u32::MAX - n, n));
        }
    }
    let kinds = ground.readdir(ROOT, 0, 99).unwrap().into_iter().map(|entry| (entry.name, entry.kind));
    assert_eq!(kinds.filter(|(name, kind)| name == format!("{kind:?}").as_bytes()).count(), PLAIN_KINDS.len());
}

#[test]
fn a_mode_has_twelve_bits() {
    let ground = Ground::new();
    let made = ground.create(ROOT, b"f", &NewNode::file(u32::MAX)).unwrap();
    assert_eq!(made.mode, 0o7777);
    ground.chmod(made.ino, 0o170_000);
    assert_eq!((ground.attr(made.ino).mode, ground.attr(made.ino).kind), (0, Kind::File));
    assert_eq!(ground.mkdir(ROOT, b"d", &NewNode::directory(u32::MAX)).unwrap().mode, 0o7777);
}

#[test]
fn making_is_exclusive_whatever_has_the_name() {
    let ground = Ground::new();
    for (n, kind) in (0u8..).zip(PLAIN_KINDS) {
        ground.create(ROOT, &[b'a' + n], &NewNode { kind, ..NewNode::file(0o600) }).unwrap();
    }
    ground.dir(ROOT, b"dir");
    ground.symlink(ROOT, b"link to nothing", b"nothing", &NewNode::file(0o777)).unwrap();
    let before = (ground.files(), ground.attr(ROOT), ground.names(ROOT));
    for name in &before.2 {
        for kind in PLAIN_KINDS {
            assert_eq!(errno(ground.create(ROOT, name, &NewNode { kind, ..NewNode::file(0o600) })), EEXIST);
        }
        assert_eq!(errno(ground.mkdir(ROOT, name, &NewNode::directory(0o700))), EEXIST);
        assert_eq!(errno(ground.symlink(ROOT, name, b"x", &NewNode::file(0o777))), EEXIST);
    }
    assert_eq!((ground.files(), ground.attr(ROOT), ground.names(ROOT)), before);
}

#[test]
fn of_many_who_make_one_name_exactly_one_succeeds() {
    let ground = Ground::new();
    let volume = &*ground;
    let made: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(move || volume.create(ROOT, b"one", &NewNode::file(0o600)).is_ok())).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    });
    assert_eq!((made, ground.files(), ground.names(ROOT).len()), (1, 2, 1));
}

#[test]
fn directories_and_links_are_not_made_by_mknod() {
    let ground = Ground::new();
    for kind in [Kind::Directory, Kind::Symlink] {
        assert_eq!(errno(ground.create(ROOT, b"x", &NewNode { kind, ..NewNode::file(0o600) })), EINVAL);
    }
    assert_eq!(ground.names(ROOT).len(), 0);
}

#[test]
fn what_has_no_contents_takes_none() {
    let ground = Ground::new();
    for kind in PLAIN_KINDS.into_iter().filter(|kind| *kind != Kind::File) {
        let ino = ground.create(ROOT, b"x", &NewNode { kind, ..NewNode::file(0o600) }).unwrap().ino;
        assert_eq!(errno(ground.write(ino, 0, b"x")), EINVAL);
        assert_eq!(errno(ground.append(ino, b"x")), EINVAL);
        assert_eq!(errno(ground.truncate(ino, 0)), EINVAL);
        assert_eq!(errno(ground.punch(ino, 0, 1)), EINVAL);
        assert_eq!(errno(ground.allocate(ino, 0, 1, false)), EINVAL);
        assert_eq!(errno(ground.copy_range((ino, 0), (ino, 5), 1)), EINVAL);
        ground.unlink(ROOT, b"x").unwrap();
    }
    assert_eq!(errno(ground.truncate(ROOT, 0)), EISDIR);
    assert_eq!(errno(ground.allocate(ROOT, 0, 1, true)), EISDIR);
    assert_eq!(errno(ground.append(ROOT, b"x")), EISDIR);
    assert_eq!(errno(ground.punch(ROOT, 0, 1)), EISDIR);
}

#[test]
fn special_files_are_renamed_kept_and_replaced_like_files() {
    let mut ground = Ground::new();
    let pipe = ground.create(ROOT, b"pipe", &NewNode { kind: Kind::Fifo, ..NewNode::file(0o600) }).unwrap().ino;
    let device = NewNode { kind: Kind::BlockDevice, rdev: 0x801, ..NewNode::file(0o660) };
    let device = ground.create(ROOT, b"device", &device).unwrap().ino;
    ground.filled(b"file", b"bytes");
    ground.rename((ROOT, b"pipe"), (ROOT, b"file"), Rename::Replace).unwrap();
    ground.rename((ROOT, b"device"), (ROOT, b"file"), Rename::Replace).unwrap();
    ground.fsync(ROOT).unwrap();
    ground.crash();
    assert_eq!(ground.names(ROOT), [b"file"]);
    assert_eq!((ground.at(ROOT, b"file"), ground.attr(device).rdev), (Some(device), 0x801));
    assert!(ground.getattr(pipe).is_err());
}

#[test]
fn a_set_group_id_directory_hands_its_group_to_all_and_its_bit_to_directories() {
    let mut ground = Ground::new();
    let shared = NewNode::directory(0o2775).owned_by(1, 50);
    let shared = ground.mkdir(ROOT, b"shared", &shared).unwrap().ino;
    let node = NewNode::file(0o640).owned_by(7, 8);
    let file = ground.create(shared, b"file", &node).unwrap();
    let pipe = ground.create(shared, b"pipe", &NewNode { kind: Kind::Fifo, ..node }).unwrap();
    let link = ground.symlink(shared, b"link", b"x", &node).unwrap();
    let dir = ground.mkdir(shared, b"dir", &NewNode::directory(0o700).owned_by(7, 8)).unwrap();
    for attr in [file, pipe, link, dir] {
        assert_eq!((attr.uid, attr.gid), (7, 50), "{:?}", attr.kind);
    }
    assert_eq!((file.mode, pipe.mode, dir.mode), (0o640, 0o640, 0o2700));
    // Down all levels, also those made later, and by mkdir_all.
    ground.reopen();
    let deep = ground.mkdir_all(b"/shared/dir/a/b", &NewNode::directory(0o700).owned_by(9, 9)).unwrap();
    assert_eq!((deep.uid, deep.gid, deep.mode), (9, 50, 0o2700));
}

#[test]
fn the_group_of_a_directory_is_for_new_inodes_not_for_those_that_come_by_link_or_rename() {
    let ground = Ground::new();
    let shared = ground.mkdir(ROOT, b"shared", &NewNode::directory(0o2775).owned_by(1, 50)).unwrap().ino;
    let file = ground.create(ROOT, b"file", &NewNode::file(0o640).owned_by(7, 8)).unwrap().ino;
    let dir = ground.mkdir(ROOT, b"dir", &NewNode::directory(0o700).owned_by(7, 8)).unwrap().ino;
    ground.link(file, shared, b"second").unwrap();
    ground.rename((ROOT, b"file"), (shared, b"file"), Rename::Keep).unwrap();
    ground.rename((ROOT, b"dir"), (shared, b"dir"), Rename::Keep).unwrap();
    assert_eq!((ground.attr(file).gid, ground.attr(dir).gid, ground.attr(dir).mode), (8, 8, 0o700));
    // Without the bit, the group is the maker's again.
    ground.setattr(shared, &SetAttr { mode: Some(0o775), ..SetAttr::default() }).unwrap();
    let made = ground.create(shared, b"new", &NewNode::file(0o640).owned_by(7, 8)).unwrap();
    assert_eq!((made.uid, made.gid), (7, 8));
}
