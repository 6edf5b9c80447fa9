//! Where a volume can be mounted.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pv::side_folder;
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

/// Refuses a mount point that would hide one of the files that the volume lives on, or that whoever looks for PVs would
/// look at: a folder that holds such a file, one above it, and in it those that have the name of a PV (`*.db`), or of what
/// lies beside one (`*.db.d`), with all that is in them. Reading them would ask the mount, which asks for them.
///
/// # Errors
/// [`MountError::InsidePool`]; [`MountError::Stale`], [`MountError::Point`] and [`MountError::NotDirectory`] about `dir`.
pub fn ensure_outside<'a>(dir: &Path, files: impl IntoIterator<Item = &'a Path>) -> Result<(), MountError> {
    let real = mount_point(dir)?;
    for file in files {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A file that is missing is not read.
        let Ok(folder) = folder.canonicalize() else { continue };
        let among = real
            .strip_prefix(&folder)
            .ok()
            .and_then(|below| below.iter().next())
            .is_some_and(|name| is_named_as_pv(name) || side_folder(file).file_name() == Some(name));
        if among || folder.starts_with(&real) {
            return Err(MountError::InsidePool { dir: dir.to_owned(), files: folder });
        }
    }
    Ok(())
}

/// Whether a file of this name would be taken for a PV, or for what lies beside one.
fn is_named_as_pv(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.strip_suffix(b".d").unwrap_or(name).ends_with(b".db")
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
        for dir in ["pool/disk1.db.d/x", "pool/disk2.db", "pool/disk2.db.d", "pool/raw.d", "pool/inside/a.db"] {
            std::fs::create_dir_all(at(dir)).unwrap();
        }
        std::fs::write(at("file"), "").unwrap();
        std::os::unix::fs::symlink("pool", at("link")).unwrap();
        // A PV that is named to the commands may be called anything.
        let pvs = [at("pool/disk1.db"), at("pool/raw")];
        let refused = |dir: &str| match ensure_outside(&at(dir), pvs.iter().map(PathBuf::as_path)) {
            Ok(()) => None,
            Err(MountError::InsidePool { .. }) => Some("pool"),
            Err(MountError::NotDirectory { .. }) => Some("file"),
            Err(_) => Some("other"),
        };
        for dir in ["elsewhere", "pool/inside", "link/inside", "pool/inside/a.db"] {
            assert_eq!(refused(dir), None, "{dir}");
        }
        for dir in ["pool", "link", "."] {
            assert_eq!(refused(dir), Some("pool"), "{dir}");
        }
        let names = ["disk1.db.d", "disk1.db.d/x", "raw.d", "disk2.db", "disk2.db.d"];
        for dir in names.iter().flat_map(|name| [format!("pool/{name}"), format!("link/{name}")]) {
            assert_eq!(refused(&dir), Some("pool"), "{dir}");
        }
        assert_eq!((refused("file"), refused("none")), (Some("file"), Some("other")));
    }
}
