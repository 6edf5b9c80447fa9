//! Making whole free extents: compaction, moving intents out of the catalogue, and reclaiming under pressure.

use std::collections::VecDeque;

use pv::{LeIndex, SliceId};

use super::core::{Core, lock};
use super::flush::FlushToken;
use super::pack::{Origin, Run};
use super::place::Need;
use super::state::{State, TINY};
use super::victims::{Piece, Plan};
use crate::catalogue::{MapRow, SliceRow};
use crate::{Ino, LvError, Result};

/// Victims looked at in one round.
const VICTIMS: usize = 64;
/// Extents filled in one round, at most.
pub(crate) const ROUND: usize = 32;
/// Intents moved in one round.
const INTENT_BATCH: usize = 256;
/// Rows of metadata that change with each map entry whose bytes move.
const ROWS: usize = 4;

/// Bytes to move, with where they are now.
#[derive(Debug)]
struct Find {
    ino: Ino,
    off: u64,
    row: SliceRow,
    skip: u32,
    len: u32,
    /// Map entries that will name the copy.
    entries: usize,
    origin: Origin,
}

impl Find {
    fn piece(&self) -> Piece {
        Piece { len: self.len, splits: matches!(self.origin, Origin::Record { .. }) }
    }

    fn whole(row: SliceRow) -> Self {
        let origin = Origin::Whole { id: row.id, epoch: row.epoch, from: row.le };
        Self { ino: row.ino, off: row.off, skip: 0, len: row.stored, entries: 1, origin, row }
    }

    /// What map entries name of a slice, bytes that several of them name once.
    fn records(row: &SliceRow, mut named: Vec<(Ino, MapRow)>, shared: bool) -> Vec<Self> {
        named.sort_by_key(|(_, entry)| entry.skip);
        let mut out: Vec<Self> = Vec::new();
        for (ino, entry) in named {
            let (skip, end) = (entry.skip, entry.skip.saturating_add(entry.len));
            if out.last().is_none_or(|last| last.skip.saturating_add(last.len) < skip) {
                let origin = Origin::Record { old: row.id, skip, shared };
                let (len, row) = (entry.len, row.clone());
                out.push(Self { ino, off: entry.off, skip, len, entries: 0, origin, row });
            }
            let Some(last) = out.last_mut() else { continue };
            last.len = last.len.max(end.saturating_sub(last.skip));
            last.entries = last.entries.saturating_add(1);
            if row.is_home_of(ino, &entry) {
                (last.ino, last.off) = (row.ino, row.off.saturating_add(last.skip.into()));
            }
        }
        out
    }
}

impl Core {
    /// Takes one step towards more free extents; `false` when nothing can be done.
    pub(crate) fn reclaim(&self, token: &mut FlushToken<'_>) -> Result<bool> {
        let before = self.state()?.committed;
        if self.delete_dead(token, true)? {
            return Ok(true);
        }
        let state = self.state()?;
        let (waits, txg) = (state.space.waits_for_commit(state.committed), state.txg);
        drop(state);
        if waits {
            self.commit_inline(txg)?;
            return Ok(true);
        }
        if self.compact(token)? {
            return Ok(true);
        }
        // Extents changed by the open transaction group are no victims until it is committed.
        let state = self.state()?;
        let (uncommitted, txg) = (state.space.live_after(state.committed), state.txg);
        // A commit of somebody else's may have let go of something since it was looked for.
        let committed = state.committed > before;
        drop(state);
        if uncommitted {
            self.commit_inline(txg)?;
        }
        Ok(uncommitted || committed)
    }

    /// Runs one round of compaction if nothing else is going on.
    pub(crate) fn compact_once(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        self.compact(&mut token)
    }

    /// Deletes what quarantine has let go of; see [`delete_dead`](Self::delete_dead).
    pub(crate) fn delete_dead_once(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        self.delete_dead(&mut token, false)
    }

    /// Moves the live bytes of the cheapest extents together; `false` when no extent would be gained.
    fn compact(&self, token: &mut FlushToken<'_>) -> Result<bool> {
        // Each piece changes some rows of metadata, all in one commit, which must find room beside what is filled.
        let rows = self.rows_beside_extents(ROUND)?;
        let finds = self.state()?.plan_round(&rows)?;
        if finds.is_empty() { Ok(false) } else { self.move_finds(token, &finds, Need::Compaction) }
    }

    /// Whether compaction would gain extents if the hosts had more room.
    pub(crate) fn would_gain(&self) -> Result<bool> {
        Ok(!self.state()?.plan_round(&[usize::MAX; ROUND])?.is_empty())
    }

    /// Copies what was found to fresh extents and lets maps or slice rows name the copies.
    fn move_finds(&self, token: &mut FlushToken<'_>, finds: &[Find], need: Need) -> Result<bool> {
        let mut state = self.state()?;
        for find in finds {
            state.hold_slice(find.row.id)?;
        }
        drop(state);
        let moved = self.move_held(token, finds, need);
        let mut state = self.state()?;
        for find in finds {
            state.release(find.row.id);
        }
        moved
    }

    fn move_held(&self, token: &mut FlushToken<'_>, finds: &[Find], need: Need) -> Result<bool> {
        let mut data = Vec::with_capacity(finds.len());
        for find in finds {
            match self.slice_bytes(&find.row, find.skip, find.len) {
                Ok(bytes) => data.push((find, bytes)),
                // Whoever reads the file is told; everything else goes on around it.
                Err(_) => self.state()?.space.set_damaged(find.row.le),
            }
        }
        let runs: VecDeque<Run> = data
            .into_iter()
            .map(|(find, bytes)| Run { ino: find.ino, off: find.off, bytes: bytes.into(), origin: find.origin })
            .collect();
        if runs.is_empty() {
            return Ok(need == Need::Compaction);
        }
        let filled = match self.place(token, runs, need) {
            Ok(filled) => filled,
            Err(LvError::NoSpace { .. } | LvError::HostFull { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        self.state()?.install_filled(self, filled, |_| false)?;
        Ok(true)
    }

    /// Moves intents (data that an fsync put into the catalogue) into extents; `true` when there were any.
    pub(crate) fn move_intents(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        let most = self.rows_room()? / ROWS;
        let state = self.state()?;
        let known = state.reader.inline_slices(TINY, INTENT_BATCH)?;
        let finds: Vec<Find> = known
            .into_iter()
            .take(most)
            .filter(|row| {
                row.raw > TINY && state.slices.get(&row.id).is_none_or(|s| s.row.refs > 0 && s.row.le.is_none())
            })
            .map(Find::whole)
            .collect();
        drop(state);
        if finds.is_empty() {
            return Ok(false);
        }
        self.move_finds(&mut token, &finds, Need::Data)
    }
}

impl State {
    /// What one round of compaction moves, with so many rows of metadata beside the first extent that is filled, so many
    /// beside the second and so on; nothing when no extent would be gained.
    fn plan_round(&mut self, rows: &[usize]) -> Result<Vec<Find>> {
        let mut plan =
            Plan::new(u32::try_from(self.space.extent()).unwrap_or(u32::MAX), self.space.free_count().min(rows.len()));
        let committed = self.committed;
        let (mut finds, mut entries) = (Vec::new(), 0usize);
        for le in self.space.cheapest(committed, VICTIMS) {
            if plan.is_full() {
                break;
            }
            let finds_here = self.live_in(le)?;
            // What moves, not what is live: some slices move whole.
            let pieces: Vec<Piece> = finds_here.iter().map(Find::piece).collect();
            if !plan.may_gain(&pieces) {
                self.space.set_solid(le);
                continue;
            }
            let mut next = plan.clone();
            let Some(lens) = next.add(&pieces) else { continue };
            let most = rows.get(next.filled().saturating_sub(1)).map_or(0, |rows| rows / ROWS);
            let entries_here = entries.saturating_add(finds_here.iter().map(|find| find.entries).sum());
            if entries_here > most {
                continue;
            }
            (plan, entries) = (next, entries_here);
            let some = finds_here.into_iter().zip(lens).filter(|(_, len)| *len > 0);
            finds.extend(some.map(|(find, len)| Find { len, ..find }));
        }
        if !plan.gains() {
            finds.clear();
        }
        Ok(finds)
    }

    /// Keeps a committed slice in memory.
    fn hold_slice(&mut self, id: SliceId) -> Result<()> {
        if !self.slices.contains_key(&id) {
            let Some(row) = self.reader.slice(id)? else { return Ok(()) };
            let stamp = self.committed;
            self.slices.insert(id, super::state::Slice { row, stamp, users: 0 });
        }
        if let Some(slice) = self.slices.get_mut(&id) {
            slice.users = slice.users.saturating_add(1);
        }
        Ok(())
    }

    /// The live bytes of an LE, to be moved: records where all references to a slice are found, the whole slice otherwise.
    fn live_in(&mut self, le: LeIndex) -> Result<Vec<Find>> {
        let bytes = |named: &[(Ino, MapRow)]| named.iter().map(|(_, entry)| u64::from(entry.len)).sum::<u64>();
        let mut out = Vec::new();
        for committed in self.reader.slices_of(le)? {
            let row = self.slices.get(&committed.id).map_or(committed, |slice| slice.row.clone());
            if row.refs == 0 || row.le != Some(le) {
                continue;
            }
            if row.moves_whole() || row.codec != 0 {
                out.push(Find::whole(row));
                continue;
            }
            let mut named = self.named_of(&row, 0..row.raw, false)?;
            let shared = bytes(&named) != row.live;
            if shared {
                named = self.named_of(&row, 0..row.raw, true)?;
            }
            // An index that does not lead to all of them is damaged.
            if bytes(&named) == row.live {
                out.extend(Find::records(&row, named, shared));
            } else {
                out.push(Find::whole(row));
            }
        }
        Ok(out)
    }
}
