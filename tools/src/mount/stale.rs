//! Mounts whose process is gone: everything on them fails with "Transport endpoint is not connected".

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyfs_lvm::fuse::{Mounted, mounted_on, unmount};
use anyfs_lvm::pv::ProcessState;

use super::apart::{Answer, Call, ask};
use super::failure;
use super::owners::{self, Owner};
use crate::failure::Done;

/// Symbolic links that are followed one after another, as by the kernel.
const MOST_LINKS: usize = 40;
/// How long a mount has to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The state of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    /// It answers.
    Well,
    /// Its process is gone.
    Stale,
    /// Its process does not answer.
    Silent,
}

/// How a mount is that this process serves, as far as one of ours does. Only a mount that nobody is seen to serve is
/// asked: whoever asks a process that was stopped may not even be killed any more.
pub(crate) fn health(dir: &Path, owner: Option<&Owner>) -> Health {
    match owner.map_or(ProcessState::Unknown, Owner::state) {
        ProcessState::Running => Health::Well,
        ProcessState::Stopped => Health::Silent,
        ProcessState::Gone | ProcessState::Unknown => answer(dir),
    }
}

/// Asks a mount how it is, without waiting for ever.
fn answer(dir: &Path) -> Health {
    let mounted = Mounted { source: "".into(), dir: dir.to_owned(), options: String::new(), device: String::new() };
    match ask(Call::Look, &mounted, |taken| taken < PATIENCE) {
        Answer::Stale => Health::Stale,
        Answer::Silent => Health::Silent,
        Answer::Done | Answer::InUse | Answer::Failed(_) => Health::Well,
    }
}

/// The path that the list of mounts has for a folder. What is mounted there is not asked: it may be stale, or not answer.
pub(crate) fn listed(dir: &Path) -> PathBuf {
    let mut path = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    for _ in 0..MOST_LINKS {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { break };
        let above = above.canonicalize().unwrap_or_else(|_| above.to_owned());
        let here = above.join(name);
        match here.read_link() {
            Ok(target) => path = above.join(target),
            Err(_) => return here,
        }
    }
    path.canonicalize().unwrap_or(path)
}

/// What is mounted on a folder, the last one on top.
pub(crate) fn on(dir: &Path) -> Done<Option<Mounted>> {
    mounted_on(dir).map_err(|error| failure(&error))
}

/// Takes stale mounts off a folder; whether there were any.
pub(crate) fn clean(dir: &Path) -> Done<bool> {
    let dir = listed(dir);
    let mut cleaned = false;
    while let Some(mounted) = on(&dir)? {
        let owner = owners::of(&mounted, &owners::owners());
        if health(&mounted.dir, owner.as_ref()) != Health::Stale {
            break;
        }
        unmount(&mounted.dir, true).map_err(|error| failure(&error))?;
        cleaned = true;
    }
    Ok(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_under_its_real_path_and_not_looked_into() {
        let temp = tempfile::tempdir().unwrap();
        let real = temp.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("a/b")).unwrap();
        for (link, target) in [("first", "second"), ("second", "a/b"), ("round", "round")] {
            std::os::unix::fs::symlink(target, real.join(link)).unwrap();
        }
        for (path, wanted) in [("a/b", "a/b"), ("first", "a/b"), ("a/./b/", "a/b"), ("a/b/..", "a"), ("none", "none")] {
            assert_eq!(listed(&real.join(path)), real.join(wanted), "{path}");
        }
        assert_eq!(listed(&real.join("round")), real.join("round"));
        assert_eq!(listed(Path::new("/")), Path::new("/"));
    }
}
