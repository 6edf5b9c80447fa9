//! Who holds a lock file.

use std::fmt;
use std::path::Path;

use crate::Env;

/// Bytes of a lock file's note that are looked at.
const NOTE: usize = 128;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// It runs, or waits for something that comes by itself.
    Running,
    /// A signal has stopped it: it goes on when it is continued.
    Stopped,
    /// There is none of that number in sight.
    Gone,
    /// The system does not say.
    Unknown,
}

/// Who holds a lock file, as far as can be told. Information only: it may be somebody else by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub pid: Option<u32>,
    /// What it does.
    pub state: ProcessState,
}

impl Holder {
    /// Who holds the lock file `path`; when nobody does, who held it last. The system is asked first, then the note in
    /// the file: whoever has only just taken a lock may not have written its own yet.
    pub fn of(env: &Env, path: &Path) -> Self {
        Self::seen(&*env.host, path)
    }

    pub(crate) fn seen(host: &dyn crate::Host, path: &Path) -> Self {
        let noted = || {
            let note = host.read(path, NOTE).unwrap_or_default();
            String::from_utf8_lossy(&note).split_whitespace().find_map(|word| word.parse().ok())
        };
        let pid = host.lock_holder(path).or_else(noted);
        Self { pid, state: pid.map_or(ProcessState::Unknown, |pid| host.process(pid)) }
    }

    /// Stopped by a signal.
    pub fn is_stopped(&self) -> bool {
        self.state == ProcessState::Stopped
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(out, "process {pid}")?,
            None => out.write_str("another process")?,
        }
        if self.is_stopped() { out.write_str(", which is stopped") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_by_its_number_and_told_to_be_stopped() {
        let holder = |pid, state| Holder { pid, state }.to_string();
        assert_eq!(holder(Some(7), ProcessState::Running), "process 7");
        assert_eq!(holder(Some(7), ProcessState::Stopped), "process 7, which is stopped");
        assert_eq!(holder(None, ProcessState::Unknown), "another process");
    }

    #[test]
    fn the_system_or_the_note_tells_who_holds_a_lock() {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
        let path = dir.path().join("x.lock");
        let own = std::process::id();
        let held = env.host.lock(&path, false, &format!("process {own}")).unwrap().unwrap();
        let state = if cfg!(target_os = "linux") { ProcessState::Running } else { ProcessState::Unknown };
        assert_eq!(Holder::of(&env, &path), Holder { pid: Some(own), state });
        drop(held);
        assert_eq!(Holder::of(&env, &path).pid, Some(own));
        assert_eq!(Holder::of(&env, &dir.path().join("none")), Holder { pid: None, state: ProcessState::Unknown });
    }
}
