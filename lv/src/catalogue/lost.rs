//! Copies that fail when they are opened: which are no copies any more, and which may be whole.

use std::io::ErrorKind;
use std::path::Path;

use pv::{Env, PvError};

use super::copy::CopyPlace;
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

/// Says which of the copies in use is the same file as `place`, if one is: then that is no copy.
pub(crate) fn same_file<'a>(
    env: &Env,
    mut used: impl Iterator<Item = &'a CopyPlace>,
    place: &CopyPlace,
) -> Option<String> {
    // What a link leads to is said by the link being refused.
    let file = |path: &Path| env.host.stat(path).ok().filter(|_| !env.host.is_link(path));
    let own = file(&place.path)?;
    let same = |other: &&CopyPlace| file(&other.path).is_some_and(|other| other.is(&own));
    used.find(same).map(|other| format!("it is the same file as {}", other.path.display()))
}

/// An error with its causes, for a message that names the file by itself.
pub(crate) fn told(path: &Path, error: &LvError) -> String {
    let text = pv::chain(error);
    text.strip_prefix(&format!("{}: ", path.display())).map_or_else(|| text.clone(), str::to_owned)
}
