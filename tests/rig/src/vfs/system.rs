//! The methods of the VFS itself: names, time, randomness.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::ffi;

use super::file::{self, OpenFile};
use super::slot::Slot;
use crate::Prng;
use crate::disk::Shared;
use crate::log::{Node, normalise, parent};

/// Milliseconds from the Julian epoch, from which SQLite counts, to 1970.
const JULIAN: i64 = 210_866_760_000_000;

/// Makes SQLite's own random numbers (WAL salts, journal nonces) follow from `seed`. They belong to the whole process:
/// a run repeats byte for byte only while no other thread uses SQLite.
pub fn seed_sqlite(seed: u32) {
    let seed = c_int::try_from(seed >> 1).unwrap_or(1).max(1);
    // SAFETY: SQLITE_TESTCTRL_PRNG_SEED takes an int and a connection, which may be null.
    unsafe {
        ffi::sqlite3_test_control(ffi::SQLITE_TESTCTRL_PRNG_SEED, seed, std::ptr::null_mut::<ffi::sqlite3>());
    }
}

/// The slot of a registered VFS.
///
/// # Safety
/// `vfs` is one that [`Slot`] registered.
unsafe fn slot(vfs: *mut ffi::sqlite3_vfs) -> &'static Slot {
    // SAFETY: the application data of a registered VFS is its leaked slot.
    unsafe { &*(*vfs).pAppData.cast::<Slot>() }
}

/// A path as SQLite passes it; `None` when it is not UTF-8.
///
/// # Safety
/// `name` is a NUL-terminated string.
unsafe fn path(name: *const c_char) -> Option<String> {
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(name) }.to_str().ok().map(normalise)
}

pub(super) unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: `vfs` is ours, `file` points to `szOsFile` bytes for us, `name` is null or a string.
    unsafe {
        file::clear(file);
        let slot = slot(vfs);
        let Some(disk) = slot.disk() else { return ffi::SQLITE_CANTOPEN };
        let path = if name.is_null() { None } else { path(name) };
        if path.is_none() && !name.is_null() {
            return ffi::SQLITE_CANTOPEN;
        }
        let psow =
            if flags & ffi::SQLITE_OPEN_URI == 0 { 1 } else { ffi::sqlite3_uri_boolean(name, c"psow".as_ptr(), 1) };
        let Ok(open) = open_file(&disk, slot, path.as_deref(), flags, psow != 0 || disk.settings.trusted) else {
            return ffi::SQLITE_CANTOPEN;
        };
        if !out_flags.is_null() {
            *out_flags = flags;
        }
        slot.opened();
        file::fill(file, open);
    }
    ffi::SQLITE_OK
}

/// Opens, and makes if asked for.
fn open_file(
    disk: &Arc<Shared>,
    slot: &'static Slot,
    path: Option<&str>,
    flags: c_int,
    psow: bool,
) -> io::Result<OpenFile> {
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let mut state = disk.state();
    let inode = match path.map(|path| (path, state.node(path))) {
        None => state.temporary(),
        Some((path, None)) if create => state.create(path)?,
        Some((path, Some(Node::File(_)))) if flags & ffi::SQLITE_OPEN_EXCLUSIVE == 0 => state.open_existing(path)?,
        Some(_) => return Err(io::ErrorKind::NotFound.into()),
    };
    let handle = state.open(inode)?;
    if let (Some(path), true) = (path, flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0) {
        state.unlink(path)?;
    }
    drop(state);
    // As os_unix.c: the first sync of a journal that may be new also syncs its folder.
    let journal = ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL;
    let dir = path.filter(|_| create && flags & journal != 0).map(|path| parent(path).to_owned());
    Ok(OpenFile::new((Arc::clone(disk), slot), (inode, handle), dir, psow))
}

pub(super) unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_dir: c_int) -> c_int {
    // SAFETY: `vfs` is ours, `name` a string.
    let (Some(disk), Some(path)) = (unsafe { (slot(vfs).disk(), path(name)) }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    let mut state = disk.state();
    match state.unlink(&path) {
        Ok(()) if sync_dir & 1 == 0 => ffi::SQLITE_OK,
        Ok(()) => state.sync_dir(parent(&path)).map_or(ffi::SQLITE_IOERR_DIR_FSYNC, |()| ffi::SQLITE_OK),
        Err(error) if error.kind() == io::ErrorKind::NotFound => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(_) => ffi::SQLITE_IOERR_DELETE,
    }
}

pub(super) unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: `vfs` is ours, `name` a string.
    let (Some(disk), Some(path)) = (unsafe { (slot(vfs).disk(), path(name)) }) else {
        return ffi::SQLITE_IOERR_ACCESS;
    };
    let state = disk.state();
    let there = match state.node(&path) {
        None => false,
        Some(Node::Dir) => true,
        // As os_unix.c: to SQLite an empty file does not exist.
        Some(Node::File(inode)) => {
            flags != ffi::SQLITE_ACCESS_EXISTS || state.file(inode).is_ok_and(|file| !file.content.is_empty())
        }
    };
    // SAFETY: `out` is an int for us.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: `name` is a string.
    let Some(path) = (unsafe { path(name) }) else { return ffi::SQLITE_CANTOPEN };
    if usize::try_from(size).unwrap_or(0) <= path.len() {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: `out` has room for `size` bytes, which is more than the path and its NUL.
    unsafe {
        out.copy_from_nonoverlapping(path.as_ptr().cast(), path.len());
        *out.add(path.len()) = 0;
    }
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, size: c_int, out: *mut c_char) -> c_int {
    let len = usize::try_from(size).unwrap_or(0);
    let mut bytes = vec![0; len];
    Prng::new(1).fill(&mut bytes);
    // SAFETY: `out` has room for `size` bytes.
    unsafe { out.copy_from_nonoverlapping(bytes.as_ptr().cast(), len) };
    size
}

pub(super) unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // SAFETY: `vfs` is ours.
    if let Some(disk) = unsafe { slot(vfs) }.disk() {
        disk.clock.advance(Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    }
    std::thread::yield_now();
    micros
}

pub(super) unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, out: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: `vfs` is ours.
    let now = unsafe { slot(vfs) }.disk().map_or(0, |disk| disk.clock.millis());
    // SAFETY: `out` is an integer for us.
    unsafe { *out = JULIAN + now };
    ffi::SQLITE_OK
}

pub(super) unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    let mut millis = 0;
    // SAFETY: as for this function.
    let code = unsafe { current_time_int64(vfs, &raw mut millis) };
    // Days; whole seconds are enough for a function that SQLite no longer calls.
    let seconds = u32::try_from((millis - JULIAN) / 1000).map_or(0.0, f64::from);
    // SAFETY: `out` is a number for us.
    unsafe { *out = 2_440_587.5 + seconds / 86_400.0 };
    code
}

pub(super) unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}
