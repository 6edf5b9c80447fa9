//! Modes and owners, and the set-id bits that go with changes: chmod(2), chown(2), write(2), truncate(2).

use anyfs_lvm_lv::{Attr, Ino, LvError, NewNode, SetAttr};

use super::ground::{Ground, ROOT};

/// A file with these bits after one call.
fn mode_after<T>(mode: u32, call: impl FnOnce(&Ground, Ino) -> Result<T, LvError>) -> u32 {
    let ground = Ground::new();
    let (file, other) = (ground.filled(b"file", &[1; 1000]), ground.filled(b"other", &[2; 1000]));
    assert_eq!(other.0, file.0 + 1);
    ground.chmod(file, mode);
    call(&ground, file).unwrap();
    ground.fsync(file).unwrap();
    ground.attr(file).mode
}

/// The other file of `mode_after`.
fn other(ino: Ino) -> Ino {
    Ino(ino.0 + 1)
}

fn chown(uid: Option<u32>, gid: Option<u32>) -> impl Fn(&Ground, Ino) -> Result<Attr, LvError> {
    move |ground, ino| ground.setattr(ino, &SetAttr { uid, gid, ..SetAttr::default() })
}

#[test]
fn every_mode_and_owner_is_kept() {
    let mut ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    let dir = ground.dir(ROOT, b"dir");
    for mode in (0..=0o7777).step_by(97).chain([0o7777]) {
        for ino in [file, dir] {
            ground.chmod(ino, mode);
            assert_eq!(ground.attr(ino).mode, mode);
        }
    }
    for id in [0, 1, 65_534, 65_536, i32::MAX.unsigned_abs() + 1, u32::MAX] {
        let set = SetAttr { uid: Some(id), gid: Some(id ^ 5), mode: Some(0o7777), ..SetAttr::default() };
        for ino in [file, dir] {
            ground.setattr(ino, &set).unwrap();
        }
        ground.fsync(file).unwrap();
        ground.crash();
        for attr in [file, dir].map(|ino| ground.attr(ino)) {
            assert_eq!((attr.uid, attr.gid, attr.mode), (id, id ^ 5, 0o7777), "{:?}", attr.kind);
        }
    }
}

#[test]
fn each_attribute_changes_alone() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[1; 10]);
    let start = SetAttr {
        mode: Some(0o640),
        uid: Some(1),
        gid: Some(2),
        atime: Some(3),
        mtime: Some(4),
        size: None,
        ctime: None,
    };
    let first = ground.setattr(file, &start).unwrap();
    let none = SetAttr::default();
    let same = |attr: Attr| (attr.mode, attr.uid, attr.gid, attr.atime, attr.mtime, attr.size);
    let check = |change: SetAttr, expected| {
        assert_eq!(same(ground.setattr(file, &change).unwrap()), expected, "{change:?}");
        assert_eq!(same(ground.attr(file)), expected, "{change:?}");
        ground.setattr(file, &SetAttr { size: Some(10), ..start }).unwrap();
    };
    check(none, same(first));
    check(SetAttr { mode: Some(0o7), ..none }, (0o7, 1, 2, 3, 4, 10));
    check(SetAttr { uid: Some(9), ..none }, (0o640, 9, 2, 3, 4, 10));
    check(SetAttr { gid: Some(9), ..none }, (0o640, 1, 9, 3, 4, 10));
    check(SetAttr { atime: Some(9), ..none }, (0o640, 1, 2, 9, 4, 10));
    check(SetAttr { mtime: Some(9), ..none }, (0o640, 1, 2, 3, 9, 10));
    check(SetAttr { size: Some(9), mtime: Some(4), ..none }, (0o640, 1, 2, 3, 4, 9));
}

#[test]
fn a_change_of_contents_takes_the_set_id_bits_off() {
    type Call = fn(&Ground, Ino) -> Result<(), LvError>;
    let calls: [(&str, Call); 12] = [
        ("write", |g, ino| g.write(ino, 0, b"x")),
        ("write beyond the end", |g, ino| g.write(ino, 5000, b"x")),
        ("append", |g, ino| g.append(ino, b"x").map(drop)),
        ("cut", |g, ino| g.truncate(ino, 10).map(drop)),
        ("grow", |g, ino| g.truncate(ino, 5000).map(drop)),
        ("punch", |g, ino| g.punch(ino, 0, 10)),
        ("zero", |g, ino| g.zero(ino, 0, 10, true)),
        ("allocate", |g, ino| g.allocate(ino, 0, 2000, false)),
        ("copy_range", |g, ino| g.copy_range((other(ino), 0), (ino, 0), 10).map(drop)),
        ("copy_file", |g, ino| g.copy_file(other(ino), ino)),
        ("replace", |g, ino| g.replace(ino, b"x")),
        ("transaction", |g, ino| g.transaction(|tx| tx.write(ino, 0, b"x"))),
    ];
    for (name, call) in calls {
        assert_eq!(mode_after(0o6755, call), 0o755, "{name}");
        // Set-group-id without the group's right to run it is no such bit.
        assert_eq!(mode_after(0o6745, call), 0o2745, "{name}");
        assert_eq!(mode_after(0o1777, call), 0o1777, "{name}: the sticky bit stays");
    }
}

#[test]
fn what_leaves_the_contents_leaves_the_set_id_bits() {
    assert_eq!(mode_after(0o6755, |g, ino| g.write(ino, 0, b"")), 0o6755);
    assert_eq!(mode_after(0o6755, |g, ino| g.read(ino, 0, &mut [0; 5])), 0o6755);
    assert_eq!(mode_after(0o6755, |g, ino| g.copy_range((ino, 0), (other(ino), 0), 10)), 0o6755);
    assert_eq!(mode_after(0o6755, |g, ino| g.link(ino, ROOT, b"second")), 0o6755);
    assert_eq!(mode_after(0o6755, |g, _| g.mv(b"file", b"moved")), 0o6755);
    let touch = SetAttr { atime: Some(1), mtime: Some(1), ..SetAttr::default() };
    assert_eq!(mode_after(0o6755, |g, ino| g.setattr(ino, &touch)), 0o6755);
    // Data that is placed in the background is no change.
    let ground = Ground::new();
    let file = ground.filled(b"file", &vec![1; 100_000]);
    ground.chmod(file, 0o6755);
    ground.settle();
    assert_eq!(ground.attr(file).mode, 0o6755);
}

#[test]
fn a_new_owner_or_group_takes_the_set_id_bits_off_files() {
    for (uid, gid) in [(Some(7), None), (None, Some(7)), (Some(7), Some(7)), (Some(0), Some(0))] {
        assert_eq!(mode_after(0o6755, chown(uid, gid)), 0o755, "{uid:?} {gid:?}");
        assert_eq!(mode_after(0o6745, chown(uid, gid)), 0o2745, "{uid:?} {gid:?}");
    }
    // A mode that is given with the owner is what it is.
    let both = SetAttr { uid: Some(7), mode: Some(0o6711), ..SetAttr::default() };
    assert_eq!(mode_after(0o755, |g, ino| g.setattr(ino, &both)), 0o6711);
}

#[test]
fn a_new_owner_leaves_the_bits_of_directories() {
    let ground = Ground::new();
    let dir = ground.mkdir(ROOT, b"dir", &NewNode::directory(0o6775)).unwrap().ino;
    let attr = chown(Some(7), Some(8))(&ground, dir).unwrap();
    assert_eq!((attr.uid, attr.gid, attr.mode), (7, 8, 0o6775));
    ground.file(dir, b"in it");
    assert_eq!(ground.attr(dir).mode, 0o6775, "neither does a new entry");
}
