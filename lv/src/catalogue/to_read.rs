//! Copies of the catalogue for those who only read: nothing is made equal, given up or moved out of a log.

use std::path::{Path, PathBuf};

use pv::sqlite::{self, Access};
use pv::{Env, FamilyUuid, PvError};
use rusqlite::Connection;

use super::copy::CopyPlace;
use super::index_room::index_room;
use super::lost::{same_file, told};
use super::schema::{SCHEMA, TUNING};
use super::view::CopyView;
use crate::{LvError, Result};

/// The log beside a copy.
pub(crate) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push("-wal");
    name.into()
}

/// Opens a copy for reading, also where nothing can be written: reading a log takes a file beside it.
pub(super) fn open_to_read(env: &Env, path: &Path) -> Result<Connection, PvError> {
    let log = log_of(path);
    let logged = env.host.stat(&log).is_ok_and(|file| file.len.0 > 0);
    let room = index_room(env, path, Access::ReadOnly);
    let refused = match room.and_then(|()| sqlite::open(env, path, &SCHEMA, &TUNING, Access::ReadOnly)) {
        Err(error @ PvError::NoSpace { .. }) if !logged => error,
        Err(error) if no_rights(&error) && env.host.stat(path).is_ok() => error,
        other => return other,
    };
    if logged {
        let source = std::io::Error::other(
            "it holds commits that are not in the metadata volume yet; reading them takes a file that cannot be made",
        );
        return Err(PvError::Io { path: log, operation: "read it", source });
    }
    // Without a log the file is all there is, and whoever cannot make one here is not its owner; an owner's index is there.
    sqlite::open(env, path, &SCHEMA, &TUNING, Access::Immutable).map_err(|_| refused)
}

fn no_rights(error: &PvError) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error, PvError::Io { source, .. } if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem))
}

/// The newest copy of a family's catalogue that can be read.
#[derive(Debug)]
pub(crate) struct Newest {
    pub(crate) view: CopyView,
    /// Copies that cannot be read, and why.
    pub(crate) unread: Vec<(CopyPlace, String)>,
}

/// Picks the newest copy by (epoch, txg), as an activation does. A commit counts when all copies that are in sync have
/// it, so that any of them has all that count.
pub(crate) fn newest_to_read(env: &Env, family: FamilyUuid, places: &[CopyPlace]) -> Result<Newest> {
    let (mut views, mut unread): (Vec<CopyView>, Vec<_>) = (Vec::new(), Vec::new());
    for place in places {
        if let Some(why) = same_file(env, views.iter().map(|view| &view.place), place) {
            unread.push((place.clone(), why));
            continue;
        }
        match CopyView::open(env, place) {
            Ok(view) if view.state.family == family => views.push(view),
            Ok(_) => unread.push((place.clone(), "it belongs to another volume".to_owned())),
            Err(LvError::Pv(PvError::Busy { path })) => return Err(PvError::Busy { path }.into()),
            Err(error) => unread.push((place.clone(), told(&place.path, &error))),
        }
    }
    match views.into_iter().max_by_key(|view| (view.state.epoch, view.state.txg)) {
        Some(view) => Ok(Newest { view, unread }),
        None => Err(LvError::no_metadata(&unread)),
    }
}
