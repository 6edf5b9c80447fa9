//! `fill`: pools on filesystems that run full.
//!
//! ```text
//! fill [--cycles N] [--seconds S] [--seed N] [--at-least N] [--kind tmpfs|ext4|memory] [--command PATH] [--dir DIR]
//! ```
//!
//! Ends after N cycles (20 unless seconds are given) or S seconds, whichever comes first. Cycle `i` has the seed
//! `seed + i`; a failure names it, and `--cycles 1 --seed` with it runs the same plan again. With `--kind memory`
//! nothing else is in the way of that, but identifiers of volumes are drawn anew, and with them the order of names in
//! their folders: a failure that rests on it may take several runs. On a real filesystem most cycles have threads, and every fourth goes through the
//! command that was built beside this program (or PATH), which has processes: the plan is the same, the order of events is
//! not, and a failure that rests on that order may take several runs. Small filesystems are mounted in a namespace of the
//! program's own, which takes them along at its end; where that is refused, a line says so and a disk in memory stands
//! in. The pool of a failure is copied into DIR (the system's folder for temporary files). `--at-least N`: fewer cycles
//! than that are a failure. Exit code 0: nothing wrong; 1: something wrong; 2: wrong arguments.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{
    FillPlace, FillTally, GroundKind, command_beside, ext4_works, fill_cycle, manual, namespace, watch,
};

/// What the command line asks for.
#[derive(Debug)]
struct Arguments {
    cycles: Option<u64>,
    seconds: Option<u64>,
    seed: u64,
    least: u64,
    kind: Option<GroundKind>,
    command: Option<PathBuf>,
    dir: PathBuf,
    /// In the namespace already.
    inside: bool,
}

fn main() -> ExitCode {
    if manual(include_str!("fill.rs")) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut out = stdout();
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "fill: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    if !arguments.inside && arguments.kind != Some(GroundKind::Memory) {
        match namespace() {
            Ok(prefix) => return again(&prefix, &words, arguments.seed),
            Err(why) => {
                let _ = writeln!(out, "SKIPPED: fill on real filesystems: none can be mounted here ({why})");
            }
        }
    }
    watch(Duration::from_secs(60));
    let _ = writeln!(out, "fill --seed {}", arguments.seed);
    match run(&arguments, &mut out) {
        Ok(tally) => {
            let _ = writeln!(out, "{tally}; nothing lost, no wedge");
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(out, "fill: {message}");
            ExitCode::from(1)
        }
    }
}

/// Runs this program once more, in a namespace of its own.
fn again(prefix: &[String], words: &[String], seed: u64) -> ExitCode {
    let Ok(own) = std::env::current_exe() else { return ExitCode::from(1) };
    let mut command = Command::new(&prefix[0]);
    command.args(&prefix[1..]).arg(own).args(words).args(["--seed", &seed.to_string(), "--inside", "1"]);
    let code = match command.status() {
        Ok(status) => status.code().ok_or_else(|| status.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let code = code.unwrap_or_else(|why| {
        let _ = writeln!(stdout(), "fill: ended by {why}; the seed is {seed}");
        1
    });
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<FillTally, String> {
    let base = arguments.dir.join(format!("anyfs-lvm-fill-{}-{}", std::process::id(), arguments.seed));
    std::fs::create_dir(&base).map_err(|error| format!("{}: {error}", base.display()))?;
    let base = base.canonicalize().map_err(|error| error.to_string())?;
    let place = FillPlace { kinds: kinds(arguments, &base, out), command: command(arguments, out), base: base.clone() };
    let cycles = arguments.cycles.unwrap_or(if arguments.seconds.is_some() { u64::MAX } else { 20 });
    let end = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut tally = FillTally::default();
    let mut done = Ok(());
    for cycle in 0..cycles {
        if cycle > 0 && end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        let seed = arguments.seed.wrapping_add(cycle);
        done =
            fill_cycle(seed, &place, &mut tally).map_err(|why| format!("cycle with --cycles 1 --seed {seed}: {why}"));
        if done.is_err() {
            break;
        }
    }
    let _ = std::fs::remove_dir_all(&base);
    done?;
    if tally.count() < arguments.least {
        return Err(format!("{} cycles, fewer than {}", tally.count(), arguments.least));
    }
    Ok(tally)
}

fn kinds(arguments: &Arguments, base: &std::path::Path, out: &mut dyn Write) -> Vec<GroundKind> {
    if let Some(kind) = arguments.kind {
        return vec![kind];
    }
    if !arguments.inside {
        return vec![GroundKind::Memory];
    }
    let mut kinds = vec![GroundKind::Tmpfs, GroundKind::Tmpfs, GroundKind::Memory];
    match ext4_works(base) {
        Ok(()) => kinds.extend([GroundKind::Ext4, GroundKind::Ext4]),
        Err(why) => {
            let _ = writeln!(out, "SKIPPED: fill on ext4: {why}");
        }
    }
    kinds
}

fn command(arguments: &Arguments, out: &mut dyn Write) -> Option<PathBuf> {
    let command = arguments.command.clone().or_else(command_beside);
    if command.is_none() {
        let _ = writeln!(out, "SKIPPED: fill through the command: it was not built beside this program");
    }
    command
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let dir = std::env::temp_dir();
    let mut arguments =
        Arguments { cycles: None, seconds: None, seed: fresh, least: 0, kind: None, command: None, dir, inside: false };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let wrong = |_| format!("{name}: {value} is no number");
        match name.as_str() {
            "--cycles" => arguments.cycles = Some(value.parse().map_err(wrong)?),
            "--seconds" => arguments.seconds = Some(value.parse().map_err(wrong)?),
            "--seed" => arguments.seed = value.parse().map_err(wrong)?,
            "--at-least" => arguments.least = value.parse().map_err(wrong)?,
            "--kind" => arguments.kind = Some(kind(value)?),
            "--command" => arguments.command = Some(PathBuf::from(value)),
            "--dir" => arguments.dir = PathBuf::from(value),
            "--inside" => arguments.inside = true,
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(arguments)
}

fn kind(name: &str) -> Result<GroundKind, String> {
    let all = [GroundKind::Tmpfs, GroundKind::Ext4, GroundKind::Memory];
    all.into_iter().find(|kind| kind.name() == name).ok_or_else(|| format!("no kind of filesystem {name}"))
}
