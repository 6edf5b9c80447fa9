//! Telling the kernel that something changed past the mount.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use fuser::{INodeNo, Notifier};
use lv::{Ino, Volume};

/// The kernel's caches of a mounted volume.
///
/// Whoever changes the volume past the mount calls these afterwards. What the kernel does not know is no error; neither
/// is that the volume was unmounted meanwhile.
///
/// # Concurrency
/// The kernel may have to write pages out before it lets go of them, and asks the mount to: never call these from a
/// thread that serves it.
#[derive(Clone)]
pub struct Kernel {
    notifier: Notifier,
    volume: Volume,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel").finish_non_exhaustive()
    }
}

impl Kernel {
    pub(super) fn new(notifier: Notifier, volume: Volume) -> Self {
        Self { notifier, volume }
    }

    /// Lets the kernel write out what programs have written to a file and is still in its cache, which it then forgets.
    pub fn write_out(&self, ino: Ino) {
        // What fails here has nothing in the cache, or no kernel.
        let _ = self.notifier.inval_inode(INodeNo(ino.0), 0, 0);
    }

    /// A file's contents changed: its pages, size and attributes are asked for anew.
    ///
    /// A kernel that collects writes believes no size but its own. A file that is not open is forgotten, so that nothing
    /// is left to believe; one that is open grows, but does not become shorter for those who have it open.
    pub fn contents_changed(&self, ino: Ino) {
        self.write_out(ino);
        if let Ok(Some(path)) = self.volume.path_of(ino)
            && let Ok(place) = self.volume.resolve_parent(&path)
        {
            self.name_changed(place.ino, &place.name);
        }
        let mut last = [0];
        let Some(at) = self.volume.getattr(ino).ok().and_then(|attr| attr.size.checked_sub(1)) else { return };
        if self.volume.read(ino, at, &mut last).is_ok_and(|count| count == 1) {
            let _ = self.notifier.store(INodeNo(ino.0), at, &last);
        }
    }

    /// An inode's attributes changed.
    pub fn attributes_changed(&self, ino: Ino) {
        let _ = self.notifier.inval_inode(INodeNo(ino.0), -1, 0);
    }

    /// What a name leads to changed: it was made, removed, or renamed.
    pub fn name_changed(&self, parent: Ino, name: &[u8]) {
        let _ = self.notifier.inval_entry(INodeNo(parent.0), OsStr::from_bytes(name));
        // Where it did not know the name, it still keeps the listing.
        let _ = self.notifier.inval_inode(INodeNo(parent.0), 0, 0);
    }
}
