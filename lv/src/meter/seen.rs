//! Counts as they are seen at one moment.

use std::path::PathBuf;
use std::time::Duration;

/// Steps from one power of two to the next: what is said of durations is off by a quarter at most.
const STEPS: u32 = 4;
/// Durations below this many nanoseconds, as a power of two, are not told apart.
const SHORTEST: u32 = 8;
/// Durations that are told apart; from about a minute on they are not.
pub(super) const BUCKETS: usize = 112;

/// Operations of one kind: how many there were, and how long those of them took that were timed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// Operations that began, those that failed too.
    pub count: u64,
    /// Those that were timed and have ended.
    pub timed: u64,
    /// Nanoseconds that these took, all together.
    pub nanos: u64,
    /// How many of these took about as long, the shortest first.
    pub buckets: Vec<u64>,
}

impl Timings {
    /// What was added since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.buckets.iter().copied().chain(std::iter::repeat(0));
        Self {
            count: self.count.saturating_sub(earlier.count),
            timed: self.timed.saturating_sub(earlier.timed),
            nanos: self.nanos.saturating_sub(earlier.nanos),
            buckets: self.buckets.iter().zip(before).map(|(now, before)| now.saturating_sub(before)).collect(),
        }
    }

    /// The mean duration.
    pub fn mean(&self) -> Option<Duration> {
        self.nanos.checked_div(self.timed).map(Duration::from_nanos)
    }

    /// The duration that so many of a thousand operations did not exceed, up to a quarter too long: 990 for the 99th
    /// percentile, 1000 for the longest.
    pub fn within(&self, thousandths: u64) -> Option<Duration> {
        let rank = u128::from(self.timed).saturating_mul(thousandths.min(1000).into()).div_ceil(1000).max(1);
        let mut seen = 0u128;
        let found = self.buckets.iter().position(|count| {
            seen = seen.saturating_add((*count).into());
            *count > 0 && seen >= rank
        })?;
        Some(Duration::from_nanos(end_of(found)))
    }
}

/// What happened on a PV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvMeters {
    /// Its file.
    pub path: PathBuf,
    /// Reads, of blocks that were not in memory.
    pub reads: Timings,
    /// Bytes that they took.
    pub read_bytes: u64,
    /// Transactions that wrote and deleted extents.
    pub writes: Timings,
    /// Bytes of the extents that they wrote.
    pub written_bytes: u64,
}

/// What an active volume has done since it was activated: see [`Volume::meters`](crate::Volume::meters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meters {
    /// How long that is.
    pub elapsed: Duration,
    /// Reads of file contents.
    pub read: Timings,
    /// Writes of file contents.
    pub write: Timings,
    /// Calls that wait until something is durable.
    pub sync: Timings,
    /// All other operations: on names, attributes and holes.
    pub metadata: Timings,
    /// Bytes that were read.
    pub read_bytes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Blocks of 4 KiB that were in the cache.
    pub cache_hits: u64,
    /// Blocks of 4 KiB that were looked for in it and were not. Reads of more than 64 KiB do not look.
    pub cache_misses: u64,
    /// Commits of the metadata.
    pub commits: Timings,
    /// The last one.
    pub txg: u64,
    /// How long that took.
    pub last_commit: Duration,
    /// When it returned, in nanoseconds since 1970; 0 when there was none.
    pub committed_at: u64,
    /// The PVs that it lies on.
    pub pvs: Vec<PvMeters>,
}

/// The bucket of a duration.
pub(super) fn bucket(nanos: u64) -> usize {
    let power = nanos.checked_ilog2().unwrap_or(0);
    if power < SHORTEST {
        return 0;
    }
    // The two bits below the highest one say which quarter.
    let quarter = (nanos >> power.saturating_sub(2)) & 3;
    let at = power.saturating_sub(SHORTEST).saturating_mul(STEPS);
    usize::try_from(u64::from(at).saturating_add(quarter)).unwrap_or(BUCKETS).min(BUCKETS.saturating_sub(1))
}

/// The first duration, in nanoseconds, that a bucket is too short for.
fn end_of(bucket: usize) -> u64 {
    let next = u32::try_from(bucket).unwrap_or(u32::MAX).saturating_add(1);
    let power = SHORTEST.saturating_add(next / STEPS);
    u64::from(STEPS.saturating_add(next % STEPS)).checked_shl(power.saturating_sub(2)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_told_to_a_quarter() {
        for nanos in (0..5000).chain((12..36).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 12345])) {
            let end = end_of(bucket(nanos));
            assert!(nanos < end && end <= nanos.max(256) * 5 / 4 + 1, "{nanos}: {end}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert!((1..BUCKETS).all(|at| end_of(at - 1) < end_of(at)));
    }
}
