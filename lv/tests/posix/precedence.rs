//! Which of several errors is told: the directory is found before the name, the name before what is done with it.

use anyfs_lvm_lv::{Ino, LvError, NewNode, Rename};

use super::ground::{
    EFBIG, EINVAL, EISDIR, ENAMETOOLONG, ENODATA, ENOENT, ENOSPC, ENOTDIR, EPERM, ERANGE, Ground, ROOT, errno,
};

/// Calls that take a name in a directory, with that directory and name.
fn calls(ground: &Ground, parent: Ino, name: &[u8]) -> Vec<(&'static str, Result<(), LvError>)> {
    let (node, file) = (NewNode::file(0o600), ground.at(ROOT, b"file").unwrap());
    vec![
        ("create", ground.create(parent, name, &node).map(drop)),
        ("mkdir", ground.mkdir(parent, name, &node).map(drop)),
        ("symlink", ground.symlink(parent, name, b"x", &node).map(drop)),
        ("link", ground.link(file, parent, name).map(drop)),
        ("unlink", ground.unlink(parent, name)),
        ("rmdir", ground.rmdir(parent, name)),
        ("rename from", ground.rename((parent, name), (ROOT, b"new"), Rename::Replace)),
        ("rename to", ground.rename((ROOT, b"file"), (parent, name), Rename::Replace)),
        ("exchange from", ground.rename((parent, name), (ROOT, b"file"), Rename::Exchange)),
        ("exchange to", ground.rename((ROOT, b"file"), (parent, name), Rename::Exchange)),
        ("lookup", ground.lookup(parent, name).map(drop)),
    ]
}

#[test]
fn a_parent_that_is_no_directory_or_is_not_there_comes_before_its_name() {
    let ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    let link = ground.symlink(ROOT, b"link", b"/", &NewNode::file(0o777)).unwrap().ino;
    for name in [&b"name"[..], b"file", b"", b".", b"a/b", &[b'n'; 256]] {
        for parent in [file, link] {
            for (call, result) in calls(&ground, parent, name) {
                assert_eq!(errno(result), ENOTDIR, "{call} {}", name.escape_ascii());
            }
        }
        for (call, result) in calls(&ground, Ino(999), name) {
            assert_eq!(errno(result), ENOENT, "{call} {}", name.escape_ascii());
        }
    }
    for listing in [ground.readdir(file, 0, 9).map(drop), ground.readdir_plus(link, 0, 9).map(drop)] {
        assert_eq!(errno(listing), ENOTDIR);
    }
    assert_eq!(errno(ground.readdir(Ino(999), 0, 9)), ENOENT);
}

#[test]
fn both_directories_of_a_rename_come_before_both_names() {
    let ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    let (long, gone) = (&[b'n'; 256][..], Ino(999));
    for how in [Rename::Replace, Rename::Keep, Rename::Exchange] {
        for name in [&b"none"[..], b"file", long, b""] {
            assert_eq!(errno(ground.rename((ROOT, name), (file, b"x"), how)), ENOTDIR);
            assert_eq!(errno(ground.rename((file, b"x"), (ROOT, name), how)), ENOTDIR);
            assert_eq!(errno(ground.rename((ROOT, name), (gone, b"x"), how)), ENOENT);
        }
        assert_eq!(errno(ground.rename((ROOT, b"none"), (ROOT, long), how)), ENAMETOOLONG);
        assert_eq!(errno(ground.rename((ROOT, b"none"), (ROOT, b".."), how)), EINVAL);
    }
}

#[test]
fn a_length_that_is_no_name_comes_before_whether_it_is_there() {
    let ground = Ground::new();
    ground.file(ROOT, b"file");
    for (call, result) in calls(&ground, ROOT, &[b'n'; 256]) {
        assert_eq!(errno(result), ENAMETOOLONG, "{call}");
    }
}

#[test]
fn what_an_inode_is_comes_before_where_and_how_much() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.file(ROOT, b"file");
    let (far, huge) = (u64::MAX, 1 << 40);
    for (ino, expected) in [(dir, EISDIR), (Ino(999), ENOENT)] {
        assert_eq!(errno(ground.write(ino, far, b"x")), expected);
        assert_eq!(errno(ground.write(ino, 0, b"")), expected);
        assert_eq!(errno(ground.append(ino, b"")), expected);
        assert_eq!(errno(ground.read(ino, far, &mut [])), expected);
        assert_eq!(errno(ground.allocate(ino, far, 1, false)), expected);
        assert_eq!(errno(ground.allocate(ino, 0, huge, false)), expected);
        assert_eq!(errno(ground.zero(ino, far, 1, false)), expected);
        assert_eq!(errno(ground.punch(ino, 5, 5)), expected);
        assert_eq!(errno(ground.truncate(ino, far)), expected);
        assert_eq!(errno(ground.copy_range((ino, 0), (file, far), 1)), expected);
        assert_eq!(errno(ground.copy_range((file, 0), (ino, far), 1)), expected);
    }
    // Before space, too.
    ground.write(file, 0, &vec![1; usize::try_from(ground.free()).unwrap()]).unwrap();
    assert_eq!(errno(ground.write(file, 0, &[1; 5000])), ENOSPC);
    assert_eq!(errno(ground.write(dir, 0, &[1; 5000])), EISDIR);
    assert_eq!(errno(ground.append(dir, &[1; 5000])), EISDIR);
    assert_eq!(errno(ground.replace(dir, &[1; 5000])), EISDIR);
    assert_eq!(errno(ground.write(Ino(999), 0, &[1; 5000])), ENOENT);
    assert_eq!(errno(ground.write(file, far, &[1; 5000])), EFBIG, "it would not fit in an empty volume either");
}

#[test]
fn what_may_be_comes_before_what_is_for_extended_attributes() {
    let ground = Ground::new();
    let link = ground.symlink(ROOT, b"link", b"x", &NewNode::file(0o777)).unwrap().ino;
    assert_eq!(errno(ground.removexattr(link, b"user.a")), EPERM);
    assert_eq!(errno(ground.getxattr(link, b"user.a")), ENODATA);
    assert_eq!(errno(ground.removexattr(ROOT, &[b'n'; 256])), ERANGE);
    assert_eq!(errno(ground.getxattr(Ino(999), &[b'n'; 256])), ENOENT);
    assert_eq!(errno(ground.listxattr(Ino(999))), ENOENT);
}
