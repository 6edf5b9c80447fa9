//! Feeds a log through the model and has crash images judged.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::disk::{Disk, Settings};
use crate::image::{Image, Mode, Model, Spec};
use crate::log::Op;
use crate::prng::Prng;
use crate::report::{Report, name};
use crate::watch::watched;

/// Images made before they are judged together.
const BATCH: usize = 128;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides everything that is random.
    pub seed: u64,
    /// A crash point before one in so many writes.
    pub one_write_in: u64,
    /// A crash point before one in so many other operations.
    pub one_other_in: u64,
    /// Of these crashes one in so many.
    pub one_crash_in: u64,
    /// Images of each random kind ([`Mode::Prefix`], [`Mode::Tear`]) per crash point.
    pub repeats: u32,
    /// Also [`Mode::Shorn`].
    pub shorn: bool,
    /// Look at crashes during the recovery from one in so many images; 0 never.
    pub deep_one_in: u64,
    /// Images per recovery that is looked into, about.
    pub deep_images: usize,
    /// Threads that judge; 0 takes one per processor.
    pub threads: usize,
    /// What the disks of images are like.
    pub settings: Settings,
    /// No new images from then on.
    pub until: Option<Instant>,
    /// Only this image (and crash during its recovery, if a second follows): to repeat a failure.
    pub only: Vec<Spec>,
    /// Only these kinds of first crashes; empty: all.
    pub modes: Vec<Mode>,
    /// Only these kinds of crashes in recovery; empty: all.
    pub deep_modes: Vec<Mode>,
    /// No first crash before this mark of the workload.
    pub from_mark: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            one_write_in: 3,
            one_other_in: 1,
            one_crash_in: 1,
            repeats: 2,
            shorn: false,
            deep_one_in: 50,
            deep_images: 40,
            threads: 0,
            settings: Settings::default(),
            until: None,
            only: Vec::new(),
            modes: Vec::new(),
            deep_modes: Vec::new(),
            from_mark: 0,
        }
    }
}

/// One crash to judge.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Which: the crash, and the crash during the recovery from it, if any.
    pub path: Vec<Spec>,
    /// What it left.
    pub image: Image,
    /// The last mark that the workload had made before the (first) crash.
    pub mark: Option<u64>,
}

/// A judge of crash images, called from several threads at once.
pub trait Check: Sync {
    /// Recovers what is on `disk`, which starts as `crash.image`, and says what is wrong with it.
    ///
    /// # Errors
    /// What is wrong.
    fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String>;

    /// The recovery alone: its log is what crashes in recovery happen in, and [`Check::verify`] judges these by the
    /// same `mark`. So it must do nothing that `verify` would count as work that came after the crash.
    ///
    /// # Errors
    /// It failed; `verify` says so too, so such a recovery is left out.
    fn recover(&self, crash: &Crash, disk: &Disk) -> Result<(), String>;
}

/// Follows one run.
#[derive(Debug)]
pub struct Explorer {
    options: Options,
    model: Model,
    at: u64,
    mark: Option<u64>,
    waiting: Vec<Crash>,
    /// Images judged, by digest and mark: the same disk after the same events needs no second look.
    known: HashSet<(u64, Option<u64>)>,
    report: Report,
}

impl Explorer {
    /// Begins where recording begins: `start` is durable.
    pub fn new(start: &Image, options: Options) -> Self {
        Self {
            options,
            model: Model::new(start),
            at: 0,
            mark: None,
            waiting: Vec::new(),
            known: HashSet::new(),
            report: Report::default(),
        }
    }

    /// Takes the next part of the log and judges crashes in it.
    pub fn feed(&mut self, log: &[Op], check: &impl Check) {
        for op in log {
            self.crash_before(Some(op), check);
            self.model.apply(op);
            if let Op::Mark(mark) = op {
                self.mark = Some(*mark);
            }
            self.at += 1;
            self.report.operations += 1;
        }
        self.judge(check);
    }

    /// Judges a crash at the end and says what was found.
    pub fn finish(mut self, check: &impl Check) -> Report {
        self.crash_before(None, check);
        self.judge(check);
        self.report
    }

    /// Whether the time is over.
    pub fn is_over(&self) -> bool {
        self.options.until.is_some_and(|until| Instant::now() >= until)
    }

    /// What was found up to now.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    fn crash_before(&mut self, next: Option<&Op>, check: &impl Check) {
        if self.is_over() || self.mark.unwrap_or(0) < self.options.from_mark {
            return;
        }
        for spec in specs(&self.options, self.at, next) {
            let Some(image) = self.model.image(spec.mode, spec.seed) else { continue };
            if !self.options.only.is_empty() || self.known.insert((image.digest(), self.mark)) {
                self.waiting.push(Crash { path: vec![spec], image, mark: self.mark });
            } else {
                self.report.same += 1;
            }
        }
        if self.waiting.len() >= BATCH {
            self.judge(check);
        }
    }

    /// Judges what waits, on all threads.
    fn judge(&mut self, check: &impl Check) {
        let crashes = std::mem::take(&mut self.waiting);
        if crashes.is_empty() {
            return;
        }
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            n => n,
        };
        if threads == 1 {
            let started = (Instant::now(), processor_time());
            for crash in &crashes {
                self.report.merge(judge_one(crash, &self.options, check));
            }
            self.report.busy += since(started);
            return;
        }
        let next = AtomicUsize::new(0);
        let reports = Mutex::new(Vec::new());
        let busy = Mutex::new(Duration::ZERO);
        std::thread::scope(|scope| {
            for _ in 0..threads.min(crashes.len()) {
                scope.spawn(|| {
                    let started = (Instant::now(), processor_time());
                    while let Some((index, crash)) = claim(&next, &crashes) {
                        let report = judge_one(crash, &self.options, check);
                        reports.lock().expect("no judge panics holding it").push((index, report));
                    }
                    *busy.lock().expect("nobody panics holding it") += since(started);
                });
            }
        });
        let mut reports = reports.into_inner().expect("no judge panics holding it");
        reports.sort_by_key(|(index, _)| *index);
        for (_, report) in reports {
            self.report.merge(report);
        }
        self.report.busy += busy.into_inner().expect("nobody panics holding it");
    }
}

fn claim<'a>(next: &AtomicUsize, crashes: &'a [Crash]) -> Option<(usize, &'a Crash)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    crashes.get(index).map(|crash| (index, crash))
}

/// Time that this thread has been running, where the system tells: others that use the processors do not count then.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// What this thread has taken since then.
fn since((then, processor): (Instant, Option<Duration>)) -> Duration {
    let spent = processor_time().zip(processor).map(|(now, then)| now.saturating_sub(then));
    spent.unwrap_or_else(|| then.elapsed())
}

/// The crashes to look at before the operation `next` (`None`: at the end), which is number `at`.
fn specs(options: &Options, at: u64, next: Option<&Op>) -> Vec<Spec> {
    if let Some(only) = options.only.first() {
        return if only.at == at { vec![*only] } else { Vec::new() };
    }
    let mut rng = Prng::derived(options.seed, &[at]);
    let one_in = match next {
        Some(Op::Write { .. }) => options.one_write_in,
        _ => options.one_other_in,
    };
    if !rng.one_in(one_in) {
        return Vec::new();
    }
    let mut specs = Vec::new();
    for mode in Mode::ALL {
        let count = match mode {
            Mode::Prefix | Mode::Tear => options.repeats,
            Mode::Shorn => u32::from(options.shorn),
            _ => 1,
        };
        if !options.modes.is_empty() && !options.modes.contains(&mode) {
            continue;
        }
        specs.extend((0..count).map(|_| Spec { at, mode, seed: rng.draw() }));
    }
    if options.one_crash_in > 1 {
        specs.retain(|_| rng.one_in(options.one_crash_in));
    }
    specs
}

fn verify(crash: &Crash, disk: &Disk, check: &impl Check) -> Result<(), String> {
    let _watched = watched(|| format!("image {}", name(&crash.path)));
    check.verify(crash, disk)
}

/// Judges one image, and crashes in its recovery when it is one of those.
fn judge_one(crash: &Crash, options: &Options, check: &impl Check) -> Report {
    let mut report = Report::default();
    if options.only.len() != 2 {
        let disk = Disk::from_image(&crash.image, options.settings);
        report.count(crash, verify(crash, &disk, check));
    }
    let seed = crash.path.last().map_or(0, |spec| spec.seed ^ spec.at);
    let chosen = options.deep_one_in > 0 && Prng::derived(options.seed, &[seed]).one_in(options.deep_one_in);
    if options.only.len() == 2 || (chosen && options.only.is_empty()) {
        judge_recovery(crash, options, check, &mut report);
    }
    report
}

/// Records a recovery and judges crashes in it.
fn judge_recovery(crash: &Crash, options: &Options, check: &impl Check, report: &mut Report) {
    let disk = Disk::from_image(&crash.image, options.settings);
    disk.start_recording();
    let _watched = watched(|| format!("recovery of {}", name(&crash.path)));
    if check.recover(crash, &disk).is_err() {
        return;
    }
    let log = disk.take_log();
    let seed = crash.path.first().map_or(0, |spec| spec.seed);
    let inner = Options {
        seed: Prng::derived(options.seed, &[seed, 2]).draw(),
        only: options.only.iter().skip(1).copied().collect(),
        modes: options.deep_modes.clone(),
        ..options.clone()
    };
    report.recoveries += 1;
    let mut crashes = Vec::new();
    let mut known = HashSet::new();
    let mut model = Model::new(&crash.image);
    for (at, op) in (0..).zip(log.iter().map(Some).chain([None])) {
        for spec in specs(&inner, at, op) {
            let image = model.image(spec.mode, spec.seed);
            let again = image.as_ref().is_some_and(|image| !known.insert(image.digest()));
            if again && inner.only.is_empty() {
                report.same += 1;
            } else {
                crashes.push((spec, image));
            }
        }
        if let Some(op) = op {
            model.apply(op);
        }
    }
    let mut rng = Prng::derived(inner.seed, &[3]);
    let one_in = if inner.only.is_empty() { crashes.len().div_ceil(options.deep_images.max(1)) as u64 } else { 1 };
    for (spec, image) in crashes {
        if options.until.is_some_and(|until| Instant::now() >= until) {
            return;
        }
        if let (Some(image), true) = (image, rng.one_in(one_in)) {
            let deep = Crash { path: crash.path.iter().copied().chain([spec]).collect(), image, mark: crash.mark };
            let disk = Disk::from_image(&deep.image, options.settings);
            report.count(&deep, verify(&deep, &disk, check));
        }
    }
}
