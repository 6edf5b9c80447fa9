//! Why a volume cannot be mounted or unmounted.

use std::io;
use std::path::PathBuf;

/// What went wrong with a mount.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// The system has no FUSE.
    #[error("/dev/fuse: this system has no FUSE")]
    NoFuse,
    /// This user may not use FUSE.
    #[error("/dev/fuse: this user may not open it")]
    NotAllowed,
    /// Only a helper may mount and unmount for this user, and there is none.
    #[error("{}: cannot be mounted or unmounted without root and without fusermount3", dir.display())]
    NoHelper {
        /// The mount point.
        dir: PathBuf,
    },
    /// The mount point is not a folder.
    #[error("{}: not a directory", dir.display())]
    NotDirectory {
        /// The mount point.
        dir: PathBuf,
    },
    /// A mount there would hide, or lie among, the files it lives on.
    #[error("{}: cannot mount there, the volume's own files are in {}", dir.display(), files.display())]
    InsidePool {
        /// The mount point.
        dir: PathBuf,
        /// Where the files are.
        files: PathBuf,
    },
    /// A mount whose process is gone is still there.
    #[error("{}: the process that served this mount is gone", dir.display())]
    Stale {
        /// The mount point.
        dir: PathBuf,
    },
    /// The mount point cannot be used.
    #[error("{}: cannot be mounted on", dir.display())]
    Point {
        /// The mount point.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel, or the helper that mounts for users, refused.
    #[error("{}: cannot mount", dir.display())]
    Refused {
        /// The mount point.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing of ours is mounted there.
    #[error("{}: not mounted", dir.display())]
    NotMounted {
        /// The mount point.
        dir: PathBuf,
    },
    /// It cannot be made writable.
    #[error("{}: the volume was opened only to be read", dir.display())]
    OnlyRead {
        /// The mount point.
        dir: PathBuf,
    },
    /// Something on it is in use.
    #[error("{}: target is busy", dir.display())]
    Busy {
        /// The mount point.
        dir: PathBuf,
    },
    /// The kernel, or the helper that unmounts for users, refused.
    #[error("{}: cannot unmount", dir.display())]
    NotUnmounted {
        /// The mount point.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The list of mounts cannot be read.
    #[error("{}: cannot read the list of mounts", path.display())]
    List {
        /// Where it is.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection to the kernel failed, or a thread that serves it could not be started.
    #[error("{}: the connection to the kernel failed", dir.display())]
    Connection {
        /// The mount point.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl MountError {
    /// What to do next, when there is something.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoFuse => "load the kernel's module (modprobe fuse), or give the container /dev/fuse",
            Self::NotAllowed => "mount as root, or let users open it: chmod 666 /dev/fuse",
            Self::NoHelper { .. } => "install fuse3",
            Self::InsidePool { .. } => "mount on a folder elsewhere",
            Self::Stale { .. } => "take it away with: anyfs-lvm umount DIR",
            Self::OnlyRead { .. } => "unmount it and mount it again, without ro",
            Self::Busy { .. } => "see who uses it with: fuser -vm DIR; or unmount when they are done: umount -l DIR",
            Self::Refused { source, .. } if source.to_string().contains("user_allow_other") => {
                "add the line user_allow_other to /etc/fuse.conf, or mount without allow_other"
            }
            _ => return None,
        })
    }
}
