//! The clock of a volume that is mounted.

use std::time::Duration;

use pv::{Clock, SystemClock};
use rustix::time::{ClockId, clock_gettime};

/// The kernel's own clock for the times of files, which goes in steps of some milliseconds. The kernel sets the times of
/// what is written on a mount; were the volume's own ahead of them, a new file would change before it was made.
#[derive(Debug, Default)]
pub struct KernelClock(SystemClock);

impl Clock for KernelClock {
    fn wall(&self) -> i64 {
        now()
    }

    fn running(&self) -> Duration {
        self.0.running()
    }
}

/// This moment, as the kernel would note it.
pub(super) fn now() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec)
}
