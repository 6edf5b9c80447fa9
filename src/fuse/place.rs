//! Where a volume can be mounted.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::error::MountError;

/// The real path of a folder to mount on.
pub(super) fn mount_point(dir: &Path) -> Result<PathBuf, MountError> {
    let failed = |source: io::Error| match source.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::NOTCONN) => MountError::Stale { dir: dir.to_owned() },
        _ => MountError::Point { dir: dir.to_owned(), source },
    };
    let real = dir.canonicalize().map_err(failed)?;
    if real.metadata().map_err(failed)?.is_dir() {
        Ok(real)
    } else {
        Err(MountError::NotDirectory { dir: dir.to_owned() })
    }
}

/// Refuses a mount point in, or above, a folder that holds one of the files that the volume lives on: reading them would
/// ask the mount, which asks for them.
///
/// # Errors
/// [`MountError::InsidePool`]; [`MountError::Stale`], [`MountError::Point`] and [`MountError::NotDirectory`] about `dir`.
pub fn ensure_outside<'a>(dir: &Path, files: impl IntoIterator<Item = &'a Path>) -> Result<(), MountError> {
    let real = mount_point(dir)?;
    for file in files {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A file that is missing is not read.
        let Ok(folder) = folder.canonicalize() else { continue };
        if real.starts_with(&folder) || folder.starts_with(&real) {
            return Err(MountError::InsidePool { dir: dir.to_owned(), files: folder });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_keeps_away_from_the_pool() {
        let temp = tempfile::tempdir().unwrap();
        let at = |name: &str| temp.path().join(name);
        for dir in ["pool/inside", "elsewhere"] {
            std::fs::create_dir_all(at(dir)).unwrap();
        }
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("pool", at("link")).unwrap();
        let pv = at("pool/disk1.db");
        let refused = |dir: &str| match ensure_outside(&at(dir), [pv.as_path()]) {
            Ok(()) => None,
            Err(MountError::InsidePool { .. }) => Some("pool"),
            Err(MountError::NotDirectory { .. }) => Some("file"),
            Err(_) => Some("other"),
        };
        assert_eq!(refused("elsewhere"), None);
        for dir in ["pool", "pool/inside", "link", "link/inside", "."] {
            assert_eq!(refused(dir), Some("pool"), "{dir}");
        }
        assert_eq!((refused("file"), refused("none")), (Some("file"), Some("other")));
    }
}
