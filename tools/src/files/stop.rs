//! Ctrl-C, SIGTERM and the end of the terminal: a flag that long commands look at, so that they end between files.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::{Done, Failure};

/// Whether the user asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Watches for signals from now on.
    pub(crate) fn watch() -> Done<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // The second signal ends the process at once: a hung disk must not make it unkillable by Ctrl-C.
            let first = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop.0));
            first
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop.0)))
                .map_err(|error| failed(&error))?;
        }
        Ok(stop)
    }

    /// The flag itself, for who is not of this crate.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }

    /// Whether to end.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until there is something to read, so that Ctrl-C ends the command also while nothing comes.
    pub(crate) fn until_ready(&self, input: impl AsFd) -> Done {
        let tick = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            self.check()?;
            let mut ready = [PollFd::new(&input, PollFlags::IN)];
            match poll(&mut ready, Some(&tick)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // What cannot be waited for can be read, or says why not.
                Ok(_) | Err(_) => return Ok(()),
            }
        }
    }

    /// The failure of a command that ended so.
    pub(crate) fn check(&self) -> Done {
        if self.asked() { Err(Failure::new("Interrupted.")) } else { Ok(()) }
    }
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(format!("cannot watch for signals: {error}"))
}
