//! Running the `descriptor` workload.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use lv::{Ino, Volume, VolumeOptions};
use pv::LvUuid;
use vg::PoolFiles;

use super::act::{Done, act, activated, dir, open, state};
use super::generate::VgGenerator;
use super::op::{VgOp, VgState, World, lv_name};
use crate::Disk;
use crate::engine::{Weakness, Workload};
use crate::explore::{Explorer, Options};
use crate::fs::{FsOp, History, Outcome, Snapshot, apply};
use crate::image::Image;
use crate::report::Report;
use crate::tale::{Story, Tale};
use crate::watch::watched;

/// Changes of a volume group under the explorer.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    /// Operations.
    pub steps: u32,
    /// The rule that is off.
    pub weakness: Weakness,
}

impl Default for Descriptor {
    fn default() -> Self {
        Self { steps: 60, weakness: Weakness::None }
    }
}

/// An operation that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VgTold {
    /// Which.
    pub op: VgOp,
    /// The inode that it made.
    pub made: Option<Ino>,
}

/// A volume's contents, with the steps of the workload that its operations were.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) history: History,
    steps: Vec<u64>,
}

impl Default for Files {
    fn default() -> Self {
        Self { history: History::new(&Snapshot::default()), steps: Vec::new() }
    }
}

impl Files {
    fn push(&mut self, op: &FsOp, outcome: Outcome, step: u64) {
        self.history.push(op, outcome);
        self.steps.push(step);
    }

    /// How many of its operations there had been after so many steps of the workload.
    pub(super) fn until(&self, step: u64) -> u64 {
        self.steps.partition_point(|at| *at <= step) as u64
    }
}

/// What happened, and the judge of its crashes.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) seed: u64,
    pub(super) settings: VolumeOptions,
    weakness: Weakness,
    /// What was acknowledged and not done.
    late: Option<VgOp>,
    /// The worlds from the first on, one more with each step.
    pub(super) worlds: Vec<World>,
    /// The steps.
    pub(super) ops: Vec<Option<VgOp>>,
    pub(super) files: BTreeMap<LvUuid, Files>,
    seen: Mutex<BTreeMap<&'static str, u64>>,
}

impl Descriptor {
    fn run(self, options: Options, steps: Option<&[VgTold]>, tale: &mut Tale<VgTold>) -> Result<(), String> {
        let disk = Disk::new(options.settings);
        let mut run = Run {
            seed: options.seed,
            settings: Workload::random().options,
            weakness: self.weakness,
            late: None,
            worlds: vec![World::default()],
            ops: Vec::new(),
            files: BTreeMap::new(),
            seen: Mutex::default(),
        };
        let mut generator = VgGenerator::new(options.seed);
        let mut inodes = HashMap::from([(Ino::ROOT, Ino::ROOT)]);
        let mut explorer = Explorer::new(&Image::default(), options);
        disk.start_recording();
        let mut volume = None;
        let count = steps.map_or(usize::try_from(self.steps).unwrap_or(0), <[_]>::len);
        for number in 0..count {
            let (told, op) = match steps {
                None => {
                    let op = generator.draw(run.world(), run.active());
                    (VgTold { op: op.clone(), made: None }, Some(op))
                }
                Some(list) => (list[number].clone(), run.again(&list[number].op, &inodes)),
            };
            tale.steps.push(told.clone());
            let made = run.step(&disk, op, &mut volume).map_err(|error| format!("operation {number}: {error}"))?;
            if let (Some(then), Some(now)) = (told.made, made) {
                inodes.insert(then, now);
            }
            tale.steps[number].made = made;
            explorer.feed(&disk.take_log(), &run);
            if explorer.is_over() || explorer.report().total().bad > 0 {
                break;
            }
        }
        volume.into_iter().for_each(Volume::abandon);
        tale.report = explorer.finish(&run);
        tale.report.seen = run.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }
}

impl Story for Descriptor {
    type Step = VgTold;

    fn tell(&self, options: Options, steps: Option<&[VgTold]>) -> Tale<VgTold> {
        let mut tale = Tale { report: Report::default(), broken: None, steps: Vec::new() };
        tale.broken = self.run(options, steps, &mut tale).err();
        tale
    }
}

impl Run {
    pub(super) fn saw(&self, what: &'static str) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    fn world(&self) -> &World {
        &self.worlds[self.worlds.len() - 1]
    }

    fn active_uuid(&self) -> Option<LvUuid> {
        let world = self.world();
        world.active.as_ref().and_then(|name| world.group.lvs.get(name)).map(|lv| lv.uuid)
    }

    fn active(&self) -> Option<&History> {
        self.active_uuid().and_then(|uuid| self.files.get(&uuid)).map(|files| &files.history)
    }

    /// A told operation as it is now, if it is still possible.
    fn again(&self, op: &VgOp, inodes: &HashMap<Ino, Ino>) -> Option<VgOp> {
        let op = match op {
            VgOp::Fs(op) => {
                let op = op.with_inodes(&|ino| inodes.get(&ino).copied())?;
                VgOp::Fs(Some(op).filter(|op| self.active().is_some_and(|history| history.fits(op)))?)
            }
            other => other.clone(),
        };
        Some(op).filter(|op| self.world().fits(op))
    }

    /// One step, in the log between two marks; `None` is one that is no longer possible.
    fn step(&mut self, disk: &Disk, op: Option<VgOp>, volume: &mut Option<Volume>) -> Result<Option<Ino>, String> {
        let number = self.ops.len() as u64;
        let _watch = watched(|| format!("operation {number} of seed {}: {op:?}", self.seed));
        let mut next = self.world().clone();
        disk.mark(2 * number + 1);
        let failed = |error: String| format!("{op:?}: {error}");
        if let Some(late) = self.late.take() {
            act(&disk.env(), &late, Weakness::None).map_err(failed)?;
        }
        let made = match &op {
            None => None,
            Some(VgOp::Fs(op)) => self.fs(disk, op, volume.as_ref(), number + 1).map_err(failed)?,
            Some(VgOp::Activate(lv)) => {
                *volume = Some(activated(&disk.env(), &lv_name(*lv), self.settings).map_err(failed)?);
                next.active = Some(lv_name(*lv));
                None
            }
            Some(VgOp::Close) => {
                let uuid = self.active_uuid();
                volume.take().map_or(Ok(()), Volume::close).map_err(|error| failed(error.to_string()))?;
                if let Some(files) = uuid.and_then(|uuid| self.files.get_mut(&uuid)) {
                    files.push(&FsOp::Sync, Outcome::Done(None), number + 1);
                }
                next.active = None;
                None
            }
            Some(VgOp::MakePv(pv)) => {
                act(&self.weakness.env(disk), &VgOp::MakePv(*pv), self.weakness).map_err(failed)?;
                next.made.insert(*pv);
                None
            }
            Some(group_op) => {
                next.group = self.change(disk, group_op).map_err(failed)?;
                None
            }
        };
        disk.mark(2 * number + 2);
        if let Some(op) = &op {
            self.saw(op.what());
        }
        self.ops.push(op);
        self.worlds.push(next);
        Ok(made)
    }

    fn fs(&mut self, disk: &Disk, op: &FsOp, volume: Option<&Volume>, step: u64) -> Result<Option<Ino>, String> {
        let volume = volume.ok_or("no volume is active")?;
        let outcome = apply(volume, op, Some(&disk.clock())).map_err(|error| error.to_string())?;
        if let Some(files) = self.active_uuid().and_then(|uuid| self.files.get_mut(&uuid)) {
            files.push(op, outcome, step);
        }
        Ok(match outcome {
            Outcome::Done(made) => made,
            Outcome::Refused => None,
        })
    }

    /// A change of the group; what the group is then.
    fn change(&mut self, disk: &Disk, op: &VgOp) -> Result<VgState, String> {
        let before = self.world().group.clone();
        if let (Weakness::LazyDescriptor, VgOp::LvExtend(lv, more)) = (self.weakness, op) {
            self.late = Some(op.clone());
            let mut after = before;
            after.lvs.entry(lv_name(*lv)).and_modify(|lv| lv.count += more);
            return Ok(after);
        }
        let done = act(&self.weakness.env(disk), op, self.weakness);
        if let Done::Refused = done? {
            return Ok(before);
        }
        let group = open(&disk.env(), &PoolFiles::Dir(dir().to_owned()))?.ok_or("the group is gone")?;
        let found = state(&group);
        let expected = expected(&before, op, &found);
        if found != expected {
            return Err(format!("the group is {found:?} instead of {expected:?}"));
        }
        for lv in found.lvs.values() {
            self.files.entry(lv.uuid).or_default();
        }
        Ok(found)
    }
}

/// What the group must be after `op`; the uuid of a new volume is taken from what was `found`, and so is the size of
/// one that grew: it is rounded up to whole stripes.
fn expected(before: &VgState, op: &VgOp, found: &VgState) -> VgState {
    let mut state = before.clone();
    match op {
        VgOp::Create(pvs) => {
            state.name = Some(super::op::vg_name(0));
            state.pvs = pvs.iter().copied().collect();
        }
        VgOp::Extend(pv) => drop(state.pvs.insert(*pv)),
        VgOp::Reduce(pv) => drop(state.pvs.remove(pv)),
        VgOp::Rename(number) => state.name = Some(super::op::vg_name(*number)),
        VgOp::LvCreate { lv, count, .. } | VgOp::LvExtend(lv, count) => {
            let name = lv_name(*lv);
            let at_least = count + state.lvs.get(&name).map_or(0, |lv| lv.count);
            if let Some(lv) = found.lvs.get(&name).filter(|lv| lv.count >= at_least) {
                let uuid = state.lvs.get(&name).map_or(lv.uuid, |lv| lv.uuid);
                state.lvs.insert(name, super::op::LvState { uuid, ..*lv });
            }
        }
        VgOp::LvRename(lv, to) => {
            if let Some(lv) = state.lvs.remove(&lv_name(*lv)) {
                state.lvs.insert(lv_name(*to), lv);
            }
        }
        VgOp::LvRemove(lv) => drop(state.lvs.remove(&lv_name(*lv))),
        VgOp::MakePv(_) | VgOp::Activate(_) | VgOp::Close | VgOp::Fs(_) => {}
    }
    state
}
