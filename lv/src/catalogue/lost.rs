//! Copies that fail when they are opened: which are no copies any more, and which may be whole.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;

use pv::PvError;

use crate::LvError;

/// Whether a copy that fails so is none any more: missing, damaged, something else, or on a disk that fails.
///
/// Anything else may be over in a moment, or be different for another user. Giving a copy up is for good, so that such a
/// failure must not do it.
pub(super) fn is_lost(error: &LvError) -> bool {
    match error {
        LvError::DamagedRow { .. } | LvError::Pv(PvError::Foreign { .. } | PvError::Damaged { .. }) => true,
        LvError::Pv(PvError::Io { source, .. }) => {
            matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::UnexpectedEof)
                || pv::disk_failed(source)
        }
        _ => false,
    }
}

/// An error with its causes, for a message that names the file by itself.
pub(crate) fn told(path: &Path, error: &LvError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // The number that the system's words end with says no more than they do.
        let more = more.split(" (os error ").next().unwrap_or_default();
        if !text.contains(more) {
            text.push_str(": ");
            text.push_str(more);
        }
        cause = error.source();
    }
    text.strip_prefix(&format!("{}: ", path.display())).map_or_else(|| text.clone(), str::to_owned)
}
