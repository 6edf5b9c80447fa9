//! Paths, on the raw backend: nobody resolves them before.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyfs_backend::{FsDir, FsError, FsInode, FsLink, FsRead, FsWrite};

use crate::{fresh, p};

#[test]
fn dots_and_slashes_are_walked_and_never_leave_the_root() {
    let (_rig, fs) = fresh();
    fs.create_dir_all(p("/foo/bar")).unwrap();
    fs.write(p("/bar"), b"top").unwrap();
    fs.write(p("/foo/bar/f"), b"deep").unwrap();
    for path in ["/foo/../bar", "/bar/", "/./bar", "//bar", "/../../../bar", "bar", "./bar", "/foo/bar/../../bar"] {
        assert_eq!(fs.read(p(path)).unwrap(), b"top", "{path}");
    }
    for path in ["/foo/./bar/f", "//foo//bar//f", "/foo/bar/../bar/f"] {
        assert_eq!(fs.read(p(path)).unwrap(), b"deep", "{path}");
    }
    assert!(matches!(fs.read(p("/bar/../bar")), Err(FsError::NotADirectory { .. })), "a file has no ..");
    assert!(matches!(fs.read(p("/none/../bar")), Err(FsError::NotFound { .. })));
}

#[test]
fn every_byte_but_slash_and_nul_can_be_in_a_name() {
    let (_rig, fs) = fresh();
    for byte in 1..=255u8 {
        let name = [b'/', b'n', byte];
        let path = Path::new(OsStr::from_bytes(&name));
        if byte == b'/' {
            continue;
        }
        fs.write(path, &[byte]).unwrap();
        assert_eq!(fs.read(path).unwrap(), [byte]);
    }
    let entries = fs.read_dir(p("/")).unwrap().collect_all().unwrap();
    assert_eq!(entries.len(), 254);
    for entry in entries {
        assert_eq!(fs.read(&entry.path).unwrap().len(), 1, "paths are exact where names cannot be");
        assert_eq!(fs.inode_to_path(entry.inode).unwrap(), entry.path);
    }
}

#[test]
fn what_is_no_path_is_an_error_and_never_a_panic() {
    let (_rig, fs) = fresh();
    let long = format!("/{}", "n".repeat(256));
    let deep = "/d".repeat(50_000);
    for path in ["", "\0", "/a\0b", &long] {
        assert!(fs.read(p(path)).is_err(), "{path:?}");
        assert!(fs.write(p(path), b"x").is_err(), "{path:?}");
        assert!(fs.create_dir(p(path)).is_err(), "{path:?}");
        assert!(fs.create_dir_all(p(path)).is_err(), "{path:?}");
        assert!(fs.remove_dir_all(p(path)).is_err(), "{path:?}");
        assert!(fs.symlink(p("x"), p(path)).is_err(), "{path:?}");
    }
    assert!(matches!(fs.read(p("")), Err(FsError::InvalidData { .. })));
    let too_long = fs.write(p(&long), b"x");
    assert!(matches!(&too_long, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(36)), "{too_long:?}");
    assert!(matches!(fs.read(p(&deep)), Err(FsError::NotFound { .. })));
    fs.write(p(&format!("/{}", "n".repeat(255))), b"x").unwrap();
}

#[test]
fn links_are_followed_forty_times_and_loops_end() {
    let (_rig, fs) = fresh();
    fs.write(p("/0"), b"end").unwrap();
    for n in 1..=100 {
        fs.symlink(p(&format!("{}", n - 1)), p(&format!("/{n}"))).unwrap();
    }
    assert_eq!(fs.read(p("/40")).unwrap(), b"end");
    let eloop = |path: &str| {
        let result = fs.read(p(path));
        assert!(matches!(&result, Err(FsError::Io { source, .. }) if source.raw_os_error() == Some(40)), "{result:?}");
    };
    eloop("/41");
    eloop("/100");
    fs.symlink(p("self"), p("/self")).unwrap();
    fs.symlink(p("/b"), p("/a")).unwrap();
    fs.symlink(p("/a"), p("/b")).unwrap();
    for path in ["/self", "/a", "/a/x"] {
        eloop(path);
        assert!(fs.write(p(path), b"x").is_err());
    }
    // Each doubles the steps of the one before, if hops were counted by nesting.
    fs.create_dir(p("/bomb")).unwrap();
    fs.symlink(p("."), p("/bomb/0")).unwrap();
    for n in 1..=60 {
        let below = n - 1;
        fs.symlink(p(&format!("{below}/../bomb/{below}")), p(&format!("/bomb/{n}"))).unwrap();
    }
    eloop("/bomb/60");
}

#[test]
fn a_tree_of_many_levels_goes_without_recursion() {
    let (_rig, fs) = fresh();
    let volume = fs.volume();
    let mut at = anyfs_lvm_lv::Ino::ROOT;
    for _ in 0..20_000 {
        at = volume.mkdir(at, b"d", &anyfs_lvm_lv::NewNode::directory(0o755)).unwrap().ino;
    }
    assert_eq!(fs.inode_to_path(at.0).unwrap().as_os_str().len(), 40_000);
    fs.remove_dir_all(p("/d")).unwrap();
    assert_eq!(fs.read_dir(p("/")).unwrap().count(), 0);
}
