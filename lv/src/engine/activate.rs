//! Activation: taking a family over under a new epoch, and cleaning up what its last owner left.
//!
//! Order, each step durable before the next: owner lock; newest catalogue copy chosen, laggards brought forward, lost
//! copies dropped; epoch raised in all copies; epoch raised on all PVs; map read; extents that no commit names deleted.
//! From the raised epochs on, nothing a former owner does can take effect. Until then it may still commit, if it was passed
//! over: raising the epoch checks in the same transaction that nobody has, and the activation starts over when somebody
//! did.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, RwLock};

use foldhash::fast::FixedState;
use pv::{Env, Epoch, ExtentBatch, ExtentStore, FlushNo, Holder, HostLock, PeIndex, ProcessState, PvUuid, Txg};
use quick_cache::sync::{Cache, DefaultLifecycle};
use vg::VolumeExtents;

use super::core::{ByBytes, Core, VolumeOptions, lock};
use super::gather::Gathering;
use super::host_reserve::{deletions, leave_reserve, release_reserve};
use super::host_space::HostRoom;
use super::namespace::UNMAP_AT_ONCE;
use super::own::{Owned, lock_file, name_former, own};
use super::rules::{Rule, TestSwitches};
use super::space::Space;
use super::state::{Dirty, FS, State, TINY};
use super::table::{Table, hasher};
use crate::catalogue::{CatalogueReader, CopyPlace, CopySet, CopyState, activate_copies, log_of};
use crate::meter::Meter;
use crate::{Ino, Kind, LvError, Result, VolumeNotice};

/// Rows deleted by one transaction of the cleaning up.
const SWEEP_BATCH: usize = 512;

/// How often an activation starts over because a former owner, which was passed over, has committed meanwhile.
const TRIES: usize = 20;

/// Everything an activation starts from.
pub(crate) struct Activation<'a> {
    pub(crate) env: &'a Env,
    pub(crate) extents: VolumeExtents,
    pub(crate) copies: &'a [CopyPlace],
    pub(crate) options: VolumeOptions,
}

/// The PVs that are there.
fn present(extents: &VolumeExtents) -> impl Iterator<Item = (PvUuid, &PathBuf, &Arc<dyn ExtentStore>)> {
    extents.pvs.iter().filter_map(|slot| slot.store.as_ref().map(|store| (slot.uuid, &slot.path, store)))
}

/// Compares the PVs' owner rows with what the catalogue knows, and says the highest epoch among them.
fn check_ages(
    extents: &VolumeExtents,
    reader: &CatalogueReader,
    known: &BTreeMap<PvUuid, (Epoch, FlushNo)>,
    state: &CopyState,
) -> Result<Epoch> {
    let mut highest = Epoch(0);
    for (uuid, path, store) in present(extents) {
        let owner = store.owner(extents.family)?;
        let seen = owner.map(|row| (row.epoch, row.flush));
        if seen < known.get(&uuid).copied() {
            return Err(LvError::OldPv { path: path.clone() });
        }
        // An activation raises the epoch in the catalogue first, then on the PVs.
        if owner.is_some_and(|row| row.txg > state.txg || row.epoch > state.epoch) {
            return Err(LvError::OldMetadata { file: reader.path().to_owned(), pv: path.clone() });
        }
        highest = highest.max(owner.map_or(Epoch(0), |row| row.epoch));
    }
    Ok(highest)
}

/// Refuses a catalogue whose next numbers are in use, or that has no root: what is made next would take the place of
/// what is there.
fn check_ground(reader: &CatalogueReader, state: &CopyState) -> Result<()> {
    let damaged = |what: &str| LvError::DamagedRow { file: reader.path().to_owned(), what: what.to_owned() };
    let fs = reader.fs(FS)?.ok_or_else(|| damaged("its filesystem is missing"))?;
    if fs.next_ino <= reader.last_inode(FS)? || state.next_slice.0 <= reader.last_slice()? {
        return Err(damaged("a number that is to be given out next is in use"));
    }
    let root = reader.inode(FS, Ino::ROOT)?.is_some_and(|(row, _)| {
        row.attr.kind == Kind::Directory && row.attr.nlink > 0 && row.parent == Ino::ROOT && row.attr.ino == Ino::ROOT
    });
    if root { Ok(()) } else { Err(damaged("its root, inode 1, is no directory")) }
}

/// Deletes the extents of one PV that no commit names: flushed by an owner that never committed them.
fn sweep(
    core: &Core,
    space: &Space,
    uuid: PvUuid,
    mark: (Epoch, FlushNo),
    flush: &mut FlushNo,
    txg: Txg,
) -> Result<()> {
    let extents = core.extents();
    let Some((slot, store)) = extents.pv(uuid).and_then(|slot| Some((slot, slot.store.as_ref()?))) else {
        return Ok(());
    };
    let found = store.extents_after(core.family, mark.0, mark.1)?;
    let orphans: Vec<PeIndex> = found
        .iter()
        .filter(|extent| {
            let header = &extent.header;
            let place = extents.places(header.le).iter().any(|p| p.pv == uuid && p.pe == extent.pe);
            let named = space.get(header.le).is_some_and(|le| (le.epoch, le.flush) == (header.epoch, header.flush));
            !(place && named)
        })
        .map(|extent| extent.pe)
        .collect();
    let free = core.env.host.space(&slot.path).map_or(u64::MAX, |space| space.free.0);
    for freed in orphans.chunks(SWEEP_BATCH.min(deletions(free))) {
        *flush = FlushNo(flush.0.saturating_add(1));
        store.commit(&ExtentBatch { family: core.family, epoch: core.epoch, flush: *flush, txg, fresh: &[], freed })?;
    }
    Ok(())
}

/// The state as the last commit left it.
fn first_state(
    extents: &VolumeExtents,
    epoch: Epoch,
    state: &CopyState,
    reader: CatalogueReader,
    (known, pv_sums): Known,
    hasher: &FixedState,
) -> Result<State> {
    let mut space = Space::new(extents)?;
    let (les, fs) = (reader.les()?, reader.fs(FS)?);
    let fs = fs.ok_or(LvError::NoMetadata { missing: "its filesystem".to_owned() })?;
    let all = |sums: &mut dyn Iterator<Item = u64>| sums.fold(0u64, u64::wrapping_add);
    let (space_sum, others) = (all(&mut les.iter().map(|row| row.sum)), all(&mut pv_sums.values().copied()));
    // An extent that no row names would be deleted, a file number that was given would be given again.
    if (space_sum, others.wrapping_add(fs.sum)) != (state.totals.les, state.totals.others) {
        let what = "rows about its extents, physical volumes or numbers are missing, or old".to_owned();
        return Err(LvError::DamagedRow { file: reader.path().to_owned(), what });
    }
    for row in &les {
        space.load(row);
    }
    space.loaded();
    Ok(State {
        family: extents.family,
        epoch,
        txg: Txg(state.txg.0.saturating_add(1)),
        committed: state.txg,
        next_slice: Arc::new(AtomicU64::new(state.next_slice.0)),
        next_flush: FlushNo(0),
        fs,
        inodes: Table::with_hasher(hasher.clone()),
        dirs: Table::with_hasher(hasher.clone()),
        slices: Table::with_hasher(hasher.clone()),
        space,
        pvs: known,
        pv_sums,
        totals: state.totals,
        unnamed: BTreeSet::new(),
        dirty: Dirty::default(),
        waiting: BTreeMap::new(),
        waiting_at: Table::with_hasher(hasher.clone()),
        next_wait: 0,
        pending: 0,
        sealed: 0,
        required: BTreeSet::new(),
        rules: TestSwitches::NONE,
        intents: reader.inline_bytes(TINY)?,
        orphans: reader.orphans(FS)?.into_iter().collect(),
        running_base: state.running,
        now: state.running,
        pressure: false,
        unmap: UNMAP_AT_ONCE,
        undo: None,
        poison: None,
        phase: super::state::Phase::Running,
        committing: false,
        unfinished: 0,
        gathering: Gathering::default(),
        entries: 0,
        evict_above: 0,
        rows_kept: 0,
        ahead: 0,
        reader,
    })
}

/// Makes the volume group forget a copy, or refuses.
type Dropped<'a> = dyn FnMut(&CopyPlace, &str) -> Result<()> + 'a;

/// What the catalogue knows of each PV, and the checksums of these rows.
type Known = (BTreeMap<PvUuid, (Epoch, FlushNo)>, BTreeMap<PvUuid, u64>);

/// A catalogue and PVs that fit together.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) reader: CatalogueReader,
    pub(super) pvs: Known,
    /// The highest epoch among them.
    highest: Epoch,
}

/// A volume whose epochs were raised, or that is only read.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) copies: CopySet,
    /// What all copies say.
    pub(super) state: CopyState,
    pub(super) reader: CatalogueReader,
    pub(super) pvs: Known,
    pub(super) epoch: Epoch,
    pub(super) notices: Vec<VolumeNotice>,
}

impl Activation<'_> {
    /// Runs the activation. `dropped` is told of copies that cannot be read, before anything is committed without them;
    /// it makes the volume group forget them, or refuses.
    pub(crate) fn run(self, dropped: &mut Dropped<'_>) -> Result<Arc<Core>> {
        if self.options.read_only {
            return self.run_to_read();
        }
        let (env, extents) = (self.env, self.extents.clone());
        let reserves = self.options.switches.keep(Rule::Reserve);
        let mut owned = own(env, self.copies, self.options.takeover)?;
        release_reserve(env, &extents, 0);
        let started = self.run_owned(&mut owned, dropped);
        if started.is_err() && reserves {
            leave_reserve(env, &extents);
        }
        started
    }

    fn run_owned(self, owned: &mut Owned, dropped: &mut Dropped<'_>) -> Result<Arc<Core>> {
        let former = owned.former.clone();
        let taken = self.take(owned, dropped).map_err(|error| name_former(error, former.as_ref()))?;
        owned.seize(self.env)?;
        let env = self.env;
        let started = self.start(&mut owned.locks, taken);
        if started.is_err() {
            // Whoever took over meanwhile has changed what this activation was about to read.
            owned.ensure_current(env)?;
        }
        started
    }

    /// Raises the epochs.
    fn take(&self, owned: &Owned, dropped: &mut Dropped<'_>) -> Result<Taken> {
        let former = owned.former.as_ref();
        let mut given_up = Vec::new();
        for _ in 0..TRIES {
            // `None`: an owner has committed between two looks, one that was passed over or that lost its locks.
            if let Some(taken) = self.try_take(owned, &mut given_up, dropped)? {
                return Ok(taken);
            }
        }
        let other = former.cloned().unwrap_or(Holder { pid: None, state: ProcessState::Unknown });
        Err(LvError::InUse { owner: other })
    }

    /// The same once; `None` when the volume has changed meanwhile.
    fn try_take(
        &self,
        owned: &Owned,
        given_up: &mut Vec<(CopyPlace, String)>,
        dropped: &mut Dropped<'_>,
    ) -> Result<Option<Taken>> {
        let Self { env, extents, copies, options } = self;
        // What was given up at the first look does not come back at the second.
        let copies: Vec<CopyPlace> =
            copies.iter().filter(|copy| given_up.iter().all(|(gone, _)| gone != *copy)).cloned().collect();
        let recovered = activate_copies(env, extents.family, &copies, options.switches)?;
        for (place, why) in recovered.lost {
            if options.switches.keep(Rule::LostCopies) {
                dropped(&place, &why)?;
            }
            given_up.push((place, why));
        }
        let (mut copies, state) = (recovered.copies, recovered.state);
        let Look { reader, pvs, highest } = match self.look(&copies, &state) {
            // What was read before a commit does not fit what was read after it.
            Err(_) if !copies.are_still(&state)? => return Ok(None),
            other => other?,
        };
        let next = if options.switches.keep(Rule::NewEpoch) { highest.next() } else { Some(highest.max(Epoch(1))) };
        let epoch = next.ok_or(LvError::Invalid { what: "the volume has been activated too often" })?;
        owned.ensure_current(env)?;
        let catalogue_first = options.switches.keep(Rule::CatalogueFirst);
        if !catalogue_first {
            self.take_pvs(&state, epoch)?;
        }
        if !copies.take(&state, epoch, options.switches)? {
            return Ok(None);
        }
        if catalogue_first {
            self.take_pvs(&state, epoch)?;
        }
        let left = copies.places().len();
        let told = |(copy, why): (CopyPlace, String)| VolumeNotice::CopyGivenUp { file: copy.path, why, left };
        let notices = std::mem::take(given_up).into_iter().map(told).collect();
        Ok(Some(Taken { copies, state, reader, pvs, epoch, notices }))
    }

    /// Raises the epoch on the PVs that are there.
    fn take_pvs(&self, state: &CopyState, epoch: Epoch) -> Result<()> {
        let family = self.extents.family;
        for (_, _, store) in present(&self.extents) {
            let was_away = || Ok::<_, LvError>(store.owner(family)?.is_some_and(|row| row.epoch < state.epoch));
            if self.options.switches.keep(Rule::EveryPv) || !was_away()? {
                store.take(family, epoch, state.txg)?;
            }
        }
        Ok(())
    }

    /// Looks whether the catalogue and the PVs fit together.
    fn look(&self, copies: &CopySet, state: &CopyState) -> Result<Look> {
        let first = copies.places().first().map(|place| place.path.clone()).unwrap_or_default();
        let reader = CatalogueReader::open(self.env, first)?;
        reader.expect_until(state.txg);
        self.look_through(reader, state)
    }

    /// The same through this reader.
    pub(super) fn look_through(&self, reader: CatalogueReader, state: &CopyState) -> Result<Look> {
        check_ground(&reader, state)?;
        let rows = reader.pvs()?;
        let known = rows.iter().map(|row| (row.pv, (row.epoch, row.flush))).collect();
        let sums = rows.iter().map(|row| (row.pv, row.sum)).collect();
        let highest = check_ages(&self.extents, &reader, &known, state)?.max(state.epoch);
        Ok(Look { reader, pvs: (known, sums), highest })
    }

    /// Starts from what is now this activation's alone.
    pub(super) fn start(self, locks: &mut Vec<Box<dyn HostLock>>, taken: Taken) -> Result<Arc<Core>> {
        let Self { env, extents, options, copies: listed } = self;
        let Taken { copies, state, reader, pvs, epoch, notices } = taken;
        let places = copies.places();
        let hasher = hasher(env);
        let mut state = first_state(&extents, epoch, &state, reader, pvs, &hasher)?;
        state.rules = options.switches;
        state.rows_kept = options.cached_rows;
        if !state.rules.keep(Rule::Orphans) {
            state.orphans.clear();
        }
        let checkpointer = copies.all().iter().map(|copy| copy.again(env)).collect::<Result<Vec<_>>>()?;
        let core = Core {
            env: env.clone(),
            options,
            family: extents.family,
            epoch,
            activated: env.clock.running(),
            next_slice: Arc::clone(&state.next_slice),
            cache: Cache::with(
                estimated_blocks(options.cache_bytes),
                options.cache_bytes,
                ByBytes,
                hasher,
                DefaultLifecycle::default(),
            ),
            flush: Mutex::default(),
            copies: Mutex::new(copies),
            checkpointer: Mutex::new(checkpointer),
            range_locks: Mutex::default(),
            lock_freed: Condvar::new(),
            next_owner: AtomicU64::new(1),
            released: Mutex::default(),
            wals: places.iter().map(|place| log_of(&place.path)).collect(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            arrived: Condvar::new(),
            work: Condvar::new(),
            host_known: Mutex::new(HostRoom::default()),
            locks: Mutex::default(),
            lock_file: places.first().map(|place| lock_file(&place.path)).unwrap_or_default(),
            extent_size: extents.extent_size,
            extents: RwLock::new(extents),
            listed: listed.to_vec(),
            meter: Meter::new(),
            notices,
        };
        if !options.read_only {
            if options.switches.keep(Rule::Sweep) {
                core.clean_up()?;
            }
            core.restore_reserve();
        }
        lock(&core.locks).append(locks);
        Ok(Arc::new(core))
    }
}

fn estimated_blocks(bytes: u64) -> usize {
    usize::try_from(bytes / 4096).unwrap_or(usize::MAX).max(16)
}

impl Core {
    /// Deletes what the last owner wrote and never committed, before anything new is written.
    fn clean_up(&self) -> Result<()> {
        let mut state = self.state()?;
        let (mut flush, txg) = (state.next_flush, state.committed);
        for (uuid, _, _) in present(&self.extents()) {
            let mark = state.pvs.get(&uuid).copied().unwrap_or((Epoch(0), FlushNo(0)));
            sweep(self, &state.space, uuid, mark, &mut flush, txg)?;
        }
        state.next_flush = flush;
        Ok(())
    }
}
