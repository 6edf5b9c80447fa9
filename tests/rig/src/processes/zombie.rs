//! Owners that are stopped, taken over and continued: what the new owner acknowledged stays, whatever the former one does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lv::{LvError, Volume, VolumeOptions};
use pv::{Env, PvError};
use rustix::process::Signal;

use super::replay::Replay;
use super::work::{SHAPE, Work, mix, options};
use super::worker::Worker;
use crate::engine::{Pool, Weakness};
use crate::fs::{FsOp, Generator, History, Snapshot, apply};
use crate::prng::Prng;
use crate::watch::watched;

/// The longest life of an owner until it is stopped, in milliseconds.
const LIFE: u64 = 300;
/// Operations of the new owner before and after the former one goes on, at most.
const OPERATIONS: u64 = 40;

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZombieCounts {
    /// Owners stopped.
    pub stops: u64,
    /// Takeovers that succeeded.
    pub takeovers: u64,
    /// Takeovers that could not go on: the owner was stopped in the middle of a PV's commit. Each named it.
    pub in_pv: u64,
    /// The same in the middle of a commit to the metadata.
    pub in_metadata: u64,
    /// Former owners that were refused.
    pub refused: u64,
    /// Syncs that the new owners had acknowledged.
    pub acknowledged: u64,
}

/// A pool whose owners are stopped and taken over.
#[derive(Debug)]
pub struct Zombies {
    dir: PathBuf,
    weakness: String,
    pool: Pool,
    history: History,
    rng: Prng,
    /// What was done so far.
    pub counts: ZombieCounts,
}

fn activate(pool: &Pool, takeover: bool) -> Result<Volume, LvError> {
    pool.activate(&Env::system(), VolumeOptions { takeover, ..options() }, Weakness::None)
}

impl Zombies {
    /// Makes a pool in the folder `dir`. `weakness` is the rule that is off in the children.
    ///
    /// # Errors
    /// In words.
    pub fn new(dir: &Path, seed: u64, weakness: &str) -> Result<Self, String> {
        let pool = Pool::create(&Env::system(), dir, SHAPE).map_err(|error| error.to_string())?;
        let (dir, weakness) = (dir.to_owned(), weakness.to_owned());
        let history = History::new(&Snapshot::default());
        Ok(Self { dir, weakness, pool, history, rng: Prng::new(seed), counts: ZombieCounts::default() })
    }

    /// One owner: started with `command` and its arguments, stopped, taken over, continued; then everything is checked.
    ///
    /// # Errors
    /// What is wrong.
    pub fn round(&mut self, mut command: Command) -> Result<(), String> {
        let seed = self.rng.draw();
        let work = Work { dir: self.dir.clone(), number: 0, weakness: Weakness::None, seed };
        command.args(work.words(&self.weakness));
        let mut zombie = Worker::start(command)?;
        let mut replay = Replay::new(seed, mix(&self.pool), self.history.clone());
        zombie.run_for(Duration::from_millis(5 + self.rng.below(LIFE)))?;
        let volume = self.take_over(&mut zombie)?;
        let found = Snapshot::read(&volume)?;
        replay.take(&zombie.take_lines())?;
        if let Some(complaint) = &replay.complaint {
            return Err(format!("child says: {complaint}"));
        }
        replay.judge(&found).map_err(|message| format!("what the former owner left: {message}"))?;
        self.history = History::new(&found);
        self.go_on(&volume, &mut zombie)?;
        // What it was told has been done, had been done before the takeover.
        replay.take(&zombie.take_lines())?;
        replay.judge(&found).map_err(|message| format!("what the former owner was told: {message}"))?;
        self.check_refusal(replay.complaint.as_deref())?;
        if !matches!(activate(&self.pool, false), Err(LvError::InUse { .. })) {
            return Err("the end of the former owner has given the volume free".to_owned());
        }
        self.check_end(volume)
    }

    /// Stops the owner until it can be taken over.
    fn take_over(&mut self, zombie: &mut Worker) -> Result<Volume, String> {
        loop {
            let _watched = watched(|| "a takeover".to_owned());
            if !zombie.stop()? {
                return Err(format!("the owner ended by itself: {:?}", zombie.take_lines().last()));
            }
            self.counts.stops += 1;
            match activate(&self.pool, true) {
                Ok(volume) => {
                    self.counts.takeovers += 1;
                    return Ok(volume);
                }
                Err(LvError::Pv(PvError::Held { path, holder }))
                    if holder.pid == Some(zombie.pid()) && holder.is_stopped() =>
                {
                    let pv = path.extension().is_some_and(|end| end == "db");
                    *(if pv { &mut self.counts.in_pv } else { &mut self.counts.in_metadata }) += 1;
                }
                Err(error) => return Err(format!("taking over: {error}")),
            }
            zombie.signal(Signal::CONT);
            zombie.run_for(Duration::from_millis(self.rng.below(30)))?;
        }
    }

    /// The new owner works, the former one goes on beside it.
    fn go_on(&mut self, volume: &Volume, zombie: &mut Worker) -> Result<(), String> {
        let _watched = watched(|| "two owners".to_owned());
        let mut generator = Generator::new(self.rng.draw(), mix(&self.pool));
        for _ in 0..self.rng.below(OPERATIONS) {
            self.operation(volume, &mut generator)?;
        }
        zombie.signal(Signal::CONT);
        while !zombie.has_ended()? {
            self.operation(volume, &mut generator)?;
        }
        for _ in 0..self.rng.below(OPERATIONS) {
            self.operation(volume, &mut generator)?;
        }
        let status = zombie.end()?;
        if status.code() != Some(1) {
            return Err(format!("the former owner ended with {status}"));
        }
        Ok(())
    }

    fn operation(&mut self, volume: &Volume, generator: &mut Generator) -> Result<(), String> {
        let op = generator.draw(&self.history);
        let outcome = apply(volume, &op, None).map_err(|error| format!("the new owner: {op:?}: {error}"))?;
        self.history.push(&op, outcome);
        self.counts.acknowledged += u64::from(matches!(op, FsOp::Fsync(_) | FsOp::Sync));
        Ok(())
    }

    fn check_refusal(&mut self, complaint: Option<&str>) -> Result<(), String> {
        let told = complaint.unwrap_or("! nothing");
        let own = std::process::id();
        let known = [
            format!("process {own} has taken the logical volume over"),
            // It was stopped before it had become the owner.
            format!("in use by process {own}"),
            "in use by another process".to_owned(),
            "another process has taken".to_owned(),
        ];
        if !known.iter().any(|text| told.contains(text)) {
            return Err(format!("the former owner says: {told}"));
        }
        self.counts.refused += 1;
        Ok(())
    }

    /// Everything that the new owner was told is durable is there.
    fn check_end(&mut self, volume: Volume) -> Result<(), String> {
        let _watched = watched(|| "the end of a round".to_owned());
        let found = Snapshot::read(&volume)?;
        self.history.judge_live(&found).map_err(|message| format!("before the end: {message}"))?;
        if self.rng.one_in(2) {
            volume.close().map_err(|error| format!("close: {error}"))?;
            self.history.push(&FsOp::Sync, crate::fs::Outcome::Done(None));
        } else {
            volume.abandon();
        }
        let volume = activate(&self.pool, false).map_err(|error| format!("activation: {error}"))?;
        let found = Snapshot::read(&volume)?;
        let done = self.history.step();
        self.history.judge(&found, done, done).map_err(|message| format!("at the end: {message}"))?;
        self.history = History::new(&found);
        volume.close().map_err(|error| format!("close: {error}"))?;
        self.pool.check(&Env::system())
    }
}
