//! Extended attributes.

use anyfs_lvm_lv::{Ino, Kind, LvError, NewNode, SetAttr, SetXattr};

use super::support::Rig;

#[test]
fn attributes_survive_a_reopen_and_go_with_their_inode() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o644)).unwrap().ino;
    volume.setxattr(file, b"user.one", b"1", SetXattr::Any).unwrap();
    volume.setxattr(file, b"security.selinux", &[0, 255, 10], SetXattr::Create).unwrap();
    volume.setxattr(file, b"user.empty", b"", SetXattr::Any).unwrap();
    volume.setxattr(Ino::ROOT, b"system.posix_acl_default", &[7; 44], SetXattr::Any).unwrap();
    volume.close().unwrap();

    let volume = rig.open();
    assert_eq!(volume.listxattr(file).unwrap(), [&b"security.selinux"[..], b"user.empty", b"user.one"]);
    assert_eq!(volume.getxattr(file, b"security.selinux").unwrap(), [0, 255, 10]);
    assert_eq!(volume.getxattr(file, b"user.empty").unwrap(), b"");
    assert_eq!(volume.getxattr(Ino::ROOT, b"system.posix_acl_default").unwrap(), [7; 44]);
    volume.setxattr(file, b"user.one", b"2", SetXattr::Replace).unwrap();
    volume.removexattr(file, b"user.empty").unwrap();
    volume.fsync(file).unwrap();
    volume.abandon();

    let volume = rig.open();
    assert_eq!(volume.listxattr(file).unwrap(), [&b"security.selinux"[..], b"user.one"]);
    assert_eq!(volume.getxattr(file, b"user.one").unwrap(), b"2");
    volume.unlink(Ino::ROOT, b"f").unwrap();
    volume.sync().unwrap();
    assert!(matches!(volume.getxattr(file, b"user.one"), Err(LvError::NoInode { .. })));
    volume.close().unwrap();
    assert_eq!(rig.rows("xattr"), 1, "only the root's is left");
}

#[test]
fn create_replace_and_remove_say_what_is_there_and_what_is_not() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o644)).unwrap();
    let ino = file.ino;
    let missing = |result: Result<(), LvError>| {
        let error = result.unwrap_err();
        assert!(matches!(&error, LvError::NoXattr { name, .. } if name == b"user.a"), "{error}");
        assert_eq!(error.errno(), 61);
    };
    missing(volume.getxattr(ino, b"user.a").map(drop));
    missing(volume.removexattr(ino, b"user.a"));
    missing(volume.setxattr(ino, b"user.a", b"x", SetXattr::Replace));
    volume.setxattr(ino, b"user.a", b"x", SetXattr::Create).unwrap();
    let again = volume.setxattr(ino, b"user.a", b"y", SetXattr::Create);
    assert!(matches!(again, Err(LvError::Exists { .. })));
    assert_eq!(volume.getxattr(ino, b"user.a").unwrap(), b"x");
    assert!(volume.getattr(ino).unwrap().ctime > file.ctime, "setting an attribute is a change of the inode");
    assert_eq!(volume.getattr(ino).unwrap().mtime, file.mtime);
}

#[test]
fn attributes_beyond_the_limits_are_refused_and_nothing_is_lost() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let ino = volume.create(Ino::ROOT, b"f", &NewNode::file(0o644)).unwrap().ino;
    let errno = |name: &[u8], value: &[u8]| volume.setxattr(ino, name, value, SetXattr::Any).unwrap_err().errno();
    assert_eq!(errno(&[b'n'; 256], b""), 34);
    assert_eq!(errno(b"", b""), 22);
    assert_eq!(errno(b"a\0b", b""), 22);
    assert_eq!(errno(b"user.big", &vec![1; 65537]), 7);
    for n in 0..15 {
        volume.setxattr(ino, format!("user.{n}").as_bytes(), &vec![n; 65536], SetXattr::Any).unwrap();
    }
    assert_eq!(errno(b"user.last", &vec![1; 65536]), 28);
    assert_eq!(volume.getxattr(ino, b"user.14").unwrap(), vec![14; 65536]);
    let many = volume.create(Ino::ROOT, b"many", &NewNode::file(0o644)).unwrap().ino;
    let full = (0..1000).find_map(|n| volume.setxattr(many, format!("{n:0>200}").as_bytes(), b"", SetXattr::Any).err());
    assert_eq!(full.unwrap().errno(), 28, "a list of names has at most 64 KiB");
    let pipe = NewNode { kind: Kind::Fifo, ..NewNode::file(0o644) };
    let pipe = volume.create(Ino::ROOT, b"pipe", &pipe).unwrap().ino;
    assert_eq!(volume.setxattr(pipe, b"user.a", b"", SetXattr::Any).unwrap_err().errno(), 1);
    volume.setxattr(pipe, b"trusted.a", b"", SetXattr::Any).unwrap();
}

#[test]
fn writing_and_a_new_owner_take_set_id_bits_and_capabilities_off() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let ino = volume.create(Ino::ROOT, b"f", &NewNode::file(0o755)).unwrap().ino;
    let dir = volume.mkdir(Ino::ROOT, b"d", &NewNode::directory(0o2755)).unwrap().ino;
    let new_owner = SetAttr { uid: Some(5), ..SetAttr::default() };
    let changes: [&dyn Fn(); 4] = [
        &|| volume.write(ino, 0, b"x").unwrap(),
        &|| assert_eq!(volume.setattr(ino, &SetAttr { size: Some(3), ..SetAttr::default() }).unwrap().size, 3),
        &|| assert_eq!(volume.setattr(ino, &new_owner).unwrap().uid, 5),
        &|| volume.replace(ino, b"other").unwrap(),
    ];
    for change in changes {
        volume.setattr(ino, &SetAttr { mode: Some(0o6755), ..SetAttr::default() }).unwrap();
        volume.setxattr(ino, b"security.capability", b"all", SetXattr::Any).unwrap();
        volume.setxattr(ino, b"user.kept", b"yes", SetXattr::Any).unwrap();
        volume.sync().unwrap();
        change();
        assert_eq!(volume.getattr(ino).unwrap().mode, 0o755);
        assert_eq!(volume.listxattr(ino).unwrap(), [b"user.kept"]);
    }
    // With a mode of its own it stays as asked, and directories keep theirs.
    let both = SetAttr { mode: Some(0o4755), ..new_owner };
    assert_eq!(volume.setattr(ino, &both).unwrap().mode, 0o4755);
    assert_eq!(volume.setattr(dir, &new_owner).unwrap().mode, 0o2755);
}
