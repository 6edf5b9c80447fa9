//! The logical extents (LE) of a family: which are free, which hold live bytes, which wait to be reused.
//!
//! Invariants:
//! * An LE goes round Free -> Filling -> Live -> Dead -> Deleting -> Free and skips no step.
//! * A dead LE is deleted only after the commit that freed it has returned, after a grace period, and at the end of a
//!   PV transaction; it is filled again by a later one.
//! * `live` of an LE is the sum of the live bytes of its slices; `live_total` the sum over LEs.

use std::collections::{BTreeMap, VecDeque};

use pv::{Epoch, FlushNo, LeIndex, Txg};
use vg::VolumeExtents;

use crate::{LvError, Result};

/// State of an LE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeState {
    /// No extent row, may be filled.
    Free,
    /// Being written by a flush.
    Filling,
    /// Holds slices.
    Live,
    /// Holds no live bytes since txg `freed`; in quarantine.
    Dead { freed: Txg },
    /// Its row is being deleted.
    Deleting,
    /// On a PV that is not there.
    Away,
}

/// One LE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Le {
    pub(crate) state: LeState,
    pub(crate) live: u64,
    pub(crate) fill: u32,
    pub(crate) epoch: Epoch,
    pub(crate) flush: FlushNo,
    /// Running time (ms) when it became unreferenced.
    pub(crate) since: u64,
    /// Not worth compacting: something in it cannot be read.
    pub(crate) damaged: bool,
    /// With so many live bytes it is not worth compacting either: slices that move whole make a whole extent.
    pub(crate) solid: Option<u64>,
    /// Last txg that changed it.
    pub(crate) stamp: Txg,
    /// Checksum of the row as the last frozen commit has it; 0 for none.
    pub(crate) row_sum: u64,
    /// Index of its (first) PV in [`VolumeExtents::pvs`].
    pub(crate) pv: usize,
}

/// When a dead LE may be reused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quarantine {
    /// Running time now, in ms.
    pub(crate) now: u64,
    /// Grace period in ms.
    pub(crate) grace: u64,
    /// Last commit that returned.
    pub(crate) committed: Txg,
    /// Space is short: two commits are grace enough.
    pub(crate) pressure: bool,
    /// Off only to prove that the crash rig notices.
    pub(crate) wait_for_commit: bool,
}

impl Quarantine {
    fn over(&self, le: &Le, freed: Txg) -> bool {
        if !self.wait_for_commit {
            return true;
        }
        let returned = freed <= self.committed;
        let aged = self.now.saturating_sub(le.since) >= self.grace;
        returned && (aged || (self.pressure && freed.next().is_some_and(|second| second <= self.committed)))
    }
}

/// All LEs.
#[derive(Debug)]
pub(crate) struct Space {
    les: Vec<Le>,
    /// Free LEs by PV, longest free first.
    free: BTreeMap<usize, VecDeque<LeIndex>>,
    /// Dead LEs, longest dead first.
    dead: VecDeque<LeIndex>,
    next_pv: usize,
    /// LEs that were dead when this activation began: the last one may have deleted their extents and not said so.
    found_dead: Vec<LeIndex>,
    live_total: u64,
    /// LEs on missing PVs: what they do not hold is no room for anybody, nor what they hold no longer.
    away: u32,
    /// Live bytes on them.
    away_live: u64,
    extent: u64,
}

/// LEs kept out of what a user may fill, so that compaction always finds room: 7 %, at least 4.
pub fn hidden_reserve(count: u32) -> u32 {
    let share = u64::from(count).saturating_mul(7).div_ceil(100);
    u32::try_from(share).unwrap_or(u32::MAX).max(4).min(count)
}

/// Most LEs of an active volume: about 5 GB of memory. A descriptor can claim any number.
const LE_MAX: u32 = 1 << 26;

/// Makes room for `count` LEs in all, if there may be so many.
fn make_room(les: &mut Vec<Le>, count: u32) -> Result<()> {
    if count > LE_MAX {
        return Err(LvError::Invalid { what: "a volume of more than 67108864 extents cannot be activated" });
    }
    let more = usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(les.len());
    les.try_reserve_exact(more)
        .map_err(|_| LvError::Invalid { what: "the volume has more extents than there is memory for" })
}

impl Le {
    /// One that holds nothing.
    fn unused(extents: &VolumeExtents, le: LeIndex) -> Self {
        let places = extents.places(le);
        let slot = |place: &vg::StripeLeg| extents.pvs.iter().position(|pv| pv.uuid == place.pv);
        let here = places.iter().all(|place| extents.pv(place.pv).is_some_and(|pv| pv.store.is_some()));
        Self {
            state: if here && !places.is_empty() { LeState::Free } else { LeState::Away },
            live: 0,
            fill: 0,
            epoch: Epoch(0),
            flush: FlushNo(0),
            since: 0,
            damaged: false,
            solid: None,
            stamp: Txg(0),
            row_sum: 0,
            pv: places.first().and_then(slot).unwrap_or(usize::MAX),
        }
    }
}

impl Space {
    /// All LEs free. Those on missing PVs are away.
    pub(crate) fn new(extents: &VolumeExtents) -> Result<Self> {
        let count = extents.count().0;
        let mut les = Vec::new();
        make_room(&mut les, count)?;
        les.extend((0..count).map(|le| Le::unused(extents, LeIndex(le))));
        Ok(Self {
            les,
            free: BTreeMap::new(),
            dead: VecDeque::new(),
            next_pv: 0,
            found_dead: Vec::new(),
            live_total: 0,
            away: 0,
            away_live: 0,
            extent: extents.extent_size.bytes(),
        })
    }

    /// Takes over a row of the `le` table.
    pub(crate) fn load(&mut self, row: &crate::catalogue::LeRow) {
        let dead = row.live == 0;
        let Some(le) = self.get_mut(row.le) else { return };
        if le.state != LeState::Away {
            le.state = if dead { LeState::Dead { freed: Txg(0) } } else { LeState::Live };
        }
        le.live = row.live;
        le.fill = row.fill;
        le.epoch = row.epoch;
        le.flush = row.flush;
        le.since = row.since.unwrap_or(0);
        le.row_sum = row.sum;
        self.live_total = self.live_total.saturating_add(row.live);
    }

    /// Builds the free lists after all rows are loaded.
    pub(crate) fn loaded(&mut self) {
        let mut dead = Vec::new();
        for (index, le) in (0u32..).zip(&self.les) {
            match le.state {
                LeState::Free => self.free.entry(le.pv).or_default().push_back(LeIndex(index)),
                LeState::Dead { .. } => dead.push((le.since, LeIndex(index))),
                LeState::Away => {
                    self.away = self.away.saturating_add(1);
                    self.away_live = self.away_live.saturating_add(le.live);
                }
                _ => {}
            }
        }
        dead.sort_unstable();
        self.dead = dead.into_iter().map(|(_, le)| le).collect();
        self.found_dead = self.dead.iter().copied().collect();
    }

    /// LEs that were dead when this activation began and still are, told once.
    pub(crate) fn take_found_dead(&mut self) -> Vec<LeIndex> {
        let mut found = std::mem::take(&mut self.found_dead);
        found.retain(|le| self.get(*le).is_some_and(|entry| matches!(entry.state, LeState::Dead { .. })));
        found
    }

    /// The extents of a dead LE are gone already.
    pub(crate) fn set_gone(&mut self, le: LeIndex) {
        if let Some(entry) = self.get_mut(le) {
            entry.fill = 0;
        }
    }

    /// Adds the LEs that a longer map has at its end.
    pub(crate) fn grow(&mut self, extents: &VolumeExtents) -> Result<()> {
        let (old, new) = (self.count(), extents.count().0);
        make_room(&mut self.les, new)?;
        for index in (old..new).map(LeIndex) {
            let le = Le::unused(extents, index);
            match le.state {
                LeState::Free => self.free.entry(le.pv).or_default().push_back(index),
                _ => self.away = self.away.saturating_add(1),
            }
            self.les.push(le);
        }
        Ok(())
    }

    pub(crate) fn get(&self, le: LeIndex) -> Option<&Le> {
        self.les.get(usize::try_from(le.0).ok()?)
    }

    pub(crate) fn get_mut(&mut self, le: LeIndex) -> Option<&mut Le> {
        self.les.get_mut(usize::try_from(le.0).ok()?)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.les.len()).unwrap_or(u32::MAX)
    }

    /// Bytes that files can hold in all.
    pub(crate) fn total(&self) -> u64 {
        let usable = self.count().saturating_sub(hidden_reserve(self.count()));
        self.extent.saturating_mul(u64::from(usable))
    }

    /// Bytes without live data that nobody can write to while their PVs are missing.
    pub(crate) fn away(&self) -> u64 {
        self.extent.saturating_mul(u64::from(self.away)).saturating_sub(self.away_live)
    }

    /// Bytes per extent.
    pub(crate) fn extent(&self) -> usize {
        usize::try_from(self.extent).unwrap_or(usize::MAX)
    }

    pub(crate) fn live_total(&self) -> u64 {
        self.live_total
    }

    pub(crate) fn free_count(&self) -> usize {
        self.free.values().map(VecDeque::len).sum()
    }

    /// Bytes of dead LEs.
    pub(crate) fn dead_bytes(&self) -> u64 {
        let fill = |le: &LeIndex| self.get(*le).map_or(0, |entry| u64::from(entry.fill));
        self.dead.iter().fold(0, |sum, le| sum.saturating_add(fill(le)))
    }

    /// Bytes in extents that nothing refers to.
    pub(crate) fn waste(&self) -> u64 {
        let live = self.les.iter().filter(|le| le.state == LeState::Live && !le.damaged);
        let waste = live.fold(0u64, |sum, le| sum.saturating_add(u64::from(le.fill).saturating_sub(le.live)));
        waste.saturating_add(self.dead_bytes())
    }

    pub(crate) fn dead_count(&self) -> usize {
        self.dead.len()
    }

    /// Free LEs that only compaction may take.
    pub(crate) fn kept_for_compaction(&self) -> usize {
        usize::try_from(hidden_reserve(self.count()) / 2).unwrap_or(0)
    }

    /// LEs that are free or will be, and the number at which compaction starts in the background.
    pub(crate) fn shortage(&self) -> bool {
        let coming = self.free_count().saturating_add(self.dead.len());
        let wanted = hidden_reserve(self.count()).saturating_add(self.count() / 10);
        coming < usize::try_from(wanted).unwrap_or(usize::MAX)
    }

    /// Takes up to `count` free LEs, from all PVs in turn, leaving `keep`. `fits` says whether a PV's host has room for
    /// one more.
    pub(crate) fn take(&mut self, count: usize, keep: usize, mut fits: impl FnMut(usize) -> bool) -> Vec<LeIndex> {
        let mut taken = Vec::new();
        let mut full = Vec::new();
        while taken.len() < count && self.free_count() > keep {
            let free = self.free.iter().filter(|(pv, list)| !list.is_empty() && !full.contains(*pv));
            let pvs: Vec<usize> = free.map(|(pv, _)| *pv).collect();
            let Some(pv) = pvs.iter().find(|pv| **pv >= self.next_pv).or(pvs.first()).copied() else { break };
            self.next_pv = pv.saturating_add(1);
            if !fits(pv) {
                full.push(pv);
                continue;
            }
            let Some(le) = self.free.get_mut(&pv).and_then(VecDeque::pop_front) else { break };
            if let Some(entry) = self.get_mut(le) {
                entry.state = LeState::Filling;
                entry.live = 0;
            }
            taken.push(le);
        }
        taken
    }

    /// Gives back an LE that was taken and not written.
    pub(crate) fn give_back(&mut self, le: LeIndex) {
        let Some(entry) = self.get_mut(le) else { return };
        entry.state = LeState::Free;
        let pv = entry.pv;
        self.free.entry(pv).or_default().push_front(le);
    }

    /// Adds live bytes to an LE.
    pub(crate) fn add_live(&mut self, le: LeIndex, bytes: u64) {
        if let Some(entry) = self.get_mut(le) {
            entry.live = entry.live.saturating_add(bytes);
            let away = entry.state == LeState::Away;
            self.live_total = self.live_total.saturating_add(bytes);
            self.away_live = self.away_live.saturating_add(if away { bytes } else { 0 });
        }
    }

    /// Takes live bytes from an LE; `true` when it holds none any more.
    pub(crate) fn sub_live(&mut self, le: LeIndex, bytes: u64) -> bool {
        let Some(entry) = self.get_mut(le) else { return false };
        let gone = bytes.min(entry.live);
        entry.live = entry.live.saturating_sub(gone);
        let empty = entry.live == 0 && entry.state == LeState::Live;
        let away = entry.state == LeState::Away;
        self.live_total = self.live_total.saturating_sub(gone);
        self.away_live = self.away_live.saturating_sub(if away { gone } else { 0 });
        empty
    }

    /// Puts an LE without live bytes into quarantine.
    pub(crate) fn kill(&mut self, le: LeIndex, txg: Txg, now: u64) {
        if let Some(entry) = self.get_mut(le) {
            entry.state = LeState::Dead { freed: txg };
            entry.since = now;
            self.dead.push_back(le);
        }
    }

    /// Takes the dead LEs whose quarantine is over and which lie on a PV that `wanted` names.
    pub(crate) fn take_dead(
        &mut self,
        quarantine: &Quarantine,
        wanted: impl Fn(usize) -> bool,
        limit: usize,
    ) -> Vec<LeIndex> {
        let mut out = Vec::new();
        let mut rest = VecDeque::new();
        while let Some(le) = self.dead.pop_front() {
            let over = out.len() < limit
                && self.get(le).is_some_and(|entry| match entry.state {
                    LeState::Dead { freed } => wanted(entry.pv) && quarantine.over(entry, freed),
                    _ => false,
                });
            if over {
                if let Some(entry) = self.get_mut(le) {
                    entry.state = LeState::Deleting;
                }
                out.push(le);
            } else {
                rest.push_back(le);
            }
        }
        self.dead = rest;
        out
    }

    /// The extent row of `le` is gone.
    pub(crate) fn deleted(&mut self, le: LeIndex) {
        let Some(entry) = self.get_mut(le) else { return };
        entry.damaged = false;
        entry.solid = None;
        entry.state = LeState::Free;
        entry.fill = 0;
        let pv = entry.pv;
        self.free.entry(pv).or_default().push_back(le);
    }

    /// Whether a commit is all that some dead LE waits for (given enough pressure).
    pub(crate) fn waits_for_commit(&self, committed: Txg) -> bool {
        self.dead.iter().any(|le| {
            self.get(*le).is_some_and(
                |entry| matches!(entry.state, LeState::Dead { freed } if freed.next().is_none_or(|second| second > committed)),
            )
        })
    }

    /// Something in this LE cannot be read.
    pub(crate) fn set_damaged(&mut self, le: Option<LeIndex>) {
        if let Some(entry) = le.and_then(|le| self.get_mut(le)) {
            entry.damaged = true;
        }
    }

    /// Nothing is gained by moving what this LE holds, until less of it is live.
    pub(crate) fn set_solid(&mut self, le: LeIndex) {
        if let Some(entry) = self.get_mut(le) {
            entry.solid = Some(entry.live);
        }
    }

    /// Whether a live LE was changed after this commit.
    pub(crate) fn live_after(&self, committed: Txg) -> bool {
        self.les.iter().any(|le| le.state == LeState::Live && le.stamp > committed && le.live < self.extent)
    }

    /// Live LEs named by a commit that returned, the ones with the fewest live bytes first, full ones left out.
    pub(crate) fn cheapest(&self, committed: Txg, limit: usize) -> Vec<LeIndex> {
        let mut list: Vec<(u64, LeIndex)> = (0u32..)
            .zip(&self.les)
            .filter(|(_, le)| {
                le.state == LeState::Live
                    && le.stamp <= committed
                    && le.live < self.extent
                    && !le.damaged
                    && le.solid != Some(le.live)
            })
            .map(|(index, le)| (le.live, LeIndex(index)))
            .collect();
        list.sort_unstable();
        list.truncate(limit);
        list.into_iter().map(|(_, le)| le).collect()
    }
}
