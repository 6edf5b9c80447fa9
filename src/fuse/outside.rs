//! What others do to a mounted volume past the mount.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use lv::{Ino, Kind};
use rustix::fs::{fstat, major, minor, syncfs};

use super::kernel::Kernel;
use super::mounts::Mounted;
use super::server::Server;
use crate::owner::{Beside, Changed};

/// The kernel's copies of a mounted volume, for those who use the volume past the mount: made by
/// [`Mount::outside`](super::Mount::outside), for [`owner::serve`](crate::owner::serve).
///
/// They see what programs have written on the mount, and programs see what they change. A program that has a file open
/// does not see that it became shorter.
///
/// # Concurrency
/// As [`Kernel`]: not for threads that serve the mount.
pub struct Outside {
    server: Arc<Server>,
    kernel: Kernel,
    mounted: Mounted,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outside").field("mounted", &self.mounted).finish_non_exhaustive()
    }
}

impl Outside {
    pub(super) fn new(server: Arc<Server>, kernel: Kernel, mounted: Mounted) -> Self {
        Self { server, kernel, mounted }
    }

    /// Lets the kernel send all that it has collected, in requests as large as can be. It does not wait for the answers.
    fn hand_over(&self) {
        let Ok(root) = File::open(&self.mounted.dir) else { return };
        let here = fstat(&root)
            .is_ok_and(|stat| format!("{}:{}", major(stat.st_dev), minor(stat.st_dev)) == self.mounted.device);
        if here {
            // What fails here fails for whoever has written it.
            let _ = syncfs(&root);
        }
    }
}

impl Beside for Outside {
    fn mounted(&self) -> Option<&Path> {
        Some(&self.mounted.dir)
    }

    fn write_out(&self, ino: Ino) -> bool {
        if !(self.server.nodes.knows(ino) && self.server.may_be_cached(ino)) {
            return false;
        }
        self.hand_over();
        // This waits for what is under way, too.
        self.kernel.write_out(ino);
        true
    }

    fn write_out_all(&self) {
        if self.server.writeback {
            self.hand_over();
            for ino in self.server.nodes.writers() {
                self.kernel.write_out(ino);
            }
        }
    }

    fn keeps(&self, ino: Ino) -> bool {
        self.server.nodes.keep(ino)
    }

    fn changed(&self, changed: Changed<'_>) {
        match changed {
            Changed::Name(dir, name) if self.server.nodes.knows(dir) => self.kernel.name_changed(dir, name),
            Changed::Contents(ino) if self.server.nodes.knows(ino) => self.kernel.contents_changed(ino),
            Changed::Attributes(ino) if self.server.nodes.knows(ino) => {
                let is_file = || self.server.volume.getattr(ino).is_ok_and(|attr| attr.kind == Kind::File);
                // A kernel that collects writes believes no times of a file but its own, as long as it knows it.
                if self.server.writeback && is_file() {
                    self.kernel.contents_changed(ino);
                } else {
                    self.kernel.attributes_changed(ino);
                }
            }
            _ => {}
        }
    }
}
