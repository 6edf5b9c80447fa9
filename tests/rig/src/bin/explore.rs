//! `explore`: runs a workload, judges the disks that crashes leave, says what it found.
//!
//! ```text
//! explore [--seed N] [--seconds S] [--workload random|tight|copies|toy] [--steps N]
//!         [--threads N] [--points N] [--deep N] [--shorn 0|1] [--weakness NAME] [--image SPEC[/SPEC]]
//! ```
//!
//! `--points`: a crash before one write in N and one other operation in N/3; `--deep`: crashes in the recovery from one
//! image in N; `--shorn 0`: without drives that leave garbage in a sector they were writing; `--weakness`: a rule of the engine switched off, to see the failure (`lazy-pv`, `reuse-at-once`).
//!
//! Without a seed it takes a fresh one; it always prints the seed. Each round of a workload has a seed of its own,
//! `seed + round`. A failure names its round's seed and its image; with `--seed`, `--image` and the same `--steps` only
//! that image is judged again. Exit code 0: nothing bad; 1: something bad; 2: wrong arguments.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{Options, Report, Spec, Toy, Weakness, Workload, watch};

/// Nothing that is looked at takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the command line asks for.
#[derive(Debug)]
struct Arguments {
    seconds: u64,
    workload: String,
    steps: Option<u32>,
    weakness: Weakness,
    options: Options,
}

fn main() -> ExitCode {
    let mut out = stdout().lock();
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "explore: {message}");
            return ExitCode::from(2);
        }
    };
    watch(PATIENCE);
    let seed = arguments.options.seed;
    let _ = writeln!(out, "explore --workload {} --seed {seed}", arguments.workload);
    match run(&arguments) {
        Ok((rounds, report)) => {
            let _ = writeln!(out, "{rounds} rounds, {} operations: {report}", report.operations);
            ExitCode::from(u8::from(report.total().bad > 0))
        }
        Err(message) => {
            let _ = writeln!(out, "explore: {message}");
            ExitCode::from(1)
        }
    }
}

/// Rounds until the time is over or something is bad; without a time, one whole round.
fn run(arguments: &Arguments) -> Result<(u64, Report), String> {
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let until = Some(end).filter(|_| arguments.seconds > 0 && arguments.options.only.is_empty());
    let mut report = Report::default();
    let mut rounds = 0;
    loop {
        let seed = arguments.options.seed.wrapping_add(rounds);
        report.merge(round(arguments, seed, until).map_err(|error| format!("round with --seed {seed}: {error}"))?);
        rounds += 1;
        if report.total().bad > 0 {
            return Err(format!("round with --seed {seed}: {report}"));
        }
        if !arguments.options.only.is_empty() || Instant::now() >= end {
            return Ok((rounds, report));
        }
    }
}

/// One run of the workload.
fn round(arguments: &Arguments, seed: u64, until: Option<Instant>) -> Result<Report, String> {
    let options = Options { seed, until, ..arguments.options.clone() };
    match arguments.workload.as_str() {
        "toy" => Toy::RIGHT.explore(options, arguments.steps.unwrap_or(40)).map_err(|error| error.to_string()),
        other => {
            let workload = Workload::named(other).ok_or_else(|| format!("no workload {other}"))?;
            let steps = arguments.steps.unwrap_or(workload.steps);
            Workload { steps, weakness: arguments.weakness, ..workload }.explore(options)
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    // Many short looks at different runs find more than long looks at few.
    let options =
        Options { seed: fresh, one_write_in: 10, one_other_in: 4, repeats: 1, shorn: true, ..Options::default() };
    let mut arguments =
        Arguments { seconds: 0, workload: "random".to_owned(), steps: None, weakness: Weakness::None, options };
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let wrong = |_| format!("{name}: {value} is no number");
        match name.as_str() {
            "--seed" => arguments.options.seed = value.parse().map_err(wrong)?,
            "--seconds" => arguments.seconds = value.parse().map_err(wrong)?,
            "--steps" => arguments.steps = Some(value.parse().map_err(wrong)?),
            "--threads" => arguments.options.threads = value.parse().map_err(wrong)?,
            "--points" => {
                arguments.options.one_write_in = value.parse().map_err(wrong)?;
                arguments.options.one_other_in = arguments.options.one_write_in.div_ceil(3);
            }
            "--deep" => arguments.options.deep_one_in = value.parse().map_err(wrong)?,
            "--workload" => arguments.workload = value,
            "--shorn" => arguments.options.shorn = value != "0",
            "--weakness" => {
                arguments.weakness = Weakness::named(&value).ok_or_else(|| format!("no weakness {value}"))?;
            }
            "--image" => arguments.options.only = image(&value)?,
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(arguments)
}

fn image(text: &str) -> Result<Vec<Spec>, String> {
    text.split('/').map(|part| part.parse().map_err(|error| format!("--image {text}: {error}"))).collect()
}
