//! The one place where errors of a volume become errors of the trait crate.

use std::io;
use std::path::Path;

use anyfs_backend::FsError;

use crate::LvError;

/// The error with the path and operation it concerns.
pub(super) fn fs_error(operation: &'static str, path: &Path, error: LvError) -> FsError {
    let errno = error.errno();
    let path = path.to_owned();
    match error {
        LvError::NotFound { .. } | LvError::NoInode { .. } => FsError::NotFound { path },
        LvError::Exists { .. } => FsError::AlreadyExists { path, operation },
        LvError::NotDirectory { .. } => FsError::NotADirectory { path },
        LvError::IsDirectory { .. } => FsError::NotAFile { path },
        LvError::NotEmpty { .. } => FsError::DirectoryNotEmpty { path },
        LvError::NotPermitted { .. } => FsError::PermissionDenied { path, operation },
        LvError::Quota { limit, requested, usage, .. } => FsError::QuotaExceeded { limit, requested, usage },
        LvError::ReadOnly => FsError::ReadOnly { operation },
        LvError::Invalid { what } => FsError::InvalidData { path, details: what.to_owned() },
        LvError::NoXattr { name, .. } => {
            FsError::XattrNotFound { path, name: String::from_utf8_lossy(&name).into_owned() }
        }
        LvError::Damaged { .. } | LvError::DamagedRow { .. } | LvError::PvMissing { .. } => {
            FsError::CorruptedData { path, details: error.to_string() }
        }
        _ if errno == EIO => FsError::Backend(error.to_string()),
        _ => numbered(operation, &path, errno),
    }
}

const EIO: i32 = 5;
/// The root has no name to take away.
pub(super) const EBUSY: i32 = 16;

/// An error that the trait crate has no variant for.
pub(super) fn numbered(operation: &'static str, path: &Path, errno: i32) -> FsError {
    FsError::Io { operation, path: path.to_owned(), source: io::Error::from_raw_os_error(errno) }
}
