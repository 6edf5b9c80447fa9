//! What a run found, with everything that its figures depend on.

use measure::{Cold, Machine, Outcome, Scale};

/// Name of our side.
pub const OURS: &str = "anyfs-lvm";

/// How a run was made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How much was done.
    pub scale: Scale,
    /// PVs of the pools.
    pub pvs: u64,
    /// Bytes of an extent.
    pub extent: u64,
    /// The volume, when it was one that was there.
    pub volume: Option<String>,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Report {
    /// Version of the program.
    pub version: String,
    /// When it began, in UTC.
    pub date: String,
    /// Where.
    pub machine: Machine,
    /// How reads were made cold.
    pub cold: Cold,
    /// How.
    pub settings: Settings,
    /// The rows.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// A run that begins now.
    pub fn begin(machine: Machine, settings: Settings) -> Self {
        let date = crate::report::time_text(now());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { version, date, machine, cold: Cold::here(), settings, outcomes: Vec::new() }
    }

    /// The control rows' range: how the first side compared with itself in the worst rows.
    pub fn controls(&self) -> Option<(f64, f64)> {
        let all: Vec<f64> = self.outcomes.iter().filter_map(Outcome::control).collect();
        let low = all.iter().copied().reduce(f64::min)?;
        Some((low, all.iter().copied().reduce(f64::max)?))
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
