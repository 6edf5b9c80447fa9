//! Each error number that programs can meet, from a call that must fail with it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RenameFlags, SeekFrom, XattrFlags};
use rustix::io::Errno;

use super::support::{Ground, errno, may_change_user};

fn open(path: &Path, flags: OFlags) -> Result<rustix::fd::OwnedFd, Errno> {
    rustix::fs::open(path, flags, Mode::from_raw_mode(0o644))
}

#[test]
fn names_that_are_not_there_or_taken() {
    let Some(ground) = Ground::new() else { return };
    let (file, dir, none) = (ground.at("file"), ground.at("dir"), ground.at("none"));
    fs::write(&file, "x").unwrap();
    fs::create_dir_all(dir.join("in")).unwrap();
    assert_eq!(errno(open(&none, OFlags::RDONLY)), Errno::NOENT);
    assert_eq!(errno(rustix::fs::unlink(&none)), Errno::NOENT);
    assert_eq!(errno(rustix::fs::rename(&none, &file)), Errno::NOENT);
    assert_eq!(errno(rustix::fs::mkdir(none.join("x"), Mode::RWXU)), Errno::NOENT);
    assert_eq!(errno(open(&file, OFlags::CREATE | OFlags::EXCL)), Errno::EXIST);
    assert_eq!(errno(rustix::fs::mkdir(&file, Mode::RWXU)), Errno::EXIST);
    assert_eq!(errno(rustix::fs::symlink("x", &file)), Errno::EXIST);
    assert_eq!(errno(rustix::fs::link(&file, &dir)), Errno::EXIST);
    assert_eq!(errno(rustix::fs::renameat_with(CWD, &file, CWD, &dir, RenameFlags::NOREPLACE)), Errno::EXIST);
    assert_eq!(errno(rustix::fs::renameat_with(CWD, &file, CWD, &none, RenameFlags::EXCHANGE)), Errno::NOENT);
}

#[test]
fn files_and_directories_in_each_others_place() {
    let Some(ground) = Ground::new() else { return };
    let (file, dir) = (ground.at("file"), ground.at("dir"));
    fs::write(&file, "x").unwrap();
    fs::create_dir_all(dir.join("in")).unwrap();
    assert_eq!(errno(open(&file.join("x"), OFlags::RDONLY)), Errno::NOTDIR);
    assert_eq!(errno(open(&file, OFlags::RDONLY | OFlags::DIRECTORY)), Errno::NOTDIR);
    assert_eq!(errno(rustix::fs::rmdir(&file)), Errno::NOTDIR);
    assert_eq!(errno(rustix::fs::rename(&dir, &file)), Errno::NOTDIR);
    assert_eq!(errno(open(&dir, OFlags::WRONLY)), Errno::ISDIR);
    assert_eq!(errno(rustix::fs::unlink(&dir)), Errno::ISDIR);
    assert_eq!(errno(rustix::fs::rename(&file, &dir)), Errno::ISDIR);
    let opened = open(&dir, OFlags::RDONLY).unwrap();
    assert_eq!(errno(rustix::io::read(&opened, &mut [0u8; 4])), Errno::ISDIR);
    assert_eq!(errno(rustix::fs::rmdir(&dir)), Errno::NOTEMPTY);
    let other = ground.at("other");
    fs::create_dir(&other).unwrap();
    assert_eq!(errno(rustix::fs::rename(&other, &dir)), Errno::NOTEMPTY);
    assert_eq!(errno(rustix::fs::rename(&dir, dir.join("in/x"))), Errno::INVAL);
    assert_eq!(errno(rustix::fs::link(&dir, ground.at("second"))), Errno::PERM);
}

#[test]
fn paths_that_lead_nowhere() {
    let Some(ground) = Ground::new() else { return };
    symlink("loop", ground.at("loop")).unwrap();
    assert_eq!(errno(open(&ground.at("loop"), OFlags::RDONLY)), Errno::LOOP);
    symlink("nothing", ground.at("dangling")).unwrap();
    assert_eq!(errno(open(&ground.at("dangling"), OFlags::RDONLY)), Errno::NOENT);
    assert_eq!(errno(open(&ground.at("dangling"), OFlags::RDONLY | OFlags::NOFOLLOW)), Errno::LOOP);
    fs::write(ground.at("dangling"), "made").unwrap();
    assert_eq!(fs::read(ground.at("nothing")).unwrap(), b"made");
    let (longest, longer) = (ground.at(&"n".repeat(255)), ground.at(&"n".repeat(256)));
    fs::write(&longest, "x").unwrap();
    for result in [
        open(&longer, OFlags::CREATE | OFlags::WRONLY).map(drop),
        rustix::fs::mkdir(&longer, Mode::RWXU),
        rustix::fs::symlink("x", &longer),
        rustix::fs::link(&longest, &longer),
        rustix::fs::rename(&longest, &longer),
        rustix::fs::stat(&longer).map(drop),
        rustix::fs::unlink(&longer),
        rustix::fs::rmdir(&longer),
    ] {
        assert_eq!(errno(result), Errno::NAMETOOLONG);
    }
    assert_eq!(errno(rustix::fs::symlink("t".repeat(4096), ground.at("l"))), Errno::NAMETOOLONG);
    symlink("t".repeat(4095), ground.at("l")).unwrap();
    assert_eq!(fs::read_link(ground.at("l")).unwrap().as_os_str().len(), 4095);
}

#[test]
fn other_filesystems_are_other_filesystems() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), "x").unwrap();
    let outside = ground.beside("other/file");
    assert_eq!(errno(rustix::fs::rename(ground.at("file"), &outside)), Errno::XDEV);
    assert_eq!(errno(rustix::fs::link(ground.at("file"), &outside)), Errno::XDEV);
}

#[test]
fn sizes_and_ranges_beyond_what_there_is() {
    let Some(ground) = Ground::new() else { return };
    let file = open(&ground.at("file"), OFlags::RDWR | OFlags::CREATE).unwrap();
    assert_eq!(errno(rustix::fs::seek(&file, SeekFrom::Data(0))), Errno::NXIO);
    assert_eq!(errno(rustix::fs::ftruncate(&file, 1 << 63)), Errno::INVAL);
    let (last, fallocate) = (i64::MAX.unsigned_abs(), rustix::fs::fallocate);
    rustix::fs::ftruncate(&file, last).unwrap();
    assert_eq!(rustix::fs::fstat(&file).unwrap().st_size, i64::MAX);
    rustix::fs::ftruncate(&file, 0).unwrap();
    assert_eq!(errno(fallocate(&file, FallocateFlags::empty(), last - 10, 100)), Errno::FBIG);
    assert_eq!(errno(fallocate(&file, FallocateFlags::empty(), 0, 1 << 40)), Errno::NOSPC);
    assert_eq!(errno(fallocate(&file, FallocateFlags::COLLAPSE_RANGE, 0, 4096)), Errno::OPNOTSUPP);
}

#[test]
fn attributes_that_are_not_there_taken_too_large_or_not_for_this_kind() {
    let Some(ground) = Ground::new() else { return };
    let file = ground.at("file");
    fs::write(&file, "x").unwrap();
    let set = |name: &str, value: &[u8], flags| rustix::fs::setxattr(&file, name, value, flags);
    set("user.a", &[1; 100], XattrFlags::CREATE).unwrap();
    assert_eq!(errno(set("user.a", b"", XattrFlags::CREATE)), Errno::EXIST);
    assert_eq!(errno(set("user.b", b"", XattrFlags::REPLACE)), Errno::NODATA);
    assert_eq!(errno(set(&format!("user.{}", "n".repeat(251)), b"", XattrFlags::empty())), Errno::RANGE);
    assert_eq!(errno(set("user.c", &vec![0; 65537], XattrFlags::empty())), Errno::TOOBIG);
    assert_eq!(errno(set("system.none", b"", XattrFlags::empty())), Errno::OPNOTSUPP);
    let mut room = [0u8; 100];
    assert_eq!(errno(rustix::fs::getxattr(&file, "user.none", &mut room)), Errno::NODATA);
    assert_eq!(errno(rustix::fs::removexattr(&file, "user.none")), Errno::NODATA);
    assert_eq!(rustix::fs::getxattr(&file, "user.a", &mut room), Ok(100));
    assert_eq!(errno(rustix::fs::getxattr(&file, "user.a", &mut room[..99])), Errno::RANGE);
    assert_eq!(rustix::fs::getxattr_query(&file, "user.a"), Ok(100));
    assert_eq!(errno(rustix::fs::listxattr(&file, &mut [0u8; 3])), Errno::RANGE);
    symlink("file", ground.at("link")).unwrap();
    let on_link = rustix::fs::lsetxattr(ground.at("link"), "user.a", b"x", XattrFlags::empty());
    assert_eq!(errno(on_link), Errno::PERM);
}

#[test]
fn a_mount_that_is_read_only_changes_nothing() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), "x").unwrap();
    fs::create_dir(ground.at("dir")).unwrap();
    ground.again("ro");
    let file = ground.at("file");
    for result in [
        open(&file, OFlags::WRONLY).map(drop),
        open(&ground.at("new"), OFlags::CREATE | OFlags::WRONLY).map(drop),
        rustix::fs::unlink(&file),
        rustix::fs::rmdir(ground.at("dir")),
        rustix::fs::mkdir(ground.at("new"), Mode::RWXU),
        rustix::fs::rename(&file, ground.at("new")),
        rustix::fs::link(&file, ground.at("new")),
        rustix::fs::symlink("x", ground.at("new")),
        rustix::fs::chmod(&file, Mode::RWXU),
        rustix::fs::setxattr(&file, "user.a", b"x", XattrFlags::empty()),
        rustix::fs::mknodat(CWD, ground.at("new"), FileType::Fifo, Mode::RWXU, 0),
    ] {
        assert_eq!(errno(result), Errno::ROFS);
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[test]
fn what_a_user_may_not_do() {
    if !may_change_user() {
        return;
    }
    let Some(ground) = Ground::with("allow_other") else { return };
    ground.shell("echo secret > file; chmod 600 file; mkdir dir; chmod 755 dir").ok();
    let user = |line: &str| ground.shell_as(4242, line);
    user("cat file").fails(1, "Permission denied");
    user("touch dir/new").fails(1, "Permission denied");
    user("rm -f dir/../file").fails(1, "Permission denied");
    user("chmod 777 file").fails(1, "Operation not permitted");
    user("chown 4242 file").fails(1, "Operation not permitted");
    user("mkdir x").fails(1, "Permission denied");
}

#[test]
fn a_directory_that_was_removed_takes_no_names() {
    let Some(ground) = Ground::new() else { return };
    fs::create_dir(ground.at("dir")).unwrap();
    let dir = open(&ground.at("dir"), OFlags::RDONLY).unwrap();
    fs::remove_dir(ground.at("dir")).unwrap();
    let made = rustix::fs::openat(&dir, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU);
    assert_eq!(errno(made), Errno::NOENT);
    assert_eq!(errno(rustix::fs::mkdirat(&dir, "sub", Mode::RWXU)), Errno::NOENT);
    assert_eq!(rustix::fs::fstat(&dir).unwrap().st_nlink, 0);
    assert_eq!(errno(rustix::fs::statat(&dir, "file", AtFlags::empty())), Errno::NOENT);
}
