//! Placing data: sealed layers and moved slices go into fresh extents, one PV transaction per touched PV and chunk.
//!
//! Crash reasoning: extents are durable on their PVs before anything in memory names them, so no commit can name them
//! earlier. Until a commit does, they are orphans that the next activation deletes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, MutexGuard};
use std::thread::{Scope, ScopedJoinHandle};

use pv::{ExtentBatch, FlushNo, FreshExtent, LeIndex, PeIndex, Txg, encode_toc};

use super::core::{Core, lock};
use super::install::Filled;
use super::layer::{Layer, Piece};
use super::pack::{Origin, Packed, Packer, Placed, Run};
use super::space::{LeState, Quarantine};
use super::state::{FS, State};
use crate::{Ino, LvError, Result};

/// Bytes of one PV transaction, about.
const PV_BATCH: u64 = 8 * 1024 * 1024;
/// Dead extents deleted by one PV transaction, at most.
const DELETE_BATCH: usize = 256;

/// Proof that no other flush runs.
pub(crate) type FlushToken<'a> = MutexGuard<'a, ()>;

/// Who asks for free extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Data of users: leaves the extents kept for compaction.
    Data,
    /// Compaction: may take them all.
    Compaction,
}

/// What one PV gets.
#[derive(Debug, Default)]
struct PvWork {
    fresh: Vec<FreshExtent>,
    freed: Vec<(LeIndex, PeIndex)>,
}

/// A chunk whose PV transactions run, or have run.
enum Writing<'scope> {
    There(ScopedJoinHandle<'scope, (Chunk, Result<()>)>),
    Here(Box<Chunk>, Result<()>),
}

/// One chunk: extents packed, numbered, and dealt to PVs.
struct Chunk {
    flush: FlushNo,
    committed: Txg,
    work: BTreeMap<usize, PvWork>,
    placed: Vec<(LeIndex, u32, Vec<Placed>)>,
}

impl Core {
    /// Places all data that waits at the time of the call.
    pub(crate) fn flush_all(&self) -> Result<()> {
        let token = lock(&self.flush);
        let mut state = self.state()?;
        state.install_dataless()?;
        let files: Vec<Ino> = state.waiting.values().copied().collect();
        drop(state);
        self.place_files(&token, &files)
    }

    /// Places the data of these files.
    pub(crate) fn flush_files(&self, files: &[Ino]) -> Result<()> {
        let token = lock(&self.flush);
        self.place_files(&token, files)
    }

    /// Places the data that waits longest, about `limit` bytes.
    pub(crate) fn flush_some(&self, limit: u64) -> Result<()> {
        let token = lock(&self.flush);
        let mut state = self.state()?;
        state.install_dataless()?;
        let mut files = Vec::new();
        let mut bytes = 0u64;
        for ino in state.waiting.values() {
            if bytes >= limit {
                break;
            }
            files.push(*ino);
            bytes = bytes.saturating_add(state.inodes.get(ino).map_or(0, |inode| inode.open.data()));
        }
        drop(state);
        self.place_files(&token, &files)
    }

    fn place_files(&self, token: &FlushToken<'_>, files: &[Ino]) -> Result<()> {
        let mut state = self.state()?;
        let layers: Vec<(Ino, Arc<Layer>)> =
            files.iter().filter_map(|ino| state.seal(*ino).map(|layer| (*ino, layer))).collect();
        drop(state);
        if layers.is_empty() {
            return Ok(());
        }
        let mut runs = VecDeque::new();
        for (ino, layer) in &layers {
            for (off, piece) in layer.pieces() {
                if let Piece::Data(bytes) = piece {
                    runs.push_back(Run { ino: *ino, off, bytes, origin: Origin::Layer });
                }
            }
        }
        let placed = match self.place(token, runs, Need::Data) {
            Ok(placed) => placed,
            Err(error) => {
                self.unseal(&layers);
                return Err(error);
            }
        };
        self.install(&layers, placed)
    }

    /// Puts layers back that could not be placed.
    fn unseal(&self, layers: &[(Ino, Arc<Layer>)]) {
        let mut state = lock(&self.state);
        for (ino, layer) in layers {
            if let Some(inode) = state.inodes.get_mut(ino)
                && inode.sealed.take_if(|sealed| Arc::ptr_eq(&sealed.layer, layer)).is_some()
            {
                let newer = std::mem::replace(&mut inode.open, Layer::clone(layer));
                let before = inode.open.data().saturating_add(newer.data());
                inode.open.stack(newer);
                let overlap = before.saturating_sub(inode.open.data());
                state.pending = state.pending.saturating_sub(overlap);
            }
            state.requeue(*ino);
        }
    }

    /// Places runs in fresh extents, chunk by chunk; all are durable when this returns.
    pub(crate) fn place(&self, token: &FlushToken<'_>, mut runs: VecDeque<Run<'_>>, need: Need) -> Result<Vec<Filled>> {
        let packer = Packer {
            family: self.family,
            epoch: self.epoch,
            fs: u32::try_from(FS).unwrap_or(1),
            extent: usize::try_from(self.extents.extent_size.get()).unwrap_or(usize::MAX),
            next_slice: &self.next_slice,
        };
        let mut all = Vec::new();
        let outcome = std::thread::scope(|scope| {
            let mut writing = None;
            let placed = self.place_chunks(scope, token, &packer, (&mut runs, need), (&mut writing, &mut all));
            let last = self.finish(writing.take(), &mut all);
            placed.and(last)
        });
        match outcome {
            Ok(()) => Ok(all),
            Err(error) => {
                // What is on the PVs already must be named, if only to be given back; a volume that has stopped leaves
                // that to its next activation.
                if let Ok(mut state) = self.state() {
                    state.install_filled(self, all, |_| false)?;
                }
                Err(error)
            }
        }
    }

    /// Packs and numbers one chunk while the one before it is being written. The PV transactions of two chunks never
    /// overlap, nor does one overlap with reclaiming: flush numbers rise on every PV.
    fn place_chunks<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        token: &FlushToken<'_>,
        packer: &Packer<'_>,
        (runs, need): (&mut VecDeque<Run<'_>>, Need),
        (writing, all): (&mut Option<Writing<'scope>>, &mut Vec<Filled>),
    ) -> Result<()> {
        while !runs.is_empty() {
            let room = match self.free_now(need)? {
                0 => {
                    self.finish(writing.take(), all)?;
                    self.room(token, need)?
                }
                room => room,
            };
            let extents = packer.pack(runs, room.min(self.chunk_extents()));
            let chunk = self.allocate(extents, need)?;
            self.finish(writing.take(), all)?;
            *writing = Some(if self.env.threads {
                Writing::There(scope.spawn(move || {
                    let written = self.write_chunk(&chunk);
                    (chunk, written)
                }))
            } else {
                let written = self.write_chunk(&chunk);
                Writing::Here(Box::new(chunk), written)
            });
        }
        Ok(())
    }

    /// Waits for a chunk to be written and takes note of it.
    fn finish(&self, writing: Option<Writing<'_>>, all: &mut Vec<Filled>) -> Result<()> {
        let (chunk, written) = match writing {
            None => return Ok(()),
            Some(Writing::Here(chunk, written)) => (*chunk, written),
            Some(Writing::There(thread)) => {
                let died = |_| self.poison(LvError::Poisoned { why: "a worker thread died".to_owned() });
                thread.join().map_err(died)?
            }
        };
        written?;
        self.finish_deletes(&chunk)?;
        let flush = chunk.flush;
        all.extend(chunk.placed.into_iter().map(|(le, fill, placed)| Filled { le, fill, flush, placed }));
        Ok(())
    }

    /// How many free extents there are for `need` without reclaiming.
    fn free_now(&self, need: Need) -> Result<usize> {
        let state = self.state()?;
        let keep = if need == Need::Data { state.space.kept_for_compaction() } else { 0 };
        Ok(state.space.free_count().saturating_sub(keep))
    }

    /// Extents per chunk: a PV transaction's worth for each of up to two PVs.
    fn chunk_extents(&self) -> usize {
        let pvs = u64::try_from(self.extents.pvs.len().clamp(1, 2)).unwrap_or(1);
        let extents = PV_BATCH.saturating_mul(pvs) / self.extents.extent_size.bytes();
        usize::try_from(extents).unwrap_or(1).max(1)
    }

    /// How many free extents there are for `need`, at least one: reclaims when there are none.
    fn room(&self, token: &FlushToken<'_>, need: Need) -> Result<usize> {
        // Compaction gains an extent in far fewer rounds; the bound only turns a mistake in counting into an error.
        let rounds = self.extents.count().0.saturating_add(256);
        for _ in 0..rounds {
            let mut state = self.state()?;
            let keep = if need == Need::Data { state.space.kept_for_compaction() } else { 0 };
            let room = state.space.free_count().saturating_sub(keep);
            if room > 0 {
                state.pressure = state.space.shortage();
                return Ok(room);
            }
            state.pressure = true;
            let (free, needed) = (state.free_bytes(), self.extents.extent_size.bytes());
            drop(state);
            if need == Need::Compaction || !self.reclaim(token)? {
                return Err(LvError::NoSpace { free, needed });
            }
        }
        Err(LvError::NoSpace { free: 0, needed: self.extents.extent_size.bytes() })
    }

    /// Numbers a chunk, gives its extents their places and adds deletions that are due on the same PVs.
    fn allocate(&self, packed: Vec<Packed>, need: Need) -> Result<Chunk> {
        let mut state = self.state()?;
        let keep = if need == Need::Data { state.space.kept_for_compaction() } else { 0 };
        let les = state.space.take(packed.len(), keep);
        if les.len() < packed.len() {
            les.into_iter().rev().for_each(|le| state.space.give_back(le));
            return Err(LvError::NoSpace { free: state.free_bytes(), needed: self.extents.extent_size.bytes() });
        }
        let mut chunk = Chunk::new(&mut state);
        for (le, packed) in les.into_iter().zip(packed) {
            let toc = encode_toc(&packed.toc);
            let fill = u32::try_from(packed.data.len()).unwrap_or(u32::MAX);
            let mut data = packed.data;
            let mut places = self.places(le).into_iter().peekable();
            while let Some((pv, pe)) = places.next() {
                let bytes = if places.peek().is_some() { data.clone() } else { std::mem::take(&mut data) };
                let fresh = FreshExtent { pe, lv: self.extents.lv, le, toc: toc.clone(), data: bytes };
                chunk.work.entry(pv).or_default().fresh.push(fresh);
            }
            chunk.placed.push((le, fill, packed.placed));
        }
        state.unnamed.insert(chunk.flush);
        let touched: Vec<usize> = chunk.work.keys().copied().collect();
        self.add_deletes(&mut state, &mut chunk, |pv| touched.contains(&pv));
        Ok(chunk)
    }

    /// The legs of an LE: index of the PV, place on it.
    pub(crate) fn places(&self, le: LeIndex) -> Vec<(usize, PeIndex)> {
        let slot = |uuid| self.extents.pvs.iter().position(|pv| pv.uuid == uuid);
        self.extents.places(le).iter().filter_map(|place| Some((slot(place.pv)?, place.pe))).collect()
    }

    /// Adds deletions whose quarantine is over, on PVs that `wanted` names.
    fn add_deletes(&self, state: &mut State, chunk: &mut Chunk, wanted: impl Fn(usize) -> bool) {
        let quarantine = Quarantine {
            now: state.now,
            grace: u64::try_from(self.options.grace.as_millis()).unwrap_or(u64::MAX),
            committed: state.committed,
            pressure: state.pressure,
            wait_for_commit: !self.options.switches.reuse_at_once,
        };
        for le in state.space.take_dead(&quarantine, wanted, DELETE_BATCH) {
            for (pv, pe) in self.places(le) {
                chunk.work.entry(pv).or_default().freed.push((le, pe));
            }
        }
    }

    /// Deletes dead extents whose quarantine is over, on all PVs; `true` when there were any.
    pub(crate) fn delete_dead(&self, _token: &FlushToken<'_>) -> Result<bool> {
        let mut state = self.state()?;
        let mut chunk = Chunk::new(&mut state);
        self.add_deletes(&mut state, &mut chunk, |_| true);
        drop(state);
        if chunk.work.is_empty() {
            return Ok(false);
        }
        self.write_chunk(&chunk)?;
        self.finish_deletes(&chunk)?;
        Ok(true)
    }

    /// Runs a chunk's PV transactions, in parallel where threads are allowed. Any failure has an unknown outcome.
    fn write_chunk(&self, chunk: &Chunk) -> Result<()> {
        let outcome = if self.env.threads && chunk.work.len() > 1 {
            std::thread::scope(|scope| {
                let running: Vec<_> =
                    chunk.work.iter().map(|(pv, work)| scope.spawn(|| self.write_pv(chunk, *pv, work))).collect();
                let died = || LvError::Poisoned { why: "a worker thread died".to_owned() };
                running.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(died())))
            })
        } else {
            chunk.work.iter().try_for_each(|(pv, work)| self.write_pv(chunk, *pv, work))
        };
        outcome.map_err(|error| self.poison(error))
    }

    fn write_pv(&self, chunk: &Chunk, pv: usize, work: &PvWork) -> Result<()> {
        let store = self.extents.pvs.get(pv).and_then(|slot| slot.store.as_ref());
        let Some(store) = store else {
            return Err(LvError::Invalid { what: "an extent was to be written to a missing physical volume" });
        };
        let freed: Vec<PeIndex> = work.freed.iter().map(|(_, pe)| *pe).collect();
        store.commit(&ExtentBatch {
            family: self.family,
            epoch: self.epoch,
            flush: chunk.flush,
            txg: chunk.committed,
            fresh: &work.fresh,
            freed: &freed,
        })?;
        Ok(())
    }

    /// The deletions of a written chunk have happened: their LEs are free.
    fn finish_deletes(&self, chunk: &Chunk) -> Result<()> {
        let mut state = self.state()?;
        for (le, _) in chunk.work.values().flat_map(|work| &work.freed) {
            if state.space.get(*le).is_some_and(|entry| entry.state == LeState::Deleting) {
                state.space.deleted(*le);
                state.touch_le(*le);
            }
        }
        Ok(())
    }
}

impl Chunk {
    fn new(state: &mut State) -> Self {
        state.next_flush = FlushNo(state.next_flush.0.saturating_add(1));
        Self { flush: state.next_flush, committed: state.committed, work: BTreeMap::new(), placed: Vec::new() }
    }
}
