//! What may stand at the end of a rollback journal.
//!
//! SQLite takes the last bytes of a journal for the name of a super-journal when they look like one: the mark of a
//! transaction over several files. When that file is missing, the journal is not rolled back; when it is there, it is
//! deleted after the rollback, whatever it is. Nothing here ever makes such a transaction. But a journal from elsewhere
//! can name any file of this machine, and in a journal that is kept and overwritten from its beginning, old pages with
//! bytes that a user once wrote may be the last.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::{Env, PvError, Result};

/// How a journal ends that names a super-journal.
const MARK: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Takes the mark off the end of the journal of `path`, if there is one, before SQLite looks at it.
///
/// Bytes are added, never taken away: every record of the journal stays what it is, and what is added is no record.
pub(crate) fn unmark(env: &Env, path: &Path) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push("-journal");
    let journal = PathBuf::from(name);
    // What is no file SQLite refuses by itself.
    if !env.host.stat(&journal).is_ok_and(|file| file.regular && file.len.get() >= 16) {
        return Ok(());
    }
    let failed = |source| PvError::Io { path: journal.clone(), operation: "look at its end", source };
    let end = match env.host.read_end(&journal, MARK.len()) {
        // Another process is done with it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed)?,
    };
    if end == MARK { env.host.append(&journal, &[0; 8]).map_err(failed) } else { Ok(()) }
}
