//! `faults`: lets the disk fail at operation 1, 2, 3 and so on of scripted workloads, and judges what comes of it.
//!
//! ```text
//! faults [--seed N] [--seconds S] [--runs N] [--workload NAME] [--kind KIND] [--file FILE]
//!        [--stride N] [--at-least N] [--threads N] [--weakness NAME] [--fault KIND:FILE:AT:once|always]
//! ```
//!
//! Every fault is run, with `--stride N` only at every Nth operation; with `--seconds` or `--runs` faults are drawn by
//! lot, until the time is over, so many have been run, or something is wrong. `--at-least N`: fewer runs with a fault than that are a failure. `--fault`
//! (with `--workload` and the same seed) repeats one run. Counts repeat to the last call with `--threads 1`: SQLite draws what it
//! marks its logs with from one source for all threads, and what is left of a read that is cut short depends on them.
//! `--weakness`: a rule of the engine switched off.
//!
//! Without a seed it takes a fresh one; it always prints the seed. Exit code 0: nothing wrong; 1: something wrong;
//! 2: wrong arguments.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{FaultCampaign, FaultKind, FaultOptions, FileKind, Weakness, manual, watch};

/// No run takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if manual(include_str!("faults.rs")) {
        return ExitCode::SUCCESS;
    }
    let mut out = stdout().lock();
    let (options, least) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            let _ = writeln!(out, "faults: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    watch(PATIENCE);
    let _ = writeln!(out, "faults --seed {}", options.seed);
    match FaultCampaign::run(options) {
        Ok(report) => {
            let total = report.total();
            if total.struck < least {
                let _ = writeln!(out, "faults: {} runs with a fault, fewer than {least}", total.struck);
            }
            let _ = writeln!(out, "{report}");
            ExitCode::from(u8::from(total.bad > 0 || total.struck < least))
        }
        Err(message) => {
            let _ = writeln!(out, "faults: {message}");
            ExitCode::from(1)
        }
    }
}

/// The options, and how many runs there must be.
fn parse(mut words: impl Iterator<Item = String>) -> Result<(FaultOptions, u64), String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let (mut options, mut least) = (FaultOptions { seed: fresh, ..FaultOptions::default() }, 0);
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: {value} is no number"));
        match name.as_str() {
            "--seed" => options.seed = number()?,
            "--seconds" => {
                options.until = Some(Instant::now() + Duration::from_secs(number()?));
            }
            "--runs" => options.runs = Some(number()?),
            "--stride" => options.stride = number()?,
            "--at-least" => least = number()?,
            "--threads" => options.threads = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--workload" if FaultCampaign::workloads().contains(&value.as_str()) => options.workload = Some(value),
            "--workload" => return Err(format!("no workload {value}")),
            "--kind" => {
                let known = FaultKind::ALL.into_iter().find(|kind| kind.name() == value);
                options.kind = Some(known.ok_or_else(|| format!("no kind of fault {value}"))?);
            }
            "--file" => {
                let known = FileKind::ALL.into_iter().find(|file| file.name() == value);
                options.file = Some(known.ok_or_else(|| format!("no kind of file {value}"))?);
            }
            "--fault" => options.only = Some(value.parse().map_err(|error| format!("--fault: {error}"))?),
            "--weakness" => {
                options.weakness = Weakness::named(&value).ok_or_else(|| format!("no weakness {value}"))?;
            }
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok((options, least))
}
