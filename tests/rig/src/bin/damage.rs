//! `damage`: damages the files of pools and judges what can still be read.
//!
//! ```text
//! damage [--seed N] [--seconds S] [--at-least N] [--kind NAME] [--trial N] [--threads N] [--command PATH [--dir DIR]]
//! ```
//!
//! Each pool has a seed of its own, `seed + round`, and is damaged many times, from its undamaged state each time. A
//! failure names its pool's seed and its trial; with `--seed` and `--trial` (and `--kind`, if that was given) only that
//! one is done again. `--at-least`: fewer trials than these are a failure. Exit code 0: nothing wrong; 1: something
//! wrong; 2: wrong arguments. `--command`: the pools are written to real files below DIR (the system's folder for
//! temporary files) and read by that program, `anyfs-lvm`.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{DamageKind, DamageOptions, RealCommand, TRIALS, manual, watch};

/// Nothing that is looked at takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if manual(include_str!("damage.rs")) {
        return ExitCode::SUCCESS;
    }
    let mut out = stdout().lock();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (options, at_least) = match parse(&words) {
        Ok(parsed) => parsed,
        Err(message) => {
            let _ = writeln!(out, "damage: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    watch(PATIENCE);
    let _ = writeln!(out, "damage --seed {}", options.seed);
    match options.run() {
        Ok(report) => {
            let few = report.trials() < at_least;
            let few_text = if few { format!(", fewer than {at_least} damages") } else { String::new() };
            let _ = writeln!(out, "{}{report}{few_text}", report.table());
            ExitCode::from(u8::from(report.bad > 0 || few))
        }
        Err(message) => {
            let _ = writeln!(out, "damage: {message}");
            ExitCode::from(1)
        }
    }
}

fn parse(words: &[String]) -> Result<(DamageOptions, u64), String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let mut options =
        DamageOptions { seed: fresh, until: None, trials: TRIALS, trial: None, kind: None, threads: 0, real: None };
    let (mut at_least, mut dir) = (0, std::env::temp_dir());
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse::<u64>().map_err(|_| format!("{name}: {value} is no number"));
        match name.as_str() {
            "--seconds" => options.until = Some(Instant::now() + Duration::from_secs(number()?)),
            "--seed" => options.seed = number()?,
            "--at-least" => at_least = number()?,
            "--command" => {
                let program = PathBuf::from(value);
                options.real = Some(RealCommand { program, dir: PathBuf::new() });
            }
            "--dir" => dir = PathBuf::from(value),
            "--trial" => options.trial = Some(number()?),
            "--threads" => options.threads = usize::try_from(number()?).unwrap_or(1),
            "--kind" => {
                options.kind = Some(DamageKind::named(value).ok_or_else(|| format!("no kind {value}"))?);
            }
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    if let Some(real) = &mut options.real {
        real.dir = dir;
    }
    Ok((options, at_least))
}
