//! All short sequences of operations, each followed by every way of making it durable, and crashes of them: bounded and
//! exhaustive where [`Workload`] is long and random.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use lv::Ino;

use super::pool::Shape;
use super::run::Run;
use super::seq_op::{Persist, SeqOp};
use super::workload::Workload;
use crate::Disk;
use crate::explore::{Explorer, Options};
use crate::fs::{FsOp, History, Outcome, Place, Snapshot, apply};
use crate::image::Image;
use crate::prng::Prng;
use crate::report::Report;
use crate::watch::watched;

/// Sequences of this length.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// Operations of each.
    pub length: u32,
    /// The first one.
    pub start: u64,
    /// Only so many.
    pub count: u64,
    /// What to look at in each.
    pub options: Options,
}

/// What came of them.
#[derive(Debug, Clone, Default)]
pub struct SequencesReport {
    /// All crashes.
    pub report: Report,
    /// Sequences run.
    pub done: u64,
    /// Sequences that name something that is not there.
    pub impossible: u64,
    /// The one to go on with.
    pub next: u64,
    /// The first sequence that failed: its number, its steps, what is wrong.
    pub failure: Option<(u64, String, String)>,
}

/// The volume that all sequences begin with.
struct Base {
    workload: Workload,
    image: Image,
    history: History,
}

/// A step of a sequence.
type Move = (&'static SeqOp, Persist);

impl Sequences {
    /// How many there are of this length.
    pub fn all(&self) -> u64 {
        (moves().len() as u64).pow(self.length)
    }

    /// Runs them, on all processors.
    ///
    /// # Errors
    /// The volume that they begin with cannot be made.
    pub fn run(&self) -> Result<SequencesReport, String> {
        let base = Base::new()?;
        let end = self.all().min(self.start.saturating_add(self.count));
        let threads = match self.options.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            n => n,
        };
        let next = AtomicU64::new(self.start);
        let failed = AtomicUsize::new(0);
        let all = Mutex::new(SequencesReport::default());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while failed.load(Ordering::Relaxed) == 0 && !self.is_over() {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            return;
                        }
                        let one = self.one(&base, number);
                        let mut all = all.lock().expect("nobody panics holding it");
                        failed.fetch_add(usize::from(one.failure.is_some()), Ordering::Relaxed);
                        all.add(one);
                    }
                });
            }
        });
        let mut all = all.into_inner().expect("nobody panics holding it");
        all.next = next.into_inner().min(end);
        Ok(all)
    }

    fn is_over(&self) -> bool {
        self.options.until.is_some_and(|until| Instant::now() >= until)
    }

    fn one(&self, base: &Base, number: u64) -> SequencesReport {
        let sequence = decode(number, self.length);
        let mut one = SequencesReport::default();
        if !base.possible(&sequence) {
            one.impossible = 1;
            return one;
        }
        one.done = 1;
        let text = sequence.iter().map(|(op, persist)| format!("{}, {}", op.name, persist.name())).collect::<Vec<_>>();
        let text = text.join("; ");
        let _watch = watched(|| format!("sequence {number}: {text}"));
        let seed = Prng::derived(self.options.seed, &[number]).draw();
        let options = Options { seed, threads: 1, until: None, ..self.options.clone() };
        match base.explore(&sequence, options) {
            Ok(report) => {
                let first = report.failures.first().map(ToString::to_string);
                one.failure = first.map(|message| (number, text, message));
                one.report = report;
            }
            Err(message) => one.failure = Some((number, text, message)),
        }
        one
    }
}

impl SequencesReport {
    fn add(&mut self, other: Self) {
        self.report.merge(other.report);
        self.done += other.done;
        self.impossible += other.impossible;
        let earlier = |one: &(u64, String, String)| self.failure.as_ref().is_none_or(|known| one.0 < known.0);
        if let Some(failure) = other.failure.filter(earlier) {
            self.failure = Some(failure);
        }
    }
}

/// Every operation with every way of making it durable.
fn moves() -> Vec<Move> {
    SeqOp::ALL.iter().flat_map(|op| Persist::ALL.map(|persist| (op, persist))).collect()
}

fn decode(number: u64, length: u32) -> Vec<Move> {
    let moves = moves();
    let mut left = number;
    let digit = |_| {
        let at = left % moves.len() as u64;
        left /= moves.len() as u64;
        moves[usize::try_from(at).unwrap_or(0)]
    };
    let mut sequence: Vec<Move> = (0..length).map(digit).collect();
    // The last step changes fastest.
    sequence.reverse();
    sequence
}

impl Base {
    /// A volume with a few files and folders, all durable.
    fn new() -> Result<Self, String> {
        let random = Workload::random();
        let workload = Workload { shape: Shape { pvs: 1, ..random.shape }, ..random };
        let disk = Disk::default();
        let home = super::run::Home::create(&disk, &workload)?;
        let run = Run::new(workload, 0, home);
        let volume = run.activate(&disk)?;
        let mut history = History::new(&Snapshot::default());
        let mut act = |op: FsOp| -> Result<Option<Ino>, String> {
            let outcome = apply(&volume, &op, None).map_err(|error| format!("{op:?}: {error}"))?;
            history.push(&op, outcome);
            let Outcome::Done(made) = outcome else { return Err(format!("{op:?} was refused")) };
            Ok(made)
        };
        let at = |dir: Ino, name: &str| -> Place { (dir, name.into()) };
        let folder = act(FsOp::Mkdir(at(Ino::ROOT, "d")))?.unwrap_or(Ino::ROOT);
        act(FsOp::Mkdir(at(Ino::ROOT, "e")))?;
        for (number, (place, len)) in
            [(at(Ino::ROOT, "a"), 5000), (at(Ino::ROOT, "b"), 300), (at(folder, "c"), 9000)].into_iter().enumerate()
        {
            let ino = act(FsOp::Create(place))?.unwrap_or(Ino::ROOT);
            act(FsOp::Write { ino, off: 0, len, seed: number as u64 })?;
        }
        act(FsOp::Sync)?;
        let found = Snapshot::read(&volume)?;
        volume.close().map_err(|error| error.to_string())?;
        Ok(Self { workload, image: disk.image(), history: History::new(&found) })
    }

    /// Whether each step finds what it names.
    fn possible(&self, sequence: &[Move]) -> bool {
        let mut history = self.history.clone();
        let mut fake = 1000;
        sequence.iter().all(|(op, persist)| {
            fake += 1;
            let Some(fs) = op.make(&history).filter(|fs| history.fits(fs)) else { return false };
            let touched = op.touched(&history);
            history.push(&fs, Outcome::Done(Some(Ino(fake))));
            let steps = persist.steps(op, touched.or(Some(Ino(fake))), &history);
            steps.is_some_and(|steps| steps.iter().all(|step| history.fits(step)))
        })
    }

    fn explore(&self, sequence: &[Move], options: Options) -> Result<Report, String> {
        let disk = Disk::from_image(&self.image, options.settings);
        let home = super::run::Home::at(&self.workload, Path::new("/"));
        let mut run = Run::new(self.workload, options.seed, home);
        run.history = self.history.clone();
        run.go_on_one_in = 16;
        let volume = run.activate(&disk)?;
        let mut explorer = Explorer::new(&disk.image(), options);
        disk.start_recording();
        for (op, persist) in sequence {
            let fs = op.make(&run.history).ok_or("it has become impossible")?;
            let touched = op.touched(&run.history);
            let new = run.plain_step(&disk, &volume, &fs)?;
            explorer.feed(&disk.take_log(), &run);
            let steps = persist.steps(op, touched.or(new), &run.history).ok_or("it has become impossible")?;
            for step in steps {
                run.plain_step(&disk, &volume, &step)?;
                explorer.feed(&disk.take_log(), &run);
            }
        }
        let found = Snapshot::read(&volume)?;
        run.history.judge_live(&found)?;
        volume.abandon();
        Ok(explorer.finish(&run))
    }
}

impl Run {
    /// One operation between its marks; it must succeed.
    fn plain_step(&mut self, disk: &Disk, volume: &lv::Volume, op: &FsOp) -> Result<Option<Ino>, String> {
        let number = self.history.step();
        disk.mark(2 * number + 1);
        let outcome = apply(volume, op, Some(&disk.clock())).map_err(|error| format!("{op:?}: {error}"))?;
        self.history.push(op, outcome);
        disk.mark(2 * number + 2);
        match outcome {
            Outcome::Done(made) => Ok(made),
            Outcome::Refused => Err(format!("{op:?} was refused")),
        }
    }
}
