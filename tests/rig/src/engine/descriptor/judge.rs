//! Judging what a crash left of a volume group.
//!
//! Whatever was acknowledged is there, and at most the operation that ran besides; every majority of the PVs says so,
//! and no other set of PVs takes itself for one; every PV is whole, every volume can be activated and its files are a
//! state they may have; the operation that a crash interrupted is complete or can be done again.

use std::collections::BTreeSet;

use lv::Volume;
use pv::{Access, Env, Pv};
use vg::{PoolFiles, VolumeGroup};

use super::super::claims::every_extent_is_its_owners;
use super::super::group::check_volume;
use super::super::weak::Weakness;
use super::act::{Done, act, activated, dir, open, pv_path, state};
use super::generate::VgGenerator;
use super::op::{VgOp, VgState, World};
use super::run::Run;
use crate::Disk;
use crate::explore::{Check, Crash};
use crate::fs::Snapshot;
use crate::prng::Prng;

/// Operations done after a recovery, where that is tried.
const AFTER: u32 = 4;

/// The steps that had returned and that had begun.
#[derive(Debug, Clone, Copy)]
struct Moment {
    done: u64,
    begun: u64,
}

impl Run {
    fn at(&self, step: u64) -> &World {
        let last = self.worlds.len() - 1;
        &self.worlds[usize::try_from(step).unwrap_or(last).min(last)]
    }

    fn interrupted(&self, moment: Moment) -> Option<&VgOp> {
        if moment.begun == moment.done {
            return None;
        }
        self.ops.get(usize::try_from(moment.done).ok()?)?.as_ref()
    }

    /// Which of the two moments the group is at.
    fn step_of(&self, found: &VgState, moment: Moment) -> Result<u64, String> {
        let of = |step| &self.at(step).group;
        if found == of(moment.begun) {
            Ok(moment.begun)
        } else if found == of(moment.done) {
            Ok(moment.done)
        } else {
            let (done, begun) = (of(moment.done), of(moment.begun));
            Err(format!("the group is {found:?}, acknowledged was {done:?}, begun {begun:?}"))
        }
    }

    /// Every PV that was made is whole, and one of no group says so.
    fn pvs(&self, env: &Env, moment: Moment) -> Result<(), String> {
        let (before, after) = (self.at(moment.done), self.at(moment.begun));
        for number in &before.made {
            let pv = Pv::open(env, &pv_path(*number), Access::ReadWrite)
                .map_err(|error| format!("a PV that was made: {error}"))?;
            let member = before.group.pvs.contains(number) || after.group.pvs.contains(number);
            if !member && let Some(said) = &pv.label().membership {
                return Err(format!("p{number} says that it belongs to {}", said.name));
            }
        }
        Ok(())
    }

    /// Some sets of PVs: a majority shows the group, and who takes itself for one shows what was acknowledged.
    fn subsets(&self, env: &Env, moment: Moment, rng: &mut Prng) -> Result<(), String> {
        let (before, after) = (self.at(moment.done), self.at(moment.begun));
        let all: Vec<u8> = after.made.iter().copied().collect();
        for _ in 0..3 {
            let some: BTreeSet<u8> = all.iter().copied().filter(|_| !rng.one_in(3)).collect();
            if some.is_empty() {
                continue;
            }
            let files = PoolFiles::Files(some.iter().map(|pv| pv_path(*pv)).collect());
            let what = |message: String| format!("with only the PVs {some:?}: {message}");
            let enough = before.group.majority(&some) && after.group.majority(&some);
            match open(env, &files).map_err(what)? {
                None if enough => return Err(what("a majority shows no group".to_owned())),
                Some(group) if group.majority() => {
                    self.step_of(&state(&group), moment).map_err(what)?;
                }
                Some(_) if enough => return Err(what("they are a majority and do not know it".to_owned())),
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Opens the group and completes what was interrupted; `None` when there is no group, and need not be.
    fn settled(&self, env: &Env, moment: Moment) -> Result<Option<VolumeGroup>, String> {
        let Some(mut group) = open(env, &PoolFiles::Dir(dir().to_owned()))? else {
            let none = VgState::default();
            return self.step_of(&none, moment).map(|_| None);
        };
        self.step_of(&state(&group), moment)?;
        let text = |error: vg::VgError| format!("settling: {error}");
        let lock = group.lock().map_err(text)?;
        group.settle(&lock).map_err(text)?;
        if group.partial() || !group.settled() || !group.descriptor().removals.is_empty() {
            return Err(format!("it is not settled: {:?} {:?}", group.descriptor(), group.notices()));
        }
        every_extent_is_its_owners(&group)?;
        Ok(Some(group))
    }

    /// Every volume can be activated, and its files are in a state that they may have.
    fn volumes(&self, env: &Env, now: &VgState, moment: Moment, rng: &mut Prng) -> Result<(), String> {
        for (name, lv) in &now.lvs {
            let volume = activated(env, name, self.settings)?;
            let found = Snapshot::read(&volume).map_err(|error| format!("{name}: {error}"))?;
            volume.abandon();
            let Some(files) = self.files.get(&lv.uuid) else { return Err(format!("{name} is nobody's")) };
            let (done, begun) = (files.until(moment.done), files.until(moment.begun));
            files.history.judge(&found, done, begun).map_err(|error| format!("{name}: {error}"))?;
            if rng.one_in(4) {
                check_volume(env, dir(), &super::act::lv(name)?, 0).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    /// Does what was interrupted and did not happen.
    fn redo(&self, env: &Env, now: u64, moment: Moment) -> Result<VgState, String> {
        let (is, to_be) = (&self.at(now).group, &self.at(moment.begun).group);
        let Some(op) = self.interrupted(moment).filter(|_| is != to_be) else { return Ok(is.clone()) };
        self.saw("interrupted changes done again");
        act(env, op, Weakness::None).map_err(|error| format!("{op:?} again: {error}"))?;
        let group = open(env, &PoolFiles::Dir(dir().to_owned()))?.ok_or("the group is gone")?;
        let found = state(&group);
        if found.alike(to_be) { Ok(found) } else { Err(format!("{op:?} again led to {found:?}")) }
    }

    /// Goes on: some more changes, each of which is there, and volumes that work.
    fn go_on(&self, disk: &Disk, world: World, seed: u64) -> Result<(), String> {
        let env = disk.env();
        let mut world = World { active: None, ..world };
        let mut generator = VgGenerator::new(seed);
        for _ in 0..AFTER {
            let op = generator.draw_closed(&world);
            let failed = |error: String| format!("{op:?}: {error}");
            if let Done::Refused = act(&env, &op, Weakness::None).map_err(failed)? {
                continue;
            }
            if let VgOp::MakePv(pv) = op {
                world.made.insert(pv);
            }
            let Some(group) = open(&env, &PoolFiles::Dir(dir().to_owned()))? else { continue };
            world.group = state(&group);
        }
        for name in world.group.lvs.keys() {
            let volume = activated(&env, name, self.settings)?;
            Snapshot::read(&volume).map_err(|error| format!("{name}: {error}"))?;
            volume.close().map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }
}

fn moment(crash: &Crash) -> Moment {
    let mark = crash.mark.unwrap_or(0);
    Moment { done: mark / 2, begun: mark.div_ceil(2) }
}

impl Check for Run {
    fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let (env, moment) = (disk.env(), moment(crash));
        let seed = crash.path.iter().fold(self.seed, |all, spec| all ^ spec.seed);
        let mut rng = Prng::derived(seed, &[0x6465]);
        self.pvs(&env, moment)?;
        if rng.one_in(2) {
            self.subsets(&env, moment, &mut rng)?;
        }
        let now = match self.settled(&env, moment)? {
            None => moment.done,
            Some(group) => {
                let now = self.step_of(&state(&group), moment)?;
                drop(group);
                self.subsets(&env, Moment { done: now, begun: now }, &mut rng)
                    .map_err(|error| format!("after settling: {error}"))?;
                now
            }
        };
        self.volumes(&env, &self.at(now).group, moment, &mut rng)?;
        if rng.one_in(2) {
            let group = self.redo(&env, now, moment)?;
            if rng.one_in(2) {
                let made = [moment.done, moment.begun].map(|step| self.at(step).made.clone());
                let [mut made, more] = made;
                made.extend(more.into_iter().filter(|pv| Pv::open(&env, &pv_path(*pv), Access::ReadWrite).is_ok()));
                let world = World { made, group, active: None };
                return self.go_on(disk, world, seed).map_err(|error| format!("going on: {error}"));
            }
        }
        Ok(())
    }

    fn recover(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let (env, moment) = (disk.env(), moment(crash));
        let Some(group) = self.settled(&env, moment)? else { return Err("no group".to_owned()) };
        let name = group.descriptor().lvs.first().map(|lv| lv.name.to_string());
        drop(group);
        let volume = name.map(|name| activated(&env, &name, self.settings)).transpose()?;
        volume.map_or(Ok(()), Volume::close).map_err(|error| error.to_string())
    }
}
