//! Map 1: (file, offset) -> slice. The only place that changes map entries and counts references.

use std::collections::BTreeMap;
use std::ops::Range;

use pv::{LeIndex, SliceId};

use super::inode::{Inode, WINDOW, WindowSum};
use super::space::LeState;
use super::state::{FS, Slice, State, TINY};
use crate::catalogue::{MapRow, SliceRow, map_mark};
use crate::{Ino, LvError, Result};

fn end_of(row: &MapRow) -> u64 {
    row.off.saturating_add(u64::from(row.len))
}

impl State {
    /// The map entries of one window, loaded when they are not in memory.
    fn window(&mut self, ino: Ino, window: u64) -> Result<&mut BTreeMap<u64, MapRow>> {
        let start = window.saturating_mul(WINDOW);
        let inode = self.inode(ino)?;
        let known = inode.fresh || inode.windows.contains_key(&window);
        if !known {
            let rows =
                self.reader.map_between(FS, ino, start, start.saturating_add(WINDOW).min(i64::MAX.cast_unsigned()))?;
            let sum = self.verify_window(ino, window, &rows)?;
            let mut entries = BTreeMap::new();
            let mut at = start;
            for row in rows {
                if row.off < at || end_of(&row) > start.saturating_add(WINDOW) || row.len == 0 {
                    return Err(self.damaged(format!("the map of inode {ino} overlaps itself at byte {}", row.off)));
                }
                at = end_of(&row);
                self.use_slice(&row)?;
                entries.insert(row.off, row);
            }
            self.entries += entries.len();
            let inode = self.inode(ino)?;
            inode.windows.insert(window, entries);
            if window > 0 {
                inode.window_sums.insert(window, sum);
            }
        }
        Ok(self.inode(ino)?.windows.entry(window).or_default())
    }

    /// Sees to it that an inode's row and the start of its map are of one state.
    pub(crate) fn verify_start(&mut self, ino: Ino) -> Result<()> {
        self.window(ino, 0).map(drop)
    }

    /// Whether these are all entries of a window, and none of an older state: what is missing would read as zeros.
    fn verify_window(&mut self, ino: Ino, window: u64, rows: &[MapRow]) -> Result<WindowSum> {
        let expected = match window {
            0 => WindowSum { below: self.inode(ino)?.below, row_sum: 0 },
            _ => self
                .reader
                .window(FS, ino, window)?
                .map_or(WindowSum::default(), |row| WindowSum { below: row.below, row_sum: row.sum }),
        };
        if rows.iter().fold(0u64, |sum, row| sum.wrapping_add(map_mark(row))) == expected.below {
            return Ok(expected);
        }
        let (path, from) = (self.path_of(ino), window.saturating_mul(WINDOW));
        let path = path.escape_ascii();
        Err(self.damaged(format!("what {path} holds from byte {from} on is listed incompletely or as it once was")))
    }

    /// The first window at or after `window` of which the catalogue has anything.
    fn stored_window(&self, ino: Ino, window: u64) -> Result<Option<u64>> {
        let entry = self.reader.map_next(FS, ino, window.saturating_mul(WINDOW))?.map(|off| off / WINDOW);
        if entry == Some(window) {
            return Ok(entry);
        }
        // Entries that are missing must not be taken for a hole.
        let row = self.reader.window_next(FS, ino, window)?;
        Ok(entry.into_iter().chain(row).min())
    }

    /// One entry of the map comes or goes: what its window adds up to changes by `by`.
    fn add_up(&mut self, ino: Ino, window: u64, by: u64) -> Result<&mut Inode> {
        if window > 0 {
            self.dirty.windows.insert((ino, window));
        }
        let inode = self.inode_mut(ino)?;
        let below = match window {
            0 => &mut inode.below,
            _ => &mut inode.window_sums.entry(window).or_default().below,
        };
        *below = below.wrapping_add(by);
        Ok(inode)
    }

    /// Counts a loaded map entry, loading its slice when it is not in memory.
    fn use_slice(&mut self, entry: &MapRow) -> Result<()> {
        if !self.slices.contains_key(&entry.slice) {
            let Some(row) = self.reader.slice(entry.slice)? else {
                return Err(self.damaged(format!("slice {} is named by a map and missing", entry.slice)));
            };
            let stamp = self.committed;
            self.slices.insert(entry.slice, Slice { row, stamp, users: 0 });
        }
        let fits = self.slices.get_mut(&entry.slice).is_some_and(|slice| {
            slice.users = slice.users.saturating_add(1);
            entry.skip.checked_add(entry.len).is_some_and(|end| end <= slice.row.raw)
        });
        if fits {
            Ok(())
        } else {
            Err(self.damaged(format!("a map entry reaches past the end of slice {}", entry.slice)))
        }
    }

    /// The first window at or after `window` that has map entries.
    fn next_window(&mut self, ino: Ino, window: u64) -> Result<Option<u64>> {
        let inode = self.inode(ino)?;
        let mut here = inode.windows.range(window..).filter(|(_, rows)| !rows.is_empty()).map(|(w, _)| *w);
        let mut best = here.next();
        if !inode.fresh {
            // The catalogue may still name windows that memory knows to be empty: step over those.
            let mut from = window;
            while let Some(found) = self.stored_window(ino, from)? {
                if best.is_some_and(|b| b <= found) {
                    break;
                }
                if !self.inode(ino)?.windows.get(&found).is_some_and(BTreeMap::is_empty) {
                    best = Some(found);
                    break;
                }
                from = found.saturating_add(1);
            }
        }
        Ok(best)
    }

    /// The map entries that touch `start..end`, in order.
    pub(crate) fn mapped(&mut self, ino: Ino, start: u64, end: u64) -> Result<Vec<MapRow>> {
        let mut out = Vec::new();
        let mut window = start / WINDOW;
        let last = end.saturating_sub(1) / WINDOW;
        while start < end && window <= last {
            if window < last {
                // A hole may be as long as a file: only windows that have entries are looked at.
                match self.next_window(ino, window)?.filter(|next| *next <= last) {
                    Some(next) => window = next,
                    None => break,
                }
            }
            let rows = self.window(ino, window)?;
            let before = rows.range(..start).next_back().map(|(_, row)| *row).filter(|row| end_of(row) > start);
            let inside = rows.range(start..end).map(|(_, row)| *row).collect::<Vec<_>>();
            out.extend(before);
            out.extend(inside);
            window = window.saturating_add(1);
        }
        Ok(out)
    }

    /// The first map entry that ends after `off`.
    pub(crate) fn mapped_after(&mut self, ino: Ino, off: u64) -> Result<Option<MapRow>> {
        let mut window = off / WINDOW;
        while let Some(next) = self.next_window(ino, window)? {
            let rows = self.window(ino, next)?;
            let before = rows.range(..off).next_back().map(|(_, row)| *row).filter(|row| end_of(row) > off);
            let found = before.or_else(|| rows.range(off..).next().map(|(_, row)| *row));
            if found.is_some() {
                return Ok(found);
            }
            window = next.saturating_add(1);
        }
        Ok(None)
    }

    /// The map entries that name some of these bytes of a slice: those of the file it was written for, and with `shared`
    /// those that borrow from it, as far as the last commit knows them.
    pub(crate) fn named_of(&mut self, slice: &SliceRow, bytes: Range<u32>, shared: bool) -> Result<Vec<(Ino, MapRow)>> {
        let len = bytes.end.saturating_sub(bytes.start);
        let mut places = vec![(true, (slice.ino, slice.off.saturating_add(bytes.start.into()), len))];
        if shared {
            places.extend(self.reader.borrowed(FS, slice.id)?.into_iter().map(|place| (false, place)));
        }
        // A place that was one entry may be several by now, and more of them lie between two places.
        let mut named = BTreeMap::new();
        for (home, (ino, off, len)) in places {
            let entries = match self.mapped(ino, off, off.saturating_add(len.into())) {
                Err(LvError::NoInode { .. }) => continue,
                other => other?,
            };
            let wanted = |entry: &MapRow| {
                let end = entry.skip.saturating_add(entry.len);
                // Only what an index leads to is found again when its bytes have moved.
                let found = entry.slice == slice.id && slice.is_home_of(ino, entry) == home;
                found && entry.skip < bytes.end && bytes.start < end
            };
            named.extend(entries.into_iter().filter(wanted).map(|entry| ((ino, entry.off), entry)));
        }
        Ok(named.into_iter().map(|((ino, _), entry)| (ino, entry)).collect())
    }

    fn touch_slice(&mut self, id: SliceId) -> Option<&mut Slice> {
        let txg = self.txg;
        let slice = self.slices.get_mut(&id)?;
        self.reader.changing();
        slice.stamp = txg;
        self.dirty.slices.insert(id);
        Some(slice)
    }

    pub(crate) fn touch_le(&mut self, le: LeIndex) {
        let txg = self.txg;
        self.reader.changing();
        if let Some(entry) = self.space.get_mut(le) {
            entry.stamp = txg;
            self.dirty.les.insert(le);
        }
    }

    /// Takes `bytes` live bytes and `refs` references off a slice.
    fn unref(&mut self, id: SliceId, bytes: u32, refs: u32) {
        self.change_slice(id, |row| {
            row.live = row.live.saturating_sub(u64::from(bytes));
            row.refs = row.refs.saturating_sub(refs);
        });
    }

    /// Adds `bytes` live bytes and `refs` references to a slice.
    fn add_ref(&mut self, id: SliceId, bytes: u32, refs: u32) {
        self.change_slice(id, |row| {
            row.live = row.live.saturating_add(u64::from(bytes));
            row.refs = row.refs.saturating_add(refs);
        });
    }

    /// Changes how a slice is named, and with it what its extent holds: both its bytes and its names count there.
    fn change_slice(&mut self, id: SliceId, change: impl FnOnce(&mut SliceRow)) {
        let Some(slice) = self.touch_slice(id) else { return };
        let before = slice.row.occupied();
        change(&mut slice.row);
        let after = slice.row.occupied();
        let (le, gone, raw) = (slice.row.le, slice.row.refs == 0, slice.row.raw);
        match le {
            Some(le) if after < before => self.le_lost(le, before.saturating_sub(after)),
            Some(le) => {
                self.space.add_live(le, after.saturating_sub(before));
                self.touch_le(le);
            }
            None if gone && raw > TINY => self.intents = self.intents.saturating_sub(u64::from(raw)),
            None => {}
        }
    }

    /// An LE lost live bytes: without any left it goes into quarantine.
    pub(crate) fn le_lost(&mut self, le: LeIndex, bytes: u64) {
        let (txg, now) = (self.txg, self.now);
        if self.space.sub_live(le, bytes) {
            self.space.kill(le, txg, now);
        }
        self.touch_le(le);
    }

    /// An LE just filled turns out to hold nothing that is still wanted.
    pub(crate) fn settle(&mut self, le: LeIndex) {
        if self.space.get(le).is_some_and(|entry| entry.state == LeState::Live && entry.live == 0) {
            let (txg, now) = (self.txg, self.now);
            self.space.kill(le, txg, now);
            self.touch_le(le);
        }
    }

    /// Removes one entry from memory and marks its row.
    fn remove_entry(&mut self, ino: Ino, row: &MapRow) -> Result<()> {
        self.window(ino, row.off / WINDOW)?.remove(&row.off);
        self.dirty.maps.insert((ino, row.off));
        let inode = self.add_up(ino, row.off / WINDOW, map_mark(row).wrapping_neg())?;
        inode.mapped = inode.mapped.saturating_sub(u64::from(row.len));
        if let Some(slice) = self.slices.get_mut(&row.slice) {
            slice.users = slice.users.saturating_sub(1);
        }
        Ok(())
    }

    fn insert_entry(&mut self, ino: Ino, row: MapRow) -> Result<()> {
        self.window(ino, row.off / WINDOW)?.insert(row.off, row);
        self.entries += 1;
        self.dirty.maps.insert((ino, row.off));
        let inode = self.add_up(ino, row.off / WINDOW, map_mark(&row))?;
        inode.mapped = inode.mapped.saturating_add(u64::from(row.len));
        if let Some(slice) = self.slices.get_mut(&row.slice) {
            slice.users = slice.users.saturating_add(1);
        }
        Ok(())
    }

    /// Makes `start..end` of the map a hole.
    pub(crate) fn map_clear(&mut self, ino: Ino, start: u64, end: u64) -> Result<()> {
        let mut window = start / WINDOW;
        while start < end && window <= end.saturating_sub(1) / WINDOW {
            let Some(next) = self.next_window(ino, window)?.filter(|w| *w <= end.saturating_sub(1) / WINDOW) else {
                break;
            };
            let from = start.max(next.saturating_mul(WINDOW));
            let to = end.min(next.saturating_add(1).saturating_mul(WINDOW));
            self.map_clear_window(ino, from, to)?;
            window = next.saturating_add(1);
        }
        Ok(())
    }

    /// As [`map_clear`](Self::map_clear), within one window.
    fn map_clear_window(&mut self, ino: Ino, start: u64, end: u64) -> Result<()> {
        for row in self.mapped(ino, start, end)? {
            let row_end = end_of(&row);
            let cut = row_end.min(end).saturating_sub(row.off.max(start));
            let head = u32::try_from(start.saturating_sub(row.off)).unwrap_or(0);
            let tail = u32::try_from(row_end.saturating_sub(end)).unwrap_or(0);
            self.remove_entry(ino, &row)?;
            let parts = u32::from(head > 0) + u32::from(tail > 0);
            if parts == 2 {
                self.add_ref(row.slice, 0, 1);
            }
            self.unref(row.slice, u32::try_from(cut).unwrap_or(u32::MAX), u32::from(parts == 0));
            if head > 0 {
                self.insert_entry(ino, MapRow { len: head, ..row })?;
            }
            if tail > 0 {
                let skip = row.skip.saturating_add(row.len.saturating_sub(tail));
                self.insert_entry(ino, MapRow { off: end, len: tail, slice: row.slice, skip })?;
            }
        }
        Ok(())
    }

    /// Makes `row.off..` of the map name a slice that is in memory.
    pub(crate) fn map_put(&mut self, ino: Ino, row: MapRow) -> Result<()> {
        self.map_clear(ino, row.off, end_of(&row))?;
        self.insert_entry(ino, row)?;
        self.add_ref(row.slice, row.len, 1);
        Ok(())
    }

    /// Puts a new slice (without references yet) into memory.
    pub(crate) fn add_slice(&mut self, row: SliceRow) {
        if row.le.is_none() && row.raw > TINY {
            self.intents = self.intents.saturating_add(u64::from(row.raw));
        }
        let id = row.id;
        self.slices.insert(id, Slice { row, stamp: self.txg, users: 0 });
        self.dirty.slices.insert(id);
    }

    /// Moves a slice to another LE if it is still wanted there; whole, by its one row.
    pub(crate) fn move_slice(&mut self, id: SliceId, from: Option<LeIndex>, to: LeIndex, pos: u32) -> bool {
        let wanted = self.slices.get(&id).is_some_and(|slice| slice.row.refs > 0 && slice.row.le == from);
        if !wanted {
            return false;
        }
        let Some(slice) = self.touch_slice(id) else { return false };
        slice.row.le = Some(to);
        slice.row.pos = pos;
        slice.row.data = None;
        let (live, raw) = (slice.row.occupied(), slice.row.raw);
        match from {
            Some(from) => self.le_lost(from, live),
            None if raw > TINY => self.intents = self.intents.saturating_sub(u64::from(raw)),
            None => {}
        }
        self.space.add_live(to, live);
        self.touch_le(to);
        true
    }

    /// Takes up to `limit` entries off an orphan's map; `true` when none is left.
    pub(crate) fn unmap_some(&mut self, ino: Ino, limit: usize) -> Result<bool> {
        let mut done = 0usize;
        while done < limit {
            let Some(window) = self.next_window(ino, 0)? else { return Ok(true) };
            let start = window.saturating_mul(WINDOW);
            let rows = self.mapped(ino, start, start.saturating_add(WINDOW))?;
            let Some(last) = rows.get(limit.saturating_sub(done).min(rows.len()).saturating_sub(1)) else {
                return Ok(true);
            };
            let end = end_of(last);
            done = done.saturating_add(rows.len().min(limit.saturating_sub(done)));
            self.map_clear_window(ino, start, end)?;
        }
        Ok(self.next_window(ino, 0)?.is_none())
    }
}
