//! Time that moves only when a test moves it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Wall-clock time of a new [`TestClock`]: 2026-01-01, in nanoseconds since 1970.
const START: i64 = 1_767_225_600_000_000_000;

/// A manual clock. Clones share their time. SQLite's sleeping (its busy handler) moves it too.
#[derive(Debug, Clone, Default)]
pub struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Shows the time that `other` shows.
    pub(crate) fn set(&self, other: &Self) {
        self.0.store(other.0.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Milliseconds since 1970, for SQLite.
    pub(crate) fn millis(&self) -> i64 {
        pv::Clock::wall(self) / 1_000_000
    }
}

impl pv::Clock for TestClock {
    fn wall(&self) -> i64 {
        START.saturating_add_unsigned(self.0.load(Ordering::SeqCst))
    }

    fn running(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::SeqCst))
    }
}
