//! What Linux says about processes and the locks they hold; elsewhere nothing.

use std::fs::Metadata;

use crate::ProcessState;

/// What the process of that number does.
pub(super) fn state(pid: u32) -> ProcessState {
    if !cfg!(target_os = "linux") {
        return ProcessState::Unknown;
    }
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => of_stat(&stat, threads(pid)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => ProcessState::Gone,
        Err(_) => ProcessState::Unknown,
    }
}

/// Threads of a process that have not ended, and the first one also when it has.
fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// The state is the word after the name, which stands in brackets and may hold brackets and blanks. It is that of the
/// first thread, but what a process holds it has until its last one has ended.
fn of_stat(stat: &str, threads: usize) -> ProcessState {
    let word = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    match word {
        Some("T" | "t") => ProcessState::Stopped,
        Some("Z" | "X" | "x") if threads <= 1 => ProcessState::Gone,
        Some(_) => ProcessState::Running,
        None => ProcessState::Unknown,
    }
}

/// The process that has locked a whole file, by the system's list of locks.
pub(super) fn locker(file: &Metadata) -> Option<u32> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    in_list(&std::fs::read_to_string("/proc/locks").ok()?, file)
}

/// Lines are `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`, the device in hexadecimal; those of processes that
/// wait have `->` behind the number.
fn in_list(list: &str, file: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let device = file.dev();
    let name = format!("{:02x}:{:02x}:{}", rustix::fs::major(device), rustix::fs::minor(device), file.ino());
    list.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let held = words.next() == Some("FLOCK") && words.nth(1) == Some("WRITE");
        let pid = words.next().filter(|_| held)?.parse().ok()?;
        (words.next() == Some(name.as_str())).then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_state_stands_behind_the_name() {
        assert_eq!(of_stat("12 (a) b) (c) T 1 12", 1), ProcessState::Stopped);
        assert_eq!(of_stat("12 (sh) S 1 12", 1), ProcessState::Running);
        assert_eq!(of_stat("12 (sh) Z 1 12", 1), ProcessState::Gone);
        assert_eq!(of_stat("", 1), ProcessState::Unknown);
    }

    #[test]
    fn a_process_is_there_until_its_last_thread_has_ended() {
        assert_eq!(of_stat("12 (sh) Z 1 12", 2), ProcessState::Running);
        assert_eq!(of_stat("12 (sh) Z 1 12", 0), ProcessState::Gone);
        assert_eq!(threads(std::process::id()) > 0, cfg!(target_os = "linux"));
    }

    #[test]
    fn the_holder_is_found_in_the_list_and_those_that_wait_are_not() {
        let file = tempfile::tempfile().unwrap().metadata().unwrap();
        let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
        let name = format!("{major:02x}:{minor:02x}:{}", file.ino());
        let waits = format!("1: -> FLOCK  ADVISORY  WRITE 11 {name} 0 EOF\n");
        let others = format!("2: POSIX  ADVISORY  WRITE 12 {name} 0 EOF\n3: FLOCK  ADVISORY  WRITE 13 00:01:1 0 EOF\n");
        let holds = format!("4: FLOCK  ADVISORY  WRITE 14 {name} 0 EOF\n");
        assert_eq!(in_list(&format!("{waits}{others}{holds}"), &file), Some(14));
        assert_eq!(in_list(&format!("{waits}{others}"), &file), None);
    }
}
