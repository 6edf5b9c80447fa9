//! Trials: many damages of many pools, counted.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::ground::Ground;
use super::inflict::inflict;
use super::judge::{Verdict, judge};
use super::kind::Kind;
use super::real::RealCommand;
use crate::prng::Prng;
use crate::watch::watched;
use crate::{Disk, Settings};

/// Damages of one pool, unless something else is asked for.
pub const TRIALS: u64 = 120;
/// Failures kept in full.
const KEPT: usize = 10;

/// What is tried.
#[derive(Debug, Clone)]
pub struct DamageOptions {
    /// Seed of the first pool; the next one's is one more.
    pub seed: u64,
    /// Stop when this is over, after at least one pool.
    pub until: Option<Instant>,
    /// Damages of one pool.
    pub trials: u64,
    /// This trial only.
    pub trial: Option<u64>,
    /// This kind only.
    pub kind: Option<Kind>,
    /// Threads; 0 = all processors.
    pub threads: usize,
    /// Judge by what this command prints of the pool on real files.
    pub real: Option<RealCommand>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct DamageReport {
    /// Pools made.
    pub pools: u64,
    /// How many trials of each kind ended how.
    pub tally: BTreeMap<(Kind, Verdict), u64>,
    /// Trials that found something wrong.
    pub bad: u64,
    /// The first of them, each in a line.
    pub failures: Vec<String>,
}

impl DamageReport {
    /// Trials in all.
    pub fn trials(&self) -> u64 {
        self.tally.values().sum::<u64>() + self.bad
    }

    fn count(&self, verdict: Verdict) -> u64 {
        self.tally.iter().filter(|((_, known), _)| *known == verdict).map(|(_, count)| count).sum()
    }

    /// Counts per kind, a line each.
    pub fn table(&self) -> String {
        let mut out = String::new();
        for (kind, name) in Kind::ALL {
            let counts = Verdict::ALL.map(|(verdict, word)| {
                let count = self.tally.get(&(kind, verdict)).copied().unwrap_or(0);
                if count > 0 { format!(" {count} {word},") } else { String::new() }
            });
            let counts = counts.concat();
            if !counts.is_empty() {
                out = format!("{out}{name:17}{}\n", counts.trim_end_matches(','));
            }
        }
        out
    }
}

impl fmt::Display for DamageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(
            f,
            "{} pools, {} damages: {} refused, {} detected, {} harmless, {} an older state that nothing could tell, \
             {} left to check, {} old together, {} told later, {} wrong",
            self.pools,
            self.trials(),
            self.count(Verdict::Refused),
            self.count(Verdict::Detected),
            self.count(Verdict::Harmless),
            self.count(Verdict::Older),
            self.count(Verdict::LeftToCheck),
            self.count(Verdict::OldTogether),
            self.count(Verdict::Later),
            self.bad
        )
    }
}

impl DamageOptions {
    /// Damages pools until the time is over.
    ///
    /// # Errors
    /// A pool could not be made.
    pub fn run(&self) -> Result<DamageReport, String> {
        let mut report = DamageReport::default();
        for seed in self.seed.. {
            let watch = watched(|| format!("making the pool of seed {seed}"));
            let extent = if self.real.is_some() { 64 * 1024 } else { 4096 };
            let ground = Ground::build(seed, extent).map_err(|error| format!("pool of --seed {seed}: {error}"))?;
            drop(watch);
            self.pool(seed, &ground, &mut report);
            report.pools += 1;
            let over = self.until.is_none_or(|until| Instant::now() >= until);
            if over || self.trial.is_some() || report.failures.len() >= KEPT {
                break;
            }
        }
        Ok(report)
    }

    fn pool(&self, seed: u64, ground: &Ground, report: &mut DamageReport) {
        let (first, end) = self.trial.map_or((0, self.trials), |trial| (trial, trial + 1));
        let next = AtomicU64::new(first);
        let shared = Mutex::new(std::mem::take(report));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let over = number > first && self.until.is_some_and(|until| Instant::now() >= until);
                if number >= end || over {
                    break;
                }
                let (kind, outcome) = self.trial(seed, number, ground);
                let mut report = shared.lock().unwrap_or_else(PoisonError::into_inner);
                match outcome {
                    None => {}
                    Some(Ok(verdict)) => *report.tally.entry((kind, verdict)).or_default() += 1,
                    Some(Err(message)) => {
                        report.bad += 1;
                        let line = format!("damage --seed {seed} --trial {number}: {}: {message}", kind.name());
                        if report.failures.len() < KEPT {
                            report.failures.push(line);
                        }
                    }
                }
            }
        };
        let all = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if self.threads == 0 { all } else { self.threads };
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
        *report = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    }

    /// One damage; no outcome where the pool has nothing to damage so.
    fn trial(&self, seed: u64, number: u64, ground: &Ground) -> (Kind, Option<Result<Verdict, String>>) {
        let mut rng = Prng::derived(seed, &[0x6461, number]);
        let drawn = Kind::ALL[rng.index(Kind::ALL.len())].0;
        let kind = self.kind.unwrap_or(drawn);
        let Some(damaged) = inflict(ground, kind, &mut rng) else { return (kind, None) };
        let _watch = watched(|| format!("--seed {seed} --trial {number}: {}: {}", kind.name(), damaged.what));
        let judged = catch_unwind(AssertUnwindSafe(|| {
            if let Some(real) = &self.real {
                return real.judge(ground, &damaged, number, &mut rng);
            }
            let disk = Disk::from_image(&damaged.image, Settings::default());
            judge(ground, (kind, &damaged), &disk, &mut rng)
        }));
        let judged = judged.unwrap_or_else(|_| Err("panicked".to_owned()));
        let outcome = judged.map_err(|message| {
            format!("{:?}, {} PVs, {} copies; {}: {message}", ground.left, ground.pvs, ground.copies, damaged.what)
        });
        (kind, Some(outcome))
    }
}
