//! Emptying the host's page cache.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const SWITCH: &str = "/proc/sys/vm/drop_caches";

/// How reads are made cold here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cold {
    /// The whole page cache, and what the host knows of names and inodes, is dropped: for root.
    All,
    /// Only the pages of the files: the host still knows names and inodes.
    Files,
    /// Not at all.
    Never,
}

impl Cold {
    /// What this process may do.
    pub fn here() -> Self {
        if fs::OpenOptions::new().write(true).open(SWITCH).is_ok() {
            Self::All
        } else if cfg!(target_os = "linux") {
            Self::Files
        } else {
            Self::Never
        }
    }

    /// In words, for whoever reads the figures.
    pub fn text(self) -> &'static str {
        match self {
            Self::All => "page cache dropped before each cold row",
            Self::Files => {
                "only the files' pages dropped before each cold row (not root): the host's names and inodes stay cached"
            }
            Self::Never => "cold rows left out: the page cache cannot be emptied here",
        }
    }

    /// Empties the cache of everything below these paths, which no file of this process is open in.
    ///
    /// # Errors
    /// [`Error::Host`].
    pub fn empty(self, paths: &[PathBuf]) -> Result {
        match self {
            Self::All => {
                if let Some(first) = paths.first() {
                    sync_filesystem(first)?;
                }
                fs::write(SWITCH, "3").map_err(|source| host("empty the page cache with", Path::new(SWITCH), source))
            }
            Self::Files => paths.iter().try_for_each(|path| each_file(path, &mut forget)),
            Self::Never => Ok(()),
        }
    }
}

fn host(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Host { operation, path: path.to_owned(), source }
}

/// Writes out what is dirty of the filesystem that a path lies on.
pub(crate) fn sync_filesystem(path: &Path) -> Result {
    let failed = |source| host("sync the filesystem of", path, source);
    let file = fs::File::open(path).map_err(failed)?;
    #[cfg(target_os = "linux")]
    rustix::fs::syncfs(&file).map_err(|error| failed(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    file.sync_all().map_err(failed)?;
    Ok(())
}

/// Does `act` with each regular file at or below a path.
pub(crate) fn each_file(path: &Path, act: &mut dyn FnMut(&Path) -> Result) -> Result {
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let found = match fs::symlink_metadata(&path) {
            // Databases make and remove files beside them at any time.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            found => found.map_err(|source| host("look at", &path, source))?,
        };
        if found.is_dir() {
            let failed = |source| host("list", &path, source);
            for entry in fs::read_dir(&path).map_err(failed)? {
                open.push(entry.map_err(failed)?.path());
            }
        } else if found.is_file() {
            act(&path)?;
        }
    }
    Ok(())
}

/// Lets the host forget the pages of one file.
fn forget(path: &Path) -> Result {
    let failed = |source| host("empty the page cache of", path, source);
    let file = fs::File::open(path).map_err(failed)?;
    // Dirty pages stay.
    file.sync_all().map_err(failed)?;
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).map_err(|error| failed(error.into()))?;
    Ok(())
}
