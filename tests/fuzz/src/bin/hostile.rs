//! `hostile`: gives hostile files to the library and to the command.
//!
//! ```text
//! hostile [--case NAME] [--part K/N] [--seed N] [--seconds S] [--list 1]
//! ```
//!
//! Without a case, all of them, in an order that the seed decides (0: as they are listed); `--case` takes the case
//! of that name, or every case whose name contains the text, `--part`
//! every Nth of them from the Kth on. With seconds, over and over until they are over. Exit code 0: all ended as they must;
//! 1: one did not; 2: wrong arguments.

use std::io::{Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyfs_lvm_fuzz::hostile::{Case, cases, run};
use anyfs_lvm_fuzz::{Base, Watch, bound_memory, peak_memory};
use anyfs_lvm_rig::Prng;

/// Nothing that is done with one file takes this long.
const PATIENCE: Duration = Duration::from_secs(120);
/// All memory that the process may ask for.
const MEMORY: u64 = 3 << 30;

struct Arguments {
    chosen: Vec<Case>,
    seed: u64,
    seconds: u64,
    list: bool,
}

fn main() -> ExitCode {
    let mut out = stdout().lock();
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "hostile: {message}");
            return ExitCode::from(2);
        }
    };
    let Arguments { chosen, seed, seconds, list } = arguments;
    if list {
        for case in &chosen {
            let _ = writeln!(out, "{}", case.name);
        }
        return ExitCode::SUCCESS;
    }
    bound_memory(MEMORY);
    let _ = writeln!(out, "hostile --seed {seed}");
    let (counts, bad) = rounds(&chosen, seed, Duration::from_secs(seconds), &mut out);
    let _ = writeln!(
        out,
        "{} files of {} cases, {} calls, {} refusals, at most {} MiB: {bad} bad",
        counts.files,
        chosen.len(),
        counts.calls,
        counts.refusals,
        peak_memory()
    );
    ExitCode::from(u8::from(bad > 0))
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let (mut name, mut part) = (String::new(), (1, 1));
    let mut out = Arguments { chosen: cases(), seed: 0, seconds: 0, list: false };
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{word} {value}: not understood"));
        match word.as_str() {
            "--case" => name = value,
            "--seed" => out.seed = number(&value)?,
            "--seconds" => out.seconds = number(&value)?,
            "--list" => out.list = number(&value)? > 0,
            "--part" => {
                let (which, of) = value.split_once('/').unwrap_or(("", ""));
                part = (number(which)?, number(of)?);
            }
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    let exact = out.chosen.iter().any(|case| case.name == name);
    out.chosen.retain(|case| if exact { case.name == name } else { case.name.contains(&name) });
    let (which, of) = part;
    let mut number = 0;
    out.chosen.retain(|_| {
        number += 1;
        of > 0 && (number - 1) % of + 1 == which
    });
    if out.chosen.is_empty() { Err("no such case".to_owned()) } else { Ok(out) }
}

#[derive(Default)]
struct Counts {
    files: u64,
    calls: u64,
    refusals: u64,
}

fn rounds(chosen: &[Case], seed: u64, time: Duration, out: &mut dyn Write) -> (Counts, u64) {
    let (base, watch, end) = (Base::make(), Watch::new(PATIENCE), Instant::now() + time);
    let (mut counts, mut bad, mut round) = (Counts::default(), 0, 0);
    loop {
        let mut order: Vec<&Case> = chosen.iter().collect();
        let mut rng = Prng::derived(seed, &[round]);
        if seed > 0 {
            order.sort_by_cached_key(|_| rng.draw());
        }
        for case in order {
            watch.set(Some(format!("--case '{}'", case.name)));
            let began = Instant::now();
            if let Ok(told) = catch_unwind(AssertUnwindSafe(|| run(&base, case))) {
                counts.calls += told.calls;
                counts.refusals += told.lines.len() as u64;
                let shown = if chosen.len() == 1 { told.lines } else { Vec::new() };
                for line in shown {
                    let _ = writeln!(out, "{line}");
                }
            } else {
                bad += 1;
                let _ = writeln!(out, "BAD: --case '{}'", case.name);
            }
            counts.files += 2;
            let took = began.elapsed();
            if took > Duration::from_secs(5) {
                let _ = writeln!(out, "slow: --case '{}' took {:.1} s", case.name, took.as_secs_f64());
            }
            watch.set(None);
        }
        round += 1;
        if Instant::now() >= end {
            return (counts, bad);
        }
    }
}
