//! `mountkills`: kills the process that serves a mount, again and again, and checks through the mount what is left.
//!
//! ```text
//! mountkills [--seconds S] [--seed N] [--at-least KILLS] [--dir DIR] [--command PATH]
//! ```
//!
//! Four programs write to a mounted volume: pages of files in place, each write durable at its return or not; files that replace others by
//! a rename, synced before or not; files that are cut and removed; fsync, fdatasync and fsync of folders between. Then
//! the process that serves it is killed (one time in four the volume is unmounted instead), all of the volume is checked, it
//! is mounted again with other options, and must hold what was acknowledged: each page and each file is, as a whole, a
//! version that it had at its last sync or later; each name leads where it did at the last sync of anything, or later.
//!
//! PATH is the `anyfs-lvm` command (the one beside this program). Real files in a new folder in DIR (the system's folder for
//! temporary files), which is removed at the end unless something was wrong. Exit code 0: nothing wrong, or nothing can be
//! mounted here, which the last line says behind `SKIPPED:`; 1: something wrong; 2: wrong arguments. A seed repeats
//! what is done, not when the process is killed.

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyfs_lvm_rig::{MountKills, ProcessArguments, cannot_mount, manual, run_processes};

fn main() -> ExitCode {
    if manual(include_str!("mountkills.rs")) {
        return ExitCode::SUCCESS;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    run_processes("mountkills", &words, &mut stdout(), &mut run)
}

fn run(arguments: &ProcessArguments, _: &mut dyn Write) -> Result<String, String> {
    if let Some(why) = cannot_mount() {
        return Ok(format!("SKIPPED: mountkills: {why}"));
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let command = arguments.command.clone().unwrap_or_else(|| own.with_file_name("anyfs-lvm"));
    let mut mount = MountKills::new(&arguments.dir, arguments.seed, &command)?;
    while arguments.go_on(mount.counts.kills) {
        let kills = mount.counts.kills;
        mount.round().map_err(|message| format!("kill {kills}: {message}"))?;
    }
    let kills = mount.counts.kills;
    mount.finish().map_err(|message| format!("after kill {kills}: {message}"))?;
    let counts = mount.counts;
    Ok(format!(
        "{} kills, {} unmounts, {} operations, {} acknowledged syncs, nothing lost",
        counts.kills, counts.unmounts, counts.returned, counts.acknowledged
    ))
}
