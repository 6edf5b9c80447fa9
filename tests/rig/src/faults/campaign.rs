//! All faults of all workloads, one after the other or drawn by lot.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::judge::endings;
use super::run::Live;
use super::script::Script;
use super::stage::{Layout, Size, Stage, size};
use super::text;
use crate::disk::{Disk, Fault, FaultKind, FileKind, Settings};
use crate::engine::Weakness;
use crate::image::Image;
use crate::prng::Prng;
use crate::watch::watched;

/// Failures kept in full; the rest is only counted.
const KEPT: usize = 20;

/// What is run.
#[derive(Debug, Clone)]
pub struct FaultOptions {
    /// Decides everything that is random.
    pub seed: u64,
    /// Only the workload of this name.
    pub workload: Option<String>,
    /// Only faults of this kind.
    pub kind: Option<FaultKind>,
    /// Only on files of this kind.
    pub file: Option<FileKind>,
    /// Only this fault: to repeat a failure.
    pub only: Option<Fault>,
    /// Drawn by lot until then.
    pub until: Option<Instant>,
    /// Drawn by lot, so many. Without it and a time, all faults in order.
    pub runs: Option<u64>,
    /// Of all faults in order only every so manieth operation.
    pub stride: u64,
    /// Threads; 0 takes one per processor.
    pub threads: usize,
    /// Ends after the first failure.
    pub hasty: bool,
    /// The rule of the engine that is off.
    pub weakness: Weakness,
}

impl Default for FaultOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            workload: None,
            kind: None,
            file: None,
            only: None,
            until: None,
            runs: None,
            stride: 1,
            threads: 0,
            hasty: false,
            weakness: Weakness::None,
        }
    }
}

/// Faults of one kind and what came of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultTally {
    /// Runs.
    pub runs: u64,
    /// Runs in which the fault struck.
    pub struck: u64,
    /// Runs in which it struck and no call failed.
    pub masked: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Runs in which the volume stopped.
    pub stopped: u64,
    /// Disks judged afterwards.
    pub disks: u64,
    /// Runs with something wrong.
    pub bad: u64,
}

impl FaultTally {
    const fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.struck += other.struck;
        self.masked += other.masked;
        self.failed += other.failed;
        self.stopped += other.stopped;
        self.disks += other.disks;
        self.bad += other.bad;
    }
}

/// What a campaign found.
#[derive(Debug, Clone, Default)]
pub struct FaultReport {
    /// Per workload and kind.
    pub tallies: BTreeMap<(&'static str, FaultKind), FaultTally>,
    /// The first failures: arguments that repeat them, and what is wrong.
    pub failures: Vec<String>,
}

impl FaultReport {
    /// All together.
    pub fn total(&self) -> FaultTally {
        let mut total = FaultTally::default();
        self.tallies.values().for_each(|tally| total.add(*tally));
        total
    }

    fn count(&mut self, key: (&'static str, FaultKind), tally: FaultTally, failure: Option<String>) {
        self.tallies.entry(key).or_default().add(tally);
        if self.failures.len() < KEPT {
            self.failures.extend(failure);
        }
    }
}

impl fmt::Display for FaultReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_kind: BTreeMap<FaultKind, FaultTally> = BTreeMap::new();
        let mut by_name: BTreeMap<&str, FaultTally> = BTreeMap::new();
        for ((name, kind), tally) in &self.tallies {
            by_kind.entry(*kind).or_default().add(*tally);
            by_name.entry(name).or_default().add(*tally);
        }
        let rows = by_kind.iter().map(|(kind, tally)| (kind.name(), tally));
        for (name, tally) in rows.chain(by_name.iter().map(|(name, tally)| (*name, tally))) {
            let FaultTally { runs, masked, failed, stopped, bad, .. } = tally;
            writeln!(f, "  {name}: {runs} runs, {failed} calls failed, {stopped} stopped, {masked} masked, {bad} bad")?;
        }
        for failure in &self.failures {
            writeln!(f, "  {failure}")?;
        }
        let FaultTally { runs, struck, masked, failed, stopped, disks, bad } = self.total();
        write!(
            f,
            "{runs} runs, {struck} with a fault, {failed} calls failed, {stopped} volumes stopped, {masked} masked, \
             {disks} disks judged, {bad} bad"
        )
    }
}

/// A workload whose files have been made.
struct Prepared {
    script: Script,
    stage: Stage,
    image: Image,
    size: Size,
}

/// One series of faults: operation 1, 2, 3 and so on.
#[derive(Debug, Clone, Copy)]
struct Series {
    workload: usize,
    fault: Fault,
    /// Operations that it could strike where nothing fails.
    operations: u64,
}

/// Runs faults until all have been run, or the time is over.
#[derive(Debug)]
pub struct FaultCampaign {
    options: FaultOptions,
    report: Mutex<FaultReport>,
    over: AtomicBool,
}

impl FaultCampaign {
    /// Names of the workloads.
    pub fn workloads() -> Vec<&'static str> {
        Script::all().into_iter().map(|script| script.name).collect()
    }

    /// Runs faults and says what was found.
    ///
    /// # Errors
    /// A workload cannot be prepared, or there is none of that name.
    pub fn run(options: FaultOptions) -> Result<FaultReport, String> {
        let mut prepared = Vec::new();
        for script in Script::all() {
            if options.workload.as_ref().is_none_or(|name| name == script.name) {
                prepared.push(prepare(script, &options)?);
            }
        }
        if prepared.is_empty() {
            return Err(format!("no workload {}", options.workload.unwrap_or_default()));
        }
        let campaign = Self { options, report: Mutex::default(), over: AtomicBool::new(false) };
        campaign.all(&prepared);
        Ok(campaign.report.into_inner().expect("no judge panics holding it"))
    }

    fn all(&self, prepared: &[Prepared]) {
        if let Some(fault) = self.options.only {
            for prepared in prepared {
                self.one(prepared, fault);
            }
            return;
        }
        let Some(series) = self.series(prepared) else { return };
        let next = AtomicU64::new(0);
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            n => n,
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while !self.is_over() {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if self.options.runs.is_some_and(|runs| number >= runs) {
                            return;
                        }
                        if self.by_lot() {
                            self.drawn(prepared, &series, number);
                        } else {
                            let Some(series) = usize::try_from(number).ok().and_then(|n| series.get(n)) else { return };
                            self.in_order(&prepared[series.workload], series.fault);
                        }
                    }
                });
            }
        });
    }

    /// Every series that has an operation to strike. [`FaultKind::EarlyEnd`] only where it is asked for: see there.
    fn series(&self, prepared: &[Prepared]) -> Option<Vec<Series>> {
        let wanted = |kind: FaultKind| self.options.kind.map_or(kind != FaultKind::EarlyEnd, |only| only == kind);
        let kinds: Vec<FaultKind> = FaultKind::ALL.into_iter().filter(|kind| wanted(*kind)).collect();
        let never = Fault { kind: FaultKind::Read, file: None, at: u64::MAX, lasting: false };
        let mut all = Vec::new();
        for (workload, prepared) in prepared.iter().enumerate() {
            // Judges it too: without a fault nothing may fail.
            self.one(prepared, never);
            // Counted before it is dropped, which closes the volume.
            let live = self.live(prepared, never).ok()?;
            for &kind in &kinds {
                for (file, lasting) in patterns(&self.options) {
                    let fault = Fault { kind, file, at: 1, lasting };
                    let operations = live.disk.operations(&fault);
                    if operations > 0 {
                        all.push(Series { workload, fault, operations });
                    }
                }
            }
        }
        (!all.is_empty()).then_some(all)
    }

    const fn by_lot(&self) -> bool {
        self.options.until.is_some() || self.options.runs.is_some()
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.options.until.is_some_and(|until| Instant::now() >= until)
    }

    /// The fault at operation 1, 2, 3 and so on, until the run passes without reaching it.
    fn in_order(&self, prepared: &Prepared, fault: Fault) {
        let mut at = 1;
        while !self.is_over() && self.one(prepared, Fault { at, ..fault }) {
            at += self.options.stride.max(1);
        }
    }

    /// A fault drawn by lot: each series as often as any other, each of its operations too.
    fn drawn(&self, prepared: &[Prepared], series: &[Series], number: u64) {
        let mut rng = Prng::derived(self.options.seed, &[number]);
        let Series { workload, fault, operations } = series[rng.index(series.len())];
        let prepared = &prepared[workload];
        self.one(prepared, Fault { at: 1 + rng.below(operations), ..fault });
    }

    fn live(&self, prepared: &Prepared, fault: Fault) -> Result<Live, String> {
        let disk = Disk::from_image(&prepared.image, Settings::default());
        disk.set_fault(Some(fault));
        Live::run(&prepared.script, prepared.stage, disk, (prepared.size, self.options.seed))
    }

    /// One run; whether the fault struck.
    fn one(&self, prepared: &Prepared, fault: Fault) -> bool {
        let name = prepared.script.name;
        let arguments = format!("--workload {name} --fault {fault} --seed {}", self.options.seed);
        let watched = watched(|| arguments.clone());
        let mut tally = FaultTally { runs: 1, ..FaultTally::default() };
        let mut struck = true;
        let judged = self.live(prepared, fault).and_then(|live| {
            struck = live.disk.fault_counts().1 > 0;
            tally.struck = u64::from(struck);
            tally.masked = u64::from(struck && live.failed == 0);
            tally.failed = live.failed;
            tally.stopped = u64::from(live.stopped);
            tally.disks = endings(live, &prepared.script, self.options.seed ^ fault.at)?;
            Ok(())
        });
        drop(watched);
        tally.bad = u64::from(judged.is_err());
        let failure = judged.err().map(|why| format!("{arguments}: {why}"));
        if failure.is_some() && (self.options.hasty || self.by_lot()) {
            self.over.store(true, Ordering::Relaxed);
        }
        self.report.lock().expect("no judge panics holding it").count((name, fault.kind), tally, failure);
        struck
    }
}

/// Which files, and whether it stays. A fault that strikes once strikes each operation of any file; one that stays is
/// another for each kind of file.
fn patterns(options: &FaultOptions) -> Vec<(Option<FileKind>, bool)> {
    if options.file.is_some() {
        return vec![(options.file, false), (options.file, true)];
    }
    let files = FileKind::ALL.into_iter().map(|file| (Some(file), true));
    [(None, false), (None, true)].into_iter().chain(files).collect()
}

fn prepare(script: Script, options: &FaultOptions) -> Result<Prepared, String> {
    let disk = Disk::default();
    let stage = Stage { layout: script.layout, options: script.options, weakness: options.weakness };
    let failed = |error: super::stage::Trouble| format!("{}: {}", script.name, text::chain(&*error));
    stage.create(&disk.env()).map_err(failed)?;
    let size = if script.layout == Layout::Group { size(&disk.env()).map_err(failed)? } else { Size::default() };
    Ok(Prepared { stage, image: disk.image(), size, script })
}
