//! Changing file contents: into the open layer, after space for it is sure.

use std::sync::MutexGuard;

use super::core::Core;
use super::host_space::Brings;
use super::inode::Inode;
use super::namespace::{SIZE_MAX, UNMAP_AT_ONCE};
use super::state::{State, TINY};
use crate::{Ino, Kind, LvError, Nanos, Result};

/// Rows of the open transaction group at which writers wait for a commit.
pub(super) const DIRTY_ROWS: usize = 60_000;

/// Set-user-id and set-group-id go when the contents change.
pub(crate) fn clear_set_id(mode: u32) -> u32 {
    if mode & 0o010 == 0 { mode & !0o4000 } else { mode & !0o6000 }
}

pub(crate) fn regular(inode: &Inode) -> Result<()> {
    match inode.attr.kind {
        _ if inode.deleted() => Err(LvError::NoInode { ino: inode.attr.ino }),
        Kind::File => Ok(()),
        Kind::Directory => Err(LvError::IsDirectory { name: format!("inode {}", inode.attr.ino).into_bytes() }),
        _ => Err(LvError::Invalid { what: "only regular files have contents" }),
    }
}

/// End of `len` bytes at `off`.
fn end_of(ino: Ino, off: u64, len: usize) -> Result<u64> {
    let end = u64::try_from(len).ok().and_then(|len| off.checked_add(len)).filter(|end| *end <= SIZE_MAX);
    end.ok_or(LvError::TooLarge { ino })
}

impl State {
    /// Changes a regular file's open layer, and with it the times and what is pending.
    fn change(&mut self, ino: Ino, now: Nanos, change: impl FnOnce(&mut Inode)) -> Result<()> {
        regular(self.inode(ino)?)?;
        self.drop_privileges(ino, now)?;
        self.change_only(ino, |inode| {
            change(inode);
            inode.attr.mtime = now;
            inode.attr.ctime = now;
        })
    }

    /// Changes a regular file's open layer, and with it what is pending.
    fn change_only(&mut self, ino: Ino, change: impl FnOnce(&mut Inode)) -> Result<()> {
        let inode = self.inode_mut(ino)?;
        let before = inode.open.data();
        change(inode);
        let after = inode.open.data();
        self.pending = self.pending.saturating_sub(before).saturating_add(after);
        self.note_data(ino);
        self.requeue(ino);
        Ok(())
    }

    /// Puts bytes at `off`, or at the end of the file; says where.
    pub(crate) fn put(&mut self, ino: Ino, off: Option<u64>, bytes: &[u8], now: Nanos) -> Result<u64> {
        let inode = self.inode(ino)?;
        regular(inode)?;
        let off = off.unwrap_or(inode.attr.size);
        let end = end_of(ino, off, bytes.len())?;
        if !bytes.is_empty() {
            self.change(ino, now, |inode| {
                inode.open.write(off, bytes);
                inode.attr.size = inode.attr.size.max(end);
            })?;
        }
        Ok(off)
    }

    /// Puts bytes at `off` whose time, and what it took off the mode, were or will be told apart from them.
    pub(crate) fn put_cached(&mut self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        regular(self.inode(ino)?)?;
        let end = end_of(ino, off, bytes.len())?;
        if bytes.is_empty() {
            return Ok(());
        }
        self.change_only(ino, |inode| {
            inode.open.write(off, bytes);
            inode.attr.size = inode.attr.size.max(end);
        })
    }

    /// Cuts a file, or extends it with zeros.
    pub(crate) fn resize(&mut self, ino: Ino, size: u64, now: Nanos) -> Result<()> {
        regular(self.inode(ino)?)?;
        if size > SIZE_MAX {
            return Err(LvError::TooLarge { ino });
        }
        self.change(ino, now, |inode| {
            inode.open.punch(size, inode.attr.size);
            inode.attr.size = size;
        })
    }

    /// Makes a range read as zeros without changing the size.
    pub(crate) fn punch(&mut self, ino: Ino, start: u64, end: u64, now: Nanos) -> Result<()> {
        let inode = self.inode(ino)?;
        regular(inode)?;
        let end = end.min(inode.attr.size);
        if start < end {
            self.change(ino, now, |inode| inode.open.punch(start, end))?;
        }
        Ok(())
    }

    /// Lets a file consist of these bytes.
    pub(crate) fn put_all(&mut self, ino: Ino, bytes: &[u8], now: Nanos) -> Result<()> {
        let end = end_of(ino, 0, bytes.len())?;
        self.change(ino, now, |inode| {
            inode.open.punch(0, inode.attr.size);
            inode.open.write(0, bytes);
            inode.attr.size = end;
        })
    }
}

impl Core {
    /// Writes all of `bytes` at `off`, or at the end of the file; says where.
    pub(crate) fn write(&self, ino: Ino, off: Option<u64>, bytes: &[u8]) -> Result<u64> {
        self.write_with(ino, off, bytes, |state| state.put(ino, off, bytes, self.env.clock.wall()))
    }

    /// Writes all of `bytes` as `put` does, after there is room for them at `off`, or at the end of the file.
    pub(crate) fn write_with<T>(
        &self,
        ino: Ino,
        off: Option<u64>,
        bytes: &[u8],
        put: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let fits = off.map(|off| end_of(ino, off, bytes.len())).transpose();
        if let Err(error) = fits.and_then(|_| self.make_room(ino, off, len)) {
            return Err(self.not_a_file_or(ino, error));
        }
        let mut state = self.within_quota(ino, off, bytes.len())?;
        let done = put(&mut state)?;
        if state.unsealed() >= self.options.flush_bytes {
            self.work.notify_all();
        }
        Ok(done)
    }

    /// That an inode has no contents, where something else was in the way of changing them.
    pub(crate) fn not_a_file_or(&self, ino: Ino, error: LvError) -> LvError {
        let file = self.state().and_then(|mut state| regular(state.inode(ino)?));
        file.err().unwrap_or(error)
    }

    /// The state, with room in the quota for bytes at `off`, or at the end of the file.
    pub(crate) fn within_quota(&self, ino: Ino, off: Option<u64>, len: usize) -> Result<MutexGuard<'_, State>> {
        for settled in [false, true] {
            let mut state = self.state()?;
            let inode = state.inode(ino)?;
            regular(inode)?;
            let at = off.unwrap_or(inode.attr.size);
            match self.quota_for(&mut state, ino, at, len) {
                Err(LvError::Quota { .. }) if !settled => {}
                other => return other.map(|()| state),
            }
            drop(state);
            self.settle_space()?;
            // Intents count whole, in extents only what files still name.
            self.settle_intents()?;
        }
        self.state()
    }

    /// Makes a range read as zeros without changing the size.
    pub(crate) fn punch(&self, ino: Ino, start: u64, end: u64) -> Result<()> {
        let now = self.env.clock.wall();
        self.state()?.punch(ino, start, end, now)
    }

    /// Returns when `len` more bytes can be taken: memory, space of the volume, space of the host.
    pub(crate) fn make_room(&self, ino: Ino, off: Option<u64>, len: u64) -> Result<()> {
        self.wait_for_memory(ino, len)?;
        self.volume_room(len)?;
        if self.known_room(Brings::data(len)) {
            return Ok(());
        }
        let mut state = self.state()?;
        let size = state.inode(ino)?.attr.size;
        drop(state);
        let tiny = size.max(off.unwrap_or(size).saturating_add(len)) <= u64::from(TINY);
        // It goes where the rows go.
        self.host_room(Brings::data(if tiny { 0 } else { len }))
    }

    /// Returns when the volume and the host have room for `len` more bytes.
    pub(crate) fn space_for(&self, len: u64) -> Result<()> {
        self.volume_room(len)?;
        self.host_room(Brings::data(len))
    }

    /// Returns when the volume has room for `len` more bytes.
    fn volume_room(&self, len: u64) -> Result<()> {
        if self.state()?.fits(len).is_err() {
            // What is pending may free more than it takes: see what is really left.
            self.settle_space()?;
            self.state()?.fits(len)?;
        }
        Ok(())
    }

    /// Places what is pending and takes apart what nothing leads to: then free bytes are exact.
    pub(crate) fn settle_space(&self) -> Result<()> {
        self.sync()?;
        self.finish_burials()
    }

    /// Whether the quota has room for what is not yet data in a range. What is pending counts in full until it is
    /// placed, so that a refusal is final only after [`settle_space`](Self::settle_space).
    pub(crate) fn quota_for(&self, state: &mut State, ino: Ino, off: u64, len: usize) -> Result<()> {
        let (usage, limit) = (state.used_bytes(), self.options.quota.bytes);
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        if usage.saturating_add(len) <= limit {
            return Ok(());
        }
        let requested = state.missing(ino, off, off.saturating_add(len))?;
        if requested == 0 || usage.saturating_add(requested) <= limit {
            return Ok(());
        }
        Err(LvError::Quota { what: "bytes", limit, requested, usage })
    }

    /// Whether the quota has room for one more inode.
    pub(crate) fn one_more_file(&self, state: &State) -> Result<()> {
        let (usage, limit) = (state.files(), self.options.quota.files);
        if usage >= limit {
            return Err(LvError::Quota { what: "files", limit, requested: 1, usage });
        }
        Ok(())
    }

    /// Returns when one more namespace operation can be taken.
    pub(crate) fn metadata_room(&self) -> Result<()> {
        self.metadata_room_for(0)
    }

    /// The same for one that brings a long row with so many bytes.
    pub(crate) fn metadata_room_for(&self, long: usize) -> Result<()> {
        self.writable()?;
        self.wait_for_memory(Ino::ROOT, 0)?;
        self.host_room(Brings::long(long))
    }

    /// Whoever filled the memory waits for it to be emptied; others may still take a little.
    pub(crate) fn wait_for_memory(&self, ino: Ino, len: u64) -> Result<()> {
        loop {
            let state = self.state()?;
            let max = self.rows_max();
            let rows = state.dirty.rows() > max;
            let many = max < DIRTY_ROWS && state.waiting_rows() > max.saturating_mul(4);
            let own = state.inodes.get(&ino).map_or(0, Inode::pending_bytes);
            let budget = self.options.dirty_bytes;
            let limit = if own > budget / 8 { budget.saturating_sub(budget / 8) } else { budget };
            let full = state.pending > 0 && state.pending.saturating_add(len) > limit;
            let txg = state.txg;
            if rows {
                drop(state);
                self.commit_through(txg)?;
            } else if many {
                // Data that waits brings rows along: more than one commit could hold on a full host.
                drop(state);
                return self.sync();
            } else if !full {
                return Ok(());
            } else if self.env.threads {
                self.work.notify_all();
                let waited = self.changed.wait_timeout(state, std::time::Duration::from_millis(100));
                drop(waited);
                // Somebody else may have taken what was counted on: then nobody can make room here.
                if self.rows_beside_extents(1)?.is_empty() {
                    return Err(self.no_extent(u64::MAX));
                }
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
            state.bury_some(ino, UNMAP_AT_ONCE.min(self.rows_max()))?;
            if state.dirty.rows() > self.rows_max() {
                let txg = state.txg;
                drop(state);
                self.commit_through(txg)?;
            }
        }
    }
}

impl State {
    /// Whether there is room for `len` more bytes, as far as can be seen now.
    pub(crate) fn fits(&self, len: u64) -> Result<()> {
        let free = self.free_bytes();
        if free < len { Err(LvError::NoSpace { free, needed: len }) } else { Ok(()) }
    }

    /// Inodes that somebody can still use. Those that are being taken apart are not counted.
    pub(crate) fn files(&self) -> u64 {
        self.fs.files.saturating_sub(u64::try_from(self.burials().count()).unwrap_or(u64::MAX))
    }

    pub(crate) fn next_burial(&self) -> Option<Ino> {
        self.burials().next()
    }

    /// The orphans that nobody has open.
    fn burials(&self) -> impl Iterator<Item = Ino> {
        self.orphans.iter().copied().filter(|ino| self.inodes.get(ino).is_none_or(|inode| inode.opens == 0))
    }
}
