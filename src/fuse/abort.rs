//! Ending the connection of a mount by force.

use std::fs;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::error::MountError;
use super::mounts::Mounted;

/// Ends the connection of a mount with the process that serves it, which need not take part: whoever waits for an answer,
/// and whoever asks from now on, is told that there is none. The mount stays, until it is unmounted.
///
/// # Errors
/// [`MountError::NotUnmounted`]: who is not root may do so for mounts of their own, where the kernel shows connections
/// (`/sys/fs/fuse/connections`). [`MountError::List`].
pub fn abort(mounted: &Mounted) -> Result<(), MountError> {
    if !mounted.is_there()? {
        return Ok(());
    }
    let number = mounted.device.rsplit(':').next().unwrap_or_default();
    if fs::write(format!("/sys/fs/fuse/connections/{number}/abort"), "1").is_ok() {
        return Ok(());
    }
    let failed = |error: Errno| MountError::NotUnmounted { dir: mounted.dir.clone(), source: error.into() };
    // Held, so that the mount does not disappear: programs would go on in the folder below it.
    let held = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = rustix::fs::open(&mounted.dir, held, Mode::empty()).map_err(failed)?;
    let done = rustix::mount::unmount(&mounted.dir, UnmountFlags::FORCE | UnmountFlags::NOFOLLOW);
    drop(held);
    match done {
        // The connection ends before the kernel sees that the mount is in use.
        Ok(()) | Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
