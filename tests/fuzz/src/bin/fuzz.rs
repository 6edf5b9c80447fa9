//! `fuzz`: replays corpora and looks for inputs that break something.
//!
//! ```text
//! fuzz [--target NAME|all] [--seed N] [--runs N] [--seconds S] [--input HEX | --file PATH] [--keep DIR]
//!      [--grow DIR] [--list 1]
//! ```
//!
//! Each target's corpus is replayed, then fresh inputs are tried: as many as an ordinary test takes, or `--runs` of them,
//! and at least for `--seconds` in all. A failing input is made small, printed as `--input`, and kept in `--keep`.
//! Inputs that went a way of their own are kept in `--grow`, made short, in a folder for each target: the corpora grow so.
//! `--input` or `--file` tries one input alone. Exit code 0: nothing failed; 1: something did; 2: wrong arguments.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyfs_lvm_fuzz::driver::{Bounds, Seen, go, hex, keep_panics, search};
use anyfs_lvm_fuzz::targets::{TARGETS, Target};
use anyfs_lvm_fuzz::{Watch, bound_memory, peak_memory};

/// No input takes this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// All memory that the process may ask for.
const MEMORY: u64 = 3 << 30;

struct Arguments {
    targets: Vec<Target>,
    seed: u64,
    runs: Option<u64>,
    seconds: u64,
    input: Option<Vec<u8>>,
    keep: Option<PathBuf>,
    grow: Option<PathBuf>,
    list: bool,
}

fn main() -> ExitCode {
    let mut out = stdout().lock();
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "fuzz: {message}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        for target in &arguments.targets {
            let _ = writeln!(out, "{:12} {}", target.name, target.about);
        }
        return ExitCode::SUCCESS;
    }
    bound_memory(MEMORY);
    keep_panics();
    let watch = Watch::new(PATIENCE);
    let _ = writeln!(out, "fuzz --seed {}", arguments.seed);
    let (mut all, mut bad) = (Seen::default(), 0u8);
    for target in &arguments.targets {
        let seen = one(target, &arguments, &watch);
        let _ = writeln!(out, "{}: {} replayed, {} fresh, {} ways", target.name, seen.replayed, seen.fresh, seen.ways);
        (all.replayed, all.fresh) = (all.replayed + seen.replayed, all.fresh + seen.fresh);
        if let Some((input, why)) = seen.failed {
            bad = 1;
            let _ = writeln!(out, "BAD: --target {} --input {}: {why}", target.name, hex(&input));
            let kept = arguments.keep.as_ref().map(|dir| std::fs::write(dir.join(name(&input)), &input));
            if let Some(Err(error)) = kept {
                let _ = writeln!(out, "fuzz: cannot keep it: {error}");
            }
        }
    }
    let _ = writeln!(
        out,
        "{} targets, {} inputs replayed, {} fresh, at most {} MiB: {bad} bad",
        arguments.targets.len(),
        all.replayed,
        all.fresh,
        peak_memory()
    );
    ExitCode::from(bad)
}

/// A name for a kept input.
fn name(input: &[u8]) -> String {
    let sum =
        input.iter().fold(0xcbf2_9ce4_8422_2325u64, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3));
    format!("{sum:016x}")
}

fn one(target: &Target, arguments: &Arguments, watch: &Watch) -> Seen {
    if let Some(input) = &arguments.input {
        let failed = go(target, input).err().map(|why| (input.clone(), why));
        return Seen { replayed: 1, failed, ..Seen::default() };
    }
    let share = arguments.targets.len().max(1) as u64;
    let bounds = Bounds {
        seed: arguments.seed,
        runs: arguments.runs.unwrap_or(target.runs),
        time: Duration::from_millis(arguments.seconds * 1000 / share),
    };
    let mut keep = |short: &dyn Fn() -> Vec<u8>| {
        if let Some(dir) = &arguments.grow {
            let input = short();
            let dir = dir.join(target.name);
            let _ = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(dir.join(name(&input)), &input));
        }
    };
    search(target, bounds, watch, &mut keep)
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let targets = TARGETS.to_vec();
    let mut out =
        Arguments { targets, seed: fresh, runs: None, seconds: 0, input: None, keep: None, grow: None, list: false };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word}: {value} is no number"));
        match word.as_str() {
            "--target" if value == "all" => {}
            "--target" => out.targets.retain(|target| target.name == value),
            "--seed" => out.seed = number()?,
            "--runs" => out.runs = Some(number()?),
            "--seconds" => out.seconds = number()?,
            "--input" => out.input = Some(bytes(&value).ok_or_else(|| format!("--input {value}: no bytes"))?),
            "--file" => out.input = Some(std::fs::read(&value).map_err(|error| format!("{value}: {error}"))?),
            "--keep" => out.keep = Some(value.into()),
            "--grow" => out.grow = Some(value.into()),
            "--list" => out.list = number()? > 0,
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    if out.targets.is_empty() {
        return Err("no such target".to_owned());
    }
    Ok(out)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().collect();
    let pair = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok();
    if digits.len().is_multiple_of(2) { digits.chunks(2).map(pair).collect() } else { None }
}
