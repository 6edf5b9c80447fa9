//! Making an active volume smaller.
//!
//! What the last extents hold moves to the others, as in compaction; then they are deleted, and a commit that no longer knows
//! them returns. Only after that may the volume group give them to others. A crash anywhere leaves a volume of the old size
//! with all it had.

use std::sync::{Arc, PoisonError};

use pv::{LeCount, LeIndex};
use vg::{Segment, VolumeExtents, cut};

use super::compact::ROUND;
use super::core::{Core, lock};
use super::flush::FlushToken;
use super::place::Need;
use super::space::LeState;
use super::state::State;
use crate::{LvError, Result};

impl Core {
    /// Takes over a map of the first `count` LEs, the others being empty by then.
    pub(crate) fn shrink(&self, count: LeCount) -> Result<()> {
        self.writable()?;
        let extents = self.extents();
        if count > extents.count() {
            return Err(LvError::Invalid { what: "a volume does not become smaller by more extents" });
        }
        let segments = cut(&extents.segments, count);
        let count = LeCount(segments.last().and_then(Segment::end).map_or(0, |end| end.0));
        let mut state = self.state()?;
        if count.0 == state.space.count() {
            return Ok(());
        }
        state.may_shrink(count)?;
        if !state.space.leave(count.0) {
            let what = "the volume is being made smaller already, or a physical volume that it would leave is missing";
            return Err(LvError::Invalid { what });
        }
        drop(state);
        let emptied = self.empty_leaving().and_then(|()| self.cut_off(segments));
        if emptied.is_err() {
            lock(&self.state).space.stay();
        }
        self.changed.notify_all();
        emptied
    }

    /// Moves and deletes until nothing is left. Others place data between two rounds.
    fn empty_leaving(&self) -> Result<()> {
        while self.empty_some(&mut lock(&self.flush))? {}
        Ok(())
    }

    /// One step; `false` when nothing is left to do.
    fn empty_some(&self, token: &mut FlushToken<'_>) -> Result<bool> {
        self.drain(token)?;
        if self.delete_dead(token, true)? {
            return Ok(true);
        }
        let rows = self.rows_beside_extents(ROUND)?;
        let mut state = self.state()?;
        let (committed, txg) = (state.committed, state.txg);
        let held: Vec<(LeIndex, bool)> = (state.space.leaving())
            .filter(|(_, le)| le.state != LeState::Free)
            .map(|(index, le)| (index, le.state == LeState::Live && le.stamp <= committed))
            .collect();
        if let Some(error) = state.cannot_move(&self.extents()) {
            return Err(error);
        }
        let unsaid = state.space.leaving().any(|(_, le)| le.stamp > committed);
        let victims: Vec<LeIndex> = held.iter().filter(|(_, moves)| *moves).map(|(le, _)| *le).collect();
        let (_, finds) = state.plan_moves(&victims, &rows, false)?;
        let (free, needed) = (state.free_bytes(), self.extent_size.bytes());
        // As many as compaction must find for ever after.
        let enough = state.space.free_count() >= state.space.kept_for_compaction();
        drop(state);
        if !finds.is_empty() && self.move_finds(token, &finds, Need::Compaction)? {
            return Ok(true);
        }
        // What a commit of the open transaction group is all that is missing for, or a second one.
        if victims.len() < held.len() || unsaid {
            self.commit_inline(txg)?;
            return Ok(true);
        }
        if victims.is_empty() && enough {
            return Ok(false);
        }
        // There is no free extent to move to, or there are too few.
        if self.reclaim(token)? || self.compact_into_leaving(token)? {
            return Ok(true);
        }
        Err(if self.would_gain()? { self.no_extent(needed) } else { LvError::NoSpace { free, needed } })
    }

    /// As compaction, when all that is free is leaving: one of these is filled, and emptied again with the room gained.
    fn compact_into_leaving(&self, token: &mut FlushToken<'_>) -> Result<bool> {
        if !self.state()?.space.lend() {
            return Ok(false);
        }
        let gained = self.compact(token);
        self.state()?.space.take_back();
        gained
    }

    /// The extents are the volume's no longer.
    fn cut_off(&self, segments: Vec<Segment>) -> Result<()> {
        let _flush = lock(&self.flush);
        let mut state = self.state()?;
        state.space.cut();
        let mut extents = self.extents.write().unwrap_or_else(PoisonError::into_inner);
        extents.segments = Arc::from(segments);
        Ok(())
    }
}

impl State {
    /// Whether what is there has room in `count` LEs.
    fn may_shrink(&self, count: LeCount) -> Result<()> {
        let used = self.used_bytes();
        let holds = |count: u32| self.space.total_of(count) >= used;
        if holds(count.0) {
            return Ok(());
        }
        // More extents never hold less.
        let (mut low, mut high) = (count.0, self.space.count());
        while low.saturating_add(1) < high {
            let middle = low.midpoint(high);
            if holds(middle) { high = middle } else { low = middle }
        }
        Err(LvError::TooSmall { asked: count, least: LeCount(high), extent: self.space.extent_bytes(), used })
    }

    /// Says which extent keeps the volume from becoming smaller because it cannot be read.
    fn cannot_move(&self, extents: &VolumeExtents) -> Option<LvError> {
        let (le, _) = self.space.leaving().find(|(_, le)| le.state == LeState::Live && le.damaged)?;
        let place = extents.places(le).first().copied()?;
        let pv = extents.pv(place.pv).map(|slot| slot.path.clone())?;
        Some(LvError::CannotMove { pv, pe: place.pe, le })
    }
}
