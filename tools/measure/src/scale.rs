//! How much is done.

use std::time::Duration;

use crate::MIB;

/// How much of everything a run does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Bytes of a large file.
    pub bytes: u64,
    /// Small files.
    pub files: u64,
    /// Small reads.
    pub reads: u64,
    /// Small overwrites.
    pub overwrites: u64,
    /// Small overwrites that make a file fragmented.
    pub scattered: u64,
    /// Small appends that are made durable one by one: of one thread, or of four together; of more threads, each makes
    /// a quarter of it.
    pub appends: u64,
    /// Threads, where there are several.
    pub threads: u64,
    /// Appends of each size.
    pub sized: u64,
    /// How long latencies are collected beside a writer.
    pub beside: Duration,
    /// Files of a volume that is opened.
    pub many: u64,
    /// Rounds that count.
    pub rounds: u64,
}

impl Scale {
    /// Seconds.
    pub fn quick() -> Self {
        Self {
            bytes: 16 * MIB,
            files: 500,
            reads: 2000,
            overwrites: 500,
            scattered: 1000,
            appends: 64,
            threads: 16,
            sized: 5,
            beside: Duration::from_millis(300),
            many: 2000,
            rounds: 1,
        }
    }

    /// A few minutes.
    pub fn usual() -> Self {
        Self {
            bytes: 256 * MIB,
            files: 5000,
            reads: 20_000,
            overwrites: 4000,
            scattered: 15_000,
            appends: 800,
            threads: 16,
            sized: 30,
            beside: Duration::from_secs(2),
            many: 100_000,
            rounds: 3,
        }
    }

    /// The sizes that the project's targets are written for.
    pub fn full() -> Self {
        Self {
            bytes: 1024 * MIB,
            files: 10_000,
            reads: 100_000,
            overwrites: 10_000,
            scattered: 60_000,
            appends: 4000,
            threads: 16,
            sized: 100,
            beside: Duration::from_secs(6),
            many: 1_000_000,
            rounds: 3,
        }
    }

    /// As text that [`Scale::read`] reads.
    pub(crate) fn line(&self) -> String {
        let beside = u64::try_from(self.beside.as_millis()).unwrap_or(u64::MAX);
        let all = [self.bytes, self.files, self.reads, self.overwrites, self.scattered, self.appends, self.threads];
        let rest = [self.sized, beside, self.many, self.rounds];
        all.iter().chain(&rest).map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn read(words: &[&str]) -> Option<Self> {
        let numbers: Vec<u64> = words.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [bytes, files, reads, overwrites, scattered, appends, threads, sized, beside, many, rounds] = numbers[..]
        else {
            return None;
        };
        let beside = Duration::from_millis(beside);
        Some(Self { bytes, files, reads, overwrites, scattered, appends, threads, sized, beside, many, rounds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_travels_as_a_line() {
        for scale in [Scale::quick(), Scale::usual(), Scale::full()] {
            let line = scale.line();
            assert_eq!(Scale::read(&line.split(' ').collect::<Vec<_>>()), Some(scale));
        }
        assert_eq!(Scale::read(&["1", "2"]), None);
        assert_eq!(Scale::read(&["x"; 11]), None);
    }
}
