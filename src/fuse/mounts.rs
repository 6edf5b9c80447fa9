//! What is mounted on this system, and taking it away.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use super::error::MountError;

/// The type of filesystem in the list of mounts.
pub const MOUNT_TYPE: &str = "fuse.anyfs-lvm";
/// The list of mounts that this process sees.
const LIST: &str = "/proc/self/mountinfo";

/// A volume that is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// What it is called.
    pub source: OsString,
    /// Where.
    pub dir: PathBuf,
    /// Its options, as mount(8) lists them.
    pub options: String,
    /// The device number of its files, in the form `MAJOR:MINOR`; no other mount has it.
    pub device: String,
}

/// The volumes that are mounted, those mounted last at the end.
///
/// # Errors
/// [`MountError::List`].
pub fn mounts() -> Result<Vec<Mounted>, MountError> {
    let text = std::fs::read(LIST).map_err(|source| MountError::List { path: LIST.into(), source })?;
    Ok(text.split(|byte| *byte == b'\n').filter_map(parse).collect())
}

/// The volume that is mounted on a folder, by its real path: the last one on top.
///
/// # Errors
/// [`MountError::List`].
pub fn mounted_on(dir: &Path) -> Result<Option<Mounted>, MountError> {
    Ok(mounts()?.into_iter().rev().find(|mounted| mounted.dir == dir))
}

/// Reads a line of the list, if it is about a volume.
fn parse(line: &[u8]) -> Option<Mounted> {
    let mut words = line.split(|byte| *byte == b' ');
    let device = text(words.nth(2)?);
    let dir = PathBuf::from(OsString::from_vec(unescaped(words.nth(1)?)));
    let options = text(words.next()?);
    // Any number of fields with a dash behind them.
    words.by_ref().find(|word| *word == b"-")?;
    if words.next()? != MOUNT_TYPE.as_bytes() {
        return None;
    }
    let source = OsString::from_vec(unescaped(words.next()?));
    let rest = words.next().map(text).unwrap_or_default();
    // What both say is said once.
    let first: Vec<&str> = options.split(',').collect();
    let more = rest.split(',').filter(|word| !first.contains(word) && !matches!(*word, "rw" | "ro" | ""));
    let options = first.iter().copied().chain(more).collect::<Vec<_>>().join(",");
    Some(Mounted { source, dir, options, device })
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// A word with its blanks and other escapes (`\040`) as they were.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((byte, more)) = rest.split_first() {
        rest = more;
        let code = more.get(..3).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        match code.filter(|_| *byte == b'\\') {
            Some(code) => {
                out.push(code);
                rest = more.get(3..).unwrap_or_default();
            }
            None => out.push(*byte),
        }
    }
    out
}

/// Unmounts what is mounted on a folder; with `lazy` it disappears at once and ends when nobody uses it any more.
///
/// The kernel writes out what it has cached before this returns; the process that serves the mount then commits it and
/// gives the volume free. While that one does not answer, this waits, and no signal ends it: whoever may not hang calls it
/// in a process that can be done without.
///
/// # Errors
/// [`MountError::Busy`], [`MountError::NotMounted`], [`MountError::NoHelper`], [`MountError::NotUnmounted`].
pub fn unmount(dir: &Path, lazy: bool) -> Result<(), MountError> {
    let flags = if lazy { UnmountFlags::DETACH } else { UnmountFlags::empty() };
    let dir_owned = || dir.to_owned();
    match rustix::mount::unmount(dir, flags | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::BUSY) => Err(MountError::Busy { dir: dir_owned() }),
        Err(Errno::INVAL) => Err(MountError::NotMounted { dir: dir_owned() }),
        Err(Errno::PERM) => by_helper(dir, lazy),
        Err(error) => Err(MountError::NotUnmounted { dir: dir_owned(), source: error.into() }),
    }
}

/// Unmounts as a user without rights may.
fn by_helper(dir: &Path, lazy: bool) -> Result<(), MountError> {
    let mut command = Command::new("fusermount3");
    command.arg(if lazy { "-uz" } else { "-u" }).arg("--").arg(dir);
    let output = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output();
    let output = output.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => MountError::NoHelper { dir: dir.to_owned() },
        _ => MountError::NotUnmounted { dir: dir.to_owned(), source },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = text(&output.stderr);
    let said = said.trim().trim_start_matches("fusermount3: ");
    if said.contains("busy") {
        return Err(MountError::Busy { dir: dir.to_owned() });
    }
    if said.contains("not found in") {
        return Err(MountError::NotMounted { dir: dir.to_owned() });
    }
    Err(MountError::NotUnmounted { dir: dir.to_owned(), source: io::Error::other(said.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_list_are_read() {
        let line =
            b"36 35 0:98 / /mnt/my\\040files rw,noatime shared:1 - fuse.anyfs-lvm tank/home rw,user_id=0,group_id=0";
        let mounted = parse(line).unwrap();
        assert_eq!(mounted.dir, Path::new("/mnt/my files"));
        assert_eq!((mounted.source.to_str(), mounted.device.as_str()), (Some("tank/home"), "0:98"));
        assert_eq!(mounted.options, "rw,noatime,user_id=0,group_id=0");
        let plain = b"36 35 0:98 / /mnt rw - fuse.anyfs-lvm tank/home rw";
        assert_eq!(parse(plain).unwrap().options, "rw");
        for other in [&b"36 35 98:0 / /mnt rw - ext4 /dev/sda rw"[..], b"", b"36 35 0:98"] {
            assert_eq!(parse(other), None);
        }
    }

    #[test]
    fn escapes_are_undone_and_nothing_else() {
        assert_eq!(unescaped(br"a\040b\134c"), br"a b\c");
        assert_eq!(unescaped(br"a\9b\"), br"a\9b\");
    }

    #[test]
    fn what_is_not_mounted_is_not_unmounted() {
        let dir = tempfile::tempdir().unwrap();
        let error = unmount(dir.path(), false).unwrap_err();
        assert!(matches!(error, MountError::NotMounted { .. } | MountError::NoHelper { .. }), "{error}");
    }
}
