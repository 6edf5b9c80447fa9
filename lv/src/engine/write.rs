//! Changing file contents: into the open layer, after space for it is sure.

use super::core::Core;
use super::inode::Inode;
use super::namespace::SIZE_MAX;
use super::state::State;
use crate::{Attr, Ino, Kind, LvError, Result};

/// Rows of the open transaction group at which writers wait for a commit.
const DIRTY_ROWS: usize = 60_000;

/// Set-user-id and set-group-id go when the contents change.
pub(crate) fn clear_set_id(mode: u32) -> u32 {
    if mode & 0o010 == 0 { mode & !0o4000 } else { mode & !0o6000 }
}

pub(crate) fn regular(inode: &Inode) -> Result<()> {
    match inode.attr.kind {
        Kind::File => Ok(()),
        Kind::Directory => Err(LvError::IsDirectory { name: format!("inode {}", inode.attr.ino).into_bytes() }),
        _ => Err(LvError::Invalid { what: "only regular files have contents" }),
    }
}

impl Core {
    /// Writes all of `bytes` at `off`, or at the end of the file; says where.
    pub(crate) fn write(&self, ino: Ino, off: Option<u64>, bytes: &[u8]) -> Result<u64> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let end_of = |off: u64| {
            let end = off.checked_add(len).filter(|end| *end <= SIZE_MAX);
            end.ok_or(LvError::TooLarge { ino })
        };
        off.map(end_of).transpose()?;
        self.make_room(ino, len)?;
        let now = self.env.clock.wall();
        let mut state = self.state()?;
        regular(state.inode(ino)?)?;
        // Between this line and the write nobody else moves the end.
        let off = off.unwrap_or(state.inode(ino)?.attr.size);
        let end = end_of(off)?;
        if bytes.is_empty() {
            return Ok(off);
        }
        let inode = state.inode_mut(ino)?;
        let before = inode.open.data();
        inode.open.write(off, bytes);
        let after = inode.open.data();
        inode.attr.size = inode.attr.size.max(end);
        inode.attr.mtime = now;
        inode.attr.ctime = now;
        inode.attr.mode = clear_set_id(inode.attr.mode);
        state.pending = state.pending.saturating_sub(before).saturating_add(after);
        state.requeue(ino);
        if state.unsealed() >= self.options.flush_bytes {
            self.work.notify_all();
        }
        Ok(off)
    }

    /// Cuts a file, or extends it with zeros.
    pub(crate) fn resize(&self, ino: Ino, size: u64) -> Result<Attr> {
        if size > SIZE_MAX {
            return Err(LvError::TooLarge { ino });
        }
        let now = self.env.clock.wall();
        let mut state = self.state()?;
        regular(state.inode(ino)?)?;
        let inode = state.inode_mut(ino)?;
        let (before, old) = (inode.open.data(), inode.attr.size);
        inode.open.punch(size, old);
        let after = inode.open.data();
        inode.attr.size = size;
        inode.attr.mtime = now;
        inode.attr.ctime = now;
        inode.attr.mode = clear_set_id(inode.attr.mode);
        let attr = inode.shown();
        state.pending = state.pending.saturating_sub(before).saturating_add(after);
        state.requeue(ino);
        Ok(attr)
    }

    /// Makes a range read as zeros without changing the size.
    pub(crate) fn punch(&self, ino: Ino, start: u64, end: u64) -> Result<()> {
        let now = self.env.clock.wall();
        let mut state = self.state()?;
        regular(state.inode(ino)?)?;
        let inode = state.inode_mut(ino)?;
        let before = inode.open.data();
        inode.open.punch(start, end.min(inode.attr.size));
        let after = inode.open.data();
        inode.attr.mtime = now;
        inode.attr.ctime = now;
        state.pending = state.pending.saturating_sub(before).saturating_add(after);
        state.requeue(ino);
        Ok(())
    }

    /// Returns when `len` more bytes can be taken: memory, space of the volume, space of the host.
    pub(crate) fn make_room(&self, ino: Ino, len: u64) -> Result<()> {
        self.wait_for_memory(ino, len)?;
        self.space_for(len)
    }

    /// Returns when the volume and the host have room for `len` more bytes.
    pub(crate) fn space_for(&self, len: u64) -> Result<()> {
        let state = self.state()?;
        let short = state.free_bytes() < len;
        drop(state);
        if short {
            // What is pending may free more than it takes: see what is really left.
            self.sync()?;
            self.finish_burials()?;
            let state = self.state()?;
            if state.free_bytes() < len {
                return Err(LvError::NoSpace { free: state.free_bytes(), needed: len });
            }
        }
        self.host_room(len)
    }

    /// Returns when one more namespace operation can be taken.
    pub(crate) fn metadata_room(&self) -> Result<()> {
        self.wait_for_memory(Ino::ROOT, 0)?;
        self.host_room(4096)
    }

    /// Whoever filled the memory waits for it to be emptied; others may still take a little.
    fn wait_for_memory(&self, ino: Ino, len: u64) -> Result<()> {
        loop {
            let state = self.state()?;
            let rows = state.dirty.rows() > DIRTY_ROWS;
            let own = state.inodes.get(&ino).map_or(0, Inode::pending_bytes);
            let budget = self.options.dirty_bytes;
            let limit = if own > budget / 8 { budget.saturating_sub(budget / 8) } else { budget };
            let full = state.pending > 0 && state.pending.saturating_add(len) > limit;
            let txg = state.txg;
            if rows {
                drop(state);
                self.commit_through(txg)?;
            } else if !full {
                return Ok(());
            } else if self.env.threads {
                self.work.notify_all();
                let waited = self.changed.wait_timeout(state, std::time::Duration::from_millis(100));
                drop(waited);
                // Whoever waits long helps: the background may be busy with another file.
            } else {
                drop(state);
                self.flush_some(self.options.flush_bytes)?;
            }
        }
    }

    /// Takes apart all inodes that nothing leads to.
    pub(crate) fn finish_burials(&self) -> Result<()> {
        loop {
            let mut state = self.state()?;
            let Some(ino) = state.next_burial() else { return Ok(()) };
            state.bury_some(ino, super::namespace::UNMAP_AT_ONCE)?;
            if state.dirty.rows() > DIRTY_ROWS {
                let txg = state.txg;
                drop(state);
                self.commit_through(txg)?;
            }
        }
    }
}

impl State {
    /// An orphan that nobody has open.
    pub(crate) fn next_burial(&self) -> Option<Ino> {
        self.orphans.iter().find(|ino| self.inodes.get(ino).is_none_or(|inode| inode.opens == 0)).copied()
    }
}
