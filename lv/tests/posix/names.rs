//! What a name may be: `path_resolution(7)`, and `NAME_MAX` in pathconf(3).

use anyfs_lvm_lv::{Ino, LvError, NewNode, Rename};

use super::ground::{EINVAL, ENAMETOOLONG, ENOENT, Ground, ROOT, errno};

/// All calls that take a name, each as the call that uses it.
fn calls(ground: &Ground, file: Ino, name: &[u8]) -> Vec<(&'static str, Result<(), LvError>)> {
    let node = NewNode::file(0o600);
    vec![
        ("create", ground.create(ROOT, name, &node).map(drop)),
        ("mkdir", ground.mkdir(ROOT, name, &node).map(drop)),
        ("symlink", ground.symlink(ROOT, name, b"x", &node).map(drop)),
        ("link", ground.link(file, ROOT, name).map(drop)),
        ("unlink", ground.unlink(ROOT, name)),
        ("rmdir", ground.rmdir(ROOT, name)),
        ("rename from", ground.rename((ROOT, name), (ROOT, b"new"), Rename::Replace)),
        ("rename to", ground.rename((ROOT, b"file"), (ROOT, name), Rename::Replace)),
        ("exchange", ground.rename((ROOT, b"file"), (ROOT, name), Rename::Exchange)),
    ]
}

#[test]
fn every_byte_but_the_slash_and_nul_can_be_in_a_name() {
    let mut ground = Ground::new();
    let all: Vec<u8> = (0..=255).filter(|byte| *byte != 0 && *byte != b'/').collect();
    // Alone (`.` has a meaning of its own), and all together, which is not UTF-8.
    let names: Vec<Vec<u8>> =
        all.iter().filter(|byte| **byte != b'.').map(|byte| vec![*byte]).chain([all.clone()]).collect();
    let inos: Vec<Ino> = names.iter().map(|name| ground.file(ROOT, name)).collect();
    ground.fsync(ROOT).unwrap();
    ground.crash();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(ground.names(ROOT), sorted);
    for (name, ino) in names.iter().zip(&inos) {
        assert_eq!(ground.at(ROOT, name), Some(*ino));
        let longer = [name, &b"+"[..]].concat();
        ground.rename((ROOT, name), (ROOT, &longer), Rename::Keep).unwrap();
        ground.link(*ino, ROOT, name).unwrap();
        ground.unlink(ROOT, &longer).unwrap();
    }
    for (name, ino) in names.iter().zip(&inos) {
        assert_eq!(ground.at(ROOT, name), Some(*ino));
        ground.unlink(ROOT, name).unwrap();
    }
    assert_eq!((ground.names(ROOT).len(), ground.files()), (0, 1));
}

#[test]
fn names_are_bytes_and_equal_only_byte_for_byte() {
    let ground = Ground::new();
    // Upper and lower case, composed and decomposed, with and without a space at the end.
    let names: [&[u8]; 9] = [b"name", b"NAME", b"Name", b"name ", b" name", b"\xc3\xa9", b"e\xcc\x81", b"\xe9", b"..."];
    let inos: Vec<Ino> = names.iter().map(|name| ground.file(ROOT, name)).collect();
    for (name, ino) in names.iter().zip(inos) {
        assert_eq!(ground.at(ROOT, name), Some(ino));
    }
    assert_eq!(ground.names(ROOT).len(), names.len());
}

#[test]
fn a_name_has_at_most_255_bytes_in_every_call() {
    let mut ground = Ground::new();
    let (most, more) = ([0xC3; 255], [0xC3; 256]);
    let file = ground.file(ROOT, b"file");
    assert_eq!(ground.statfs().unwrap().name_max, 255);
    for (call, result) in calls(&ground, file, &more) {
        assert_eq!(errno(result), ENAMETOOLONG, "{call}");
    }
    assert_eq!(errno(ground.lookup(ROOT, &more)), ENAMETOOLONG);
    assert_eq!(errno(ground.lookup(ROOT, &vec![b'x'; 100_000])), ENAMETOOLONG);
    assert_eq!(errno(ground.lookup(ROOT, &most)), ENOENT);
    ground.link(file, ROOT, &most).unwrap();
    ground.mv(&most, b"short").unwrap();
    ground.mv(b"file", &most).unwrap();
    ground.rename((ROOT, b"short"), (ROOT, &most), Rename::Exchange).unwrap();
    ground.unlink(ROOT, b"short").unwrap();
    ground.reopen();
    assert_eq!((ground.names(ROOT), ground.at(ROOT, &most)), (vec![most.to_vec()], Some(file)));
    ground.unlink(ROOT, &most).unwrap();
    ground.mkdir(ROOT, &most, &NewNode::directory(0o700)).unwrap();
    ground.rmdir(ROOT, &most).unwrap();
    ground.symlink(ROOT, &most, b"x", &NewNode::file(0o777)).unwrap();
}

#[test]
fn what_is_no_name_is_refused_by_every_call_and_found_by_none() {
    let ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    for name in [&b""[..], b".", b"..", b"/", b"a/b", b"/file", b"file/", b"\0", b"file\0", b"\0file"] {
        for (call, result) in calls(&ground, file, name) {
            assert_eq!(errno(result), EINVAL, "{call} {}", name.escape_ascii());
        }
        assert_eq!(errno(ground.lookup(ROOT, name)), ENOENT, "{}", name.escape_ascii());
    }
    assert_eq!((ground.names(ROOT), ground.nlink(file), ground.files()), (vec![b"file".to_vec()], 1, 2));
}

#[test]
fn one_name_in_two_directories_leads_to_two_inodes() {
    let ground = Ground::new();
    let dirs = [b"a", b"b"].map(|name| ground.dir(ROOT, name));
    let files = dirs.map(|dir| ground.file(dir, b"same"));
    assert_ne!(files[0], files[1]);
    ground.unlink(dirs[0], b"same").unwrap();
    assert_eq!((ground.at(dirs[0], b"same"), ground.at(dirs[1], b"same")), (None, Some(files[1])));
}
