//! A process beside the one that serves a mount, for the case that this one is killed at a bad moment.
//!
//! A thread that tells the kernel of a change may have to wait there for pages to be written out, which only this process
//! could do. Killed then, it cannot end: the kernel does not learn that nobody serves the mount any more, and whoever uses
//! it waits for ever. The guard, which has no part in the connection, ends it.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use anyfs_lvm::fuse::{Mounted, abort};
use rustix::process::{Signal, getppid, set_parent_process_death_signal, setsid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use super::apart::{named, words};
use crate::failure::{Done, Failure, chain};

/// The guard of a mount; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Guard(Child);

fn failed(error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot start the guard of the mount: {}", chain(&error)))
}

impl Guard {
    /// Starts it. It must not inherit anything of the connection, so this comes first; and from the thread that lives as
    /// long as the process does.
    pub(crate) fn start() -> Done<Self> {
        let program = std::env::current_exe().map_err(|error| failed(&error))?;
        let mut command = Command::new(program);
        command.args(["mount", "--guard"]).arg(std::process::id().to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(Self).map_err(|error| failed(&error))
    }

    /// Tells it what to guard.
    pub(crate) fn watch(&mut self, mounted: &Mounted) -> Done {
        let told = self.0.stdin.take().map_or(Ok(()), |mut pipe| pipe.write_all(&words(mounted)));
        told.map_err(|error| failed(&error))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the guard does: waits for the end of the process with that number, and ends the connection of its mount.
pub(crate) fn run(owner: u32) -> Done {
    // What ends the other by way of its terminal must not end this.
    let _ = setsid();
    let mut signals = Signals::new([SIGUSR1, SIGINT, SIGHUP, SIGTERM]).map_err(|error| failed(&error))?;
    set_parent_process_death_signal(Some(Signal::USR1)).map_err(|error| failed(&error.into()))?;
    let mut given = Vec::new();
    std::io::stdin().read_to_end(&mut given).map_err(|error| failed(&error))?;
    let Some(mounted) = named(&given) else { return Ok(()) };
    let is_there = || getppid().is_some_and(|parent| parent.as_raw_nonzero().get().unsigned_abs() == owner);
    while is_there() && !signals.wait().any(|signal| signal == SIGUSR1) {}
    abort(&mounted).map_err(|error| super::failure(&error))
}
