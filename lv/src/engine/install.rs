//! Taking over what a flush has placed: maps name the new slices, slice rows their new places.

use std::collections::BTreeSet;
use std::sync::Arc;

use pv::{FlushNo, LeIndex, SliceId};

use super::core::Core;
use super::layer::{Layer, Piece};
use super::pack::{Origin, Placed};
use super::space::LeState;
use super::state::State;
use crate::catalogue::{MapRow, SliceRow};
use crate::{Ino, Result};

/// An LE that a PV now holds.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) le: LeIndex,
    pub(crate) fill: u32,
    pub(crate) flush: FlushNo,
    pub(crate) placed: Vec<Placed>,
}

impl Core {
    /// Makes placed layers part of their files' maps, all of a file at once.
    pub(crate) fn install(&self, layers: &[(Ino, Arc<Layer>)], filled: Vec<Filled>) -> Result<()> {
        let mut state = self.state()?;
        let wanted: BTreeSet<Ino> = layers
            .iter()
            .filter(|(ino, layer)| {
                let sealed = state.inodes.get(ino).filter(|inode| !inode.gone).and_then(|inode| inode.sealed.front());
                sealed.is_some_and(|sealed| Arc::ptr_eq(&sealed.layer, layer))
            })
            .map(|(ino, _)| *ino)
            .collect();
        for (ino, layer) in layers.iter().filter(|(ino, _)| wanted.contains(ino)) {
            for (off, piece) in layer.pieces() {
                if let Piece::Hole(len) = piece {
                    state.map_clear(*ino, off, off.saturating_add(*len))?;
                }
            }
        }
        state.install_filled(self, filled, |ino| wanted.contains(&ino))?;
        for (ino, layer) in layers.iter().filter(|(ino, _)| wanted.contains(ino)) {
            state.pending = state.pending.saturating_sub(layer.data());
            state.sealed = state.sealed.saturating_sub(layer.data());
            let inode = state.inode_mut(*ino)?;
            if let Some(sealed) = inode.sealed.pop_front() {
                inode.named = sealed.attr;
            }
            state.requeue(*ino);
        }
        self.changed.notify_all();
        Ok(())
    }
}

impl State {
    /// Takes over filled LEs: new slices enter the maps of files that `wanted` names, moved ones their new places.
    pub(crate) fn install_filled(
        &mut self,
        core: &Core,
        filled: Vec<Filled>,
        wanted: impl Fn(Ino) -> bool,
    ) -> Result<()> {
        for Filled { le, fill, flush, placed } in filled {
            self.unnamed.remove(&flush);
            if let Some(entry) = self.space.get_mut(le) {
                entry.state = LeState::Live;
                entry.fill = fill;
                entry.epoch = core.epoch;
                entry.flush = flush;
            }
            self.touch_le(le);
            let extents = core.extents();
            for (pv, _) in core.places(le) {
                if let Some(slot) = extents.pvs.get(pv) {
                    // Chunks end in any order, but a PV's mark never falls.
                    let mark = self.pvs.entry(slot.uuid).or_insert((core.epoch, flush));
                    *mark = (*mark).max((core.epoch, flush));
                    self.dirty.pvs.insert(slot.uuid);
                }
            }
            for part in placed {
                match part.origin {
                    Origin::Layer if wanted(part.ino) => self.install_new(le, &part)?,
                    Origin::Layer => {}
                    Origin::Record { old, skip, shared } => self.install_record(le, &part, (old, skip), shared)?,
                    Origin::Whole { id, from, .. } => {
                        self.move_slice(id, from, le, part.pos);
                    }
                }
            }
            self.settle(le);
        }
        Ok(())
    }

    fn slice_of(&self, le: LeIndex, part: &Placed) -> SliceRow {
        SliceRow {
            id: part.id,
            epoch: self.epoch,
            le: Some(le),
            pos: part.pos,
            stored: part.len,
            raw: part.len,
            codec: 0,
            refs: 0,
            live: 0,
            ino: part.ino,
            off: part.off,
            blocks: Arc::clone(&part.blocks),
            data: None,
            data_txg: self.txg.0,
            sum: 0,
        }
    }

    fn install_new(&mut self, le: LeIndex, part: &Placed) -> Result<()> {
        let row = self.slice_of(le, part);
        self.add_slice(row);
        self.map_put(part.ino, MapRow { off: part.off, len: part.len, slice: part.id, skip: 0 })
    }

    /// Where maps still name these bytes of `old`, they now name the new slice.
    fn install_record(&mut self, le: LeIndex, part: &Placed, (old, skip): (SliceId, u32), shared: bool) -> Result<()> {
        let Some(row) = self.slices.get(&old).map(|slice| slice.row.clone()) else { return Ok(()) };
        let end = skip.saturating_add(part.len);
        let named = self.named_of(&row, skip..end, shared)?;
        if !named.is_empty() {
            self.add_slice(SliceRow { data_txg: row.data_txg, ..self.slice_of(le, part) });
        }
        for (ino, entry) in named {
            let (from, to) = (entry.skip.max(skip), entry.skip.saturating_add(entry.len).min(end));
            let off = entry.off.saturating_add(from.saturating_sub(entry.skip).into());
            let (len, skip) = (to.saturating_sub(from), from.saturating_sub(skip));
            self.map_put(ino, MapRow { off, len, slice: part.id, skip })?;
        }
        Ok(())
    }
}
