//! Facts of the machine and of this process.

use std::fs;
use std::path::Path;

use crate::table::say;

fn first_line(path: &str, start: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_default();
    line.split_once(':').map_or(line, |(_, rest)| rest).trim().to_owned()
}

/// Type of the filesystem that holds `dir`.
fn filesystem(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut best = (0, "unknown".to_owned());
    for line in mounts.lines() {
        let mut words = line.split_whitespace().skip(1);
        if let (Some(at), Some(kind)) = (words.next(), words.next())
            && dir.starts_with(at)
            && at.len() >= best.0
        {
            best = (at.len(), kind.to_owned());
        }
    }
    best.1
}

/// Prints what the figures depend on.
pub(crate) fn show(dir: &Path) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    say(&format!(
        "{cores} cores ({}), {} memory, {}, {}, load {}",
        first_line("/proc/cpuinfo", "model name"),
        first_line("/proc/meminfo", "MemTotal"),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        filesystem(dir),
        load(),
    ));
}

/// Prints what is known only afterwards.
pub(crate) fn show_end() {
    say(&format!("peak memory {} (VmHWM), load {}", first_line("/proc/self/status", "VmHWM"), load()));
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

/// Whether the host's page cache can be emptied.
pub(crate) fn can_drop_caches() -> bool {
    fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches").is_ok()
}

/// Empties the host's page cache.
pub(crate) fn drop_caches() {
    fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
}
