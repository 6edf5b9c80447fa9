//! One run of a command: where it looks for PVs, and the things every command does the same way.

use std::path::{Path, PathBuf};

use anyfs_lvm::pv::{Env, PvUuid};

use crate::args::Common;
use crate::devices::Devices;
use crate::failure::{Done, Failure, code};
use crate::picture::shown;

/// Where PVs are looked for.
#[derive(Debug)]
enum Place {
    /// All `*.db` files of a folder.
    Folder(PathBuf),
    /// These files.
    Files(Vec<PathBuf>),
    /// Those of the devices list.
    Listed,
}

/// A run of a command.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) env: Env,
    /// `-t`.
    pub(crate) test: bool,
    place: Place,
}

impl Session {
    /// A session as the common options want it.
    pub(crate) fn new(common: &Common) -> Done<Self> {
        let place = match (&common.pool, common.devices.is_empty()) {
            (Some(_), false) => {
                let failure = Failure::new("--pool and --devices exclude each other.");
                return Err(Failure { code: code::USAGE, ..failure });
            }
            (Some(dir), true) => Place::Folder(existing_folder(dir)?),
            (None, false) => Place::Files(common.devices.clone()),
            (None, true) => Place::Listed,
        };
        Ok(Self { env: Env::system(), test: common.test, place })
    }

    /// A session on the pool in `dir`.
    pub(crate) fn in_folder(dir: &Path) -> Done<Self> {
        Ok(Self { env: Env::system(), test: false, place: Place::Folder(existing_folder(dir)?) })
    }

    /// Files and folders to look at.
    pub(crate) fn paths(&self) -> Done<Vec<PathBuf>> {
        match &self.place {
            Place::Folder(dir) => Ok(vec![dir.clone()]),
            Place::Files(files) => Ok(files.clone()),
            // A listed file that is gone is not an error here: its volume group says what is missing. One that cannot be
            // reached is not gone.
            Place::Listed => {
                let there = |path: &PathBuf| path.try_exists().unwrap_or(true);
                Ok(Devices::from_env()?.read()?.into_values().filter(there).collect())
            }
        }
    }

    /// Whether PVs are found through the devices list.
    pub(crate) fn is_listed(&self) -> bool {
        matches!(self.place, Place::Listed)
    }

    /// Whether PVs are those named with `--devices`.
    pub(crate) fn is_files(&self) -> bool {
        matches!(self.place, Place::Files(_))
    }

    /// Whether PVs are those of a folder.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.place, Place::Folder(_))
    }

    /// The command line `rest` for the same PVs, for hints: where they are is said as the user said it.
    pub(crate) fn words(&self, rest: &str) -> String {
        self.placed(format!("anyfs-lvm {rest}"))
    }

    /// A hint of the library. Where it ends with a command line, where the PVs are is added.
    pub(crate) fn placed(&self, hint: String) -> String {
        match &self.place {
            _ if !hint.contains("anyfs-lvm ") => hint,
            Place::Folder(dir) => format!("{hint} --pool {}", word(dir)),
            Place::Files(files) => {
                let files: Vec<String> = files.iter().map(|file| word(file)).collect();
                format!("{hint} --devices {}", files.join(","))
            }
            Place::Listed => hint,
        }
    }

    /// Where descriptors are kept before each change: beside the devices list, for pools that are found through it.
    pub(crate) fn archive(&self) -> Option<PathBuf> {
        if self.is_listed() { Devices::from_env().ok().map(|devices| devices.archive()) } else { None }
    }

    /// Remembers where a PV is, for commands without `--pool` and `--devices`.
    pub(crate) fn register(&self, uuid: PvUuid, path: &Path) -> Done {
        // A pool that is always named on the command line needs no list, and may be used where none can be kept.
        if !self.is_listed() {
            return self.heal(&[(uuid, path.to_owned())]);
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Devices::from_env()?.update(|list| drop(list.insert(uuid.to_string(), path)))
    }

    /// Forgets a PV that no longer exists.
    pub(crate) fn unregister(&self, uuid: PvUuid) -> Done {
        match Devices::from_env() {
            Ok(devices) if devices.read()?.contains_key(&uuid.to_string()) => {
                devices.update(|list| drop(list.remove(&uuid.to_string())))
            }
            Err(failure) if self.is_listed() => Err(failure),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Corrects the entries of PVs that are listed under another path, or (when the list is in use) not at all.
    pub(crate) fn heal(&self, seen: &[(PvUuid, PathBuf)]) -> Done {
        let devices = match Devices::from_env() {
            Ok(devices) => devices,
            Err(failure) if self.is_listed() => return Err(failure),
            Err(_) => return Ok(()),
        };
        let list = devices.read().unwrap_or_default();
        let wrong: Vec<_> = seen
            .iter()
            .map(|(uuid, path)| (uuid.to_string(), path))
            .filter(|(uuid, path)| match list.get(uuid) {
                Some(listed) => listed != *path && !listed.exists(),
                None => self.is_listed(),
            })
            .collect();
        if wrong.is_empty() {
            return Ok(());
        }
        // The list is a cache: not being able to correct it is no reason to fail.
        let _ = devices.update(|list| {
            for (uuid, path) in wrong {
                list.insert(uuid, path.clone());
            }
        });
        Ok(())
    }

    /// What to say when the list names PVs and none of them is where it was.
    pub(crate) fn lost(&self) -> Done<Option<String>> {
        if !self.is_listed() || !self.paths()?.is_empty() {
            return Ok(None);
        }
        let list = Devices::from_env()?.read()?;
        Ok(list.values().next().map(|one| {
            let folder = shown(one.parent().unwrap_or(one));
            format!("None of the {} known physical volumes was found (they were in {folder}).", list.len())
        }))
    }

    /// Free bytes of the host filesystem where `path` is or will be.
    pub(crate) fn host_free(&self, path: &Path) -> Option<u64> {
        let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.env.host.space(folder).ok().map(|space| space.free.get())
    }
}

/// What to do when all known PVs are somewhere else.
pub(crate) const SAY_WHERE: &str = "say where they are now, once: --pool DIR";

/// A path as a word of a shell's command line.
fn word(path: &Path) -> String {
    let name = shown(path);
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:=@%".contains(c);
    if name.chars().all(plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) }
}

/// What `--test` can check about a new PV.
pub(crate) fn check_new(path: &Path) -> Done {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Failure::new(format!("{}: not a folder", shown(folder)))),
        Err(error) => Err(Failure::new(format!("{}: {}", shown(folder), crate::files::io_text(&error)))),
    }
}

/// LVM's two lines for a volume group that is not there.
pub(crate) fn group_not_found(name: &str) -> Failure {
    Failure::new(format!("Volume group \"{name}\" not found")).line(format!("Cannot process volume group {name}"))
}

fn existing_folder(dir: &Path) -> Done<PathBuf> {
    match std::fs::metadata(dir) {
        Ok(found) if found.is_dir() => Ok(dir.to_owned()),
        Ok(_) => Err(Failure::new(format!("{}: not a folder", shown(dir))).hint("give a PV file with --devices FILE")),
        Err(error) => Err(Failure::new(format!("{}: {}", shown(dir), crate::files::io_text(&error)))),
    }
}
