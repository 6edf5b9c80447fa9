//! The files beside a PV: its folder and the lock that surrounds every write.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::LinkInTheWay;
use crate::{Env, Holder, HostLock, PvError, Result};

const LOCK: &str = "pv.lock";

/// The folder beside a PV: `NAME.db.d`.
pub fn side_folder(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".d");
    PathBuf::from(name)
}

/// Refuses to use a PV whose folder is a symbolic link: locks and metadata would be made, and deleted, wherever it leads.
///
/// # Errors
/// [`PvError::Io`] about the folder.
pub fn refuse_linked_folder(env: &Env, path: &Path) -> Result<()> {
    let folder = side_folder(path);
    if !env.host.is_link(&folder) {
        return Ok(());
    }
    Err(PvError::Io { path: folder, operation: "use it", source: LinkInTheWay("folder").failure() })
}

/// Makes the name of the journal of the PV `path` durable, which exists once a transaction has changed something.
///
/// SQLite syncs the folder too, when it first syncs the journal, but tells nobody when that fails: the commit would
/// go on, and a power loss in it would leave half of it and nothing to roll it back with.
pub(crate) fn name_journal(env: &Env, path: &Path) -> Result<()> {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    env.host.sync_dir(folder).map_err(|source| PvError::Io {
        path: folder.to_owned(),
        operation: "make its names durable",
        source,
    })
}

/// Waits for and takes the lock of the PV `path` (a canonical path), making the folder when it is missing.
///
/// A process that was stopped in the middle of a write is not waited for: [`PvError::Held`] names it.
pub(crate) fn take(env: &Env, path: &Path) -> Result<Box<dyn HostLock>> {
    refuse_linked_folder(env, path)?;
    let folder = side_folder(path);
    let file = folder.join(LOCK);
    let note = format!("{}\n", std::process::id());
    let taken = match env.host.lock(&file, true, &note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            env.host.make_dir(&folder).and_then(|()| env.host.lock(&file, true, &note))
        }
        other => other,
    };
    match taken {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(PvError::Held { path: path.to_owned(), holder: Holder::of(env, &file) }),
        Err(source) => Err(PvError::Io { path: file, operation: "lock it", source }),
    }
}

/// As [`take`] where that is possible: nothing on a medium that cannot be written, which has no writers either.
pub(crate) fn take_to_read(env: &Env, path: &Path) -> Result<Option<Box<dyn HostLock>>> {
    match take(env, path) {
        Ok(lock) => Ok(Some(lock)),
        Err(PvError::Io { source, .. })
            if matches!(source.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
