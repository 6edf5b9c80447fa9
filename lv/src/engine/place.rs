//! Placing data: runs of bytes go into fresh extents, chunk by chunk.
//!
//! Crash reasoning: extents are durable on their PVs before anything in memory names them, so no commit can name them
//! earlier. Until a commit does, they are orphans that the next activation deletes.

use std::collections::{BTreeMap, VecDeque};

use pv::{FlushNo, FreshExtent, LeIndex, PeIndex, Txg, encode_toc};

use super::compact::ROUND;
use super::core::Core;
use super::flush::FlushToken;
use super::host_space::HostNeed;
use super::install::Filled;
use super::pack::{Packed, Packer, Placed, Run};
use super::rules::Rule;
use super::space::{LeState, Quarantine, Space};
use super::state::{FS, State};
use crate::{LvError, Result};

/// Bytes of one PV transaction, about.
const PV_BATCH: usize = 8 * 1024 * 1024;
/// Tries to find room on the hosts for accepted data.
const CLAIM_ROUNDS: usize = 64;
/// Dead extents deleted by one PV transaction, at most.
const DELETE_BATCH: usize = 256;

/// Who asks for free extents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Data of users: leaves the extents kept for compaction.
    Data,
    /// Data of users that was accepted and finds no other room, when compaction gains nothing: leaves one.
    Accepted,
    /// Compaction: may take them all.
    Compaction,
}

impl Need {
    /// Extents that are left to others.
    fn kept(self, space: &Space) -> usize {
        match self {
            Self::Data => space.kept_for_compaction(),
            Self::Accepted => space.kept_for_compaction().min(1),
            Self::Compaction => 0,
        }
    }

    /// Free extents that it may take.
    fn room(self, space: &Space) -> usize {
        space.free_count().saturating_sub(self.kept(space))
    }
}

/// One chunk: extents packed, numbered, and dealt to PVs.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) flush: FlushNo,
    /// Last commit that had returned when the chunk was made.
    pub(crate) committed: Txg,
    /// What each PV gets.
    pub(crate) work: BTreeMap<usize, PvWork>,
    placed: Vec<(LeIndex, u32, Vec<Placed>)>,
    deleting: Vec<LeIndex>,
}

/// One PV transaction.
#[derive(Debug, Default)]
pub(crate) struct PvWork {
    pub(crate) fresh: Vec<FreshExtent>,
    pub(crate) freed: Vec<PeIndex>,
}

impl Core {
    /// Places runs in fresh extents; all are durable when this returns.
    pub(crate) fn place(&self, token: &mut FlushToken<'_>, runs: VecDeque<Run>, need: Need) -> Result<Vec<Filled>> {
        self.drain(token)?;
        token.begin(Vec::new());
        let placed = self.place_chunks(token, runs, need).and_then(|()| self.drain(token));
        if let Err(error) = placed {
            self.give_up(token)?;
            return Err(error);
        }
        Ok(token.take_back().1)
    }

    /// Packs and numbers one chunk of the last round after the other, while others are being written. Reclaiming has the
    /// PVs to itself: flush numbers rise on every PV.
    pub(crate) fn place_chunks(&self, token: &mut FlushToken<'_>, mut runs: VecDeque<Run>, need: Need) -> Result<()> {
        let packer = Packer {
            family: self.family,
            epoch: self.epoch,
            fs: u32::try_from(FS).unwrap_or(1),
            extent: usize::try_from(self.extent_size.get()).unwrap_or(usize::MAX),
            next_slice: &self.next_slice,
        };
        while !runs.is_empty() {
            let (room, need) = match self.free_now(need)? {
                0 => {
                    self.drain(token)?;
                    self.room(token, need)?
                }
                room => (room, need),
            };
            let left = runs.iter().map(|run| run.bytes.len()).sum();
            // Compaction has planned for one chunk: a second one would not see the gaps in the first.
            let most = if need == Need::Compaction { room.min(ROUND) } else { room.min(self.chunk_extents(left)) };
            let les = self.claim(token, (most, left), need)?;
            let extents = packer.pack(&mut runs, les.len());
            let chunk = self.deal(extents, les)?;
            self.send_chunk(token, chunk)?;
        }
        Ok(())
    }

    /// How many free extents there are for `need` without reclaiming.
    fn free_now(&self, need: Need) -> Result<usize> {
        Ok(need.room(&self.state()?.space))
    }

    /// Extents in the next chunk of `left` bytes: about a PV transaction's worth for each of up to two PVs, and no small
    /// rest at the end, which would cost as many syncs as a whole one.
    fn chunk_extents(&self, left: usize) -> usize {
        let whole = PV_BATCH.saturating_mul(self.extents().pvs.len().clamp(1, 2));
        let chunks = (left.saturating_add(whole / 2) / whole).max(1);
        let extent = usize::try_from(self.extent_size.get()).unwrap_or(usize::MAX).max(1);
        left.div_ceil(chunks).div_ceil(extent).max(1)
    }

    /// How many free extents there are for `need`, at least one, and what they are taken for: reclaims when there are none.
    fn room(&self, token: &mut FlushToken<'_>, need: Need) -> Result<(usize, Need)> {
        // Compaction gains an extent in far fewer rounds; the bound only turns a mistake in counting into an error.
        let rounds = self.extents().count().0.saturating_add(256);
        for _ in 0..rounds {
            let mut state = self.state()?;
            let room = need.room(&state.space);
            if room > 0 {
                state.pressure = state.space.shortage();
                return Ok((room, need));
            }
            let last = Need::Accepted.room(&state.space);
            state.pressure = true;
            let (free, needed) = (state.free_bytes(), self.extent_size.bytes());
            drop(state);
            if need == Need::Compaction || !self.reclaim(token)? {
                if need == Need::Data && last > 0 {
                    // Shared slices take more room than what is left of them.
                    return Ok((last, Need::Accepted));
                }
                if need != Need::Compaction && self.would_gain()? {
                    return Err(self.no_extent(needed));
                }
                return Err(LvError::NoSpace { free, needed });
            }
        }
        Err(LvError::NoSpace { free: 0, needed: self.extent_size.bytes() })
    }

    /// Takes free extents for `wanted` extents of `left` bytes, at least one, where the hosts of their PVs have room.
    fn claim(&self, token: &mut FlushToken<'_>, wanted: (usize, usize), need: Need) -> Result<Vec<LeIndex>> {
        for round in 0..CLAIM_ROUNDS {
            let les = self.claim_now(token, wanted, need)?;
            if !les.is_empty() {
                return Ok(les);
            }
            let gained = if round == 0 {
                // What is on its way was counted as if nothing of it were written.
                self.drain(token)?;
                self.empty_logs()?;
                self.state()?.pressure = true;
                true
            } else {
                self.give_rows_back()? || (need != Need::Compaction && self.reclaim(token)?)
            };
            if !gained {
                break;
            }
        }
        Err(self.no_extent(u64::try_from(wanted.1).unwrap_or(u64::MAX)))
    }

    fn claim_now(&self, token: &FlushToken<'_>, wanted: (usize, usize), need: Need) -> Result<Vec<LeIndex>> {
        let extent = self.extent_size.bytes();
        let mut left = u64::try_from(wanted.1).unwrap_or(u64::MAX);
        let mut state = self.state()?;
        let mut hosts = self.hosts(&state)?;
        for (le, fill) in token.on_their_way() {
            for (pv, _) in self.places(le) {
                hosts.take(pv, self.data_cost(u64::from(fill)), HostNeed::Anything);
            }
        }
        let keep = need.kept(&state.space);
        // First where the host has more than what is kept, or the PV bytes to write again.
        for host_need in [HostNeed::New, HostNeed::Small, HostNeed::Compaction] {
            let les = state.space.take(wanted.0, keep, |pv| {
                let fits = hosts.take(pv, self.data_cost(extent.min(left)), host_need);
                left = if fits { left.saturating_sub(extent).max(1) } else { left };
                fits
            });
            if !les.is_empty() {
                return Ok(les);
            }
        }
        Ok(Vec::new())
    }

    /// Numbers a chunk, gives its extents their places and adds deletions that are due on the same PVs.
    fn deal(&self, packed: Vec<Packed>, mut les: Vec<LeIndex>) -> Result<Chunk> {
        let mut state = self.state()?;
        for le in les.drain(packed.len().min(les.len())..).rev() {
            state.space.give_back(le);
        }
        let mut chunk = Chunk::new(&mut state);
        let lv = self.extents().lv;
        for (le, Packed { data, fill, toc, placed }) in les.into_iter().zip(packed) {
            let toc = encode_toc(&toc);
            for (pv, pe) in self.places(le) {
                let fresh = FreshExtent { pe, lv, le, toc: toc.clone(), data: data.clone() };
                chunk.work.entry(pv).or_default().fresh.push(fresh);
            }
            chunk.placed.push((le, u32::try_from(fill).unwrap_or(u32::MAX), placed));
        }
        state.unnamed.insert(chunk.flush);
        let touched: Vec<usize> = chunk.work.keys().copied().collect();
        let limit = DELETE_BATCH.min(self.rows_max());
        let quarantine = self.quarantine(&state, state.pressure);
        self.add_deletes(&mut state, &mut chunk, (&quarantine, limit), |pv| touched.contains(&pv));
        Ok(chunk)
    }

    /// The legs of an LE: index of the PV, place on it.
    pub(crate) fn places(&self, le: LeIndex) -> Vec<(usize, PeIndex)> {
        let extents = self.extents();
        let slot = |uuid| extents.pvs.iter().position(|pv| pv.uuid == uuid);
        extents.places(le).iter().filter_map(|place| Some((slot(place.pv)?, place.pe))).collect()
    }

    /// What dead extents wait for now.
    fn quarantine(&self, state: &State, pressure: bool) -> Quarantine {
        Quarantine {
            now: state.now,
            grace: u64::try_from(self.options.grace.as_millis()).unwrap_or(u64::MAX),
            committed: state.committed,
            pressure,
            wait_for_commit: self.options.switches.keep(Rule::DeferredReuse),
        }
    }

    /// Adds deletions whose quarantine is over, on PVs that `wanted` names.
    fn add_deletes(
        &self,
        state: &mut State,
        chunk: &mut Chunk,
        (quarantine, limit): (&Quarantine, usize),
        wanted: impl Fn(usize) -> bool,
    ) {
        for le in state.space.take_dead(quarantine, wanted, limit) {
            for (pv, pe) in self.places(le) {
                chunk.work.entry(pv).or_default().freed.push(pe);
            }
            chunk.deleting.push(le);
        }
    }

    /// Deletes dead extents whose quarantine is over, on all PVs; `true` when there were any. Whoever is in `need` of them
    /// says so: whether all are short of space is for others to say, at any moment.
    pub(crate) fn delete_dead(&self, token: &mut FlushToken<'_>, need: bool) -> Result<bool> {
        self.drain(token)?;
        let limit = if self.state()?.space.dead_count() == 0 { 0 } else { DELETE_BATCH.min(self.secure_deletions()?) };
        let mut state = self.state()?;
        let quarantine = self.quarantine(&state, need || state.pressure);
        let mut chunk = Chunk::new(&mut state);
        self.add_deletes(&mut state, &mut chunk, (&quarantine, limit), |_| true);
        drop(state);
        if chunk.work.is_empty() {
            return Ok(false);
        }
        self.send_chunk(token, chunk)?;
        self.drain(token)?;
        Ok(true)
    }

    /// Takes note of a chunk that is durable: its deletions have happened, its extents can be named.
    pub(crate) fn written(&self, chunk: Chunk) -> Result<impl Iterator<Item = Filled>> {
        let mut state = self.state()?;
        for le in chunk.deleting {
            if state.space.get(le).is_some_and(|entry| entry.state == LeState::Deleting) {
                state.space.deleted(le);
                state.touch_le(le);
            }
        }
        drop(state);
        let flush = chunk.flush;
        Ok(chunk.placed.into_iter().map(move |(le, fill, placed)| Filled { le, fill, flush, placed }))
    }
}

impl Chunk {
    fn new(state: &mut State) -> Self {
        state.next_flush = FlushNo(state.next_flush.0.saturating_add(1));
        let (work, placed, deleting) = Default::default();
        Self { flush: state.next_flush, committed: state.committed, work, placed, deleting }
    }

    /// Its fresh extents, each with its bytes.
    pub(crate) fn extents(&self) -> impl Iterator<Item = (LeIndex, u32)> {
        self.placed.iter().map(|(le, fill, _)| (*le, *fill))
    }
}
