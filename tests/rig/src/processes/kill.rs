//! `kill -9` and SIGTERM on real files: children work on the volumes of a pool, each with one, and say over a pipe what they
//! begin and what has returned; when they have been killed, the volumes must hold what was acknowledged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use lv::Volume;
use pv::{Env, Epoch};
use rustix::process::Signal;

use super::replay::Replay;
use super::work::{SHAPE, Work, mix, options};
use super::worker::Worker;
use crate::engine::{Pool, Weakness};
use crate::fs::{History, Snapshot};
use crate::prng::Prng;
use crate::watch::watched;

/// The longest life of a child, in milliseconds.
const LIFE: u64 = 400;

/// What was done so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct KillCounts {
    /// Children ended with SIGKILL.
    pub kills: u64,
    /// Children asked to end with SIGTERM; some were killed while they ended.
    pub terms: u64,
    /// Of these, those that closed their volume.
    pub closed: u64,
    /// Operations of children that had returned.
    pub returned: u64,
    /// Of these, fsyncs and syncs.
    pub acknowledged: u64,
}

/// A volume whose owner is killed again and again.
#[derive(Debug)]
struct Victim {
    pool: Pool,
    history: History,
    epoch: Epoch,
}

/// What a child does until something ends it.
struct Running {
    worker: Worker,
    replay: Replay,
    /// When which signal comes.
    signals: Vec<(Instant, Signal)>,
}

/// A pool on real files whose owners are killed again and again.
#[derive(Debug)]
pub struct KillLoop {
    dir: PathBuf,
    weakness: String,
    victims: Vec<Victim>,
    rng: Prng,
    /// What was done so far.
    pub counts: KillCounts,
}

fn activate(pool: &Pool) -> Result<(Volume, Snapshot), String> {
    let volume = pool.activate(&Env::system(), options(), Weakness::None);
    let volume = volume.map_err(|error| format!("activation: {error}"))?;
    let found = Snapshot::read(&volume)?;
    Ok((volume, found))
}

impl KillLoop {
    /// Makes a pool in the folder `dir` with so many volumes (1 or 2). `weakness` is the rule that is off in the children.
    ///
    /// # Errors
    /// In words.
    pub fn new(dir: &Path, seed: u64, owners: u8, weakness: &str) -> Result<Self, String> {
        let env = Env::system();
        let first = Pool::create(&env, dir, SHAPE).map_err(|error| error.to_string())?;
        let mut pools = vec![first.clone()];
        for number in 1..owners {
            pools.push(first.add_volume(&env, number).map_err(|error| error.to_string())?);
        }
        let history = History::new(&Snapshot::default());
        let victims =
            pools.into_iter().map(|pool| Victim { pool, history: history.clone(), epoch: Epoch(0) }).collect();
        let (dir, weakness) = (dir.to_owned(), weakness.to_owned());
        Ok(Self { dir, weakness, victims, rng: Prng::new(seed), counts: KillCounts::default() })
    }

    /// Starts a child for each volume with `command` and its arguments, ends them, checks the pool.
    ///
    /// # Errors
    /// What is wrong.
    pub fn round(&mut self, command: &dyn Fn() -> Command) -> Result<(), String> {
        let _watched = watched(|| "a round of children".to_owned());
        let mut children = Vec::new();
        for number in 0..self.victims.len() {
            children.push(self.start(number, command())?);
        }
        while let Some(next) = children.iter().filter_map(|child| child.signals.first()).map(|(at, _)| *at).min() {
            let wait = next.saturating_duration_since(Instant::now());
            for child in &mut children {
                child.worker.run_for(if wait.is_zero() { wait } else { wait.min(Duration::from_millis(5)) })?;
                if child.signals.first().is_some_and(|(at, _)| Instant::now() >= *at) {
                    let (_, signal) = child.signals.remove(0);
                    child.worker.signal(signal);
                }
            }
        }
        let mut open = Vec::new();
        for (number, mut child) in children.into_iter().enumerate() {
            child.worker.end()?;
            open.push(self.check(number, child).map_err(|message| format!("volume {number}: {message}"))?);
        }
        self.check_owners()?;
        for volume in open {
            if self.rng.one_in(2) {
                volume.close().map_err(|error| format!("close: {error}"))?;
            } else {
                volume.abandon();
            }
        }
        self.victims.iter().try_for_each(|victim| victim.pool.check(&Env::system()))
    }

    fn start(&mut self, number: usize, mut command: Command) -> Result<Running, String> {
        let seed = self.rng.draw();
        let victim = &self.victims[number];
        let number = u8::try_from(number).unwrap_or(0);
        let work = Work { dir: self.dir.clone(), number, weakness: Weakness::None, seed };
        command.args(work.words(&self.weakness));
        let end = Instant::now() + Duration::from_millis(5 + self.rng.below(LIFE));
        let mut signals = vec![(end, Signal::KILL)];
        if self.rng.one_in(3) {
            self.counts.terms += 1;
            signals[0].1 = Signal::TERM;
            if self.rng.one_in(2) {
                signals.push((end + Duration::from_millis(self.rng.below(60)), Signal::KILL));
            }
        } else {
            self.counts.kills += 1;
        }
        let replay = Replay::new(seed, mix(&victim.pool), victim.history.clone());
        Ok(Running { worker: Worker::start(command)?, replay, signals })
    }

    /// Judges what a child left; its volume, active.
    fn check(&mut self, number: usize, mut child: Running) -> Result<Volume, String> {
        child.replay.take(&child.worker.take_lines())?;
        if let Some(complaint) = &child.replay.complaint {
            return Err(format!("child says: {complaint}"));
        }
        let victim = &mut self.victims[number];
        let (volume, found) = activate(&victim.pool)?;
        child.replay.judge(&found)?;
        victim.history = History::new(&found);
        self.counts.returned += child.replay.returned;
        self.counts.acknowledged += child.replay.acknowledged;
        self.counts.closed += u64::from(child.replay.closed);
        Ok(volume)
    }

    /// All volumes are active: each owns itself on every PV, since its last activation.
    fn check_owners(&mut self) -> Result<(), String> {
        for (number, victim) in self.victims.iter_mut().enumerate() {
            let rows = victim.pool.owner_rows(&Env::system()).map_err(|error| format!("owner rows: {error}"))?;
            let epochs: Vec<Epoch> = rows.iter().flatten().map(|row| row.epoch).collect();
            let first = epochs.first().copied().unwrap_or(Epoch(0));
            if epochs.len() != usize::from(SHAPE.pvs) || epochs.iter().any(|epoch| *epoch != first) {
                return Err(format!("volume {number}: owner rows {rows:?}"));
            }
            // This process's activation, and the child's if it came so far.
            let risen = first.0.saturating_sub(victim.epoch.0);
            if !(1..=2).contains(&risen) {
                return Err(format!("volume {number}: epoch {first} after {}", victim.epoch));
            }
            victim.epoch = first;
        }
        Ok(())
    }
}
