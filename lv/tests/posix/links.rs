//! Numbers of links, hard links and symbolic links: link(2), unlink(2), symlink(2), symlink(7), inode(7).

use anyfs_lvm_lv::{Ino, Kind, NewNode, Rename, SetAttr};

use super::ground::{EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, EPERM, Ground, PLAIN_KINDS, ROOT, errno};

#[test]
fn a_directory_has_two_links_and_one_for_each_directory_in_it() {
    let mut ground = Ground::new();
    let top = ground.dir(ROOT, b"top");
    assert_eq!((ground.nlink(ROOT), ground.nlink(top)), (3, 2));
    let inner: Vec<Ino> = (0..5u8).map(|n| ground.dir(top, &[b'a' + n])).collect();
    ground.file(top, b"file");
    ground.symlink(top, b"link", b".", &NewNode::file(0o777)).unwrap();
    assert_eq!((ground.nlink(ROOT), ground.nlink(top), ground.nlink(inner[0])), (3, 7, 2));
    ground.rmdir(top, b"a").unwrap();
    ground.rename((top, b"b"), (ROOT, b"b"), Rename::Keep).unwrap();
    ground.rename((top, b"c"), (inner[3], b"c"), Rename::Keep).unwrap();
    ground.rename((top, b"d"), (top, b"renamed"), Rename::Keep).unwrap();
    let expected = [(ROOT, 4), (top, 4), (inner[1], 2), (inner[2], 2), (inner[3], 3), (inner[4], 2)];
    for reopened in [false, true] {
        for (ino, nlink) in expected {
            assert_eq!(ground.nlink(ino), nlink, "inode {ino}, reopened: {reopened}");
        }
        ground.reopen();
    }
}

#[test]
fn every_name_of_an_inode_counts_and_all_lead_to_the_same_attributes() {
    let mut ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.filled(b"a", b"bytes");
    for (n, (parent, name)) in (2u32..).zip([(ROOT, b"b"), (dir, b"c"), (dir, b"a")]) {
        let attr = ground.link(file, parent, name).unwrap();
        assert_eq!((attr.ino, attr.nlink), (file, n));
    }
    ground.chmod(file, 0o751);
    ground.reopen();
    let names: [(Ino, &[u8]); 4] = [(ROOT, b"a"), (ROOT, b"b"), (dir, b"c"), (dir, b"a")];
    for (parent, name) in names {
        let attr = ground.lookup(parent, name).unwrap();
        assert_eq!((attr, attr.nlink, attr.mode), (ground.attr(file), 4, 0o751));
    }
    for (left, (parent, name)) in (0..4).rev().zip(names) {
        assert_eq!(ground.bytes(file), b"bytes");
        ground.unlink(parent, name).unwrap();
        assert_eq!(ground.getattr(file).map_or(0, |attr| attr.nlink), left);
    }
    assert_eq!(errno(ground.getattr(file)), ENOENT);
}

#[test]
fn every_kind_but_a_directory_can_have_a_second_name() {
    let ground = Ground::new();
    let link = ground.symlink(ROOT, b"link", b"nowhere", &NewNode::file(0o777)).unwrap();
    let plain = PLAIN_KINDS.map(|kind| {
        ground.create(ROOT, format!("{kind:?}").as_bytes(), &NewNode { kind, ..NewNode::file(0o600) }).unwrap()
    });
    for made in plain.into_iter().chain([link]) {
        let second = ground.link(made.ino, ROOT, format!("{:?} 2", made.kind).as_bytes()).unwrap();
        assert_eq!((second.kind, second.nlink), (made.kind, 2), "the link itself, not what it leads to");
    }
}

#[test]
fn a_directory_has_no_second_name() {
    let ground = Ground::new();
    let (dir, file) = (ground.dir(ROOT, b"dir"), ground.file(ROOT, b"file"));
    assert_eq!(errno(ground.link(dir, ROOT, b"second")), EPERM);
    assert_eq!(errno(ground.link(ROOT, dir, b"root")), EPERM);
    // The name that is taken is seen first.
    assert_eq!(errno(ground.link(dir, ROOT, b"file")), EEXIST);
    assert_eq!(errno(ground.link(dir, file, b"second")), ENOTDIR);
    assert_eq!((ground.nlink(dir), ground.names(ROOT).len()), (2, 2));
}

#[test]
fn a_link_never_replaces() {
    let ground = Ground::new();
    let (file, dir) = (ground.filled(b"file", b"1"), ground.dir(ROOT, b"dir"));
    ground.filled(b"other", b"2");
    for taken in [&b"file"[..], b"other", b"dir"] {
        assert_eq!(errno(ground.link(file, ROOT, taken)), EEXIST);
    }
    assert_eq!((ground.nlink(file), ground.at(ROOT, b"dir")), (1, Some(dir)));
}

#[test]
fn unlink_takes_names_of_all_but_directories_and_rmdir_only_theirs() {
    let ground = Ground::new();
    ground.dir(ROOT, b"dir");
    ground.symlink(ROOT, b"to dir", b"dir", &NewNode::file(0o777)).unwrap();
    assert_eq!(errno(ground.unlink(ROOT, b"dir")), EISDIR);
    assert_eq!(errno(ground.rmdir(ROOT, b"to dir")), ENOTDIR, "a link is not what it leads to");
    ground.unlink(ROOT, b"to dir").unwrap();
    for kind in PLAIN_KINDS {
        ground.create(ROOT, b"x", &NewNode { kind, ..NewNode::file(0o600) }).unwrap();
        assert_eq!(errno(ground.rmdir(ROOT, b"x")), ENOTDIR);
        ground.unlink(ROOT, b"x").unwrap();
        assert_eq!(errno(ground.unlink(ROOT, b"x")), ENOENT);
    }
    ground.rmdir(ROOT, b"dir").unwrap();
    assert_eq!((ground.nlink(ROOT), ground.names(ROOT).len()), (2, 0));
}

#[test]
fn a_symbolic_link_holds_its_target_byte_for_byte() {
    let mut ground = Ground::new();
    let every: Vec<u8> = (1..=255).collect();
    let targets = [b"a".to_vec(), b"/".to_vec(), b"../..//x/./".to_vec(), every, vec![b't'; 4095]];
    let node = NewNode::file(0o777).owned_by(5, 6);
    let links: Vec<Ino> = (0u8..)
        .zip(&targets)
        .map(|(n, target)| ground.symlink(ROOT, &[b'a' + n], target, &node).unwrap().ino)
        .collect();
    ground.reopen();
    for (link, target) in links.iter().zip(&targets) {
        let attr = ground.attr(*link);
        assert_eq!(&ground.readlink(*link).unwrap(), target);
        assert_eq!((attr.kind, attr.size), (Kind::Symlink, target.len() as u64), "its size is that of its target");
        assert_eq!((attr.uid, attr.gid, attr.nlink), (5, 6, 1));
    }
}

#[test]
fn attributes_of_a_symbolic_link_are_its_own() {
    let ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    let before = ground.attr(file);
    let link = ground.symlink(ROOT, b"link", b"file", &NewNode::file(0o777)).unwrap().ino;
    let set = SetAttr { uid: Some(3), gid: Some(4), mtime: Some(5), ..SetAttr::default() };
    let after = ground.setattr(link, &set).unwrap();
    assert_eq!((after.uid, after.gid, after.mtime, after.mode), (3, 4, 5, 0o777));
    assert_eq!(ground.attr(file), before);
    assert_eq!(errno(ground.truncate(link, 1)), EINVAL);
}

#[test]
fn only_symbolic_links_can_be_read_as_such() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let plain = PLAIN_KINDS.map(|kind| {
        ground.create(dir, format!("{kind:?}").as_bytes(), &NewNode { kind, ..NewNode::file(0o600) }).unwrap().ino
    });
    for ino in plain.into_iter().chain([ROOT, dir]) {
        assert_eq!(errno(ground.readlink(ino)), EINVAL);
    }
    assert_eq!(errno(ground.readlink(Ino(999))), ENOENT);
}
