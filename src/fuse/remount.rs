//! Changing how a volume is mounted, while it is.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::removexattr;
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};

use super::error::MountError;
use super::options::MountOptions;

/// An attribute that no directory has.
const NO_ATTRIBUTE: &str = "user.anyfs-lvm.none";
/// How long files that were closed may count as open.
const CLOSING: Duration = Duration::from_secs(1);

/// Changes what the kernel itself goes by: whether anything can be changed, whether devices, set-id bits and programs
/// work, and whether every write is durable before it returns. All of these are set, those that are not given to their
/// defaults; everything else stays as it was mounted. Only root may.
///
/// # Errors
/// [`MountError::Busy`] when files are open for writing that are not to be written any more;
/// [`MountError::OnlyRead`] when the volume was activated only to be read; [`MountError::NotMounted`],
/// [`MountError::Refused`].
pub fn remount(dir: &Path, options: &MountOptions) -> Result<(), MountError> {
    let flags = flags(options);
    kernel(dir, flags)?;
    // The kernel does not know what the volume refuses.
    if !options.read_only && removexattr(dir, NO_ATTRIBUTE) == Err(Errno::ROFS) {
        kernel(dir, flags | MountFlags::RDONLY)?;
        return Err(MountError::OnlyRead { dir: dir.to_owned() });
    }
    Ok(())
}

fn kernel(dir: &Path, flags: MountFlags) -> Result<(), MountError> {
    let dir_owned = || dir.to_owned();
    let began = Instant::now();
    let mut done = mount_remount(dir, flags, "");
    // The kernel does not wait until all is done that follows when a file is closed.
    while done == Err(Errno::BUSY) && began.elapsed() < CLOSING {
        std::thread::sleep(Duration::from_millis(10));
        done = mount_remount(dir, flags, "");
    }
    done.map_err(|error| match error {
        Errno::BUSY => MountError::Busy { dir: dir_owned() },
        Errno::INVAL => MountError::NotMounted { dir: dir_owned() },
        error => MountError::Refused { dir: dir_owned(), source: error.into() },
    })
}

fn flags(options: &MountOptions) -> MountFlags {
    let switches = [
        (options.read_only, MountFlags::RDONLY),
        (!options.devices, MountFlags::NODEV),
        (!options.set_id, MountFlags::NOSUID),
        (!options.programs, MountFlags::NOEXEC),
        (options.sync, MountFlags::SYNCHRONOUS),
    ];
    switches.into_iter().filter_map(|(on, flag)| on.then_some(flag)).collect()
}

#[cfg(test)]
mod tests {
    use lv::AccessTime;

    use super::*;

    #[test]
    fn the_kernel_is_told_what_is_not_to_work() {
        let plain = MountOptions::default();
        assert_eq!(flags(&plain), MountFlags::NODEV | MountFlags::NOSUID);
        let other = MountOptions {
            read_only: true,
            devices: true,
            set_id: true,
            programs: false,
            sync: true,
            // The volume goes by what it was mounted with, and so is the kernel to.
            access_time: AccessTime::Never,
            ..plain
        };
        assert_eq!(flags(&other), MountFlags::RDONLY | MountFlags::NOEXEC | MountFlags::SYNCHRONOUS);
    }

    #[test]
    fn what_is_not_mounted_is_not_changed() {
        let dir = tempfile::tempdir().unwrap();
        let error = remount(dir.path(), &MountOptions::default()).unwrap_err();
        assert!(matches!(error, MountError::NotMounted { .. } | MountError::Refused { .. }), "{error}");
    }
}
