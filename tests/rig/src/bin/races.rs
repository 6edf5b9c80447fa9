//! `races`: eight processes of `anyfs-lvm` at a time change one volume group, and what they acknowledged must be so.
//!
//! ```text
//! races [--seconds S] [--seed N] [--at-least COMMANDS] [--dir DIR] [--command PATH]
//! ```
//!
//! PATH is the `anyfs-lvm` command (the one beside this program). Real files in a new folder in DIR (the system's folder for
//! temporary files), which is removed at the end unless something was wrong. Exit code 0: nothing wrong; 1: something wrong;
//! 2: wrong arguments. Every command must end within 60 s with exit code 0 or 5 and a message for people. The last line has
//! the commands and, in brackets, how many were refused; the lines before it say why.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyfs_lvm_rig::{ProcessArguments, Races, manual, run_processes};

fn main() -> ExitCode {
    if manual(include_str!("races.rs")) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    run_processes("races", &words, &mut stdout(), &mut run)
}

fn run(arguments: &ProcessArguments, out: &mut dyn Write) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = arguments.command.clone().unwrap_or_else(|| own.with_file_name("anyfs-lvm"));
    let mut races = Races::new(&arguments.dir, arguments.seed, &command)?;
    while arguments.go_on(races.done()) {
        let commands = races.commands();
        if let Err(message) = races.round() {
            let _ = writeln!(out, "{}", races.summary());
            return Err(format!("after {commands} commands: {message}"));
        }
    }
    Ok(races.summary())
}
