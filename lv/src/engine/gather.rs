//! How many callers share a commit.
//!
//! When a commit returns, everybody it served comes back at once, each with something new. Whoever is first would begin
//! the next commit alone, and the others would wait for it and share the one after: half of all commits for one caller.
//! So a commit waits until as many have come as the last one served, but only for a part of the time that it took.
//! Nothing but the number of commits depends on it.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::state::State;

/// A commit waits at most for this part of the time that the last one took.
const PART: u32 = 2;

/// Who waits for the commit that is not yet frozen.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    waiting: usize,
    served: usize,
    took: Duration,
    began: Option<Instant>,
}

impl Gathering {
    /// One more waits; whether all have come.
    pub(crate) fn join(&mut self) -> bool {
        self.waiting = self.waiting.saturating_add(1);
        self.complete()
    }

    fn complete(&self) -> bool {
        self.waiting >= self.served
    }

    /// The commit is frozen: it serves everybody who waits.
    pub(crate) fn frozen(&mut self, now: Instant) {
        self.served = std::mem::take(&mut self.waiting);
        self.began = Some(now);
    }

    /// It has returned.
    pub(crate) fn returned(&mut self, now: Instant) {
        self.took = self.began.take().map_or(Duration::ZERO, |began| now.saturating_duration_since(began));
    }
}

/// Waits for those who shared the last commit. `arrived` is notified when all have come.
pub(crate) fn gather<'a>(arrived: &Condvar, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    let until = Instant::now() + state.gathering.took / PART;
    while !state.gathering.complete() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state = arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_waits_for_as_many_as_the_last_one_served() {
        let mut gathering = Gathering::default();
        let now = Instant::now();
        assert!(gathering.join(), "a single caller never waits");
        (0..3).for_each(|_| {
            gathering.join();
        });
        gathering.frozen(now);
        gathering.returned(now + Duration::from_millis(8));
        assert_eq!(gathering.took, Duration::from_millis(8));
        assert!(!gathering.join() && !gathering.join() && !gathering.join());
        assert!(gathering.join());
        gathering.frozen(now);
        // Only one comes back.
        assert!(!gathering.join());
        gathering.frozen(now);
        assert!(gathering.join());
    }
}
