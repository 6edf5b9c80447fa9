//! `zombies`: owners of a volume are stopped at any moment and taken over; when they go on they are refused.
//!
//! ```text
//! zombies [--seconds S] [--seed N] [--at-least REFUSED] [--dir DIR] [--weakness NAME]
//! ```
//!
//! Real processes on real files in a new folder in DIR (the system's folder for temporary files), which is removed at the
//! end unless something was wrong. Runs until S seconds are over and so many former owners were refused. A weakness is a rule of the
//! engine switched off in the former owner (`no-catalogue-fence`, `no-pv-fence`): it must be found. Exit code 0: nothing
//! wrong; 1: something wrong; 2: wrong arguments.

use std::io::{Write, stdout};
use std::path::Path;
use std::process::{Command, ExitCode};

use anyfs_lvm_rig::{ProcessArguments, Work, Zombies, hold_stopped, manual, run_processes, work};

fn main() -> ExitCode {
    if manual(include_str!("zombies.rs")) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let done = Work::read(rest).ok_or("wrong words".to_owned()).and_then(|todo| work(&todo, &mut stdout()));
        return ExitCode::from(u8::from(done.is_err()));
    }
    if let [mode, file, more @ ..] = &words[..]
        && mode == "--hold"
    {
        return ExitCode::from(u8::from(hold_stopped(Path::new(file), more.first().map(Path::new)).is_err()));
    }
    run_processes("zombies", &words, &mut stdout(), &mut run)
}

fn run(arguments: &ProcessArguments, out: &mut dyn Write) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut pool = Zombies::new(&arguments.dir, arguments.seed, &arguments.weakness)?;
    while arguments.go_on(pool.counts.refused) {
        let mut child = Command::new(&own);
        child.arg("--child");
        let stops = pool.counts.stops;
        pool.round(child).map_err(|message| format!("after {stops} stops: {message}"))?;
    }
    let _ = out.flush();
    let counts = pool.counts;
    Ok(format!(
        "{} stops, {} takeovers, {} inside a PV commit and {} inside a metadata commit (all named), {} former owners refused, {} acknowledged syncs, nothing lost",
        counts.stops, counts.takeovers, counts.in_pv, counts.in_metadata, counts.refused, counts.acknowledged
    ))
}
