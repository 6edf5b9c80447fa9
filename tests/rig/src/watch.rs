//! Notices when something never ends.
//!
//! A livelock in the engine must not look like a slow rig: whatever is [watched](watched) says what it is, and when it
//! takes longer than the limit the process says so and aborts.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// What is watched: since when, how many times the limit it may take, and what it is.
type Running = BTreeMap<u64, (Instant, u32, String)>;

static RUNNING: Mutex<Running> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
static LIMIT: Once = Once::new();

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on nothing watched may take longer than `limit` (the first caller's counts).
pub fn watch(limit: Duration) {
    LIMIT.call_once(|| {
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(500));
                let late = |(since, times, _): &&(Instant, u32, String)| since.elapsed() > limit * *times;
                let late = running().values().find(late).map(|(_, times, what)| (limit * *times, what.clone()));
                if let Some((limit, what)) = late {
                    let _ = writeln!(std::io::stderr(), "after {limit:?} still running: {what}");
                    std::process::abort();
                }
            }
        });
    });
}

/// Something that should end.
#[derive(Debug)]
pub(crate) struct Watched(u64);

/// Watches until the guard is dropped.
pub(crate) fn watched(what: impl FnOnce() -> String) -> Watched {
    watched_for(1, what)
}

/// The same for something of many steps, which may take so many times as long.
pub(crate) fn watched_for(times: u32, what: impl FnOnce() -> String) -> Watched {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    running().insert(number, (Instant::now(), times, what()));
    Watched(number)
}

impl Watched {
    /// Another step of it was done: the time begins anew.
    pub(crate) fn goes_on(&self) {
        if let Some((since, ..)) = running().get_mut(&self.0) {
            *since = Instant::now();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}
