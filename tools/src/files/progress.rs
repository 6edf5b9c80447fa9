//! Progress of long copies: a bar on a terminal, nothing elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LOOK: &str = "  {bytes}/{total_bytes} {wide_bar} {binary_bytes_per_sec} ETA {eta}";

/// Counts what is copied; shared by all workers.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    began: Instant,
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Progress {
    /// A bar on standard error if that is a terminal and `shown`.
    pub(crate) fn new(shown: bool) -> Self {
        let terminal = shown && std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template(LOOK) {
            bar.set_style(style);
        }
        Self { bar, began: Instant::now(), bytes: AtomicU64::new(0), files: AtomicU64::new(0) }
    }

    /// More was found to copy.
    pub(crate) fn expect(&self, bytes: u64) {
        self.bar.inc_length(bytes);
    }

    /// Bytes were copied.
    pub(crate) fn advance(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    /// A file is complete.
    pub(crate) fn file(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) -> Total {
        self.bar.finish_and_clear();
        Total {
            bytes: self.bytes.load(Ordering::Relaxed),
            files: self.files.load(Ordering::Relaxed),
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }
}

/// What a copy did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Total {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) seconds: f64,
}

impl Total {
    /// `123 files, 4.00 MiB in 0.5 s (8.0 MiB/s)`
    pub(crate) fn text(&self) -> String {
        let size = crate::sizes::long(self.bytes);
        format!("{} files, {size} in {:.2} s ({:.1} MiB/s)", self.files, self.seconds, self.rate())
    }

    fn rate(&self) -> f64 {
        // MiB as a float: both halves of the number are exact far beyond any pool.
        let mib = u32::try_from(self.bytes >> 20).map_or(f64::from(u32::MAX), f64::from);
        let rest = u32::try_from(self.bytes & 0xf_ffff).map_or(0.0, f64::from) / 1_048_576.0;
        (mib + rest) / self.seconds.max(1e-6)
    }
}
