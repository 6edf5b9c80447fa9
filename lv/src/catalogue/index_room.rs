//! Room for the index of a log.

use std::path::Path;

use pv::{Env, PvError};

/// Bytes that the index of a short log and what comes with it take.
const ROOM: u64 = 128 * 1024;
/// Length of the index of a short log.
const INDEX: u64 = 32 * 1024;

/// Refuses to open a catalogue where there is no room for the index of its log: SQLite writes it through memory that is
/// mapped to a file, and a filesystem with small blocks that finds none for it kills the process. An index that is there
/// takes nothing.
pub(super) fn index_room(env: &Env, catalogue: &Path) -> Result<(), PvError> {
    let mut index = catalogue.as_os_str().to_owned();
    index.push("-shm");
    let there = env.host.stat(Path::new(&index)).is_ok_and(|file| file.len.get() >= INDEX);
    if !there && env.host.space(catalogue).is_ok_and(|space| space.free.get() < ROOM) {
        return Err(PvError::NoSpace { path: catalogue.to_owned() });
    }
    Ok(())
}
