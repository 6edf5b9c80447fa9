//! Where sockets lie: in a folder that nobody but their user can enter.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use pv::FamilyUuid;
use rustix::io::Errno;
use rustix::net::SocketAddrUnix;
use rustix::process::{Pid, geteuid, test_kill_process};

use super::error::{OwnerError, Result};
use super::peer;

/// What the names of sockets end in.
const END: &str = ".sock";

/// The folders in which the sockets of this user may lie, the best one first. A process without a session (one that the
/// system started) does not know what a session is told by its environment, so all of them are looked at.
fn folders() -> Vec<PathBuf> {
    let uid = geteuid().as_raw();
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    let mut all: Vec<PathBuf> = Vec::new();
    for base in named.into_iter().chain([usual]) {
        let folder = base.join("anyfs-lvm");
        // Who else can write to it could put another folder in its place.
        if owned(&base, 0o022).is_ok() && !all.contains(&folder) {
            all.push(folder);
        }
    }
    all.push(PathBuf::from(format!("/tmp/anyfs-lvm-{uid}")));
    all
}

/// Whether a path is a folder of this user's, no link to one, which grants others none of these rights.
fn owned(folder: &Path, rights: u32) -> Result<(), String> {
    let why = |found: Metadata| match () {
        () if !found.is_dir() => Some("not a folder"),
        () if found.uid() != geteuid().as_raw() => Some("another user's"),
        () if found.mode() & rights != 0 => Some("open to others"),
        () => None,
    };
    match fs::symlink_metadata(folder).map(why) {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(format!("{}: {why}", folder.display())),
        Err(error) => Err(format!("{}: {}", folder.display(), pv::chain(&error))),
    }
}

/// Refuses a path that is too long for a socket.
fn ensure_short(path: &Path) -> Result<(), String> {
    let long = SocketAddrUnix::new(path).is_err();
    if long { Err(format!("{}: too long for a socket", path.display())) } else { Ok(()) }
}

/// Makes a folder for sockets, or says what is wrong with the one that is there.
fn make(folder: &Path) -> Result<(), String> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(format!("{}: {}", folder.display(), pv::chain(&error))),
    }
    // In `/tmp` only its owner can put something else in its place afterwards.
    owned(folder, 0o077)
}

/// The socket of the process of this number for a family: copies of a pool may be in use at the same time.
fn name(family: FamilyUuid, pid: u32) -> String {
    format!("{family}.{pid}{END}")
}

/// A path for the socket of this process; nothing has it. Sockets of processes that are gone are removed.
///
/// # Errors
/// [`OwnerError::NoFolder`], [`OwnerError::AlreadyServed`].
pub(super) fn own(family: FamilyUuid) -> Result<PathBuf> {
    let mut tried = Vec::new();
    let name = name(family, std::process::id());
    let mut usable = |folder: &PathBuf| {
        let usable = ensure_short(&folder.join(&name)).and_then(|()| make(folder));
        usable.map_err(|why| tried.push(why)).is_ok()
    };
    let found = folders().into_iter().find(&mut usable);
    let folder = found.ok_or_else(|| OwnerError::NoFolder { tried: tried.join("; ") })?;
    sweep(&folder);
    let path = folder.join(name);
    if path.symlink_metadata().is_ok() {
        return Err(OwnerError::AlreadyServed { path });
    }
    Ok(path)
}

/// The sockets that a process may have for a family.
pub(super) fn of(family: FamilyUuid, pid: u32) -> Vec<PathBuf> {
    let name = name(family, pid);
    let there = |path: &PathBuf| path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket());
    let safe = folders().into_iter().filter(|folder| owned(folder, 0o077).is_ok());
    safe.map(|folder| folder.join(&name)).filter(there).collect()
}

/// Removes sockets that nobody serves any more. That is no matter of correctness, and of no concern if it fails.
fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_suffix(END)?.rsplit_once('.')?.1.parse().ok());
        if pid.is_some_and(|pid| is_left(pid, &entry.path())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a socket belongs to a process of that number that is gone. A number may be another process's by now; one that
/// only just makes its socket is there.
fn is_left(pid: i32, path: &Path) -> bool {
    let gone = Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH));
    let own = i32::try_from(std::process::id()) == Ok(pid);
    (gone || own) && matches!(peer::connect(path), Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_for_sockets_is_made_and_must_be_this_users_alone() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("sockets");
        make(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        make(&folder).unwrap();
        symlink(&folder, temp.path().join("link")).unwrap();
        assert!(make(&temp.path().join("link")).unwrap_err().ends_with("link: not a folder"));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o710)).unwrap();
        assert!(make(&folder).unwrap_err().ends_with("sockets: open to others"));
        fs::write(temp.path().join("file"), "").unwrap();
        assert!(make(&temp.path().join("file")).unwrap_err().ends_with("file: not a folder"));
        assert!(make(&temp.path().join("none/sockets")).is_err());
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused() {
        let file = name(FamilyUuid::random().unwrap(), u32::MAX);
        assert_eq!(ensure_short(&Path::new("/run/user/4294967295/anyfs-lvm").join(&file)), Ok(()));
        let long = Path::new("/tmp").join("x".repeat(80)).join(file);
        assert!(ensure_short(&long).unwrap_err().ends_with(": too long for a socket"));
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        // Of root's, or of somebody else's where the test is root.
        let temp = tempfile::tempdir().unwrap();
        let other = if geteuid().is_root() {
            std::os::unix::fs::chown(temp.path(), Some(4242), None).unwrap();
            temp.path()
        } else {
            Path::new("/")
        };
        assert!(owned(other, 0o022).unwrap_err().ends_with("another user's"));
    }

    #[test]
    fn sockets_of_processes_that_are_gone_are_removed_and_no_others() {
        let temp = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let family = FamilyUuid::random().unwrap();
        let at = |pid| temp.path().join(name(family, pid));
        let (left, reused, served) = (at(child.id()), at(std::process::id()), at(1));
        for path in [&left, &reused, &served] {
            // The name stays when its socket is closed.
            drop(std::os::unix::net::UnixListener::bind(path).unwrap());
        }
        fs::write(temp.path().join("other"), "").unwrap();
        sweep(temp.path());
        assert!(!left.exists() && !reused.exists() && served.exists() && temp.path().join("other").exists());
        let listener = std::os::unix::net::UnixListener::bind(&reused).unwrap();
        sweep(temp.path());
        assert!(reused.exists());
        drop(listener);
    }
}
