//! Inodes that are open and have no name any more: unlink(2), rmdir(2), close(2).

use anyfs_lvm_lv::{Ino, Kind, NewNode, Rename, Seek, SetXattr};

use super::ground::{ENOENT, Ground, PLAIN_KINDS, ROOT, errno};
use super::support::pattern;

/// A file that is open and unlinked.
fn nameless(ground: &Ground, bytes: &[u8]) -> Ino {
    let ino = ground.filled(b"nameless", bytes);
    ground.open(ino).unwrap();
    ground.unlink(ROOT, b"nameless").unwrap();
    ino
}

/// Neither the inode nor anything of it is there.
fn assert_gone(ground: &Ground, ino: Ino) {
    assert_eq!(errno(ground.getattr(ino)), ENOENT);
    assert_eq!(errno(ground.open(ino)), ENOENT);
    assert_eq!(errno(ground.read(ino, 0, &mut [0; 8])), ENOENT);
    assert_eq!(errno(ground.write(ino, 0, b"late")), ENOENT);
    assert_eq!(errno(ground.setattr(ino, &anyfs_lvm_lv::SetAttr::default())), ENOENT);
    assert_eq!(errno(ground.listxattr(ino)), ENOENT);
    assert_eq!(errno(ground.link(ino, ROOT, b"back")), ENOENT);
    assert_eq!(errno(ground.release(ino)), ENOENT);
    assert_eq!(errno(ground.fsync(ino)), ENOENT);
}

#[test]
fn a_file_without_a_name_can_be_used_as_before() {
    let ground = Ground::new();
    let file = nameless(&ground, &pattern(1, 100_000));
    assert_eq!((ground.nlink(file), ground.at(ROOT, b"nameless"), ground.path_of(file).unwrap()), (0, None, None));
    ground.write(file, 100_000, b"more").unwrap();
    assert_eq!(ground.append(file, b"end").unwrap(), 100_004);
    ground.truncate(file, 100_005).unwrap();
    ground.punch(file, 0, 4096).unwrap();
    ground.setxattr(file, b"user.a", b"1", SetXattr::Any).unwrap();
    ground.chmod(file, 0o400);
    ground.fsync(file).unwrap();
    ground.settle();
    let mut expected = [&pattern(1, 100_000)[..], b"moree"].concat();
    expected[..4096].fill(0);
    assert!(ground.bytes(file) == expected);
    assert_eq!(ground.seek(file, 0, Seek::Data).unwrap(), 4096);
    let copy = ground.file(ROOT, b"copy");
    assert_eq!(ground.copy_range((file, 0), (copy, 0), u64::MAX).unwrap(), 100_005);
    ground.release(file).unwrap();
    assert_gone(&ground, file);
    assert!(ground.bytes(copy) == expected, "its bytes live on where they are shared");
}

#[test]
fn it_gets_no_name_again_and_its_old_name_is_free() {
    let ground = Ground::new();
    let file = nameless(&ground, b"old");
    assert_eq!(errno(ground.link(file, ROOT, b"back")), ENOENT);
    let new = ground.filled(b"nameless", b"new");
    assert_ne!(new, file, "a number is never used again");
    assert_eq!((ground.bytes(file), ground.bytes(new)), (b"old".to_vec(), b"new".to_vec()));
    ground.release(file).unwrap();
    assert_eq!(ground.bytes(new), b"new");
}

#[test]
fn the_last_of_several_releases_gives_everything_back() {
    let ground = Ground::new();
    let (free, files) = (ground.free(), ground.files());
    let file = nameless(&ground, &pattern(1, 500_000));
    ground.open(file).unwrap();
    ground.open(file).unwrap();
    for _ in 0..2 {
        ground.release(file).unwrap();
        ground.settle();
        assert_eq!((ground.files(), ground.free()), (files + 1, free - 500_000));
        assert!(ground.bytes(file) == pattern(1, 500_000));
    }
    ground.release(file).unwrap();
    ground.settle();
    assert_eq!((ground.files(), ground.free()), (files, free));
    assert_gone(&ground, file);
}

#[test]
fn an_inode_with_a_name_left_outlives_every_release() {
    let ground = Ground::new();
    let file = nameless_but_for(&ground, b"kept");
    ground.release(file).unwrap();
    ground.release(file).unwrap();
    assert_eq!((ground.nlink(file), ground.bytes(file)), (1, b"bytes".to_vec()));
    // More releases than opens have taken nothing from the next one.
    ground.open(file).unwrap();
    ground.unlink(ROOT, b"kept").unwrap();
    assert_eq!(ground.bytes(file), b"bytes");
    ground.release(file).unwrap();
    assert_gone(&ground, file);
}

fn nameless_but_for(ground: &Ground, name: &[u8]) -> Ino {
    let file = ground.filled(b"first", b"bytes");
    ground.link(file, ROOT, name).unwrap();
    ground.open(file).unwrap();
    ground.unlink(ROOT, b"first").unwrap();
    file
}

#[test]
fn what_a_rename_replaces_stays_for_those_who_have_it_open() {
    let mut ground = Ground::new();
    let old = ground.filled(b"old", &pattern(1, 50_000));
    ground.filled(b"new", b"new");
    let (empty, dir) = (ground.dir(ROOT, b"empty"), ground.dir(ROOT, b"dir"));
    ground.open(old).unwrap();
    ground.open(empty).unwrap();
    ground.mv(b"new", b"old").unwrap();
    ground.mv(b"dir", b"empty").unwrap();
    assert!(ground.bytes(old) == pattern(1, 50_000));
    assert_eq!((ground.nlink(old), ground.nlink(empty), ground.at(ROOT, b"empty")), (0, 0, Some(dir)));
    ground.release(old).unwrap();
    ground.release(empty).unwrap();
    assert_gone(&ground, old);
    assert_gone(&ground, empty);
    ground.reopen();
    assert_eq!((ground.files(), ground.nlink(ROOT)), (3, 3));
}

#[test]
fn in_a_removed_directory_nothing_can_be_made() {
    let ground = Ground::new();
    let (file, moved) = (ground.file(ROOT, b"file"), ground.dir(ROOT, b"moved"));
    let dir = ground.dir(ROOT, b"dir");
    ground.open(dir).unwrap();
    ground.rmdir(ROOT, b"dir").unwrap();
    let attr = ground.attr(dir);
    assert_eq!((attr.nlink, attr.kind, attr.size), (0, Kind::Directory, 0));
    for kind in PLAIN_KINDS {
        assert_eq!(errno(ground.create(dir, b"new", &NewNode { kind, ..NewNode::file(0o600) })), ENOENT);
    }
    assert_eq!(errno(ground.mkdir(dir, b"new", &NewNode::directory(0o700))), ENOENT);
    assert_eq!(errno(ground.symlink(dir, b"new", b"x", &NewNode::file(0o777))), ENOENT);
    assert_eq!(errno(ground.link(file, dir, b"new")), ENOENT);
    for how in [Rename::Replace, Rename::Keep, Rename::Exchange] {
        assert_eq!(errno(ground.rename((ROOT, b"file"), (dir, b"new"), how)), ENOENT);
        assert_eq!(errno(ground.rename((ROOT, b"moved"), (dir, b"new"), how)), ENOENT);
    }
    assert_eq!(errno(ground.lookup(dir, b"new")), ENOENT);
    assert_eq!(errno(ground.unlink(dir, b"new")), ENOENT);
    assert_eq!(ground.names(dir).len(), 0);
    assert_eq!(ground.attr(dir), attr);
    ground.chmod(dir, 0o500);
    ground.setxattr(dir, b"user.a", b"1", SetXattr::Any).unwrap();
    ground.fsync(dir).unwrap();
    ground.release(dir).unwrap();
    assert_gone(&ground, dir);
    assert_eq!((ground.at(ROOT, b"file"), ground.at(ROOT, b"moved")), (Some(file), Some(moved)));
}

#[test]
fn nobody_has_anything_open_after_a_crash_or_a_close() {
    for crash in [false, true] {
        let mut ground = Ground::new();
        let (free, files) = (ground.free(), ground.files());
        let file = nameless(&ground, &pattern(1, 300_000));
        ground.setxattr(file, b"user.a", &[1; 5000], SetXattr::Any).unwrap();
        let dir = ground.dir(ROOT, b"dir");
        ground.open(dir).unwrap();
        ground.rmdir(ROOT, b"dir").unwrap();
        ground.sync().unwrap();
        if crash {
            ground.crash();
        } else {
            ground.reopen();
        }
        // At once, not only when the background has come to it.
        assert_gone(&ground, file);
        assert_gone(&ground, dir);
        ground.settle();
        assert_eq!((ground.free(), ground.files()), (free, files), "crash: {crash}");
        assert_gone(&ground, file);
    }
}

#[test]
fn an_unlinked_file_in_many_pieces_is_gone_at_once() {
    let ground = Ground::new();
    let (free, files) = (ground.free(), ground.files());
    let file = ground.file(ROOT, b"pieces");
    // Each piece is an entry of the map that has to be taken apart.
    for n in 0..3000u64 {
        ground.write(file, n * 1024, &[1; 600]).unwrap();
    }
    ground.sync().unwrap();
    ground.unlink(ROOT, b"pieces").unwrap();
    assert_gone(&ground, file);
    ground.settle();
    assert_eq!((ground.free(), ground.files()), (free, files));
}
