//! What the engine does instead where a rule is switched off: only the crash rig sees it.

use std::collections::BTreeSet;

use pv::{LeIndex, SliceId};

use super::layer::Piece;
use super::rules::Rule;
use super::state::{Dirty, State};
use crate::{Ino, Result};

impl State {
    /// Takes out of a commit what belongs in it and waits for the next one.
    pub(super) fn hold_back(&mut self, dirty: &mut Dirty) {
        if !self.rules.keep(Rule::NamesInOrder) {
            // Those in other directories than the root that were there, with what these directories say of them.
            let old = |ino: Ino| ino != Ino::ROOT && self.inodes.get(&ino).is_some_and(|inode| inode.row_sum != 0);
            let parents: BTreeSet<Ino> = dirty.dirents.keys().map(|key| key.0).filter(|ino| old(*ino)).collect();
            let waits = |(parent, _): &(Ino, u64)| parents.contains(parent);
            let (later, now) = std::mem::take(&mut dirty.dirents).into_iter().partition(|(key, _)| waits(key));
            (self.dirty.dirents, dirty.dirents) = (later, now);
            let (later, now) = std::mem::take(&mut dirty.inodes).into_iter().partition(|ino| parents.contains(ino));
            (self.dirty.inodes, dirty.inodes) = (later, now);
        }
        if !self.rules.keep(Rule::WholeMoves) {
            // The extents that something was moved into.
            let moved: BTreeSet<LeIndex> = dirty.slices.iter().filter_map(|id| self.moved_to(*id)).collect();
            let (later, now) = std::mem::take(&mut dirty.les).into_iter().partition(|le| moved.contains(le));
            (self.dirty.les, dirty.les) = (later, now);
        }
    }

    /// Where a slice lies that was in the catalogue, or in another extent, before.
    fn moved_to(&self, id: SliceId) -> Option<LeIndex> {
        self.slices.get(&id).filter(|slice| slice.row.data_txg < self.txg.0).and_then(|slice| slice.row.le)
    }

    /// Takes over the holes of a file and leaves its data waiting.
    pub(super) fn install_holes(&mut self, ino: Ino) -> Result<()> {
        let Some(inode) = self.inodes.get(&ino) else { return Ok(()) };
        let hole = |(off, piece): (u64, &Piece)| match piece {
            Piece::Hole(len) => Some((off, off.saturating_add(*len))),
            Piece::Data(_) => None,
        };
        let holes: Vec<_> = inode.open.pieces().filter_map(hole).collect();
        holes.into_iter().try_for_each(|(from, to)| self.map_clear(ino, from, to))
    }
}
