//! Many cases, each from a seed of its own; the first that fails is made as short as it can be.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use proptest_state_machine::ReferenceStateMachine;

use super::counts::Counts;
use super::draw;
use super::op::Op;
use super::run::Machine;
use super::setup::Setup;
use crate::engine::Weakness;
use crate::watch::watched;

/// Longest sequence of operations.
const LONGEST: usize = 80;
/// Milliseconds that the search for a shorter case may take.
const SHRINK: u32 = 60_000;

/// Any operation may follow any other: they choose what they work on when they run.
#[derive(Debug)]
struct Anything;

/// As [`Anything`], on files alone.
#[derive(Debug)]
struct Calm;

macro_rules! machines {
    ($($of:ident draws $draw:path;)*) => {
        $(impl ReferenceStateMachine for $of {
            type State = Setup;
            type Transition = Op;

            fn init_state() -> BoxedStrategy<Setup> {
                Setup::any()
            }

            fn transitions(_: &Setup) -> BoxedStrategy<Op> {
                thread_local!(static OPS: BoxedStrategy<Op> = $draw().boxed());
                OPS.with(BoxedStrategy::clone)
            }

            fn apply(setup: Setup, _: &Op) -> Setup {
                setup
            }
        })*
    };
}

machines! {
    Anything draws draw::op;
    Calm draws draw::calm;
}

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Seed of the first case; the next has the next number.
    pub seed: u64,
    /// Cases at most.
    pub cases: u64,
    /// No new cases from then on.
    pub until: Option<Instant>,
    /// Threads that run cases.
    pub threads: usize,
    /// How often a failing case is run in search of a shorter one.
    pub shrink: u32,
    /// Nothing happens around the volume but that it is closed and opened.
    pub calm: bool,
    /// The rule that is off.
    pub weakness: Weakness,
}

/// A case that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Its seed.
    pub seed: u64,
    /// What was wrong.
    pub why: String,
    /// The shortest sequence that was found to fail, in words.
    pub sequence: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case with --seed {}: {}\n{}", self.seed, self.why, self.sequence)
    }
}

impl Campaign {
    /// `cases` cases from `seed` on, with all rules of the engine.
    pub fn new(seed: u64, cases: u64) -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { seed, cases, until: None, threads, shrink: 1500, calm: false, weakness: Weakness::None }
    }

    /// Runs it: what was done, and the first failure by seed.
    pub fn run(&self) -> (Counts, Option<Failed>) {
        quiet_panics();
        let next = AtomicU64::new(0);
        let total = Mutex::new((Counts::default(), None::<Failed>));
        let lock = || total.lock().unwrap_or_else(PoisonError::into_inner);
        std::thread::scope(|scope| {
            for _ in 0..self.threads.max(1) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let over = self.until.is_some_and(|until| Instant::now() >= until);
                        if number >= self.cases || over || lock().1.is_some() {
                            return;
                        }
                        let (counts, failed) = self.case(self.seed.wrapping_add(number));
                        let mut total = lock();
                        total.0.add(&counts);
                        if failed.is_some() && total.1.is_none() {
                            total.1 = failed;
                        }
                    }
                });
            }
        });
        total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// One case.
    fn case(&self, seed: u64) -> (Counts, Option<Failed>) {
        let config = Config {
            cases: 1,
            max_shrink_iters: self.shrink,
            max_shrink_time: SHRINK,
            failure_persistence: None,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let strategy = if self.calm {
            Calm::sequential_strategy(1..2 * LONGEST)
        } else {
            Anything::sequential_strategy(1..LONGEST)
        };
        let counts = RefCell::new(Counts::default());
        QUIET.set(true);
        let done = runner.run(&strategy, |(setup, ops, mut seen)| {
            let _watched = watched(|| format!("case with --seed {seed}: {setup:?} {ops:?}"));
            let mut machine = Machine::new(setup, self.weakness);
            let first = seen.is_some();
            for op in &ops {
                if let Some(seen) = &mut seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                machine.run(op);
            }
            machine.end();
            if first {
                counts.borrow_mut().add(&machine.counts);
            }
            Ok(())
        });
        QUIET.set(false);
        let failed = done.err().map(|error| match error {
            TestError::Fail(_, (setup, ops, _)) => Failed { seed, why: last_panic(), sequence: list(setup, &ops) },
            TestError::Abort(why) => Failed { seed, why: why.to_string(), sequence: String::new() },
        });
        (counts.into_inner(), failed)
    }
}

fn list(setup: Setup, ops: &[Op]) -> String {
    let ops: Vec<String> = ops.iter().map(|op| format!("\n  {op:?}")).collect();
    format!("{setup:?}{}", ops.concat())
}

thread_local! {
    /// What the last panic of this thread said, and where; a thread that runs cases says nothing more about them.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static QUIET: RefCell<bool> = const { RefCell::new(false) };
}

/// A case fails by a panic, and a shrinking one does so often: only the last is worth words.
fn quiet_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.with_borrow(|quiet| *quiet) {
                return before(info);
            }
            PANIC.set(Some(info.to_string()));
        }));
    });
}

fn last_panic() -> String {
    PANIC.take().unwrap_or_default()
}
