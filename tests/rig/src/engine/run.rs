//! One exploration of the engine: a random workload on a new pool, and every crash of it judged.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lv::{Volume, Work};

use super::group::Group;
use super::pool::Pool;
use super::step::{Copies, Source, Step, Told};
use super::workload::Workload;
use crate::Disk;
use crate::explore::{Check, Crash, Explorer, Options};
use crate::fs::{FsOp, Generator, History, Outcome, Snapshot, apply, made};
use crate::prng::Prng;
use crate::report::Report;
use crate::tale::{Story, Tale};
use crate::watch::watched;

/// Operations done after a recovery, where that is tried.
const AFTER: u32 = 15;

impl Workload {
    /// Runs the workload and judges its crashes.
    ///
    /// # Errors
    /// The engine failed while nothing crashed: in words, with the operation.
    pub fn explore(&self, options: Options) -> Result<Report, String> {
        let tale = self.tell(options, None);
        match tale.broken {
            Some(message) => Err(message),
            None => Ok(tale.report),
        }
    }

    fn run(&self, options: Options, steps: Option<&[Told]>, tale: &mut Tale<Told>) -> Result<(), String> {
        let disk = Disk::new(options.settings);
        let home = Home::create(&disk, self)?;
        let mut run = Run::new(*self, options.seed, home);
        let mut source = match steps {
            Some(list) => Source::Again { list: list.iter(), inodes: std::collections::HashMap::new() },
            None => Source::Fresh {
                generator: Box::new(Generator::new(options.seed, self.mix())),
                left: self.steps,
                lose_one_in: self.lose_one_in,
            },
        };
        let mut explorer = Explorer::new(&disk.image(), options);
        disk.start_recording();
        let mut volume = run.activate(&disk)?;
        for number in 0.. {
            let mut rng = Prng::derived(run.seed, &[number, 0x7374]);
            let Some((told, step)) = source.next(&mut rng, &run.history, &run.copies) else { break };
            tale.steps.push(told.clone());
            let at = At { disk: &disk, number, compare: rng.one_in(15) };
            let done = run.step(&at, volume, step, &mut explorer);
            let (next, made) = done.map_err(|error| format!("operation {}: {error}", number + 1))?;
            volume = next;
            source.made(told.made, made);
            if let Some(last) = tale.steps.last_mut() {
                last.made = made;
            }
            explorer.feed(&disk.take_log(), &run);
            if explorer.is_over() || explorer.report().total().bad > 0 {
                break;
            }
        }
        volume.abandon();
        tale.report = explorer.finish(&run);
        tale.report.seen = run.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }
}

impl Story for Workload {
    type Step = Told;

    fn tell(&self, options: Options, steps: Option<&[Told]>) -> Tale<Told> {
        let mut tale = Tale { report: Report::default(), broken: None, steps: Vec::new() };
        tale.broken = self.run(options, steps, &mut tale).err();
        tale
    }
}

/// Where the volume lives.
#[derive(Debug)]
pub(super) enum Home {
    Pool(Pool),
    Group(Group),
}

impl Home {
    /// The plain pool that was made in `dir`.
    pub(super) fn at(workload: &Workload, dir: &Path) -> Self {
        Self::Pool(Pool::at(dir, workload.shape))
    }

    /// Checks the volume, which nobody has active.
    fn check(&self, disk: &Disk) -> Result<(), String> {
        match self {
            Self::Pool(pool) => pool.check(&disk.env()),
            Self::Group(group) => group.check(&disk.env()),
        }
    }

    pub(super) fn create(disk: &Disk, workload: &Workload) -> Result<Self, String> {
        let (env, dir) = (disk.env(), Path::new("/"));
        if workload.lose_one_in > 0 {
            return Group::create(&env, dir, workload.shape).map(Self::Group);
        }
        Pool::create(&env, dir, workload.shape).map(Self::Pool).map_err(|error| format!("create: {error}"))
    }
}

/// Where a step is taken.
struct At<'a> {
    disk: &'a Disk,
    number: u64,
    compare: bool,
}

/// A workload that runs: what happened in it, and the judge of its crashes.
#[derive(Debug)]
pub struct Run {
    workload: Workload,
    seed: u64,
    pub(super) history: History,
    /// The step that the history begins at.
    base: u64,
    home: Home,
    copies: Copies,
    /// One image in so many goes on after its recovery.
    pub(super) go_on_one_in: u64,
    seen: Mutex<BTreeMap<&'static str, u64>>,
}

impl Run {
    /// Before the first step.
    pub(super) fn new(workload: Workload, seed: u64, home: Home) -> Self {
        let copies = Copies { in_sync: (0..workload.shape.copies).collect(), lost: Vec::new() };
        let history = History::new(&Snapshot::default());
        Self { workload, seed, history, base: 0, home, copies, go_on_one_in: 4, seen: Mutex::default() }
    }

    fn saw(&self, what: &'static str) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    pub(super) fn activate(&self, disk: &Disk) -> Result<Volume, String> {
        self.activate_with(disk).map(|(volume, _)| volume)
    }

    fn activate_with(&self, disk: &Disk) -> Result<(Volume, Vec<u8>), String> {
        let (env, options, weakness) = (disk.env(), self.workload.options, self.workload.weakness);
        match &self.home {
            Home::Pool(pool) => {
                let volume = pool.activate(&env, options, weakness);
                volume.map(|volume| (volume, Vec::new())).map_err(|error| format!("activation: {error}"))
            }
            Home::Group(group) => group.activate(&env, weakness.options(options)),
        }
    }

    /// One step, in the log between two marks; `None` is one that is no longer possible. Now and then the volume is
    /// compared as a whole.
    fn step(
        &mut self,
        at: &At<'_>,
        volume: Volume,
        step: Option<Step>,
        explorer: &mut Explorer,
    ) -> Result<(Volume, Option<lv::Ino>), String> {
        let _watch = watched(|| format!("operation {} of seed {}: {step:?}", at.number + 1, self.seed));
        at.disk.mark(2 * at.number + 1);
        let done = match step {
            None => {
                self.history.push(&FsOp::Wait(Duration::ZERO), Outcome::Refused);
                (volume, None)
            }
            Some(Step::Fs(op)) => self.fs(at, volume, &op, explorer)?,
            Some(Step::Reopen) => (self.reopen(at, volume, explorer)?, None),
            Some(Step::Lose(copy)) => {
                self.fail(at.disk, copy, true);
                self.copies.lost.push(copy);
                self.history.push(&FsOp::Wait(Duration::ZERO), Outcome::Refused);
                (volume, None)
            }
            Some(Step::Return(copy)) => {
                self.fail(at.disk, copy, false);
                self.copies.lost.retain(|lost| *lost != copy);
                let stale = !self.copies.in_sync.contains(&copy);
                self.saw(if stale { "copies that returned stale" } else { "copies that returned in sync" });
                self.history.push(&FsOp::Wait(Duration::ZERO), Outcome::Refused);
                (volume, None)
            }
        };
        at.disk.mark(2 * at.number + 2);
        if at.compare && self.copies.lost.is_empty() {
            self.compare(&done.0).map_err(|error| format!("comparing: {error}"))?;
        }
        Ok(done)
    }

    fn fs(
        &mut self,
        at: &At<'_>,
        volume: Volume,
        op: &FsOp,
        explorer: &mut Explorer,
    ) -> Result<(Volume, Option<lv::Ino>), String> {
        let outcome = match op {
            FsOp::Work(work) => volume.step(*work).map(|more| {
                if more && *work == Work::Compact {
                    self.saw("compactions that moved records");
                }
                Outcome::Done(None)
            }),
            _ => apply(&volume, op, Some(&at.disk.clock())),
        };
        match outcome {
            Ok(outcome) => {
                self.history.push(op, outcome);
                let Outcome::Done(made) = outcome else { return Ok((volume, None)) };
                Ok((volume, made))
            }
            Err(_) if !self.copies.lost.is_empty() => {
                volume.abandon();
                let (volume, found) = self.come_back(at, op, explorer)?;
                Ok((volume, made(op, &found)))
            }
            Err(error) => Err(format!("{op:?}: {error}")),
        }
    }

    fn reopen(&mut self, at: &At<'_>, volume: Volume, explorer: &mut Explorer) -> Result<Volume, String> {
        match volume.close() {
            Ok(()) => self.history.push(&FsOp::Sync, Outcome::Done(None)),
            Err(_) if !self.copies.lost.is_empty() => {
                return self.come_back(at, &FsOp::Sync, explorer).map(|(volume, _)| volume);
            }
            Err(error) => return Err(format!("close: {error}")),
        }
        if !self.copies.lost.is_empty() {
            return self.come_back(at, &FsOp::Wait(Duration::ZERO), explorer).map(|(volume, _)| volume);
        }
        let volume = self.activate(at.disk)?;
        self.compare(&volume)?;
        Ok(volume)
    }

    /// Activates the volume after `op` failed, without the copies that are lost. What is found must be what a crash
    /// during `op` may leave; it is where the history begins anew.
    fn come_back(&mut self, at: &At<'_>, op: &FsOp, explorer: &mut Explorer) -> Result<(Volume, Snapshot), String> {
        let (volume, in_sync) = self.activate_with(at.disk)?;
        let found = Snapshot::read(&volume)?;
        self.history.push(op, Outcome::Done(made(op, &found)));
        let done = at.number - self.base;
        self.history.judge(&found, done, done + 1).map_err(|error| format!("after a copy failed: {error}"))?;
        if in_sync.len() < self.copies.in_sync.len() {
            self.saw("copies dropped by a change of the descriptor");
        }
        self.copies.in_sync = in_sync;
        explorer.feed(&at.disk.take_log(), &*self);
        self.history = History::new(&found);
        self.base = at.number + 1;
        Ok((volume, found))
    }

    fn fail(&self, disk: &Disk, copy: u8, fail: bool) {
        if let Home::Group(group) = &self.home
            && let Some(path) = group.copy(copy).to_str()
        {
            disk.fail(path, fail);
        }
    }

    fn compare(&self, volume: &Volume) -> Result<(), String> {
        self.history.judge_live(&Snapshot::read(volume)?)
    }

    /// After a crash a lost copy may still be out of reach, or be there again.
    fn lose_again(&self, crash: &Crash, disk: &Disk) {
        let seed = crash.path.iter().fold(self.seed, |all, spec| all ^ spec.seed);
        for copy in &self.copies.lost {
            self.fail(disk, *copy, Prng::derived(seed, &[0x6c6f, (*copy).into()]).one_in(2));
        }
    }

    /// Goes on after a recovery: works, syncs, is cut off, and has it all.
    fn go_on(&self, disk: &Disk, volume: Volume, start: &Snapshot, seed: u64) -> Result<(), String> {
        let mut history = History::new(start);
        let mut generator = Generator::new(seed, self.workload.mix());
        for _ in 0..AFTER {
            let op = generator.draw(&history);
            let outcome = apply(&volume, &op, Some(&disk.clock())).map_err(|error| format!("{op:?}: {error}"))?;
            history.push(&op, outcome);
        }
        history.judge_live(&Snapshot::read(&volume)?)?;
        volume.sync().map_err(|error| format!("sync: {error}"))?;
        volume.abandon();
        let volume = self.activate(disk)?;
        let result = history.judge_live(&Snapshot::read(&volume)?);
        volume.abandon();
        result.and_then(|()| self.home.check(disk))
    }
}

impl Check for Run {
    fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let mark = crash.mark.unwrap_or(0);
        self.lose_again(crash, disk);
        let seed = crash.path.iter().fold(self.seed, |all, spec| all ^ spec.seed);
        if self.copies.lost.is_empty() && Prng::derived(seed, &[0x6368]).one_in(4) {
            // What a crash leaves contradicts itself nowhere, before anything is cleaned up.
            self.home.check(disk).map_err(|error| format!("before activation: {error}"))?;
        }
        let volume = self.activate(disk)?;
        let found = Snapshot::read(&volume)?;
        let (done, begun) = ((mark / 2).saturating_sub(self.base), mark.div_ceil(2).saturating_sub(self.base));
        self.history.judge(&found, done, begun)?;
        if Prng::derived(seed, &[0x676f]).one_in(self.go_on_one_in) {
            return self.go_on(disk, volume, &found, seed).map_err(|error| format!("going on: {error}"));
        }
        volume.abandon();
        self.home.check(disk)
    }

    fn recover(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        self.lose_again(crash, disk);
        let behind = super::copies::behind(&crash.image);
        let volume = self.activate(disk)?;
        if behind {
            self.saw("recoveries with a copy behind");
        }
        let text = |error: lv::LvError| error.to_string();
        disk.clock().advance(Duration::from_secs(3));
        for work in [Work::Delete, Work::Intents, Work::Clean { idle: true }] {
            volume.step(work).map_err(text)?;
        }
        if crash.path.first().is_some_and(|spec| spec.seed % 2 == 0) {
            return volume.close().map_err(text);
        }
        volume.abandon();
        Ok(())
    }
}
