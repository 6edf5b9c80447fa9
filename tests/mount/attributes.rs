//! Extended attributes, access control lists, space, and what files are shown with.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::fs::{XattrFlags, getxattr, listxattr, removexattr, setxattr};

use super::support::{Ground, has, is_root};

#[test]
fn attributes_are_kept_of_all_kinds_and_sizes() {
    let Some(ground) = Ground::new() else { return };
    let (file, dir) = (ground.at("file"), ground.at("dir"));
    fs::write(&file, "x").unwrap();
    fs::create_dir(&dir).unwrap();
    let large = vec![b'v'; 65536];
    for path in [&file, &dir] {
        setxattr(path, "user.empty", b"", XattrFlags::empty()).unwrap();
        setxattr(path, "user.large", &large, XattrFlags::CREATE).unwrap();
        setxattr(path, "user.small", b"old", XattrFlags::empty()).unwrap();
        setxattr(path, "user.small", b"new", XattrFlags::REPLACE).unwrap();
    }
    ground.again("rw");
    for path in [&file, &dir] {
        let mut room = vec![0; 70_000];
        assert_eq!(getxattr(path, "user.empty", &mut room), Ok(0));
        assert_eq!(getxattr(path, "user.small", &mut room), Ok(3));
        assert_eq!(&room[..3], b"new");
        assert_eq!(getxattr(path, "user.large", &mut room), Ok(65536));
        assert!(room[..65536] == large);
        let names = listxattr(path, &mut room).unwrap();
        assert_eq!(&room[..names], b"user.empty\0user.large\0user.small\0");
        removexattr(path, "user.large").unwrap();
        assert_eq!(listxattr(path, &mut room), Ok(22));
    }
    if is_root() {
        setxattr(&file, "trusted.x", b"t", XattrFlags::empty()).unwrap();
        setxattr(&file, "security.x", b"s", XattrFlags::empty()).unwrap();
        assert_eq!(getxattr(&file, "trusted.x", &mut [0u8; 9]), Ok(1));
    }
}

#[test]
fn space_is_that_of_the_volume() {
    let Some(ground) = Ground::new() else { return };
    let space = || rustix::fs::statvfs(ground.at("")).unwrap();
    let before = space();
    assert_eq!((before.f_namemax, before.f_bsize, before.f_frsize), (255, 4096, 4096));
    let total = before.f_blocks * before.f_frsize;
    assert!((50 << 20..=64 << 20).contains(&total), "{total}");
    assert!(before.f_ffree > 0 && before.f_files > before.f_ffree);
    fs::write(ground.at("file"), vec![1; 8 << 20]).unwrap();
    let after = space();
    let taken = (before.f_bavail - after.f_bavail) * 4096;
    assert!((8 << 20..9 << 20).contains(&taken), "{taken}");
    assert_eq!(after.f_files - after.f_ffree, before.f_files - before.f_ffree + 1);
    assert_eq!(fs::metadata(ground.at("file")).unwrap().blocks() * 512, 8 << 20);
}

#[test]
fn files_are_shown_with_the_owner_and_the_mode_that_the_options_say() {
    let Some(ground) = Ground::with("uid=4242,gid=4343,umask=027") else { return };
    fs::write(ground.at("file"), "x").unwrap();
    fs::create_dir(ground.at("dir")).unwrap();
    for name in ["file", "dir"] {
        let meta = fs::metadata(ground.at(name)).unwrap();
        assert_eq!((meta.uid(), meta.gid(), meta.permissions().mode() & 0o7777), (4242, 4343, 0o750));
    }
    ground.again("rw");
    let meta = fs::metadata(ground.at("file")).unwrap();
    assert_eq!((meta.uid(), meta.permissions().mode() & 0o777), (rustix::process::getuid().as_raw(), 0o644));
}

#[test]
fn lists_of_who_may_do_what_go_with_the_mode_and_are_handed_down() {
    if !has("setfacl") || !has("getfacl") {
        return;
    }
    let Some(ground) = Ground::with("allow_other") else { return };
    let list = |name: &str| {
        let said = ground.shell(&format!("getfacl -cn {name} | grep .")).ok();
        said.lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mode = |name: &str| fs::metadata(ground.at(name)).unwrap().permissions().mode() & 0o7777;
    ground.shell("umask 022; echo x > file; chmod 600 file; setfacl -m u:4242:rw file").ok();
    assert_eq!(list("file"), ["user::rw-", "user:4242:rw-", "group::---", "mask::rw-", "other::---"]);
    assert_eq!(mode("file"), 0o660);
    if is_root() {
        ground.shell_as(4242, "cat file && echo more >> file").ok();
        ground.shell_as(4243, "cat file").fails(1, "Permission denied");
    }
    ground.shell("chmod 640 file").ok();
    assert_eq!(list("file"), ["user::rw-", "user:4242:rw-", "group::---", "mask::r--", "other::---"]);
    if is_root() {
        ground.shell_as(4242, "cat file").ok();
        assert_ne!(ground.shell_as(4242, "echo more >> file").code, 0);
    }
    ground.shell("setfacl -b file").ok();
    assert_eq!(list("file"), ["user::rw-", "group::---", "other::---"]);
    ground.shell("mkdir dir; setfacl -d -m u:4242:rwx,o::--- dir; umask 077; echo x > dir/in; mkdir dir/sub").ok();
    assert_eq!(list("dir/in"), ["user::rw-", "user:4242:rwx", "group::r-x", "mask::rw-", "other::---"]);
    assert_eq!(mode("dir/sub"), 0o770);
    assert!(list("dir/sub").contains(&"default:user:4242:rwx".to_owned()));
    ground.again("allow_other");
    assert_eq!(mode("dir/in"), 0o660);
    assert!(list("dir/sub").contains(&"default:user:4242:rwx".to_owned()));
}
