//! The processes that serve mounts, known by their command lines.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyfs_lvm::fuse::{Mounted, mounted_on as found_on};
use anyfs_lvm::owner::Client;
use anyfs_lvm::pv::{FamilyUuid, Host, ProcessState, RealHost};

use super::helper;
use super::stale::listed;
use crate::args::LvName;
use crate::cli::Verb;
use crate::commands::mount::Mount;

/// A process that serves a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) pid: u32,
    /// The volume.
    pub(crate) name: LvName,
    /// Where it is, or will be, mounted.
    pub(crate) dir: PathBuf,
}

impl Owner {
    /// What it does.
    pub(crate) fn state(&self) -> ProcessState {
        RealHost.process(self.pid)
    }
}

/// All others that can be seen: this process may be about to serve one.
pub(crate) fn owners() -> Vec<Owner> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id()).filter_map(owner).collect()
}

/// What a process serves.
pub(crate) fn owner(pid: u32) -> Option<Owner> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words: Vec<OsString> =
        line.strip_suffix(b"\0")?.split(|byte| *byte == 0).map(|word| OsStr::from_bytes(word).to_owned()).collect();
    let (name, dir) = serving(&words)?;
    let here = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    Some(Owner { pid, name, dir: listed(&here.join(dir)) })
}

/// Where the process that has a family's volume has mounted it, or is about to: what it says itself, else what its command
/// line says.
pub(crate) fn mounted_on(family: FamilyUuid, pid: u32) -> Option<PathBuf> {
    let said = Client::find(family, pid).ok().flatten().and_then(|client| client.served().mounted.clone());
    said.or_else(|| owner(pid).map(|owner| owner.dir))
}

/// What a process has mounted, as far as that can be seen from here.
pub(crate) fn mounted_by(pid: u32) -> Option<Mounted> {
    found_on(&owner(pid)?.dir).ok()?
}

/// What a command line says about a mount that its process serves by itself.
fn serving(words: &[OsString]) -> Option<(LvName, PathBuf)> {
    let (program, rest) = words.split_first()?;
    let program = PathBuf::from(program);
    let mount = if program.file_name().and_then(OsStr::to_str).is_some_and(helper::is_named) {
        Mount::read(std::iter::once("mount".into()).chain(helper::words(rest)?).collect()).ok()?
    } else {
        let at = words.iter().position(|word| word == "mount")?;
        Mount::read(words.get(at..)?.to_vec()).ok()?
    };
    mount.serves()
}

/// The process that serves a mount.
pub(crate) fn of(mounted: &Mounted, all: &[Owner]) -> Option<Owner> {
    all.iter().find(|owner| owner.dir == mounted.dir).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        serving(&words).map(|(name, dir)| format!("{name} {}", dir.display()))
    }

    #[test]
    fn a_process_that_serves_a_mount_is_known_by_its_words() {
        assert_eq!(said("anyfs-lvm mount --foreground v/l /mnt").unwrap(), "v/l /mnt");
        assert_eq!(said("/bin/anyfs-lvm --pool p mount -f -o ro v/l mnt").unwrap(), "v/l mnt");
        assert_eq!(said("anyfs-lvm mount v/l /mnt -f").unwrap(), "v/l /mnt");
    }

    #[test]
    fn other_processes_serve_nothing() {
        for line in
            ["anyfs-lvm mount v/l /mnt", "anyfs-lvm mount", "mount -t ext4 x /y", "sh -c mount", "anyfs-lvm lvs"]
        {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
