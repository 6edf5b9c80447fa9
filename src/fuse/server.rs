//! What serves the kernel's requests: a volume, seen as the options say.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use lv::{AccessTime, Attr, Ino, LvError, Volume};

use super::aside::Aside;
use super::errno::{Answer, Errno, errno};
use super::kernel::Kernel;
use super::locks::Waiting;
use super::nodes::Nodes;
use super::options::{LockPlace, MountOptions};
use super::session::Report;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The thread, 0 when it cannot be seen from here.
    pub(super) pid: u32,
}

impl Caller {
    /// Whether writing takes no set-id bits off (`CAP_FSETID`, as far as a number can tell).
    pub(super) fn keeps_set_id(self) -> bool {
        self.uid == 0
    }
}

/// A mounted volume.
pub(super) struct Server {
    pub(super) volume: Volume,
    pub(super) access: AccessTime,
    pub(super) writeback: bool,
    pub(super) locks: LockPlace,
    pub(super) nodes: Nodes,
    pub(super) waiting: Waiting,
    pub(super) aside: Arc<Aside>,
    /// The way to tell the kernel something; there once the connection is.
    pub(super) kernel: OnceLock<Kernel>,
    /// Whether the kernel can map files that are otherwise used without its cache.
    pub(super) direct_maps: OnceLock<bool>,
    /// Whether the volume was nearly full, and when.
    pub(super) nearly_full: Mutex<Option<(Instant, bool)>>,
    shown: Shown,
    report: Report,
    /// The last trouble that was reported: the same again says nothing new.
    told: Mutex<String>,
}

/// What every file is shown with.
#[derive(Debug, Clone, Copy)]
struct Shown {
    uid: Option<u32>,
    gid: Option<u32>,
    umask: Option<u32>,
}

impl Server {
    pub(super) fn new(volume: Volume, options: &MountOptions, aside: Arc<Aside>, report: Report) -> Self {
        Self {
            volume,
            access: options.access_rule(),
            writeback: options.writeback,
            locks: options.locks,
            nodes: Nodes::new(),
            waiting: Waiting::default(),
            aside,
            kernel: OnceLock::new(),
            direct_maps: OnceLock::new(),
            nearly_full: Mutex::default(),
            shown: Shown { uid: options.uid, gid: options.gid, umask: options.umask },
            report,
            told: Mutex::default(),
        }
    }

    /// An answer of the volume as the kernel's. Whoever gets EIO cannot know why: that is reported, once.
    pub(super) fn done<T>(&self, result: Result<T, LvError>) -> Answer<T> {
        result.map_err(|error| {
            let number = errno(&error);
            if number == Errno::IO {
                let text = error.to_string();
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if *told != text {
                    (self.report)(&error);
                    *told = text;
                }
            }
            number
        })
    }

    /// An inode as users see it.
    pub(super) fn show(&self, attr: Attr) -> Attr {
        let Shown { uid, gid, umask } = self.shown;
        Attr {
            uid: uid.unwrap_or(attr.uid),
            gid: gid.unwrap_or(attr.gid),
            mode: umask.map_or(attr.mode, |umask| (attr.mode & 0o7000) | (0o777 & !umask)),
            ..attr
        }
    }

    /// An inode that the kernel learns of.
    pub(super) fn hand_over(&self, attr: Attr) -> Attr {
        self.nodes.hand_over(attr.ino);
        self.show(attr)
    }

    /// The kernel has forgotten an inode that often.
    pub(super) fn forget(&self, ino: Ino, lookups: u64) {
        if self.nodes.forget(ino, lookups) {
            // Nobody waits for an answer; what cannot be done now is done at the next activation.
            let _ = self.done(self.volume.release(ino));
        }
    }

    /// The kernel is gone.
    pub(super) fn end(&self) {
        for ino in self.nodes.clear() {
            let _ = self.volume.release(ino);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.aside.end();
    }
}
