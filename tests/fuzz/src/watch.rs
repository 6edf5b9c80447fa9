//! Bounds of time and memory.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Aborts the process when something takes too long, and says what it was: a livelock must not look like a slow test.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Mutex<Option<(Instant, String)>>>);

impl Watch {
    /// Nothing that is watched may take longer than `limit`.
    pub fn new(limit: Duration) -> Self {
        let running: Arc<Mutex<Option<(Instant, String)>>> = Arc::default();
        let seen = Arc::clone(&running);
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(250));
                let late = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((_, what)) = late.filter(|(since, _)| since.elapsed() > limit) {
                    let _ = writeln!(std::io::stderr(), "after {limit:?} still running: {what}");
                    std::process::abort();
                }
            }
        });
        Self(running)
    }

    /// What runs now; `None` when nothing does.
    pub fn set(&self, what: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = what.map(|what| (Instant::now(), what));
    }
}

/// Lets this process have so many bytes of memory in all: an allocation past that ends it.
///
/// # Panics
/// When the system refuses.
pub fn bound_memory(bytes: u64) {
    let limit = Rlimit { current: Some(bytes), maximum: getrlimit(Resource::As).maximum };
    setrlimit(Resource::As, limit).expect("a bound");
}

/// The most memory this process had so far, in MiB; 0 where the system does not say.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
