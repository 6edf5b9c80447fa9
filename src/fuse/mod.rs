//! Mounting a volume with FUSE (feature `fuse`, Linux).
//!
//! [`Mount`] hands a volume to the kernel and serves what it asks; [`mounts`] lists what is mounted and [`unmount`] ends
//! it. `handler` is the only file that implements the FUSE crate's interface, `conversion` turns its types into the
//! volume's, `session` and `kernel` hold its connection; everything else is about the volume, so that the crate can be
//! replaced.
//!
//! Inode numbers of the volume are those of FUSE. What the kernel knows of an inode stays alive until it forgets it, open
//! or not, so that no open file needs a handle of its own. The kernel keeps names, attributes and pages as long as it
//! likes, because nobody else changes the volume; whoever does, past the mount, tells it through [`Kernel`]. [`Outside`]
//! does so for other processes.

mod abort;
mod acl;
mod aside;
mod attributes;
mod clock;
mod contents;
mod conversion;
mod errno;
mod error;
mod handler;
mod kernel;
mod listing;
mod locks;
mod mounts;
mod names;
mod nodes;
mod options;
mod outside;
mod place;
mod remount;
mod server;
mod session;
mod tuning;
mod xattrs;

pub use abort::abort;
pub use clock::KernelClock;
pub use error::MountError;
pub use kernel::Kernel;
pub use mounts::{MOUNT_TYPE, Mounted, mounted_on, mounts, unmount};
pub use options::{LockPlace, MountOptions};
pub use outside::Outside;
pub use place::ensure_outside;
pub use remount::remount;
pub use session::{Mount, Report};
