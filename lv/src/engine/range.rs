//! Ranges of a file: where its data is, space asked for in advance, bytes shared with another file.

use super::core::Core;
use super::inode::{Inode, WINDOW};
use super::layer::Piece;
use super::namespace::SIZE_MAX;
use super::state::State;
use super::txg::INTENT_MAX;
use super::write::regular;
use crate::catalogue::MapRow;
use crate::{Ino, LvError, Nanos, Result, Seek};

/// How often files that are written meanwhile are flushed before their bytes are copied instead of shared.
const SHARE_ROUNDS: usize = 4;
/// Bytes of one step of a copy that cannot share.
const COPY_STEP: usize = 128 * 1024;

fn end_of(ino: Ino, off: u64, len: u64) -> Result<u64> {
    off.checked_add(len).filter(|end| *end <= SIZE_MAX).ok_or(LvError::TooLarge { ino })
}

impl State {
    /// Whether byte `at` of a file is data, and up to where the answer holds.
    fn covered(&mut self, ino: Ino, at: u64) -> Result<(bool, u64)> {
        let inode = self.inode(ino)?;
        let mut until = inode.attr.size;
        for layer in std::iter::once(&inode.open).chain(inode.sealed.iter().rev().map(|sealed| &*sealed.layer)) {
            let Some((off, piece)) = layer.overlapping(at, until).next() else { continue };
            if off <= at {
                let end = off.saturating_add(piece.len()).min(until);
                return Ok((matches!(piece, Piece::Data(_)), end));
            }
            until = off;
        }
        Ok(match self.mapped_after(ino, at)? {
            Some(row) if row.off <= at => (true, row.off.saturating_add(u64::from(row.len)).min(until)),
            Some(row) => (false, row.off.min(until)),
            None => (false, until),
        })
    }

    /// The first byte of data, or of a hole, at or after `off`. The end of the file counts as a hole.
    pub(crate) fn seek(&mut self, ino: Ino, off: u64, what: Seek) -> Result<u64> {
        regular(self.inode(ino)?)?;
        let size = self.inode(ino)?.attr.size;
        let mut at = off;
        while at < size {
            let (data, until) = self.covered(ino, at)?;
            if data == (what == Seek::Data) {
                return Ok(at);
            }
            at = until;
        }
        match what {
            Seek::Hole if off < size => Ok(size),
            _ => Err(LvError::NoData { ino, off }),
        }
    }

    /// Bytes of `start..end` that are not data.
    pub(crate) fn missing(&mut self, ino: Ino, start: u64, end: u64) -> Result<u64> {
        let (size, mut at, mut missing) = (self.inode(ino)?.attr.size, start, end.saturating_sub(start));
        while at < end.min(size) {
            let (data, until) = self.covered(ino, at)?;
            if data {
                missing = missing.saturating_sub(until.min(end).saturating_sub(at));
            }
            at = until;
        }
        Ok(missing)
    }

    /// Makes a file at least this long.
    fn grow_to(&mut self, ino: Ino, size: u64, now: Nanos) -> Result<()> {
        if self.inode(ino)?.attr.size < size { self.resize(ino, size, now) } else { Ok(()) }
    }

    /// Shares bytes of files whose last writes are few enough to go into the catalogue.
    fn share_now(&mut self, from: (Ino, u64), to: (Ino, u64), len: u64, now: Nanos) -> Result<u64> {
        // The source may have been cut since it was looked at.
        let len = len.min(self.inode(from.0)?.attr.size.saturating_sub(from.1));
        if len == 0 {
            return Ok(0);
        }
        self.install_inline(from.0)?;
        self.install_inline(to.0)?;
        self.share(from, to, len)?;
        let inode = self.inode_mut(to.0)?;
        inode.attr.size = inode.attr.size.max(to.1.saturating_add(len));
        inode.attr.mtime = now;
        inode.attr.ctime = now;
        inode.named = inode.data_attr();
        self.drop_privileges(to.0, now)?;
        Ok(len)
    }

    /// Lets `to` of a file name the bytes at `from` of another, both on whole slices' bytes in the maps.
    pub(crate) fn share(&mut self, from: (Ino, u64), to: (Ino, u64), len: u64) -> Result<()> {
        let (start, end) = (from.1, from.1.saturating_add(len));
        let entries = self.mapped(from.0, start, end)?;
        self.map_clear(to.0, to.1, to.1.saturating_add(len))?;
        for entry in entries {
            let first = entry.off.max(start);
            let last = entry.off.saturating_add(u64::from(entry.len)).min(end);
            let mut at = first;
            while at < last {
                let off = to.1.saturating_add(at.saturating_sub(start));
                // No entry crosses the end of a window.
                let room = WINDOW.saturating_sub(off % WINDOW).min(last.saturating_sub(at));
                let skip = u64::from(entry.skip).saturating_add(at.saturating_sub(entry.off));
                let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
                self.map_put(to.0, MapRow { off, len: narrow(room), slice: entry.slice, skip: narrow(skip) })?;
                at = at.saturating_add(room);
            }
        }
        Ok(())
    }
}

impl Core {
    /// End of a range of a file, which must not be empty.
    fn range_end(&self, ino: Ino, off: u64, len: u64) -> Result<u64> {
        regular(self.state()?.inode(ino)?)?;
        if len == 0 {
            return Err(LvError::Invalid { what: "the range must have at least one byte" });
        }
        end_of(ino, off, len)
    }

    /// Makes sure that `off..off + len` could be written now; the size grows to it unless `keep_size`.
    pub(crate) fn allocate(&self, ino: Ino, off: u64, len: u64, keep_size: bool) -> Result<()> {
        let end = self.range_end(ino, off, len)?;
        let mut state = self.state()?;
        let missing = state.missing(ino, off, end)?;
        drop(state);
        self.space_for(missing)?;
        let now = self.env.clock.wall();
        let mut state = self.within_quota(ino, Some(off), usize::try_from(len).unwrap_or(usize::MAX))?;
        if keep_size { Ok(()) } else { state.grow_to(ino, end, now) }
    }

    /// Makes `off..off + len` read as zeros; the size grows to it unless `keep_size`.
    pub(crate) fn zero(&self, ino: Ino, off: u64, len: u64, keep_size: bool) -> Result<()> {
        let end = self.range_end(ino, off, len)?;
        let now = self.env.clock.wall();
        let mut state = self.state()?;
        state.punch(ino, off, end, now)?;
        if keep_size { Ok(()) } else { state.grow_to(ino, end, now) }
    }

    /// Copies up to `len` bytes from one place to another, sharing them; says how many, less only at the end of the
    /// source.
    pub(crate) fn copy_range(&self, from: (Ino, u64), to: (Ino, u64), len: u64) -> Result<u64> {
        let mut state = self.state()?;
        regular(state.inode(from.0)?)?;
        regular(state.inode(to.0)?)?;
        let len = len.min(state.inode(from.0)?.attr.size.saturating_sub(from.1));
        drop(state);
        end_of(to.0, to.1, len)?;
        if from.0 == to.0 && from.1.abs_diff(to.1) < len {
            return Err(LvError::Invalid { what: "the ranges of a copy within one file must not overlap" });
        }
        if len == 0 {
            return Ok(0);
        }
        self.metadata_room()?;
        for _ in 0..SHARE_ROUNDS {
            self.flush_files(&[from.0, to.0])?;
            let now = self.env.clock.wall();
            let mut state = self.state()?;
            let quiet = |inode: &Inode| inode.sealed.is_empty() && inode.open.data() <= INTENT_MAX;
            if quiet(state.inode(from.0)?) && quiet(state.inode(to.0)?) {
                return state.share_now(from, to, len, now);
            }
        }
        self.copy_bytes(from, to, len)
    }

    /// For files that others go on writing all the time.
    fn copy_bytes(&self, from: (Ino, u64), to: (Ino, u64), len: u64) -> Result<u64> {
        let mut buffer = vec![0; COPY_STEP];
        let mut done = 0u64;
        while done < len {
            let wanted = usize::try_from(len.saturating_sub(done)).unwrap_or(COPY_STEP).min(COPY_STEP);
            let Some(part) = buffer.get_mut(..wanted) else { break };
            let count = self.read(from.0, from.1.saturating_add(done), part)?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            self.write(to.0, Some(to.1.saturating_add(done)), bytes)?;
            done = done.saturating_add(u64::try_from(count).unwrap_or(0));
        }
        Ok(done)
    }
}
