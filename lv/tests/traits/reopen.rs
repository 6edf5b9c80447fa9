//! What outlives the process.

use anyfs_backend::{FileType, FsDir, FsFull, FsPosix, FsRead, FsSync, Permissions};

use crate::{p, support::Rig};

/// One of everything.
fn fill(fs: &dyn FsPosix) {
    fs.create_dir_all(p("/d/e")).unwrap();
    fs.write(p("/d/small"), b"small").unwrap();
    fs.write(p("/d/large"), &vec![7; 500_000]).unwrap();
    fs.hard_link(p("/d/small"), p("/d/e/same")).unwrap();
    fs.symlink(p("../d/large"), p("/d/to")).unwrap();
    fs.set_permissions(p("/d/small"), Permissions::from_mode(0o4710)).unwrap();
    fs.set_xattr(p("/d/small"), "user.tag", b"value").unwrap();
    fs.copy(p("/d/large"), p("/d/copy")).unwrap();
}

fn check(fs: &dyn FsPosix) {
    assert_eq!(fs.read(p("/d/e/same")).unwrap(), b"small");
    assert_eq!(fs.read(p("/d/copy")).unwrap(), fs.read(p("/d/to")).unwrap());
    assert_eq!(fs.read(p("/d/large")).unwrap(), vec![7; 500_000]);
    let small = fs.metadata(p("/d/small")).unwrap();
    assert_eq!((small.nlink, small.permissions.mode(), small.size), (2, 0o4710, 5));
    assert_eq!(small.inode, fs.path_to_inode(p("/d/e/same")).unwrap());
    assert_eq!(fs.get_xattr(p("/d/small"), "user.tag").unwrap(), b"value");
    assert_eq!(fs.symlink_metadata(p("/d/to")).unwrap().file_type, FileType::Symlink);
    assert_eq!(fs.read_dir(p("/d")).unwrap().count(), 5);
}

fn outlives(rig: &Rig) {
    let fs = rig.open().filesystem();
    fill(&fs);
    let before = fs.metadata(p("/d/large")).unwrap();
    drop(fs);
    let fs = rig.open().filesystem();
    check(&fs);
    let after = fs.metadata(p("/d/large")).unwrap();
    assert_eq!((after.modified, after.created, after.inode), (before.modified, before.created, before.inode));
    fs.remove_dir_all(p("/d")).unwrap();
    fill(&fs);
    fs.sync().unwrap();
    fs.volume().clone().abandon();
    drop(fs);
    check(&rig.open().filesystem());
}

#[test]
fn a_volume_in_memory_stores_is_the_same_when_opened_again() {
    outlives(&crate::in_memory());
}

#[test]
fn a_volume_on_pv_files_is_the_same_when_opened_again() {
    outlives(&crate::on_pv_files());
    outlives(&crate::busy(crate::on_pv_files()));
}

/// A trait object is enough for all of it.
#[test]
fn capabilities_nest() {
    let rig = crate::in_memory();
    let fs = rig.open().filesystem();
    let posix: &dyn FsPosix = &fs;
    fill(posix);
    let full: &dyn FsFull = posix;
    assert!(full.exists(p("/d/large")).unwrap());
}
