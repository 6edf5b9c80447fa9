//! Extended attributes: xattr(7), setxattr(2), getxattr(2), listxattr(2), removexattr(2), acl(5).

use anyfs_lvm_lv::{Ino, Kind, NewNode, Rename, SetXattr};

use super::ground::{E2BIG, EEXIST, ENODATA, ENOSPC, EPERM, ERANGE, Ground, PLAIN_KINDS, ROOT, errno};
use super::support::pattern;

/// One inode of every kind.
fn every_kind(ground: &Ground) -> Vec<(Kind, Ino)> {
    let plain = PLAIN_KINDS.map(|kind| {
        ground.create(ROOT, format!("{kind:?}").as_bytes(), &NewNode { kind, ..NewNode::file(0o640) }).unwrap()
    });
    let link = ground.symlink(ROOT, b"link", b"nowhere", &NewNode::file(0o777)).unwrap();
    let dir = ground.mkdir(ROOT, b"dir", &NewNode::directory(0o700)).unwrap();
    plain.into_iter().chain([link, dir]).map(|made| (made.kind, made.ino)).collect()
}

#[test]
fn every_namespace_is_kept_by_every_kind_but_the_users_which_is_for_files_and_directories() {
    let mut ground = Ground::new();
    let inodes = every_kind(&ground);
    let names: [&[u8]; 4] =
        [b"security.capability", b"system.posix_acl_access", b"trusted.a", b"trusted.overlay.opaque"];
    for (kind, ino) in &inodes {
        for name in names {
            ground.setxattr(*ino, name, name, SetXattr::Create).unwrap();
        }
        let user = ground.setxattr(*ino, b"user.a", b"mine", SetXattr::Any);
        if matches!(kind, Kind::File | Kind::Directory) {
            user.unwrap();
        } else {
            assert_eq!(errno(user), EPERM, "{kind:?}");
            assert_eq!(errno(ground.removexattr(*ino, b"user.a")), EPERM, "{kind:?}");
            assert_eq!(errno(ground.getxattr(*ino, b"user.a")), ENODATA, "{kind:?}");
        }
    }
    ground.fsync(ROOT).unwrap();
    ground.crash();
    for (kind, ino) in inodes {
        let mut expected: Vec<Vec<u8>> = names.iter().map(|name| name.to_vec()).collect();
        if matches!(kind, Kind::File | Kind::Directory) {
            expected.push(b"user.a".to_vec());
        }
        assert_eq!(ground.listxattr(ino).unwrap(), expected, "{kind:?}");
        for name in names {
            assert_eq!(ground.getxattr(ino, name).unwrap(), name);
        }
    }
}

#[test]
fn values_and_names_are_bytes() {
    let mut ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    let every: Vec<u8> = (0..=255).collect();
    let name: Vec<u8> = [b"user.".as_slice(), &every[1..=250]].concat();
    assert_eq!(name.len(), 255);
    let large = pattern(1, 65_536);
    let values: [(&[u8], &[u8]); 5] = [
        (&name, &every),
        (b"user.empty", b""),
        (b"user.nul", b"\0"),
        (b"user.large", &large),
        (b"user.Empty", b"other"),
    ];
    for (name, value) in values {
        ground.setxattr(file, name, value, SetXattr::Create).unwrap();
    }
    ground.reopen();
    for (name, value) in values {
        assert!(ground.getxattr(file, name).unwrap() == value, "{}", name.escape_ascii());
    }
    assert_eq!(ground.listxattr(file).unwrap().len(), values.len());
    assert_eq!(errno(ground.getxattr(file, b"user.empt")), ENODATA);
    assert_eq!(errno(ground.setxattr(file, &[name.as_slice(), b"x"].concat(), b"", SetXattr::Any)), ERANGE);
    assert_eq!(errno(ground.setxattr(file, b"user.large", &vec![0; 65_537], SetXattr::Any)), E2BIG);
    assert!(ground.getxattr(file, b"user.large").unwrap() == large);
}

#[test]
fn an_access_control_list_is_carried_as_it_is() {
    // Version 2, then entries of tag, permissions and id: owner, user 1000, group, mask, others.
    let entries: [(u16, u16, u32); 5] = [(1, 7, !0), (2, 5, 1000), (4, 5, !0), (0x10, 5, !0), (0x20, 0, !0)];
    let acl: Vec<u8> = entries.iter().fold(2u32.to_le_bytes().to_vec(), |mut bytes, (tag, perm, id)| {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(perm.to_le_bytes());
        bytes.extend(id.to_le_bytes());
        bytes
    });
    let mut ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    for name in [&b"system.posix_acl_access"[..], b"system.posix_acl_default"] {
        ground.setxattr(dir, name, &acl, SetXattr::Create).unwrap();
    }
    ground.chmod(dir, 0o750);
    ground.mv(b"dir", b"moved").unwrap();
    ground.reopen();
    for name in [&b"system.posix_acl_access"[..], b"system.posix_acl_default"] {
        assert_eq!(ground.getxattr(dir, name).unwrap(), acl);
    }
}

#[test]
fn flags_are_obeyed_and_a_refusal_changes_nothing() {
    let ground = Ground::new();
    for ino in [ROOT, ground.file(ROOT, b"file")] {
        assert_eq!(errno(ground.setxattr(ino, b"user.a", b"1", SetXattr::Replace)), ENODATA);
        assert_eq!(ground.listxattr(ino).unwrap().len(), 0);
        ground.setxattr(ino, b"user.a", b"1", SetXattr::Create).unwrap();
        assert_eq!(errno(ground.setxattr(ino, b"user.a", b"2", SetXattr::Create)), EEXIST);
        assert_eq!(ground.getxattr(ino, b"user.a").unwrap(), b"1");
        ground.setxattr(ino, b"user.a", b"3", SetXattr::Replace).unwrap();
        ground.setxattr(ino, b"user.a", b"4", SetXattr::Any).unwrap();
        assert_eq!(ground.getxattr(ino, b"user.a").unwrap(), b"4");
        ground.removexattr(ino, b"user.a").unwrap();
        assert_eq!(errno(ground.removexattr(ino, b"user.a")), ENODATA);
        assert_eq!(errno(ground.getxattr(ino, b"user.a")), ENODATA);
        ground.setxattr(ino, b"user.a", b"5", SetXattr::Create).unwrap();
    }
}

#[test]
fn attributes_belong_to_the_inode_whatever_its_names() {
    let mut ground = Ground::new();
    let (file, other) = (ground.file(ROOT, b"file"), ground.file(ROOT, b"other"));
    ground.setxattr(file, b"user.a", b"1", SetXattr::Any).unwrap();
    ground.link(file, ROOT, b"second").unwrap();
    ground.mv(b"file", b"moved").unwrap();
    ground.unlink(ROOT, b"moved").unwrap();
    ground.rename((ROOT, b"second"), (ROOT, b"other"), Rename::Exchange).unwrap();
    ground.reopen();
    assert_eq!(ground.at(ROOT, b"other"), Some(file));
    assert_eq!((ground.getxattr(file, b"user.a").unwrap(), ground.listxattr(other).unwrap()), (b"1".to_vec(), vec![]));
    // A copy of the bytes is no copy of the attributes.
    ground.copy_file(file, other).unwrap();
    assert_eq!(ground.listxattr(other).unwrap().len(), 0);
    // A new file of the name begins without.
    ground.unlink(ROOT, b"other").unwrap();
    assert_eq!(ground.listxattr(ground.file(ROOT, b"other")).unwrap().len(), 0);
}

#[test]
fn all_of_an_inodes_attributes_have_a_bound_that_smaller_ones_make_room_under() {
    let ground = Ground::new();
    let file = ground.file(ROOT, b"file");
    let name = |n: usize| format!("user.{n:03}").into_bytes();
    let full = (0..100).find(|n| ground.setxattr(file, &name(*n), &vec![1; 65_536], SetXattr::Any).is_err()).unwrap();
    assert_eq!(full, 15);
    assert_eq!(errno(ground.setxattr(file, &name(full), &vec![1; 65_536], SetXattr::Any)), ENOSPC);
    assert_eq!(ground.listxattr(file).unwrap().len(), full);
    ground.setxattr(file, &name(0), b"small", SetXattr::Replace).unwrap();
    ground.setxattr(file, &name(full), &vec![2; 65_536], SetXattr::Create).unwrap();
    assert!(ground.getxattr(file, &name(1)).unwrap() == vec![1; 65_536]);
}
