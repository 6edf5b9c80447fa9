//! Requests about locks of bytes, for mounts whose volume keeps them.
//!
//! Who waits for a lock waits in a thread of its own. The FUSE crate does not pass on that the caller was interrupted, so
//! the callers that wait are looked at: one with a signal to take is let go.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use lv::{Ino, LockKind, LockOwner, LvError};

use super::errno::{Answer, Errno};
use super::server::{Caller, Server};

/// How often the callers that wait are looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Owners of a mount are not those that the volume hands out in this process.
const FOREIGN: u64 = 1 << 63;

/// A lock that a program asks for or about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asking {
    pub(super) ino: Ino,
    pub(super) owner: LockOwner,
    pub(super) range: Range<u64>,
    /// `None` to give it back.
    pub(super) kind: Option<LockKind>,
}

/// An owner that waits, and the thread that does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiter {
    owner: LockOwner,
    pid: u32,
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    waiters: Mutex<Vec<Waiter>>,
}

impl Waiting {
    fn all(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; whether it is the first.
    fn add(&self, waiter: Waiter) -> bool {
        let mut all = self.all();
        all.push(waiter);
        all.len() == 1
    }

    fn remove(&self, waiter: Waiter) {
        let mut all = self.all();
        if let Some(at) = all.iter().position(|known| *known == waiter) {
            all.swap_remove(at);
        }
    }
}

/// An owner as the kernel numbers it.
pub(super) fn owner(number: u64) -> LockOwner {
    LockOwner(number | FOREIGN)
}

/// Bytes from `start` to `last`, the largest offset meaning the end of the file however far it moves.
pub(super) fn range(start: u64, last: u64) -> Range<u64> {
    let open = last >= i64::MAX.unsigned_abs();
    start..if open { u64::MAX } else { last.saturating_add(1) }
}

/// The last byte, as the kernel names it.
pub(super) fn last(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(1).min(i64::MAX.unsigned_abs())
}

impl Server {
    /// The lock that stands in the way of another, if any.
    pub(super) fn getlk(&self, asking: &Asking) -> Answer<Option<(Range<u64>, LockKind)>> {
        let Some(kind) = asking.kind else { return Err(Errno::INVAL) };
        let held = self.done(self.volume.find_lock(asking.ino, asking.owner, asking.range.clone(), kind))?;
        Ok(held.map(|held| (held.range, held.kind)))
    }

    /// Takes a lock, or gives it back, without waiting.
    pub(super) fn setlk(&self, asking: &Asking) -> Answer<()> {
        let Asking { ino, owner, range, kind } = asking.clone();
        let Some(kind) = kind else { return self.done(self.volume.unlock(ino, owner, range)) };
        match self.done(self.volume.try_lock(ino, owner, range, kind))? {
            Some(_) => Err(Errno::AGAIN),
            None => Ok(()),
        }
    }

    /// Takes a lock however long it takes, and then calls `answer`: at once, or from another thread.
    pub(super) fn wait_lock<F>(self: &Arc<Self>, caller: Caller, asking: Asking, answer: F)
    where
        F: FnOnce(Answer<()>) + Send + 'static,
    {
        match self.setlk(&asking) {
            Err(Errno::AGAIN) => {}
            done => return answer(done),
        }
        let waiter = Waiter { owner: asking.owner, pid: caller.pid };
        let server = Arc::clone(self);
        // Without a thread there must be somebody left to answer.
        let (hand_over, answers) = mpsc::channel::<F>();
        let started = std::thread::Builder::new().name("lock-wait".to_owned()).spawn(move || {
            let Ok(answer) = answers.recv() else { return };
            let Asking { ino, owner, range, kind } = asking;
            let kind = kind.unwrap_or(LockKind::Exclusive);
            if server.waiting.add(waiter) {
                server.watch();
            }
            let done = match server.volume.lock(ino, owner, range, kind) {
                Err(LvError::Interrupted) => Err(Errno::INTR),
                done => server.done(done),
            };
            server.waiting.remove(waiter);
            answer(done);
        });
        if started.is_err() {
            return answer(Err(Errno::NOLCK));
        }
        let _ = hand_over.send(answer);
    }

    /// Looks at those who wait until nobody does.
    fn watch(self: &Arc<Self>) {
        let server = Arc::clone(self);
        // Without it they wait until they get their locks.
        let _ = std::thread::Builder::new().name("lock-watch".to_owned()).spawn(move || {
            loop {
                std::thread::sleep(LOOK);
                let all = server.waiting.all().clone();
                if all.is_empty() {
                    return;
                }
                for waiter in all.iter().filter(|waiter| is_interrupted(waiter.pid)) {
                    server.volume.cancel_lock(waiter.owner);
                }
            }
        });
    }

    /// A program has closed a file: its locks of it are gone.
    pub(super) fn closed(&self, ino: Ino, owner: LockOwner) -> Answer<()> {
        self.done(self.volume.unlock(ino, owner, 0..u64::MAX))
    }
}

/// Whether a thread has a signal to take, or is gone; no for one that cannot be seen.
fn is_interrupted(pid: u32) -> bool {
    if pid == 0 {
        return false;
    }
    match std::fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => has_signal(&status),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Whether a `/proc/PID/status` shows a signal that is neither blocked nor ignored.
fn has_signal(status: &str) -> bool {
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        u64::from_str_radix(line.trim(), 16).unwrap_or(0)
    };
    (set("SigPnd:") | set("ShdPnd:")) & !set("SigBlk:") & !set("SigIgn:") != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_the_kernels_with_their_last_byte() {
        assert_eq!(range(0, 0), 0..1);
        assert_eq!(range(10, 19), 10..20);
        assert_eq!(range(5, i64::MAX.unsigned_abs()), 5..u64::MAX);
        assert_eq!(last(&(10..20)), 19);
        assert_eq!(last(&(0..u64::MAX)), i64::MAX.unsigned_abs());
    }

    #[test]
    fn a_signal_counts_unless_it_is_blocked_or_ignored() {
        let status = |pending, shared, blocked, ignored| {
            format!("Name:\tx\nSigPnd:\t{pending}\nShdPnd:\t{shared}\nSigBlk:\t{blocked}\nSigIgn:\t{ignored}\n")
        };
        let none = "0000000000000000";
        let two = "0000000000000002";
        assert!(has_signal(&status(two, none, none, none)));
        assert!(has_signal(&status(none, two, none, none)));
        assert!(!has_signal(&status(none, two, two, none)));
        assert!(!has_signal(&status(two, none, none, two)));
        assert!(!has_signal(&status(none, none, none, none)));
        assert!(!is_interrupted(std::process::id()) && !is_interrupted(0));
    }
}
