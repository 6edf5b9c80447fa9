//! Facts of the machine and of this process. Where the system does not tell, they are missing.

use std::fs;
use std::path::Path;

/// What figures depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: usize,
    /// Their name.
    pub processor: String,
    /// Memory, as the system writes it.
    pub memory: String,
    /// System and version.
    pub system: String,
    /// Filesystem that the measurement is made on.
    pub filesystem: String,
    /// Load of the last minute, at the start.
    pub load: String,
}

impl Machine {
    /// This machine, and the filesystem of `folder`.
    pub fn here(folder: &Path) -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            processor: value("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            memory: value("/proc/meminfo", "MemTotal").unwrap_or_else(unknown),
            system: format!("{} {}", std::env::consts::OS, release.trim()).trim_end().to_owned(),
            filesystem: filesystem(folder),
            load: load(),
        }
    }

    /// In one line.
    pub fn text(&self) -> String {
        format!(
            "{} cores ({}), {} memory, {}, {}, load {}",
            self.cores, self.processor, self.memory, self.system, self.filesystem, self.load
        )
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().map_or_else(unknown, str::to_owned)
}

/// What a line of a file of the form `name: value` says.
fn value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Type of the filesystem that holds a folder.
fn filesystem(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let found = mounts.lines().filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        folder.starts_with(at).then(|| (at.len(), kind.to_owned()))
    });
    // The last of two mounts in one place is the one that is seen.
    found.max_by_key(|(length, _)| *length).map_or_else(unknown, |(_, kind)| kind)
}

/// Bytes that this process has given to the system to write since it began; none where the system does not tell.
///
/// Not its `write_bytes`: where the page cache keeps pages in large folios, a write to one page counts there as one to the
/// whole folio, 30 times as much.
pub fn written() -> Option<u64> {
    value("/proc/self/io", "wchar")?.parse().ok()
}

/// Bytes that this user can still write to the filesystem of a folder; none where the system does not tell.
pub fn free_space(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// Bytes of memory that this process has had at most.
pub fn peak_memory() -> Option<u64> {
    let text = value("/proc/self/status", "VmHWM")?;
    text.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described_in_one_line() {
        let text = Machine::here(Path::new(".")).text();
        assert!(text.contains("cores (") && !text.contains('\n'), "{text}");
    }

    #[test]
    fn free_space_is_known() {
        assert!(free_space(Path::new(".")).is_some_and(|free| free > 0));
        assert_eq!(free_space(Path::new("nowhere/at/all")), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_of_this_process_is_known() {
        assert!(peak_memory().unwrap() > 1 << 16);
    }
}
