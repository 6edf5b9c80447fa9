//! fsync(2) of files and directories, sync(2), and rename(2) as programs use it to replace a file.

use anyfs_lvm_lv::{Ino, Kind, NewNode, Rename, SetAttr, SetXattr};

use super::ground::{Ground, PLAIN_KINDS, ROOT};
use super::support::pattern;

#[test]
fn an_fsync_of_a_directory_keeps_every_change_of_names_before_it() {
    let mut ground = Ground::new();
    let (dir, other) = (ground.dir(ROOT, b"dir"), ground.dir(ROOT, b"other"));
    for name in [&b"removed"[..], b"moved out", b"renamed", b"linked", b"left", b"right"] {
        ground.file(dir, name);
    }
    ground.dir(dir, b"removed dir");
    ground.file(other, b"moved in");
    ground.sync().unwrap();

    let made: Vec<Ino> = PLAIN_KINDS
        .map(|kind| ground.create(dir, format!("{kind:?}").as_bytes(), &NewNode { kind, ..NewNode::file(0o640) }))
        .map(|made| made.unwrap().ino)
        .to_vec();
    let inner = ground.dir(dir, b"new dir");
    ground.file(inner, b"in it");
    ground.symlink(dir, b"link", b"target", &NewNode::file(0o777)).unwrap();
    let linked = ground.at(dir, b"linked").unwrap();
    ground.link(linked, dir, b"second name").unwrap();
    ground.unlink(dir, b"removed").unwrap();
    ground.rmdir(dir, b"removed dir").unwrap();
    ground.rename((dir, b"moved out"), (other, b"moved out"), Rename::Keep).unwrap();
    ground.rename((other, b"moved in"), (dir, b"moved in"), Rename::Keep).unwrap();
    ground.rename((dir, b"renamed"), (dir, b"new name"), Rename::Keep).unwrap();
    ground.rename((dir, b"left"), (dir, b"right"), Rename::Exchange).unwrap();
    ground.chmod(dir, 0o711);
    ground.fsync(dir).unwrap();
    let before = (ground.names(dir), ground.names(other), ground.attr(dir), ground.attr(linked));
    let right = ground.at(dir, b"right");
    // What comes after it may be lost, and is: nobody has asked for it.
    ground.file(dir, b"too late");
    ground.crash();

    assert_eq!((ground.names(dir), ground.names(other), ground.attr(dir), ground.attr(linked)), before);
    assert_eq!((ground.attr(linked).nlink, ground.at(dir, b"right")), (2, right));
    assert_eq!(ground.readlink(ground.at(dir, b"link").unwrap()).unwrap(), b"target");
    assert_eq!(ground.names(inner), [b"in it"]);
    for (ino, kind) in made.into_iter().zip(PLAIN_KINDS) {
        assert_eq!((ground.attr(ino).kind, ground.at(dir, format!("{kind:?}").as_bytes())), (kind, Some(ino)));
    }
}

#[test]
fn an_fsync_of_a_file_keeps_its_contents_attributes_and_names() {
    let mut ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.file(dir, b"file");
    ground.link(file, ROOT, b"second").unwrap();
    ground.write(file, 0, &pattern(1, 100_000)).unwrap();
    ground.truncate(file, 90_000).unwrap();
    ground.punch(file, 10_000, 20_000).unwrap();
    ground.append(file, b"end").unwrap();
    ground.setxattr(file, b"user.a", b"1", SetXattr::Any).unwrap();
    let set = SetAttr { mode: Some(0o4711), uid: Some(5), gid: Some(6), atime: Some(-7), ..SetAttr::default() };
    ground.setattr(file, &set).unwrap();
    let (attr, bytes) = (ground.attr(file), ground.bytes(file));
    ground.fsync(file).unwrap();
    ground.crash();
    assert_eq!((ground.at(dir, b"file"), ground.at(ROOT, b"second")), (Some(file), Some(file)));
    assert!(ground.bytes(file) == bytes);
    assert_eq!(ground.attr(file), anyfs_lvm_lv::Attr { stored: ground.attr(file).stored, ..attr });
    assert_eq!(ground.getxattr(file, b"user.a").unwrap(), b"1");
}

#[test]
fn a_file_written_synced_and_renamed_is_old_or_new_and_after_an_fsync_of_the_directory_new() {
    for fsync in [false, true] {
        let mut ground = Ground::new();
        ground.filled(b"config", b"old");
        ground.sync().unwrap();
        let new = ground.filled(b"config.new", &pattern(1, 70_000));
        ground.fsync(new).unwrap();
        ground.mv(b"config.new", b"config").unwrap();
        if fsync {
            ground.fsync(ROOT).unwrap();
        }
        ground.crash();
        let found = ground.bytes(ground.at(ROOT, b"config").unwrap());
        let renamed = found == pattern(1, 70_000);
        assert!(renamed || (!fsync && found == b"old"));
        assert_eq!(ground.at(ROOT, b"config.new").is_none(), renamed, "both names change at once");
    }
}

#[test]
fn names_are_kept_in_the_order_in_which_they_were_made() {
    // Whatever is there after a crash: nothing of later without everything of earlier.
    for synced in [0, 5, 19] {
        let mut ground = Ground::new();
        for n in 0..20u8 {
            let file = ground.file(ROOT, &[b'a' + n]);
            if n == synced {
                ground.fsync(file).unwrap();
            }
        }
        ground.crash();
        let names = ground.names(ROOT);
        let prefix: Vec<Vec<u8>> = (0..20u8).map(|n| vec![b'a' + n]).take(names.len()).collect();
        assert_eq!(names, prefix);
        assert!(names.len() > usize::from(synced));
    }
}

#[test]
fn an_fsync_of_something_special_keeps_its_name_and_attributes() {
    for kind in PLAIN_KINDS.into_iter().filter(|kind| *kind != Kind::File) {
        let mut ground = Ground::new();
        let made = ground.create(ROOT, b"x", &NewNode { kind, rdev: 77, ..NewNode::file(0o600) }).unwrap();
        ground.chmod(made.ino, 0o666);
        let attr = ground.attr(made.ino);
        ground.fsync(made.ino).unwrap();
        ground.crash();
        assert_eq!(ground.lookup(ROOT, b"x").unwrap(), attr);
    }
}

#[test]
fn a_sync_keeps_everything_and_a_second_one_changes_nothing() {
    let mut ground = Ground::new();
    let mut files = Vec::new();
    for n in 0..30u64 {
        let dir = ground.dir(ROOT, format!("dir{n}").as_bytes());
        let file = ground.file(dir, b"file");
        let bytes = pattern(n, usize::try_from(n * 3000).unwrap());
        ground.write(file, n * 10, &bytes).unwrap();
        files.push((dir, file, [vec![0; if n > 0 { usize::try_from(n * 10).unwrap() } else { 0 }], bytes].concat()));
    }
    ground.sync().unwrap();
    ground.sync().unwrap();
    ground.crash();
    ground.crash();
    for (dir, file, bytes) in files {
        assert_eq!(ground.at(dir, b"file"), Some(file));
        assert!(ground.bytes(file) == bytes);
    }
}
