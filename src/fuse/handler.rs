//! The FUSE crate's interface, request by request: unpack, ask the [`Server`], answer.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyLock, ReplyLseek, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow, WriteFlags,
};
use lv::{AccessTime, Attr, Seek, SetAttr};
use rustix::fs::{FallocateFlags, OFlags, XattrFlags};

use super::contents::Writing;
use super::conversion::{attr, caller, error, file_type, ino, lock_kind, lock_number, nanos, nothing, time_or_now};
use super::errno::{Answer, Errno};
use super::locks::{self, Asking};
use super::names::Making;
use super::options::LockPlace;
use super::server::Server;
use super::session::configure;
use super::xattrs::Asked;

/// How long the kernel may keep what it was told: until it is told otherwise, because nobody else changes the volume.
const KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// Inode numbers are never used again.
const GENERATION: Generation = Generation(0);
/// Open files have nothing of their own but this: one that is not written to, or of which that is not known...
const HANDLE: FileHandle = FileHandle(0);
/// ... and one that is.
const WRITER: FileHandle = FileHandle(1);
/// Bytes of names that one answer to readdir has room for. Requests do not tell; this is the least they ask for.
const LISTING: usize = 4096;
/// Bytes in a block of statfs.
const BLOCK: u64 = 4096;
/// Bytes that a new file takes at least, about: how many more there can be.
const LEAST_FILE: u64 = 512;

/// Answers the kernel's requests.
pub(super) struct Handler(pub(super) Arc<Server>);

thread_local! {
    /// Where what is read stands until it is sent.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn entry(reply: ReplyEntry, answer: Answer<Attr>) {
    match answer {
        Ok(found) => reply.entry(&KEEP, &attr(&found), GENERATION),
        Err(errno) => reply.error(error(errno)),
    }
}

fn attributes(reply: ReplyAttr, answer: Answer<Attr>) {
    match answer {
        Ok(found) => reply.attr(&KEEP, &attr(&found)),
        Err(errno) => reply.error(error(errno)),
    }
}

fn empty(reply: ReplyEmpty, answer: Answer<()>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(error(errno)),
    }
}

fn written(reply: ReplyWrite, answer: Answer<u32>) {
    match answer {
        Ok(count) => reply.written(count),
        Err(errno) => reply.error(error(errno)),
    }
}

fn asked(reply: ReplyXattr, answer: Answer<Asked>) {
    match answer {
        Ok(Asked::Size(size)) => reply.size(size),
        Ok(Asked::Bytes(bytes)) => reply.data(&bytes),
        Err(errno) => reply.error(error(errno)),
    }
}

fn open_flags(flags: i32) -> OFlags {
    OFlags::from_bits_retain(flags.cast_unsigned())
}

impl Handler {
    /// What a file is called, and how the kernel is to use it, that was opened with these flags.
    fn opened(&self, number: INodeNo, flags: i32) -> (FileHandle, FopenFlags) {
        if !to_write(flags) {
            return (HANDLE, FopenFlags::FOPEN_KEEP_CACHE);
        }
        self.0.nodes.writer_came(ino(number));
        if self.0.is_nearly_full() {
            (WRITER, FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_PARALLEL_DIRECT_WRITES)
        } else {
            (WRITER, FopenFlags::FOPEN_KEEP_CACHE)
        }
    }

    /// Whether a request about a file's attributes comes from a write to it, as far as can be known: stat(2) has no handle.
    fn is_write(&self, handle: Option<FileHandle>) -> bool {
        handle.is_some_and(|handle| handle == WRITER || self.0.access == AccessTime::Never)
    }
}

fn to_write(flags: i32) -> bool {
    open_flags(flags).intersects(OFlags::WRONLY | OFlags::RDWR)
}

/// Whether the flags ask for writes that are durable when they return. `O_DSYNC` is a part of `O_SYNC`, which is what
/// [`OFlags`] has for both.
fn is_durable(flags: i32) -> bool {
    open_flags(flags).intersects(OFlags::SYNC)
}

fn asking(ino_no: INodeNo, owner: LockOwner, (start, last): (u64, u64), kind: i32) -> Answer<Asking> {
    let kind = lock_kind(kind)?;
    Ok(Asking { ino: ino(ino_no), owner: locks::owner(owner.0), range: locks::range(start, last), kind })
}

impl Filesystem for Handler {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        configure(config, &self.0);
        Ok(())
    }

    fn destroy(&mut self) {
        self.0.end();
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.0.lookup(ino(parent), name.as_bytes()) {
            Ok(Some(found)) => reply.entry(&KEEP, &attr(&found), GENERATION),
            // No inode 0: the kernel remembers that there is none.
            Ok(None) => reply.entry(&KEEP, &nothing(), GENERATION),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn forget(&self, _: &Request, number: INodeNo, lookups: u64) {
        self.0.forget(ino(number), lookups);
    }

    fn getattr(&self, _: &Request, number: INodeNo, handle: Option<FileHandle>, reply: ReplyAttr) {
        let ino = ino(number);
        attributes(reply, if self.is_write(handle) { self.0.getattr_to_write(ino) } else { self.0.getattr(ino) });
    }

    fn setattr(
        &self,
        request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        atime: Option<TimeOrNow>,
        mtime: Option<TimeOrNow>,
        ctime: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let (atime, mtime) = (atime.map(time_or_now), mtime.map(time_or_now));
        let set = SetAttr { mode, uid, gid, size, atime, mtime, ctime: ctime.map(nanos) };
        attributes(reply, self.0.setattr(caller(request), ino(number), set));
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        match self.0.readlink(ino(number)) {
            Ok(target) => reply.data(&target),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn mknod(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        rdev: u32,
        reply: ReplyEntry,
    ) {
        let how = Making { mode, umask, rdev };
        entry(reply, self.0.make(caller(request), ino(parent), name.as_bytes(), how));
    }

    fn mkdir(&self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        let how = Making { mode, umask, rdev: 0 };
        entry(reply, self.0.mkdir(caller(request), ino(parent), name.as_bytes(), how));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.unlink(ino(parent), name.as_bytes()));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.rmdir(ino(parent), name.as_bytes()));
    }

    fn symlink(&self, request: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let target = target.as_os_str().as_bytes();
        entry(reply, self.0.symlink(caller(request), ino(parent), name.as_bytes(), target));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (from, to) = ((ino(parent), name.as_bytes()), (ino(new_parent), new_name.as_bytes()));
        let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
        self.0.rename_for(from, to, flags, move |done| empty(reply, done));
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.0.link(ino(number), ino(parent), name.as_bytes()));
    }

    fn open(&self, request: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        // Without access times there is nothing to do at an open, and the kernel need not ask again.
        if self.0.access == AccessTime::Never {
            return reply.error(error(Errno::NOSYS));
        }
        match self.0.open(caller(request), ino(number), open_flags(flags.0)) {
            Ok(()) => {
                let (handle, how) = self.opened(number, flags.0);
                reply.opened(handle, how);
            }
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        off: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let size = usize::try_from(size).unwrap_or(0);
        BUFFER.with_borrow_mut(|buffer| {
            if buffer.len() < size {
                buffer.resize(size, 0);
            }
            let room = buffer.get_mut(..size).unwrap_or_default();
            match self.0.read(ino(number), off, room) {
                Ok(count) => reply.data(room.get(..count).unwrap_or_default()),
                Err(errno) => reply.error(error(errno)),
            }
        });
    }

    fn write(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        off: u64,
        bytes: &[u8],
        flags: WriteFlags,
        open: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let how = Writing {
            cached: flags.contains(WriteFlags::FUSE_WRITE_CACHE),
            kill_set_id: flags.contains(WriteFlags::FUSE_WRITE_KILL_SUIDGID),
            durable: is_durable(open.0),
        };
        let done = self.0.write(caller(request), ino(number), (off, bytes), how);
        written(reply, done.map(|()| u32::try_from(bytes.len()).unwrap_or(u32::MAX)));
    }

    fn flush(&self, _: &Request, number: INodeNo, _: FileHandle, owner: LockOwner, reply: ReplyEmpty) {
        let done = match self.0.locks {
            // Nothing waits for a close, and the kernel need not ask again.
            LockPlace::Kernel => Err(Errno::NOSYS),
            LockPlace::Volume => self.0.closed(ino(number), locks::owner(owner.0)),
        };
        empty(reply, done);
    }

    fn release(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        flags: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        if to_write(flags.0) {
            self.0.nodes.writer_left(ino(number));
        }
        reply.ok();
    }

    fn fsync(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.0.fsync(ino(number)));
    }

    fn opendir(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // There is nothing to do, now and ever: the kernel then also keeps listings.
        reply.error(error(Errno::NOSYS));
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, after: u64, mut reply: ReplyDirectory) {
        let listed = self.0.list(ino(number), after, LISTING, |place, name, found, kind| {
            reply.add(INodeNo(found.0), place, file_type(kind), OsStr::from_bytes(name))
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn readdirplus(&self, _: &Request, number: INodeNo, _: FileHandle, after: u64, mut reply: ReplyDirectoryPlus) {
        let listed = self.0.list_plus(ino(number), after, LISTING, |place, name, found| {
            reply.add(INodeNo(found.ino.0), place, OsStr::from_bytes(name), &KEEP, &attr(found), GENERATION)
        });
        match listed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.0.fsync(ino(number)));
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        match self.0.statfs() {
            Ok(space) => {
                let blocks = |bytes: u64| bytes / BLOCK;
                let (total, free) = (blocks(space.total), blocks(space.total.saturating_sub(space.used)));
                let more = space.free / LEAST_FILE;
                let block = u32::try_from(BLOCK).unwrap_or(0);
                let (available, files) = (blocks(space.free), space.files.saturating_add(more));
                reply.statfs(total, free, available, files, more, block, space.name_max, block);
            }
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn setxattr(
        &self,
        request: &Request,
        number: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let flags = XattrFlags::from_bits_retain(flags.cast_unsigned());
        empty(reply, self.0.setxattr(caller(request), ino(number), name.as_bytes(), value, flags));
    }

    fn getxattr(&self, _: &Request, number: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        asked(reply, self.0.getxattr(ino(number), name.as_bytes(), size));
    }

    fn listxattr(&self, _: &Request, number: INodeNo, size: u32, reply: ReplyXattr) {
        asked(reply, self.0.listxattr(ino(number), size));
    }

    fn removexattr(&self, _: &Request, number: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.removexattr(ino(number), name.as_bytes()));
    }

    fn access(&self, _: &Request, _: INodeNo, _: fuser::AccessFlags, reply: ReplyEmpty) {
        // The kernel checks permissions itself.
        reply.ok();
    }

    fn create(
        &self,
        request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let how = Making { mode, umask, rdev: 0 };
        let at = (ino(parent), name.as_bytes());
        match self.0.create(caller(request), at, how, open_flags(flags)) {
            Ok(new) => {
                let (handle, how) = self.opened(INodeNo(new.ino.0), flags);
                reply.created(&KEEP, &attr(&new), GENERATION, handle, how);
            }
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn getlk(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        owner: LockOwner,
        start: u64,
        end: u64,
        kind: i32,
        _: u32,
        reply: ReplyLock,
    ) {
        match asking(number, owner, (start, end), kind).and_then(|asking| self.0.getlk(&asking)) {
            // Whose it is, the volume knows by a number of its own.
            Ok(Some((held, kind))) => reply.locked(held.start, locks::last(&held), lock_number(Some(kind)), 0),
            Ok(None) => reply.locked(start, end, lock_number(None), 0),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn setlk(
        &self,
        request: &Request,
        number: INodeNo,
        _: FileHandle,
        owner: LockOwner,
        start: u64,
        end: u64,
        kind: i32,
        _: u32,
        sleep: bool,
        reply: ReplyEmpty,
    ) {
        match asking(number, owner, (start, end), kind) {
            Ok(asking) if sleep => self.0.wait_lock(caller(request), asking, move |done| empty(reply, done)),
            Ok(asking) => empty(reply, self.0.setlk(&asking)),
            Err(errno) => reply.error(error(errno)),
        }
    }

    fn fallocate(&self, _: &Request, number: INodeNo, _: FileHandle, off: u64, len: u64, mode: i32, reply: ReplyEmpty) {
        let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        empty(reply, self.0.allocate(ino(number), off, len, mode));
    }

    fn lseek(&self, _: &Request, number: INodeNo, _: FileHandle, off: i64, whence: i32, reply: ReplyLseek) {
        let what = match whence {
            3 => Seek::Data,
            4 => Seek::Hole,
            _ => return reply.error(error(Errno::INVAL)),
        };
        let Ok(off) = u64::try_from(off) else { return reply.error(error(Errno::NXIO)) };
        self.0.seek_for(ino(number), off, what, move |found| match found {
            Ok(found) => reply.offset(i64::try_from(found).unwrap_or(i64::MAX)),
            Err(errno) => reply.error(error(errno)),
        });
    }

    fn copy_file_range(
        &self,
        _: &Request,
        from: INodeNo,
        _: FileHandle,
        from_off: u64,
        to: INodeNo,
        _: FileHandle,
        to_off: u64,
        len: u64,
        _: CopyFileRangeFlags,
        reply: ReplyWrite,
    ) {
        // The answer has 32 bits; who wants more asks again.
        let len = len.min(u64::from(u32::MAX) & !(BLOCK - 1));
        let copied = self.0.copy_range((ino(from), from_off), (ino(to), to_off), len);
        written(reply, copied.map(|count| u32::try_from(count).unwrap_or(u32::MAX)));
    }
}
