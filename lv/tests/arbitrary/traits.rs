//! The traits of the trait crate.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;

use anyfs_backend::{
    FsDir, FsError, FsHandles, FsInode, FsLink, FsLock, FsPermissions, FsRead, FsStats, FsSync, FsWrite, FsXattr,
    Handle, LockType, OpenFlags, Permissions,
};
use anyfs_lvm_lv::{Filesystem, Ino};
use proptest::prelude::*;

use super::arguments::{Arguments, arguments};
use super::core::{fill, runner};
use super::support::Rig;

type Outcome = Result<(), FsError>;
type Call = fn(&Tried, &Arguments) -> Outcome;

/// A filesystem and the handles that were opened on it.
pub(crate) struct Tried {
    fs: Filesystem,
    handles: RefCell<Vec<Handle>>,
}

impl Tried {
    /// An open handle, or any.
    fn handle(&self, a: &Arguments) -> Handle {
        let handles = self.handles.borrow();
        match handles.get(usize::from(a.flags) % (handles.len() + 1)) {
            Some(handle) => *handle,
            None => Handle(a.number),
        }
    }
}

fn flags(a: &Arguments) -> OpenFlags {
    let bit = |n: u8| a.flags >> n & 1 == 1;
    OpenFlags { read: bit(0), write: bit(1), create: bit(2), truncate: bit(3), append: bit(4) }
}

fn lock(a: &Arguments) -> LockType {
    if a.flag() { LockType::Shared } else { LockType::Exclusive }
}

/// Tables a call by the name of its method.
macro_rules! calls {
    ($($name:ident: |$tried:ident, $a:ident| $call:expr;)*) => {
        pub(crate) const CALLS: &[(&str, Call)] = &[$((stringify!($name), |$tried, $a| $call.map(drop))),*];
    };
}

calls! {
    read: |t, a| t.fs.read(a.paths()[0]);
    read_to_string: |t, a| t.fs.read_to_string(a.paths()[0]);
    read_range: |t, a| t.fs.read_range(a.paths()[0], a.offs[0], a.count());
    exists: |t, a| t.fs.exists(a.paths()[0]);
    metadata: |t, a| t.fs.metadata(a.paths()[0]);
    open_read: |t, a| t.fs.open_read(a.paths()[0]).map(|mut file| file.read(&mut [0; 64]));
    write: |t, a| t.fs.write(a.paths()[0], &a.bytes);
    append: |t, a| t.fs.append(a.paths()[0], &a.bytes);
    remove_file: |t, a| t.fs.remove_file(a.paths()[0]);
    rename: |t, a| t.fs.rename(a.paths()[0], a.paths()[1]);
    copy: |t, a| t.fs.copy(a.paths()[0], a.paths()[1]);
    truncate: |t, a| t.fs.truncate(a.paths()[0], a.offs[0]);
    open_write: |t, a| t.fs.open_write(a.paths()[0]).map(|mut file| file.write(&a.bytes));
    read_dir: |t, a| t.fs.read_dir(a.paths()[0]).map(Iterator::count);
    create_dir: |t, a| t.fs.create_dir(a.paths()[0]);
    create_dir_all: |t, a| t.fs.create_dir_all(a.paths()[0]);
    remove_dir: |t, a| t.fs.remove_dir(a.paths()[0]);
    remove_dir_all: |t, a| t.fs.remove_dir_all(a.paths()[0]);
    symlink: |t, a| t.fs.symlink(a.paths()[0], a.paths()[1]);
    hard_link: |t, a| t.fs.hard_link(a.paths()[0], a.paths()[1]);
    read_link: |t, a| t.fs.read_link(a.paths()[0]);
    symlink_metadata: |t, a| t.fs.symlink_metadata(a.paths()[0]);
    set_permissions: |t, a| t.fs.set_permissions(a.paths()[0], Permissions::from_mode(a.node().mode));
    sync: |t, _a| t.fs.sync();
    fsync: |t, a| t.fs.fsync(a.paths()[0]);
    statfs: |t, _a| t.fs.statfs();
    path_to_inode: |t, a| t.fs.path_to_inode(a.paths()[0]);
    inode_to_path: |t, a| t.fs.inode_to_path(a.inos[0].0);
    lookup: |t, a| t.fs.lookup(a.inos[0].0, OsStr::from_bytes(&a.names[0]));
    metadata_by_inode: |t, a| t.fs.metadata_by_inode(a.inos[0].0);
    open: |t, a| t.fs.open(a.paths()[0], flags(a)).map(|handle| t.handles.borrow_mut().push(handle));
    read_at: |t, a| t.fs.read_at(t.handle(a), &mut a.bytes.clone(), a.offs[0]);
    write_at: |t, a| t.fs.write_at(t.handle(a), &a.bytes, a.offs[0]);
    close: |t, a| t.fs.close(t.handle(a));
    try_lock: |t, a| t.fs.try_lock(t.handle(a), lock(a));
    unlock: |t, a| t.fs.unlock(t.handle(a));
    // Waits where `try_lock` says no: there is nobody else to give the lock back.
    lock: |t, a| match t.fs.try_lock(t.handle(a), lock(a)) {
        Ok(false) => Ok(()),
        _ => t.fs.lock(t.handle(a), lock(a)),
    };
    get_xattr: |t, a| t.fs.get_xattr(a.paths()[0], &a.texts[0]);
    set_xattr: |t, a| t.fs.set_xattr(a.paths()[0], &a.texts[0], &a.bytes);
    remove_xattr: |t, a| t.fs.remove_xattr(a.paths()[0], &a.texts[0]);
    list_xattr: |t, a| t.fs.list_xattr(a.paths()[0]);
}

fn told(name: &str, outcome: &Outcome) {
    let Err(error) = outcome else { return };
    assert!(!error.to_string().is_empty(), "{name}");
}

#[test]
fn every_trait_method_returns_whatever_it_is_given() {
    let calls = prop::collection::vec((0..CALLS.len(), arguments()), 1..40);
    let checked = runner(600).run(&(calls, any::<bool>()), |(calls, committed)| {
        let rig = Rig::new(1, 64, 4096);
        let mut volume = rig.open();
        fill(&volume);
        if committed {
            volume.close().unwrap();
            volume = rig.open();
        }
        let tried = Tried { fs: volume.clone().filesystem(), handles: RefCell::default() };
        for (n, a) in &calls {
            let (name, call) = CALLS[*n];
            told(name, &call(&tried, a));
            prop_assert!(volume.getattr(Ino::ROOT).is_ok(), "{} {:?}", name, a);
        }
        drop(tried);
        volume.close().unwrap();
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn every_trait_method_of_a_closed_volume_returns() {
    let checked = runner(20).run(&arguments(), |a| {
        let rig = Rig::new(1, 64, 65536);
        let volume = rig.open();
        fill(&volume);
        let tried = Tried { fs: volume.clone().filesystem(), handles: RefCell::default() };
        tried.handles.borrow_mut().push(tried.fs.open(std::path::Path::new("/a"), OpenFlags::READ_WRITE).unwrap());
        volume.close().unwrap();
        for (name, call) in CALLS {
            told(name, &call(&tried, &a));
        }
        Ok(())
    });
    checked.unwrap();
}
