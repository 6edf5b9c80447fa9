//! One exploration of the engine: a random workload on a new pool, and every crash of it judged.

use std::path::Path;
use std::time::Duration;

use lv::{Volume, VolumeOptions, Work};

use super::pool::{Pool, Shape};
use super::weak::Weakness;
use crate::Disk;
use crate::explore::{Check, Crash, Explorer, Options};
use crate::fs::{FsOp, Generator, History, Mix, Outcome, Snapshot, apply};
use crate::prng::Prng;
use crate::report::Report;
use crate::watch::watched;

/// Operations done after a recovery, where that is tried.
const AFTER: u32 = 15;

/// What is run.
#[derive(Debug, Clone, Copy)]
pub struct Workload {
    /// The pool.
    pub shape: Shape,
    /// Share of the pool's bytes that files may take, in percent.
    pub fill: u64,
    /// Operations.
    pub steps: u32,
    /// What the engine is set to.
    pub options: VolumeOptions,
    /// The rule that is off.
    pub weakness: Weakness,
}

impl Workload {
    /// Some space to spare; everything happens.
    pub fn random() -> Self {
        let options = VolumeOptions {
            cache_bytes: 64 * 1024,
            dirty_bytes: 64 * 1024,
            flush_bytes: 16 * 1024,
            cached_rows: 40,
            commit_interval: Duration::from_secs(5),
            grace: Duration::from_secs(1),
            wal_bytes: 96 * 1024,
            ..VolumeOptions::default()
        };
        let shape = Shape { pvs: 2, extent: 4096, extents: 40, copies: 1 };
        Self { shape, fill: 50, steps: 120, options, weakness: Weakness::None }
    }

    /// Little space: extents are reused all the time, and compaction runs.
    pub fn tight() -> Self {
        let random = Self::random();
        Self { shape: Shape { extents: 14, ..random.shape }, fill: 65, steps: 160, ..random }
    }

    /// As [`Workload::random`] with two copies of the metadata.
    pub fn copies() -> Self {
        let random = Self::random();
        Self { shape: Shape { copies: 2, ..random.shape }, ..random }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "random" => Some(Self::random()),
            "tight" => Some(Self::tight()),
            "copies" => Some(Self::copies()),
            _ => None,
        }
    }

    /// What its operations are like on this pool.
    pub fn mix(&self, pool: &Pool) -> Mix {
        Mix { live: pool.bytes() * self.fill / 100, file: pool.bytes() / 8, write: 12 * 1024, work: 25, sync: 12 }
    }

    /// Runs the workload and judges its crashes.
    ///
    /// # Errors
    /// The engine failed while nothing crashed: in words, with the operation.
    pub fn explore(&self, options: Options) -> Result<Report, String> {
        let disk = Disk::new(options.settings);
        let pool = Pool::create(&disk.env(), Path::new("/"), self.shape).map_err(|error| format!("create: {error}"))?;
        let mut run = Run { workload: *self, seed: options.seed, history: History::new(&Snapshot::default()), pool };
        let mut explorer = Explorer::new(&disk.image(), options);
        disk.start_recording();
        let mut generator = Generator::new(run.seed, self.mix(&run.pool));
        let mut volume = run.activate(&disk)?;
        for step in 1..=self.steps {
            volume = run.step(&disk, volume, &mut generator).map_err(|error| format!("operation {step}: {error}"))?;
            explorer.feed(&disk.take_log(), &run);
            if explorer.is_over() || explorer.report().total().bad > 0 {
                break;
            }
        }
        volume.abandon();
        Ok(explorer.finish(&run))
    }
}

/// A workload that runs: what happened in it, and the judge of its crashes.
#[derive(Debug)]
pub struct Run {
    workload: Workload,
    seed: u64,
    history: History,
    pool: Pool,
}

impl Run {
    fn activate(&self, disk: &Disk) -> Result<Volume, String> {
        let weakness = self.workload.weakness;
        self.pool.activate(&disk.env(), self.workload.options, weakness).map_err(|error| format!("activation: {error}"))
    }

    /// The next operation, in the log between two marks. Now and then the volume is closed and activated again, or
    /// compared as a whole.
    fn step(&mut self, disk: &Disk, volume: Volume, generator: &mut Generator) -> Result<Volume, String> {
        let number = self.history.step();
        let mut rng = Prng::derived(self.seed, &[number, 0x7374]);
        disk.mark(2 * number + 1);
        if rng.one_in(40) {
            volume.close().map_err(|error| format!("close: {error}"))?;
            self.history.push(&FsOp::Sync, Outcome::Done(None));
            disk.mark(2 * number + 2);
            let volume = self.activate(disk)?;
            self.compare(&volume)?;
            return Ok(volume);
        }
        let op = generator.draw(&self.history);
        let watch = watched(|| format!("operation {} of seed {}: {op:?}", number + 1, self.seed));
        let outcome = apply(&volume, &op, Some(&disk.clock())).map_err(|error| format!("{op:?}: {error}"))?;
        drop(watch);
        self.history.push(&op, outcome);
        disk.mark(2 * number + 2);
        if rng.one_in(15) {
            self.compare(&volume).map_err(|error| format!("after {op:?}: {error}"))?;
        }
        Ok(volume)
    }

    fn compare(&self, volume: &Volume) -> Result<(), String> {
        self.history.judge_live(&Snapshot::read(volume)?)
    }

    /// Goes on after a recovery: works, syncs, is cut off, and has it all.
    fn go_on(&self, disk: &Disk, volume: Volume, start: &Snapshot, seed: u64) -> Result<(), String> {
        let mut history = History::new(start);
        let mut generator = Generator::new(seed, self.workload.mix(&self.pool));
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
        result.and_then(|()| self.pool.check(&disk.env()))
    }
}

impl Check for Run {
    fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let mark = crash.mark.unwrap_or(0);
        let seed = crash.path.iter().fold(self.seed, |all, spec| all ^ spec.seed);
        if Prng::derived(seed, &[0x6368]).one_in(4) {
            // What a crash leaves contradicts itself nowhere, before anything is cleaned up.
            self.pool.check(&disk.env()).map_err(|error| format!("before activation: {error}"))?;
        }
        let volume = self.activate(disk)?;
        let found = Snapshot::read(&volume)?;
        self.history.judge(&found, mark / 2, mark.div_ceil(2))?;
        if Prng::derived(seed, &[0x676f]).one_in(4) {
            return self.go_on(disk, volume, &found, seed).map_err(|error| format!("going on: {error}"));
        }
        volume.abandon();
        self.pool.check(&disk.env())
    }

    fn recover(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let volume = self.activate(disk)?;
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
