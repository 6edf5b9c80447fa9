//! `explore`: runs a workload, judges the disks that crashes leave, says what it found.
//!
//! ```text
//! explore [--seed N] [--seconds S] [--workload random|tight|copies|compaction|several|lost-copy|
//!         descriptor|seq|toy]
//!         [--steps N] [--threads N] [--points N] [--deep N] [--shorn 0|1] [--weakness NAME] [--shrink SECONDS]
//!         [--keep STEPS] [--image SPEC[/SPEC]] [--sequences N] [--start N] [--at-least IMAGES]
//! ```
//!
//! `--points`: a crash before one write in N and one other operation in N/3; `--deep`: crashes in the recovery from one
//! image in N; `--shorn 0`: without drives that leave garbage in a sector they were writing; `--weakness`: a rule of the
//! engine switched off, to see the failure (`lazy-pv`, `reuse-at-once`); `--shrink`: how long to look for fewer steps
//! that fail (60; 0: not at all); `--at-least`: fewer images than these are a failure, or crashes in
//! fewer recoveries than a 200th of them.
//!
//! `seq` runs all sequences of `--sequences` operations, each followed by every way of making it durable, from number
//! `--start` on (unless given: 0, with `--seconds` one that the seed decides); of the crashes in them it looks at a sample (`--points` is 1 in so many of all kinds of crashes at all
//! points, 80 unless given), and says with which number to go on when `--seconds` are over.
//!
//! Without a seed it takes a fresh one; it always prints the seed. Each round of a workload has a seed of its own,
//! `seed + round`. A failure names its round's seed and its image, then the fewest steps that were found to fail, and
//! the command that repeats just that (`--keep`: only these of the round's steps, from 0: `0-3,9`). Exit code 0:
//! nothing bad; 1: something bad; 2: wrong arguments.

mod arguments;
mod sequences;
mod stories;

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyfs_lvm_rig::{Descriptor, Options, Report, Toy, Workload, manual, watch};

use arguments::{Arguments, parse};
use stories::tell;

/// Nothing that is looked at takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if manual(include_str!("main.rs")) {
        return ExitCode::SUCCESS;
    }
    let mut out = stdout().lock();
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "explore: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    watch(PATIENCE);
    let seed = arguments.options.seed;
    let _ = writeln!(out, "explore --workload {} --seed {seed}", arguments.workload);
    if arguments.workload == "seq" {
        return sequences::run(&arguments, &mut out);
    }
    let (rounds, report, failure) = run(&arguments);
    let failure = failure.or_else(|| arguments.too_few(&report));
    let _ = write!(out, "{}", report.details());
    if let Some(text) = &failure {
        let _ = writeln!(out, "{text}");
    }
    let verdict = if failure.is_some() { "FAILED: " } else { "" };
    let workload = &arguments.workload;
    let _ =
        writeln!(out, "{verdict}{workload}, seed {seed}: {rounds} rounds, {} operations: {report}", report.operations);
    ExitCode::from(u8::from(failure.is_some()))
}

/// Rounds until the time is over or something is bad; without a time, one whole round. What went wrong, in words.
fn run(arguments: &Arguments) -> (u64, Report, Option<String>) {
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let until = Some(end).filter(|_| arguments.seconds > 0 && arguments.options.only.is_empty());
    let mut report = Report::default();
    let mut rounds = 0;
    loop {
        let seed = arguments.options.seed.wrapping_add(rounds);
        let (one, failure) = round(arguments, Options { seed, until, ..arguments.options.clone() });
        report.merge(one);
        rounds += 1;
        if failure.is_some() || !arguments.options.only.is_empty() || Instant::now() >= end {
            return (rounds, report, failure);
        }
    }
}

/// One run of the workload.
fn round(arguments: &Arguments, options: Options) -> (Report, Option<String>) {
    match (arguments.workload.as_str(), Workload::named(&arguments.workload)) {
        ("toy", _) => match Toy::RIGHT.explore(options, arguments.steps.unwrap_or(40)) {
            Ok(report) => {
                let bad = report.total().bad > 0;
                (report, bad.then(|| "the toy failed".to_owned()))
            }
            Err(error) => (Report::default(), Some(error.to_string())),
        },
        ("descriptor", _) => {
            let steps = arguments.steps.unwrap_or(Descriptor::default().steps);
            tell(&Descriptor { steps, weakness: arguments.weakness }, arguments, &options)
        }
        (_, Some(workload)) => {
            let steps = arguments.steps.unwrap_or(workload.steps);
            tell(&Workload { steps, weakness: arguments.weakness, ..workload }, arguments, &options)
        }
        (other, None) => (Report::default(), Some(format!("no workload {other}"))),
    }
}
