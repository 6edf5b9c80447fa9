//! What an exploration found.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use crate::explore::Crash;
use crate::image::{Mode, Spec};

/// Failures kept in full; the rest is only counted.
const KEPT: usize = 8;

/// Images looked at and how many were bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Looked at.
    pub images: u64,
    /// Bad ones.
    pub bad: u64,
}

impl Tally {
    const fn add(&mut self, other: Self) {
        self.images += other.images;
        self.bad += other.bad;
    }
}

/// A bad image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which: the crash, and the crash during the recovery from it, if any.
    pub path: Vec<Spec>,
    /// The last mark that the workload had made before the (first) crash.
    pub mark: Option<u64>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", name(&self.path), self.message)
    }
}

/// A crash, and the crash during the recovery from it, as one word.
pub(crate) fn name(path: &[Spec]) -> String {
    path.iter().map(Spec::to_string).collect::<Vec<_>>().join("/")
}

/// Counts per kind of crash, and the first failures.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// First crashes.
    pub first: BTreeMap<Mode, Tally>,
    /// Crashes during recovery.
    pub second: BTreeMap<Mode, Tally>,
    /// The first failures, in the order of their crashes.
    pub failures: Vec<Failure>,
    /// Operations of the log that were followed.
    pub operations: u64,
    /// Time spent judging images, of all threads together.
    pub busy: Duration,
    /// Images that were left out: the same disk had been judged for the same moment.
    pub same: u64,
    /// Recoveries in which crashes were looked at.
    pub recoveries: u64,
    /// What happened in the workload and how often: that it does what its name says.
    pub seen: BTreeMap<&'static str, u64>,
}

impl Report {
    /// All images together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.first.values().chain(self.second.values()) {
            total.add(*tally);
        }
        total
    }

    /// Images per second and thread while images were judged.
    pub fn rate(&self) -> f64 {
        let images = u32::try_from(self.total().images).unwrap_or(u32::MAX);
        f64::from(images) / self.busy.as_secs_f64().max(1e-9)
    }

    /// The failures, and how many images of each kind were bad: whole lines.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            let _ = writeln!(text, "  {failure}");
        }
        for (title, table) in [("first crash", &self.first), ("crash in recovery", &self.second)] {
            if table.is_empty() {
                continue;
            }
            let _ = write!(text, "  {title}:");
            for (mode, tally) in table {
                let _ = write!(text, " {} {}/{}", mode.name(), tally.bad, tally.images);
            }
            text.push('\n');
        }
        text
    }

    /// Adds another report's counts.
    pub fn merge(&mut self, other: Self) {
        for (into, from) in [(&mut self.first, other.first), (&mut self.second, other.second)] {
            for (mode, tally) in from {
                into.entry(mode).or_default().add(tally);
            }
        }
        let room = KEPT.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.operations += other.operations;
        self.busy += other.busy;
        self.same += other.same;
        self.recoveries += other.recoveries;
        for (what, times) in other.seen {
            *self.seen.entry(what).or_default() += times;
        }
    }

    /// Counts one image.
    pub(crate) fn count(&mut self, crash: &Crash, outcome: Result<(), String>) {
        let Some(last) = crash.path.last() else { return };
        let table = if crash.path.len() == 1 { &mut self.first } else { &mut self.second };
        let tally = table.entry(last.mode).or_default();
        tally.images += 1;
        if let Err(message) = outcome {
            tally.bad += 1;
            if self.failures.len() < KEPT {
                self.failures.push(Failure { path: crash.path.clone(), mark: crash.mark, message });
            }
        }
    }
}

impl fmt::Display for Report {
    /// One line; [`Report::details`] has the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        write!(f, "{} images ({} more were the same), {} bad", total.images, self.same, total.bad)?;
        write!(f, ", {} recoveries looked into, {:.0} images/s and core", self.recoveries, self.rate())?;
        for (what, times) in &self.seen {
            write!(f, ", {what} {times}")?;
        }
        Ok(())
    }
}
