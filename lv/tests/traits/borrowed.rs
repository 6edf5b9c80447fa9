//! A backend that borrows another: nothing that takes a backend may ask it to live forever.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyfs_backend::{
    FsDir, FsError, FsHandles, FsInode, FsLink, FsLock, FsPermissions, FsPosix, FsRead, FsStats, FsSync, FsWrite,
    FsXattr, Handle, LockType, Metadata, OpenFlags, Permissions, ReadDirIter, StatFs,
};

/// Hands every call on to what it borrows.
#[derive(Clone, Copy)]
pub(crate) struct Borrowed<'a>(pub(crate) &'a dyn FsPosix);

type Result<T> = std::result::Result<T, FsError>;

macro_rules! forward {
    ($($trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)* })*) => { $(
        impl $trait for Borrowed<'_> { $(
            fn $name(&self, $($arg: $type),*) -> Result<$out> {
                self.0.$name($($arg),*)
            }
        )* }
    )* };
}

forward! {
    FsRead {
        fn read(path: &Path) -> Vec<u8>;
        fn read_to_string(path: &Path) -> String;
        fn read_range(path: &Path, offset: u64, len: usize) -> Vec<u8>;
        fn exists(path: &Path) -> bool;
        fn metadata(path: &Path) -> Metadata;
        fn open_read(path: &Path) -> Box<dyn Read + Send>;
    }
    FsWrite {
        fn write(path: &Path, data: &[u8]) -> ();
        fn append(path: &Path, data: &[u8]) -> ();
        fn remove_file(path: &Path) -> ();
        fn rename(from: &Path, to: &Path) -> ();
        fn copy(from: &Path, to: &Path) -> ();
        fn truncate(path: &Path, size: u64) -> ();
        fn open_write(path: &Path) -> Box<dyn Write + Send>;
    }
    FsDir {
        fn read_dir(path: &Path) -> ReadDirIter;
        fn create_dir(path: &Path) -> ();
        fn create_dir_all(path: &Path) -> ();
        fn remove_dir(path: &Path) -> ();
        fn remove_dir_all(path: &Path) -> ();
    }
    FsLink {
        fn symlink(target: &Path, link: &Path) -> ();
        fn hard_link(original: &Path, link: &Path) -> ();
        fn read_link(path: &Path) -> PathBuf;
        fn symlink_metadata(path: &Path) -> Metadata;
    }
    FsPermissions { fn set_permissions(path: &Path, permissions: Permissions) -> (); }
    FsSync {
        fn sync() -> ();
        fn fsync(path: &Path) -> ();
    }
    FsStats { fn statfs() -> StatFs; }
    FsInode {
        fn path_to_inode(path: &Path) -> u64;
        fn inode_to_path(inode: u64) -> PathBuf;
        fn lookup(parent: u64, name: &OsStr) -> u64;
        fn metadata_by_inode(inode: u64) -> Metadata;
    }
    FsHandles {
        fn open(path: &Path, flags: OpenFlags) -> Handle;
        fn read_at(handle: Handle, buf: &mut [u8], offset: u64) -> usize;
        fn write_at(handle: Handle, data: &[u8], offset: u64) -> usize;
        fn close(handle: Handle) -> ();
    }
    FsLock {
        fn lock(handle: Handle, lock: LockType) -> ();
        fn try_lock(handle: Handle, lock: LockType) -> bool;
        fn unlock(handle: Handle) -> ();
    }
    FsXattr {
        fn get_xattr(path: &Path, name: &str) -> Vec<u8>;
        fn set_xattr(path: &Path, name: &str, value: &[u8]) -> ();
        fn remove_xattr(path: &Path, name: &str) -> ();
        fn list_xattr(path: &Path) -> Vec<String>;
    }
}

/// What an application would write over any backend.
fn word_count<B: FsPosix>(backend: &B, path: &str) -> Result<usize> {
    Ok(backend.read_to_string(crate::p(path))?.split_whitespace().count())
}

#[test]
fn one_function_serves_a_volume_a_borrow_of_it_and_a_borrow_of_that() {
    let rig = crate::in_memory();
    let fs = rig.open().filesystem();
    fs.write(crate::p("/f"), b"three words here").unwrap();
    let borrowed = Borrowed(&fs);
    let twice = Borrowed(&borrowed);
    assert_eq!(word_count(&fs, "/f").unwrap(), 3);
    assert_eq!(word_count(&borrowed, "/f").unwrap(), 3);
    assert_eq!(word_count(&twice, "/f").unwrap(), 3);
}

#[test]
fn activating_asks_nothing_of_its_callback_but_the_call() {
    let rig = crate::in_memory();
    let mut lost = Vec::new();
    let mut dropped = |copy: &anyfs_lvm_lv::CopyPlace, _: &str| {
        lost.push(copy.clone());
        Ok(())
    };
    let volume =
        anyfs_lvm_lv::Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut dropped).unwrap();
    volume.close().unwrap();
    assert!(lost.is_empty());
}
