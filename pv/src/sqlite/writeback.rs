//! Early writeback: while a commit writes its pages, the kernel is asked to carry the ones it already has to the disk.
//!
//! Without this the disk idles until the commit's sync and the processor during it. On Linux SQLite's Unix VFS lets its
//! system calls be replaced; the one that writes is replaced, once per process, by one that calls it and then, only
//! inside [`during`] and only for long runs of consecutive writes, starts writeback of the run. Everything else in the
//! process that uses the same SQLite library is served by the same function and sees the original's behaviour.
//!
//! Crash reasoning: this only starts what the kernel may do by itself at any time. SQLite has synced the journal before
//! it writes the first page, and its own sync still decides when a commit is durable; errors of writeback are reported
//! by that sync.
//!
//! The only unsafe code of this crate.
#![expect(unsafe_code, reason = "replacing a system call of SQLite's VFS takes raw pointers")]

use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::sync::OnceLock;

use rusqlite::ffi;

/// Bytes of consecutive writes after which their writeback starts.
const RUN: i64 = 1024 * 1024;

type Pwrite = unsafe extern "C" fn(c_int, *const c_void, usize, i64) -> isize;

/// The call that was there before.
static ORIGINAL: OnceLock<Option<Pwrite>> = OnceLock::new();

/// Consecutive writes to a file whose writeback has not started.
#[derive(Debug, Clone, Copy)]
struct Run {
    fd: c_int,
    start: i64,
    end: i64,
}

thread_local! {
    /// `Some` inside [`during`].
    static CURRENT: Cell<Option<Run>> = const { Cell::new(None) };
}

/// Early writeback on this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct During(());

impl Drop for During {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// Switches early writeback on for this thread.
pub(crate) fn during() -> During {
    ORIGINAL.get_or_init(install);
    CURRENT.set(Some(Run { fd: -1, start: 0, end: 0 }));
    During(())
}

/// Replaces the call and says what was there; `None` when there is nothing to replace.
fn install() -> Option<Pwrite> {
    [c"pwrite64", c"pwrite"].into_iter().find_map(replace)
}

fn replace(name: &CStr) -> Option<Pwrite> {
    // SAFETY: `sqlite3_vfs_find` may be called at any time and gives null or a VFS that lives as long as the process.
    // The Unix VFS knows its system calls by these names and with this signature where `off_t` has 64 bits (this module
    // is built only there); `Pwrite` and `sqlite3_syscall_ptr` are both pointers to functions. Replacing the entry is one
    // store of a pointer; threads that read it meanwhile see the old function or the new one, and both are right.
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(c"unix".as_ptr());
        let (get, set) = (vfs.as_ref()?.xGetSystemCall?, vfs.as_ref()?.xSetSystemCall?);
        let original = std::mem::transmute::<unsafe extern "C" fn(), Pwrite>(get(vfs, name.as_ptr())?);
        let ours = std::mem::transmute::<Pwrite, unsafe extern "C" fn()>(pwrite);
        (set(vfs, name.as_ptr(), Some(ours)) == ffi::SQLITE_OK).then_some(original)
    }
}

/// As the original, then starts writeback if a long run has come together.
unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, len: usize, at: i64) -> isize {
    let Some(original) = ORIGINAL.wait() else { return -1 };
    // SAFETY: the arguments are SQLite's own for this call.
    let written = unsafe { original(fd, bytes, len, at) };
    if let Some(run) = CURRENT.get()
        && let Some(end) = i64::try_from(written).ok().filter(|n| *n > 0).and_then(|n| at.checked_add(n))
    {
        let run = if run.fd == fd && run.end == at { Run { end, ..run } } else { Run { fd, start: at, end } };
        let started = run.end.saturating_sub(run.start) >= RUN;
        if started {
            // SAFETY: plain system call on a descriptor that was just written to. Its failure changes nothing.
            unsafe {
                libc::sync_file_range(fd, run.start, run.end.saturating_sub(run.start), libc::SYNC_FILE_RANGE_WRITE);
            }
        }
        CURRENT.set(Some(Run { start: if started { run.end } else { run.start }, ..run }));
    }
    written
}
