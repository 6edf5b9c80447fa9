//! The methods of an open file.

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use rusqlite::ffi;

use super::slot::Slot;
use crate::disk::{Before, HandleId, Level, Shared, Shm, State};
use crate::log::Inode;

/// What SQLite allocates for a file: its own part first.
#[repr(C)]
struct RawFile {
    base: ffi::sqlite3_file,
    open: *mut OpenFile,
}

/// One opening of a file.
pub(super) struct OpenFile {
    disk: Arc<Shared>,
    slot: &'static Slot,
    inode: Inode,
    handle: HandleId,
    /// The folder that the next sync of this file also syncs.
    dir: Option<String>,
    psow: bool,
    persist_wal: bool,
}

impl OpenFile {
    pub(super) fn new(
        (disk, slot): (Arc<Shared>, &'static Slot),
        (inode, handle): (Inode, HandleId),
        dir: Option<String>,
        psow: bool,
    ) -> Self {
        Self { disk, slot, inode, handle, dir, psow, persist_wal: false }
    }
}

/// Bytes that SQLite allocates per file.
pub(super) fn size() -> c_int {
    c_int::try_from(size_of::<RawFile>()).expect("two pointers")
}

/// Marks a file as not open.
///
/// # Safety
/// `file` points to [`size`] bytes for us.
pub(super) unsafe fn clear(file: *mut ffi::sqlite3_file) {
    // SAFETY: as promised.
    unsafe {
        (*file).pMethods = std::ptr::null();
        (*file.cast::<RawFile>()).open = std::ptr::null_mut();
    }
}

/// Makes a file open.
///
/// # Safety
/// `file` points to [`size`] bytes for us.
pub(super) unsafe fn fill(file: *mut ffi::sqlite3_file, open: OpenFile) {
    // SAFETY: as promised; `close` frees the box.
    unsafe {
        (*file.cast::<RawFile>()).open = Box::into_raw(Box::new(open));
        (*file).pMethods = &raw const METHODS;
    }
}

/// What is behind an open file.
///
/// # Safety
/// `file` was opened by us and not closed; no other reference to it exists (one call at a time per file).
unsafe fn open_file<'a>(file: *mut ffi::sqlite3_file) -> &'a mut OpenFile {
    // SAFETY: as promised.
    unsafe { &mut *(*file.cast::<RawFile>()).open }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// An outcome as SQLite's code; `other` for errors that have none of their own.
fn code(result: io::Result<()>, other: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(error) if error.kind() == io::ErrorKind::StorageFull => ffi::SQLITE_FULL,
        Err(_) => other,
    }
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).expect("SQLite passes no negative offset")
}

fn length(n: c_int) -> usize {
    usize::try_from(n).expect("SQLite passes no negative length")
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file it has opened, once; `fill` made the box.
    let open = unsafe {
        let open = Box::from_raw((*file.cast::<RawFile>()).open);
        clear(file);
        open
    };
    open.disk.state().close(open.inode, open.handle);
    open.slot.closed();
    ffi::SQLITE_OK
}

/// Does what is to be done first, without the disk's lock.
fn interject(open: &OpenFile, before: Before) {
    let interjection = open.disk.state().interject(before, open.inode);
    if let Some(interjection) = interjection {
        interjection.0();
    }
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, buf: *mut c_void, len: c_int, at: i64) -> c_int {
    let len = length(len);
    // SAFETY: the file is open, `buf` has room for `len` bytes; zeroing first makes them readable as `u8`.
    let (open, buf) = unsafe {
        buf.cast::<u8>().write_bytes(0, len);
        (open_file(file), std::slice::from_raw_parts_mut(buf.cast::<u8>(), len))
    };
    interject(open, Before::Read);
    match open.disk.state().read(open.inode, unsigned(at), buf) {
        Ok(found) if found == len => ffi::SQLITE_OK,
        // SQLite relies on zeros behind what there is: `buf` was zeroed.
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        // As os_unix.c after EIO.
        Err(_) => ffi::SQLITE_IOERR_CORRUPTFS,
    }
}

unsafe extern "C" fn write(file: *mut ffi::sqlite3_file, data: *const c_void, len: c_int, at: i64) -> c_int {
    // SAFETY: the file is open, `data` holds `len` bytes.
    let (open, data) = unsafe { (open_file(file), std::slice::from_raw_parts(data.cast::<u8>(), length(len))) };
    interject(open, Before::Write);
    code(open.disk.state().write(open.inode, unsigned(at), data), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, len: i64) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    code(open.disk.state().truncate(open.inode, unsigned(len)), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    let mut state = open.disk.state();
    // A sync without metadata still makes the length durable, so all kinds are one.
    let result = state.sync(open.inode);
    if result.is_ok()
        && let Some(dir) = open.dir.take()
    {
        // As os_unix.c: tried once, and nobody is told when it fails.
        let _ = state.sync_dir(&dir);
    }
    code(result, ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, out: *mut i64) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    let len = open.disk.state().file(open.inode).map_or(0, |file| file.content.len());
    // SAFETY: `out` is an integer for us.
    unsafe { *out = i64::try_from(len).expect("files are smaller than memory") };
    ffi::SQLITE_OK
}

fn level(lock: c_int) -> Level {
    match lock {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        ffi::SQLITE_LOCK_PENDING => Level::Pending,
        _ => Level::Exclusive,
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, want: c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    match open.disk.state().file_mut(open.inode).map(|file| file.locks.lock(open.handle, level(want))) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(_) => ffi::SQLITE_IOERR_LOCK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, to: c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    if let Ok(file) = open.disk.state().file_mut(open.inode) {
        file.locks.unlock(open.handle, level(to));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    let reserved = open.disk.state().file(open.inode).is_ok_and(|file| file.locks.reserved());
    // SAFETY: `out` is an integer for us.
    unsafe { *out = c_int::from(reserved) };
    ffi::SQLITE_OK
}

/// Asks for (`-1`) or sets a flag, as `os_unix.c` does.
///
/// # Safety
/// `argument` points to an int.
unsafe fn mode_bit(flag: &mut bool, argument: *mut c_void) {
    // SAFETY: as promised.
    let value = unsafe { &mut *argument.cast::<c_int>() };
    match *value {
        0 => *flag = false,
        1.. => *flag = true,
        _ => *value = c_int::from(*flag),
    }
}

unsafe extern "C" fn file_control(file: *mut ffi::sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: the file is open; the type behind `argument` is what SQLite documents for `op`.
    unsafe {
        let open = open_file(file);
        match op {
            ffi::SQLITE_FCNTL_LOCKSTATE => {
                let level = open.disk.state().file(open.inode).map_or(Level::None, |f| f.locks.level(open.handle));
                *argument.cast::<c_int>() = level as c_int;
            }
            ffi::SQLITE_FCNTL_LAST_ERRNO | ffi::SQLITE_FCNTL_HAS_MOVED | ffi::SQLITE_FCNTL_EXTERNAL_READER => {
                *argument.cast::<c_int>() = 0;
            }
            ffi::SQLITE_FCNTL_CHUNK_SIZE | ffi::SQLITE_FCNTL_SIZE_HINT => {}
            ffi::SQLITE_FCNTL_PERSIST_WAL => mode_bit(&mut open.persist_wal, argument),
            ffi::SQLITE_FCNTL_POWERSAFE_OVERWRITE => mode_bit(&mut open.psow, argument),
            ffi::SQLITE_FCNTL_VFSNAME => {
                *argument.cast() = ffi::sqlite3_mprintf(c"%s".as_ptr(), open.slot.name().as_ptr());
            }
            _ => return ffi::SQLITE_NOTFOUND,
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    c_int::try_from(open.disk.settings.sector).unwrap_or(4096)
}

unsafe extern "C" fn device_characteristics(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    // As os_unix.c on a filesystem it knows nothing about.
    ffi::SQLITE_IOCAP_SUBPAGE_READ | if open.psow { ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE } else { 0 }
}

/// Runs `act` on the file's wal-index, made when missing.
fn with_shm<T>(state: &mut State, open: &OpenFile, act: impl FnOnce(&mut Shm) -> T) -> Option<T> {
    let shm = state.file_mut(open.inode).ok()?.shm.get_or_insert_default();
    shm.join(open.handle);
    Some(act(shm))
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    let found = with_shm(&mut open.disk.state(), open, |shm| shm.region(length(region), length(size), extend != 0));
    // SAFETY: `out` is a pointer for us.
    unsafe { *out = found.unwrap_or(std::ptr::null_mut()) };
    if found.is_some() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHMMAP }
}

unsafe extern "C" fn shm_lock(file: *mut ffi::sqlite3_file, first: c_int, count: c_int, flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    let range = length(first)..length(first + count);
    let done = with_shm(&mut open.disk.state(), open, |shm| {
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            shm.unlock(open.handle, range);
            true
        } else if flags & ffi::SQLITE_SHM_SHARED != 0 {
            shm.lock_shared(open.handle, range)
        } else {
            shm.lock_exclusive(open.handle, range)
        }
    });
    match done {
        Some(true) => ffi::SQLITE_OK,
        Some(false) => ffi::SQLITE_BUSY,
        None => ffi::SQLITE_IOERR_SHMLOCK,
    }
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    fence(Ordering::SeqCst);
    // Taking the mutex orders the connections among each other, as in os_unix.c.
    // SAFETY: the file is open.
    drop(unsafe { open_file(file) }.disk.state());
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: the file is open.
    let open = unsafe { open_file(file) };
    open.disk.state().leave_shm(open.inode, open.handle);
    ffi::SQLITE_OK
}
