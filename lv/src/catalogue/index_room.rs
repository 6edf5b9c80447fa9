//! Room for the index of a log.

use std::path::Path;

use pv::sqlite::Access;
use pv::{Env, PvError};

/// Bytes that the index of a short log takes.
const INDEX: u64 = 32 * 1024;
/// The same, with what the first commit writes into the log before it comes to the index.
const FIRST_COMMIT: u64 = 128 * 1024;

/// Refuses to open a catalogue where there is no room for the index of its log: SQLite writes it through memory that is
/// mapped to a file, and a filesystem with small blocks that finds none for it kills the process. Whoever comes first
/// begins the index anew, with what an old one took.
pub(super) fn index_room(env: &Env, catalogue: &Path, access: Access) -> Result<(), PvError> {
    let mut index = catalogue.as_os_str().to_owned();
    index.push("-shm");
    let taken = env.host.stat(Path::new(&index)).map_or(0, |file| file.allocated.get());
    let wanted = if access == Access::ReadWrite { FIRST_COMMIT } else { INDEX };
    if env.host.space(catalogue).is_ok_and(|space| space.free.get().saturating_add(taken) < wanted) {
        return Err(PvError::NoSpace { path: catalogue.to_owned() });
    }
    Ok(())
}
