//! Space on the host: refusing writes before the host's filesystem is full.
//!
//! Several sparse PVs on one device promise space that is not there, so a change is accepted only if the devices can take
//! it together with everything that is pending: data with what SQLite adds to it, rows of metadata with the log they go
//! through, and the bytes included that PVs can write again without growing. What is set aside for pending changes is
//! more than they take; before anything is refused they are written, and what nothing refers to is given back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use pv::sqlite::SHORT_JOURNAL;
use pv::{LeIndex, PeIndex};

use super::core::{Core, lock};
use super::host_reserve::{held, reserve};
use super::rules::Rule;
use super::state::{Dirty, State};
use crate::catalogue::{Commit, Value};
use crate::{LvError, Result};

pub(super) const MIB: u64 = 1024 * 1024;
/// Bytes accepted between two looks at the host, at most.
const STEP: u64 = 8 * MIB;
/// What a row of metadata takes: a page of the log, and its part of the file.
pub(super) const ROW: u64 = 5 * 1024;
/// Of these the file's part.
const GROWTH: u64 = 1024;
/// Rows that one operation adds, about.
const OPERATION_ROWS: u64 = 4;
/// What an extent takes besides its bytes: pages that are not full, and pages that are journaled for it.
const EXTENT: u64 = 32 * 1024;
/// Bytes that one transaction gives back to the host.
pub(super) const SHRINK: u64 = 256 * 1024;
/// What that takes while it runs, at most.
pub(super) const SHRINK_TAKES: u64 = 3 * SHRINK;
/// Bytes of free pages that a metadata volume keeps.
const SPARE_ROWS: u64 = 256 * 1024;

/// Kept free on a host filesystem of this size for journals, logs, catalogues and compaction.
pub(super) fn margin(total: u64, extent: u64) -> u64 {
    let compaction = extent.saturating_add(EXTENT).saturating_mul(4);
    (total / 64).clamp(MIB, 16 * MIB).max(compaction)
}

/// Room on the host, with what is pending taken off.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct HostRoom {
    /// Bytes for data, with what it takes beside itself.
    data: u64,
    /// Bytes for rows of metadata.
    rows: u64,
    /// There was little when the host was looked at.
    pub(super) tight: bool,
}

/// What a change brings that needs room on the host, beside its rows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Brings {
    /// Bytes of files.
    pub(crate) data: u64,
    /// Bytes in long rows of metadata: values of attributes, targets of links.
    pub(crate) long: u64,
}

impl Brings {
    pub(crate) const fn data(bytes: u64) -> Self {
        Self { data: bytes, long: 0 }
    }

    pub(crate) fn long(bytes: usize) -> Self {
        Self { data: 0, long: u64::try_from(bytes).unwrap_or(u64::MAX) }
    }
}

impl HostRoom {
    pub(super) const NONE: Self = Self { data: 0, rows: 0, tight: true };

    /// Takes the cost of a change off; `None` when it is not there.
    pub(super) fn less(self, Brings { data: cost, long }: Brings) -> Option<Self> {
        let operation = rows_needed(long);
        let rows = self.rows.checked_sub(operation)?;
        // Both come from the same bytes.
        let data = self.data.checked_sub(cost)?.saturating_sub(operation);
        Some(Self { data, rows, tight: self.tight })
    }

    /// What may be taken before the next look.
    pub(super) fn known(self) -> Self {
        Self {
            data: self.data.min(STEP),
            rows: self.rows.min(STEP.saturating_mul(8)),
            tight: self.data.min(self.rows) < STEP,
        }
    }
}

/// Bytes for rows that one operation takes, with so many bytes in long ones.
fn rows_needed(long: u64) -> u64 {
    let long = u64::try_from(rows_like(usize::try_from(long).unwrap_or(usize::MAX))).unwrap_or(u64::MAX);
    OPERATION_ROWS.saturating_add(long).saturating_mul(ROW)
}

/// A host filesystem.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Device {
    /// Free, with the reserve that this project holds there.
    pub(super) free: u64,
    /// Kept free for what is written beside accepted data.
    pub(super) margin: u64,
    /// What the PVs' journals may still grow by.
    pub(super) journals: u64,
    /// Kept free for deleting, closing and opening.
    pub(super) reserve: u64,
}

impl Device {
    /// Bytes that `need` may take of those that are free.
    pub(super) fn usable(&self, need: HostNeed) -> u64 {
        let kept = match need {
            HostNeed::New => self.margin.saturating_add(self.journals),
            HostNeed::Small => self.margin / 2,
            HostNeed::Compaction => 0,
            HostNeed::Anything => return self.free,
        };
        self.free.saturating_sub(kept).saturating_sub(self.reserve)
    }

    /// Bytes that are to be kept free and are not.
    fn missing(&self) -> u64 {
        self.margin.saturating_add(self.journals).saturating_add(self.reserve).saturating_sub(self.free)
    }
}

/// What bytes of a host are taken for, from the one that must leave most to the one that may take all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostNeed {
    /// Data to be accepted.
    New,
    /// Data that was accepted, and metadata of data that goes to bytes that are written again.
    Small,
    /// Compaction, which gives back more than it takes, but to its PV.
    Compaction,
    /// What is written already.
    Anything,
}

/// The hosts of a volume, as they are now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(super) devices: BTreeMap<u64, Device>,
    /// For each PV that is there, by index: its device, and the bytes in its file that can be written again.
    pub(super) pvs: BTreeMap<usize, (u64, u64)>,
    /// For each copy of the metadata its device and the length of its log.
    logs: Vec<(u64, u64)>,
    /// Bytes in the first copy that rows can be written to without growing it.
    rows_again: u64,
}

/// What changes wait to be written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    data: u64,
    pub(super) rows: u64,
}

impl Waiting {
    pub(super) fn of(state: &State) -> Self {
        Self { data: state.pending, rows: u64::try_from(state.waiting_rows()).unwrap_or(u64::MAX) }
    }
}

impl State {
    /// Rows of the next commit, and of one before it that found no room, about.
    pub(super) fn waiting_rows(&self) -> usize {
        // A file with data in memory will have some more, and every extent that its data goes to.
        let extents = usize::try_from(self.pending).unwrap_or(usize::MAX) / self.space.extent().max(1);
        let next = self.waiting.len().saturating_add(extents).saturating_mul(3).saturating_add(self.dirty.rows());
        next.saturating_add(self.unfinished).saturating_add(self.dirty.long_rows())
    }
}

/// Rows of a commit, with data in the metadata as so many as take its place.
pub(super) fn rows_of(commit: &Commit) -> usize {
    let blob = |value: &Value| if let Value::Blob(bytes) = value { bytes.len() } else { 0 };
    let bytes = commit.ops.iter().flat_map(|op| &op.values).map(blob).fold(0, usize::saturating_add);
    commit.ops.len().saturating_add(rows_like(bytes))
}

/// Rows that take as much of the file as so many bytes in a long one, of which each copy keeps a second one for the others.
fn rows_like(bytes: usize) -> usize {
    bytes.saturating_mul(2) / usize::try_from(GROWTH).unwrap_or(usize::MAX)
}

impl Dirty {
    fn long_rows(&self) -> usize {
        rows_like(self.long)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Hosts {
    /// The room there is beside what is waiting.
    pub(super) fn room(&self, core: &Core, waiting: Waiting) -> HostRoom {
        self.room_with(core, waiting, 0)
    }

    /// The same, once `dead` bytes of extents that only wait for it are deleted.
    fn room_with(&self, core: &Core, waiting: Waiting, dead: u64) -> HostRoom {
        let rows = waiting.rows.saturating_mul(ROW);
        let mut devices = self.devices.clone();
        let mut left = u64::MAX;
        for (number, log) in &self.logs {
            let Some(device) = devices.get_mut(number) else { continue };
            device.free = device.free.saturating_sub(rows.saturating_add(*log));
            let copies = self.logs.iter().filter(|(other, _)| other == number).count();
            let copies = u64::try_from(copies).unwrap_or(1).max(1);
            // The log may take of the reserve until it is emptied; the file grows into its free pages first.
            // With less than that left, what is free inside the PVs could not be given back.
            let log = device.free.saturating_sub(SHRINK_TAKES.max(device.reserve / 2)) / copies;
            let again = self.rows_again.saturating_sub(waiting.rows.saturating_mul(GROWTH));
            let file = (device.usable(HostNeed::Small) / copies).saturating_add(again);
            left = left.min(log).min(file.saturating_mul(ROW / GROWTH));
        }
        let with_pvs: BTreeSet<u64> = self.pvs.values().map(|(device, _)| *device).collect();
        // Without any PV no data is accepted: what still changes is metadata.
        let with_pvs = devices.iter().filter(|(number, _)| with_pvs.is_empty() || with_pvs.contains(number));
        // What is missing on a host is kept in the PVs, for compaction, or to be given back.
        let (new, debt) = with_pvs.fold((0u64, 0u64), |(new, debt), (_, device)| {
            (new.saturating_add(device.usable(HostNeed::New)), debt.saturating_add(device.missing()))
        });
        let again: u64 = self.pvs.values().fold(dead, |sum, (_, reusable)| sum.saturating_add(*reusable));
        let data = new.saturating_add(again).saturating_sub(debt).saturating_sub(core.data_cost(waiting.data));
        HostRoom { data, rows: left, tight: false }
    }

    /// Takes the cost of an extent off what PV `pv` may take; `false` when it is not there.
    pub(crate) fn take(&mut self, pv: usize, cost: u64, need: HostNeed) -> bool {
        let Some((device, reusable)) = self.pvs.get_mut(&pv) else { return false };
        let Some(device) = self.devices.get_mut(device) else { return false };
        let again = (*reusable).min(cost);
        let new = cost.saturating_sub(again);
        if need != HostNeed::Anything && new > 0 && device.usable(need) < new {
            return false;
        }
        *reusable = reusable.saturating_sub(again);
        device.free = device.free.saturating_sub(new);
        true
    }

    /// Whether the metadata has free pages to give back. Those that move to their places go through the log.
    pub(super) fn can_give_rows_back(&self) -> bool {
        self.rows_again >= SPARE_ROWS.saturating_add(SHRINK) && self.free_for_rows() >= SHRINK_TAKES
    }

    /// Whether each host of the metadata that has no room for rows holds a PV with bytes to give back, or with extents that
    /// are dead.
    fn pvs_can_help_rows(&self, dead: u64) -> bool {
        self.logs.iter().all(|(device, _)| {
            let host = self.devices.get(device).copied().unwrap_or_default();
            let mut pvs = self.pvs.values().filter(|(pv, _)| pv == device);
            let able = host.free >= SHRINK_TAKES && pvs.any(|(_, reusable)| reusable.saturating_add(dead) >= SHRINK);
            host.usable(HostNeed::Small) > 0 || able
        })
    }

    /// As if the metadata's free pages had been given back.
    fn give_rows_back(&mut self) {
        if !self.can_give_rows_back() {
            return;
        }
        let back = self.rows_again.saturating_sub(SPARE_ROWS.saturating_add(SHRINK));
        for (device, _) in &self.logs {
            if let Some(device) = self.devices.get_mut(device) {
                device.free = device.free.saturating_add(back);
            }
        }
        self.rows_again = self.rows_again.saturating_sub(back);
    }

    /// Bytes free on the fullest device.
    pub(super) fn least_free(&self) -> u64 {
        self.devices.values().map(|device| device.free).min().unwrap_or(u64::MAX)
    }

    /// Bytes free where the fullest copy of the metadata lies.
    pub(super) fn free_for_rows(&self) -> u64 {
        let free = |(device, _): &(u64, u64)| self.devices.get(device).map(|device| device.free);
        self.logs.iter().filter_map(free).min().unwrap_or(u64::MAX)
    }
}

impl Core {
    /// Looks at the hosts.
    pub(crate) fn hosts(&self, state: &State) -> Result<Hosts> {
        let mut hosts = Hosts::default();
        for (index, slot) in self.extents().pvs.iter().enumerate() {
            let Some(store) = &slot.store else { continue };
            let Some(device) = self.look(&mut hosts, &slot.path) else { continue };
            hosts.pvs.insert(index, (device, store.space()?.reusable.0));
            let mut journal = slot.path.clone().into_os_string();
            journal.push("-journal");
            let known = self.env.host.stat(Path::new(&journal)).map_or(0, |file| file.len.0);
            if let Some(device) = hosts.devices.get_mut(&device) {
                device.journals = device.journals.saturating_add(u64::from(SHORT_JOURNAL).saturating_sub(known));
            }
        }
        for wal in &self.wals {
            if let Some(device) = self.look(&mut hosts, folder(wal)) {
                hosts.logs.push((device, self.env.host.stat(wal).map_or(0, |file| file.len.0)));
            }
        }
        for (file, device) in held(&self.env, &self.extents()) {
            if let Some(found) = hosts.devices.get_mut(&device) {
                found.free = found.free.saturating_add(file);
            }
        }
        hosts.rows_again = state.reader.free_bytes()?;
        Ok(hosts)
    }

    /// Takes note of the filesystem that holds `path`; says which it is.
    fn look(&self, hosts: &mut Hosts, path: &Path) -> Option<u64> {
        let space = self.env.host.space(path).ok()?;
        let extent = self.extent_size.bytes();
        let (margin, reserve) = (margin(space.total.0, extent), reserve(space.total.0));
        hosts.devices.entry(space.device).or_insert(Device { free: space.free.0, margin, journals: 0, reserve });
        Some(space.device)
    }

    /// What `bytes` of data may take on the PVs.
    pub(crate) fn data_cost(&self, bytes: u64) -> u64 {
        bytes.saturating_add(EXTENT.saturating_mul(bytes.div_ceil(self.extent_size.bytes())))
    }

    /// Returns when the host has room for what a change brings and an operation's rows of metadata.
    pub(crate) fn host_room(&self, brings: Brings) -> Result<()> {
        if !self.options.switches.keep(Rule::HostRoom) {
            return Ok(());
        }
        if self.known_room(brings) || self.look_for_room(&*self.state()?, brings).is_ok() {
            return Ok(());
        }
        self.make_host_room(brings)
    }

    /// As [`host_room`](Self::host_room), for whoever holds the state and can do nothing about it.
    pub(crate) fn host_room_held(&self, state: &State, brings: Brings) -> Result<()> {
        if self.known_room(brings) { Ok(()) } else { self.look_for_room(state, brings) }
    }

    /// Bytes of data that the host can take beside what is pending, extents included that only wait to be deleted.
    pub(crate) fn host_free(&self, state: &mut State) -> Result<u64> {
        let free = self.host_free_with(state)?;
        if free >= state.free_bytes() || !self.find_gone(state)? {
            return Ok(free);
        }
        self.host_free_with(state)
    }

    /// Looks which of the extents that were dead at the activation are gone already, and give no room any more. Once, and
    /// only when room is counted by what the host has: it costs a look into the PVs for each. `false` when there is nothing
    /// new.
    fn find_gone(&self, state: &mut State) -> Result<bool> {
        let mut by_pv: BTreeMap<usize, Vec<(PeIndex, LeIndex)>> = BTreeMap::new();
        for le in state.space.take_found_dead() {
            for (pv, pe) in self.places(le) {
                by_pv.entry(pv).or_default().push((pe, le));
            }
        }
        let (mut changed, extents) = (false, self.extents());
        for (pv, dead) in by_pv {
            let Some(store) = extents.pvs.get(pv).and_then(|slot| slot.store.as_ref()) else { continue };
            let pes: Vec<PeIndex> = dead.iter().map(|(pe, _)| *pe).collect();
            let held: BTreeSet<PeIndex> = store.held(&pes)?.into_iter().collect();
            for (_, le) in dead.iter().filter(|(pe, _)| !held.contains(pe)) {
                state.space.set_gone(*le);
                changed = true;
            }
        }
        Ok(changed)
    }

    fn host_free_with(&self, state: &State) -> Result<u64> {
        let mut hosts = self.hosts(state)?;
        hosts.give_rows_back();
        let room = hosts.room_with(self, Waiting::of(state), state.space.dead_bytes());
        let extent = self.extent_size.bytes();
        // Others write meanwhile; and when metadata has no room, pages go back to the host first.
        let kept = match room.less(Brings::default()) {
            Some(_) => SHRINK,
            None if hosts.pvs_can_help_rows(state.space.dead_bytes()) => SHRINK_TAKES,
            None => return Ok(0),
        };
        let data = room.data.saturating_sub(kept);
        let cost = extent.saturating_add(EXTENT);
        let whole = data / cost.max(1);
        let rest = data.saturating_sub(whole.saturating_mul(cost));
        Ok(whole.saturating_mul(extent).saturating_add(rest.saturating_sub(EXTENT)))
    }

    /// Takes what a change may cost off what is known to be there.
    pub(super) fn known_room(&self, brings: Brings) -> bool {
        let len = brings.data;
        // Its part of an extent: the last one of many was counted whole when the host was looked at.
        let part = u128::from(len).saturating_mul(u128::from(EXTENT)) / u128::from(self.extent_size.bytes().max(1));
        let cost = len.saturating_add(u64::try_from(part).unwrap_or(u64::MAX));
        let mut known = lock(&self.host_known);
        let Some(left) = known.less(Brings { data: cost, ..brings }) else { return false };
        *known = left;
        true
    }

    pub(super) fn look_for_room(&self, state: &State, brings: Brings) -> Result<()> {
        let len = brings.data;
        let room = self.hosts(state)?.room(self, Waiting::of(state));
        let Some(left) = room.less(Brings { data: self.data_cost(len), ..brings }) else {
            *lock(&self.host_known) = HostRoom::NONE;
            let beside = self.data_cost(len).saturating_sub(len);
            let rows = rows_needed(brings.long);
            let data = (room.data.saturating_sub(beside), len);
            let metadata = self.wals.first().map(|wal| wal.with_extension("meta"));
            return Err(match metadata {
                Some(path) if room.rows < rows => LvError::HostFull { path, free: room.rows, needed: rows },
                _ => LvError::HostFull { path: self.a_pv(), free: data.0, needed: data.1 },
            });
        };
        *lock(&self.host_known) = left.known();
        Ok(())
    }

    fn a_pv(&self) -> PathBuf {
        self.extents().pvs.first().map(|slot| slot.path.clone()).unwrap_or_default()
    }

    /// That the hosts have too little for something that cannot go on.
    pub(crate) fn host_full(&self, free: u64, needed: u64) -> LvError {
        *lock(&self.host_known) = HostRoom::NONE;
        LvError::HostFull { path: self.a_pv(), free, needed }
    }

    /// That no PV's host has room for an extent of `len` bytes.
    pub(crate) fn no_extent(&self, len: u64) -> LvError {
        let hosts = self.state().and_then(|state| self.hosts(&state)).unwrap_or_default();
        let most = hosts.pvs.values().filter_map(|(device, again)| {
            let usable = hosts.devices.get(device)?.usable(HostNeed::Compaction);
            Some(usable.saturating_add(*again))
        });
        let needed = self.data_cost(len.min(self.extent_size.bytes()));
        // What was not there a moment ago may be there now.
        self.host_full(most.max().unwrap_or(0).min(needed.saturating_sub(1)), needed)
    }
}
