//! `killloop`: kills the owners of volumes on real files, again and again, and checks what is left.
//!
//! ```text
//! killloop [--seconds S] [--seed N] [--at-least KILLS] [--owners 1|2] [--dir DIR] [--weakness NAME]
//! ```
//!
//! A pool of three PVs; each volume has two copies of its metadata and an owner of its own: with `--owners 2` two processes
//! write to the same PVs at full speed. One in three is ended with SIGTERM instead, and must close its volume unless it is
//! killed meanwhile. Runs until S seconds are over and KILLS owners were killed.
//!
//! The pool lies in a new folder in DIR (the system's folder for temporary files), which is removed at the end unless
//! something was wrong. Exit code 0: nothing wrong; 1: something wrong; 2: wrong arguments. `kill -9` loses nothing
//! that was written: this finds wrong orders of writing, not missing syncs (`explore` does).
//! A weakness is a rule of the engine switched off in the children, to see the failure (`lazy-pv`).

use std::io::{Write, stdout};
use std::process::{Command, ExitCode};

use anyfs_lvm_rig::{KillLoop, ProcessArguments, Work, manual, run_processes, work};

fn main() -> ExitCode {
    if manual(include_str!("killloop.rs")) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--child", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let done = Work::read(rest).ok_or("wrong words".to_owned()).and_then(|todo| work(&todo, &mut stdout()));
        return ExitCode::from(u8::from(done.is_err()));
    }
    run_processes("killloop", &words, &mut stdout(), &mut run)
}

fn run(arguments: &ProcessArguments, out: &mut dyn Write) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = || {
        let mut child = Command::new(&own);
        child.arg("--child");
        child
    };
    let mut pool = KillLoop::new(&arguments.dir, arguments.seed, arguments.owners, &arguments.weakness)?;
    while arguments.go_on(pool.counts.kills) {
        let kills = pool.counts.kills;
        pool.round(&command).map_err(|message| format!("kill {kills}: {message}"))?;
    }
    let _ = out.flush();
    let counts = pool.counts;
    Ok(format!(
        "{} kills, {} ended by SIGTERM ({} closed), {} operations, {} acknowledged syncs, nothing lost",
        counts.kills, counts.terms, counts.closed, counts.returned, counts.acknowledged
    ))
}
