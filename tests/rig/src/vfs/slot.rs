//! Registered VFSes: made on demand, reused, never freed.

use std::ffi::{CStr, CString, c_int};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

use super::{file, system};
use crate::disk::Shared;

/// Slots that no disk uses.
static FREE: Mutex<Vec<&'static Slot>> = Mutex::new(Vec::new());
static MADE: AtomicUsize = AtomicUsize::new(0);
static CONFIGURE: Once = Once::new();

/// One VFS name in SQLite's list, and the disk behind it at the moment.
pub(super) struct Slot {
    name: CString,
    disk: Mutex<Use>,
}

#[derive(Default)]
struct Use {
    disk: Option<Arc<Shared>>,
    /// Files open through this slot. While there are any, its name is not given to another disk: a forgotten
    /// connection must never reach a stranger.
    open: usize,
}

impl Slot {
    pub(super) fn name(&self) -> &CStr {
        &self.name
    }

    /// The disk behind it; none when it was dropped before its connections.
    pub(super) fn disk(&self) -> Option<Arc<Shared>> {
        self.lock().disk.clone()
    }

    /// A file was opened.
    pub(super) fn opened(&self) {
        self.lock().open += 1;
    }

    /// A file was closed.
    pub(super) fn closed(&'static self) {
        let mut slot = self.lock();
        slot.open = slot.open.saturating_sub(1);
        let unused = slot.open == 0 && slot.disk.is_none();
        drop(slot);
        if unused {
            free().push(self);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Use> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes and registers a VFS that lives as long as the process.
    fn register() -> &'static Self {
        // Before anything initialises SQLite: without its memory statistics threads do not queue for every malloc.
        // Fails harmlessly when somebody was earlier.
        // SAFETY: SQLITE_CONFIG_MEMSTATUS takes one int.
        CONFIGURE.call_once(|| unsafe {
            ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0 as c_int);
        });
        let number = MADE.fetch_add(1, Ordering::SeqCst);
        let name = CString::new(format!("rig-{number}")).expect("no NUL in it");
        let slot: &'static Self = Box::leak(Box::new(Self { name, disk: Mutex::default() }));
        let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: file::size(),
            mxPathname: 1024,
            pNext: std::ptr::null_mut(),
            zName: slot.name.as_ptr(),
            pAppData: std::ptr::from_ref(slot).cast_mut().cast(),
            xOpen: Some(system::open),
            xDelete: Some(system::delete),
            xAccess: Some(system::access),
            xFullPathname: Some(system::full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(system::randomness),
            xSleep: Some(system::sleep),
            xCurrentTime: Some(system::current_time),
            xGetLastError: Some(system::last_error),
            xCurrentTimeInt64: Some(system::current_time_int64),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: the structure, its name and its application data are leaked, so they outlive every use.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert!(code == ffi::SQLITE_OK, "sqlite3_vfs_register: {code}");
        slot
    }
}

fn free() -> MutexGuard<'static, Vec<&'static Slot>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A disk's VFS, until dropped.
pub(crate) struct Registration(&'static Slot);

impl Registration {
    pub(crate) fn new(disk: Arc<Shared>) -> Self {
        let reused = free().pop();
        let slot = reused.unwrap_or_else(Slot::register);
        slot.lock().disk = Some(disk);
        Self(slot)
    }

    pub(crate) fn name(&self) -> &str {
        self.0.name.to_str().expect("made of ASCII")
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut slot = self.0.lock();
        let disk = slot.disk.take();
        let unused = slot.open == 0;
        drop(slot);
        drop(disk);
        if unused {
            free().push(self.0);
        }
    }
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({})", self.name())
    }
}
