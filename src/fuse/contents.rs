//! Requests about the contents of files.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use lv::{AccessTime, Ino, LvError, Seek, SetAttr};
use rustix::fs::{FallocateFlags, OFlags};

use super::errno::{Answer, Errno};
use super::server::{Caller, Server};

/// Bytes that may be in the kernel's cache and not yet in the volume.
const CACHED: u64 = 256 * 1024 * 1024;
/// How long it is remembered whether the volume is nearly full: who asks looks at the host, and holds all others up.
const REMEMBERED: Duration = Duration::from_millis(50);

/// What a write request says about itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    /// The bytes come from the kernel's cache.
    pub(super) cached: bool,
    /// The writer may not keep set-id bits on the file.
    pub(super) kill_set_id: bool,
    /// It is to be durable when it returns: `O_DSYNC` or `O_SYNC`, or `sync` for all of the mount.
    pub(super) durable: bool,
}

impl Server {
    pub(super) fn open(&self, caller: Caller, ino: Ino, flags: OFlags) -> Answer<()> {
        if flags.contains(OFlags::TRUNC) {
            self.cut(caller, ino)?;
        }
        // What is read from the kernel's cache is never asked for: a file that is opened only to be read counts as read.
        if !flags.intersects(OFlags::WRONLY | OFlags::RDWR)
            && self.note_access(ino)?
            && let Some(kernel) = self.kernel.get()
        {
            kernel.attributes_changed(ino);
        }
        Ok(())
    }

    /// Whether who writes had best be answered for every write: soon the volume may be full, and a write into the kernel's
    /// cache is told so by close(2), which many programs do not ask.
    pub(super) fn is_nearly_full(&self) -> bool {
        if !self.writeback || self.direct_maps.get() != Some(&true) {
            return false;
        }
        let mut known = self.nearly_full.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, answer)) = *known
            && when.elapsed() < REMEMBERED
        {
            return answer;
        }
        let answer = self.volume.statfs().is_ok_and(|space| space.free < (space.total / 4).min(CACHED));
        *known = Some((Instant::now(), answer));
        answer
    }

    /// Whether the kernel may have bytes of a file that the volume does not.
    pub(super) fn may_be_cached(&self, ino: Ino) -> bool {
        // Without access times the kernel does not say who has opened what.
        self.writeback && (self.access == AccessTime::Never || self.nodes.has_writers(ino))
    }

    /// Empties a file.
    pub(super) fn cut(&self, caller: Caller, ino: Ino) -> Answer<()> {
        self.setattr(caller, ino, SetAttr { size: Some(0), ..SetAttr::default() }).map(drop)
    }

    /// Fills `buffer` from `off` on; how many bytes there were.
    pub(super) fn read(&self, ino: Ino, off: u64, buffer: &mut [u8]) -> Answer<usize> {
        let count = self.done(self.volume.read(ino, off, buffer))?;
        self.note_access(ino)?;
        Ok(count)
    }

    /// Writes bytes. When these come from the kernel's cache and are refused, the kernel tells whoever asks for it, with
    /// `fsync` or `close`, and goes on taking more from whoever only writes. So it is made to ask for the file's attributes
    /// at the next write, which fails with what that is answered.
    pub(super) fn write(&self, caller: Caller, ino: Ino, (off, bytes): (u64, &[u8]), how: Writing) -> Answer<()> {
        if how.cached && self.writeback {
            return self.done(self.volume.write_back(ino, off, bytes)).inspect_err(|why| {
                self.nodes.refused(ino, *why);
                if let Some(kernel) = self.kernel.get() {
                    kernel.attributes_changed(ino);
                }
            });
        }
        let mode = if how.kill_set_id || how.cached { None } else { self.kept_mode(caller, ino)? };
        let done = self.done(match mode {
            None => self.volume.write(ino, off, bytes),
            Some(mode) => self.volume.transaction(|tx| {
                tx.write(ino, off, bytes)?;
                tx.setattr(ino, &SetAttr { mode: Some(mode), ..SetAttr::default() }).map(drop)
            }),
        });
        // After what goes through its cache the kernel asks for an fsync; after what goes past it, it does not.
        if how.durable && !how.cached { done.and_then(|()| self.fsync(ino)) } else { done }
    }

    pub(super) fn fsync(&self, ino: Ino) -> Answer<()> {
        self.done(self.volume.fsync(ino))
    }

    pub(super) fn allocate(&self, ino: Ino, off: u64, len: u64, mode: FallocateFlags) -> Answer<()> {
        let keep_size = mode.contains(FallocateFlags::KEEP_SIZE);
        let end = off.checked_add(len).ok_or(Errno::FBIG)?;
        let done = match mode.difference(FallocateFlags::KEEP_SIZE) {
            what if what.is_empty() => self.volume.allocate(ino, off, len, keep_size),
            FallocateFlags::PUNCH_HOLE if keep_size => self.volume.punch(ino, off, end),
            FallocateFlags::ZERO_RANGE => self.volume.zero(ino, off, len, keep_size),
            _ => return Err(Errno::OPNOTSUPP),
        };
        self.done(done)
    }

    /// The next data or hole.
    pub(super) fn seek(&self, ino: Ino, off: u64, what: Seek) -> Answer<u64> {
        match self.volume.seek(ino, off, what) {
            // Inside a file that ends in a hole there is no more data; what lies behind its end is the same to lseek(2).
            Err(LvError::NoData { .. }) => Err(Errno::NXIO),
            found => self.done(found),
        }
    }

    /// The next data or hole, given to `answer`. What programs have written may only be in the kernel's cache, where it
    /// would be taken for a hole: it is written out first, from another thread, because this one may have to take it.
    pub(super) fn seek_for(
        self: &Arc<Self>,
        ino: Ino,
        off: u64,
        what: Seek,
        answer: impl FnOnce(Answer<u64>) + Send + 'static,
    ) {
        let Some(kernel) = self.kernel.get().filter(|_| self.may_be_cached(ino)).cloned() else {
            return answer(self.seek(ino, off, what));
        };
        let server = Arc::clone(self);
        self.aside.give(move || {
            kernel.write_out(ino);
            answer(server.seek(ino, off, what));
        });
    }

    pub(super) fn copy_range(&self, from: (Ino, u64), to: (Ino, u64), len: u64) -> Answer<u64> {
        self.done(self.volume.copy_range(from, to, len))
    }
}
