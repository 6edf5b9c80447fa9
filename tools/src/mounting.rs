//! Opening volumes: for what a command does to them, and as far as that is possible.

use std::path::{Path, PathBuf};

use anyfs_lvm::lv::{LvError, VolumeNotice, VolumeOptions};
use anyfs_lvm::owner::Client;
use anyfs_lvm::pv::{Access, FamilyUuid, Holder, ProcessState, PvError, side_folder};
use anyfs_lvm::vg::{self, VgError, VolumeGroup};

use crate::args::LvName;
use crate::failure::{Done, Failure, chain};
use crate::files::io_text;
use crate::files::volume::{Active, Mount};
use crate::picture::shown;
use crate::session::Session;
use crate::ui::Ui;

/// What a command does to a volume.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Only reads it: when that is all that is possible, it will do.
    Read,
    /// Changes it.
    Write,
    /// Changes it, or only reads it when that is all that is possible: which is told.
    WriteOrRead,
    /// Only reads it, and leaves it as it is.
    OnlyRead,
}

/// Why a volume was not opened.
struct Refused {
    failure: Failure,
    /// Reading it may be possible all the same.
    readable: bool,
    /// The family of the volume and the process that has it, if that one can be asked.
    owner: Option<(FamilyUuid, u32)>,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, readable: false, owner: None }
    }
}

/// What has to be so before a volume of a group is opened.
type Check<'a> = dyn Fn(&VolumeGroup) -> Done + 'a;

const READ_ONLY: fn() -> VolumeOptions = || VolumeOptions { read_only: true, ..VolumeOptions::default() };

impl Session {
    /// Opens a volume, or goes through the process that has it and serves others.
    pub(crate) fn mount(&self, ui: &mut Ui<'_>, name: &LvName, wanted: Use) -> Done<Mount> {
        self.open(ui, name, wanted, &|_| Ok(())).map(Mount::from).or_else(|refused| through(ui, name, wanted, refused))
    }

    /// Opens a volume for this process alone, unless `check` refuses, which sees the group before anything is done to the
    /// volume.
    pub(crate) fn mount_if(&self, ui: &mut Ui<'_>, name: &LvName, wanted: Use, check: &Check<'_>) -> Done<Active> {
        self.open(ui, name, wanted, check).map_err(|refused| refused.failure)
    }

    fn open(&self, ui: &mut Ui<'_>, name: &LvName, wanted: Use, check: &Check<'_>) -> Result<Active, Refused> {
        if let Some(why) = self.unwritable(name)? {
            return self.mount_unwritable(ui, name, wanted, &why, check);
        }
        let mut group = self.group(ui, &name.vg, Access::ReadWrite)?;
        check(&group)?;
        if wanted == Use::OnlyRead {
            return self.mount_to_read(ui, &mut group, name);
        }
        let Refused { failure, .. } = match self.activate(ui, &mut group, name, VolumeOptions::default()) {
            Err(refused) if refused.readable => refused,
            done => return done,
        };
        // What keeps it from being read, too, is told by the first failure as well.
        let Ok(mount) = self.activate(ui, &mut group, name, READ_ONLY()) else { return Err(failure.into()) };
        let why = failure.lines.join("; ");
        let why = why.strip_prefix(&format!("{name}: ")).unwrap_or(&why);
        match wanted {
            Use::Read | Use::WriteOrRead | Use::OnlyRead => {
                ui.warn(&format!("{name} can only be read: {why}"));
                if let Some(hint) = &failure.hint {
                    ui.complain(&format!("hint: {hint}"));
                }
                Ok(mount)
            }
            Use::Write => Err(Failure { lines: vec![format!("{name} can only be read: {why}")], ..failure }.into()),
        }
    }

    /// Takes a volume over from whoever has it, and gives it free.
    pub(crate) fn take_over(&self, ui: &mut Ui<'_>, name: &LvName) -> Done {
        let mut group = self.group(ui, &name.vg, Access::ReadWrite)?;
        let options = VolumeOptions { takeover: true, ..VolumeOptions::default() };
        let mount = self.activate(ui, &mut group, name, options).map_err(|refused| refused.failure)?;
        mount.volume.close().map_err(|error| Failure::new(format!("{name}: {}", chain(&error))))
    }

    /// Opens a volume with a file that cannot be written.
    fn mount_unwritable(
        &self,
        ui: &mut Ui<'_>,
        name: &LvName,
        wanted: Use,
        why: &str,
        check: &Check<'_>,
    ) -> Result<Active, Refused> {
        let (mut group, notices) = self.find_group(&name.vg, Access::ReadOnly)?;
        self.refuse_interrupted(&group).map_err(|failure| {
            failure.hint(format!("roll it back where it can be written (here: {why}) with: {}", self.words("df")))
        })?;
        self.tell(ui, &notices);
        check(&group)?;
        let mount = self.mount_to_read(ui, &mut group, name)?;
        match wanted {
            Use::Write => {
                let failure = Failure::new(format!("{name} can only be read: {why}"));
                return Err(failure.hint("make the files writable for this user").into());
            }
            Use::WriteOrRead => ui.warn(&format!("{name} can only be read: {why}")),
            Use::Read | Use::OnlyRead => ui.detail(&format!("{name} is only read: {why}")),
        }
        Ok(mount)
    }

    /// Opens a volume to be read, and says which of its files are not.
    fn mount_to_read(&self, ui: &mut Ui<'_>, group: &mut VolumeGroup, name: &LvName) -> Result<Active, Refused> {
        let mount = self.activate(ui, group, name, READ_ONLY())?;
        for notice in mount.volume.notices() {
            ui.warn(&notice.to_string());
        }
        Ok(mount)
    }

    fn activate(
        &self,
        ui: &mut Ui<'_>,
        group: &mut VolumeGroup,
        name: &LvName,
        options: VolumeOptions,
    ) -> Result<Active, Refused> {
        let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
        let lv = vg::LvName::new(&name.lv).map_err(|_| missing())?;
        let volume = anyfs_lvm::activate(&self.env, group, &lv, options).map_err(|error| {
            let readable = is_readable(&error);
            let family = group.lv(&lv).ok().map(|record| record.family);
            let owner = family.zip(asked(&error));
            let mut failure = Failure::new(format!("{name}: {}", chain(&error)));
            failure.hint = self.hint(&error);
            let failure = match error {
                anyfs_lvm::Error::Vg(VgError::LvNotFound { .. }) => missing(),
                anyfs_lvm::Error::Lv(LvError::InUse { owner }) if !answers(&owner) => {
                    let command = self.words(&format!("lvchange -ay --takeover {name}"));
                    failure.hint(format!("continue or end it, or take the volume over: {command}"))
                }
                _ => failure,
            };
            Refused { failure, readable, owner }
        })?;
        let mount = Active { volume, name: name.clone() };
        let copies = group.lv(&lv).map_or(2, |record| group.descriptor().wanted_copies(record)).max(2);
        self.tell_given_up(ui, &mount, copies);
        Ok(mount)
    }

    /// What to do next about an error of the library.
    pub(crate) fn hint(&self, error: &anyfs_lvm::Error) -> Option<String> {
        match error {
            anyfs_lvm::Error::Lv(LvError::InUse { owner }) if answers(owner) => owner.pid.and_then(mounted_by),
            _ => None,
        }
        .or_else(|| error.hint().map(|hint| self.placed(hint)))
    }

    /// Says which copies of the metadata were given up, and how there are as many again.
    fn tell_given_up(&self, ui: &mut Ui<'_>, mount: &Active, copies: u32) {
        let given_up = |notice: &&VolumeNotice| matches!(notice, VolumeNotice::CopyGivenUp { .. });
        let mut told = mount.volume.notices().iter().filter(given_up).peekable();
        if told.peek().is_some() {
            told.for_each(|notice| ui.warn(&notice.to_string()));
            let command = format!("lvconvert --metadatacopies {copies} {}", mount.name);
            ui.complain(&format!("hint: make another copy with: {}", self.words(&command)));
        }
    }

    /// Why a file of the volume's group cannot be written, if one cannot.
    fn unwritable(&self, name: &LvName) -> Done<Option<String>> {
        // Most of the time nothing in sight is, and whose files they are need not be known.
        if self.in_sight()?.iter().all(|path| locked_out(path).is_none()) {
            return Ok(None);
        }
        let (group, _) = self.find_group(&name.vg, Access::ReadOnly)?;
        Ok(group.pvs().iter().find_map(|member| locked_out(&member.path)))
    }

    /// The files that may be PVs.
    fn in_sight(&self) -> Done<Vec<PathBuf>> {
        let mut files = Vec::new();
        for path in self.paths()? {
            match std::fs::read_dir(&path) {
                Ok(entries) => files.extend(entries.flatten().map(|entry| entry.path())),
                Err(_) => files.push(path),
            }
        }
        files.retain(|file| file.extension().is_some_and(|end| end == "db") && file.is_file());
        Ok(files)
    }
}

/// A volume as the process has it that keeps it from being opened here, if that one serves others.
fn through(ui: &mut Ui<'_>, name: &LvName, wanted: Use, refused: Refused) -> Done<Mount> {
    let Refused { failure, owner, .. } = refused;
    let Some((family, pid)) = owner else { return Err(failure) };
    let found = Client::find(family, pid).map_err(|error| {
        let hint = error.hint().map(str::to_owned);
        Failure { hint, ..Failure::new(format!("{name}: {}", chain(&error))) }
    })?;
    let Some(client) = found else { return Err(failure) };
    if client.served().read_only && wanted == Use::Write {
        return Err(Failure::new(format!("{name} can only be read: process {pid} has it only to be read")));
    }
    ui.detail(&format!("{name} is used through process {pid}."));
    Ok(Mount { volume: client.into(), name: name.clone() })
}

/// The process to go through when a volume is not opened because another one has it.
fn asked(error: &anyfs_lvm::Error) -> Option<u32> {
    match error {
        anyfs_lvm::Error::Lv(LvError::InUse { owner }) if answers(owner) => owner.pid,
        _ => None,
    }
}

/// Whether a volume that cannot be opened for this reason may be read all the same.
fn is_readable(error: &anyfs_lvm::Error) -> bool {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    match error {
        anyfs_lvm::Error::Lv(LvError::CopyLost { .. } | LvError::CopyUnread { .. }) => true,
        anyfs_lvm::Error::Lv(LvError::Pv(PvError::Io { source, .. })) => {
            matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem)
        }
        _ => false,
    }
}

/// Why a PV, or what lies beside it, cannot be written though it is there. Locking a file takes no right to write it.
pub(crate) fn locked_out(pv: &Path) -> Option<String> {
    use rustix::fs::Access as Right;
    let beside = side_folder(pv);
    let needs = [(pv.to_owned(), Right::WRITE_OK), (beside.join("pv.lock"), Right::READ_OK), (beside, Right::WRITE_OK)];
    needs.into_iter().find_map(|(path, right)| {
        let denied = rustix::fs::access(&path, right).err()?;
        let known = [rustix::io::Errno::ACCESS, rustix::io::Errno::PERM, rustix::io::Errno::ROFS].contains(&denied);
        known.then(|| format!("{}: {}", shown(&path), io_text(&denied.into())))
    })
}

/// What to do about the process of that number, if it has the volume because it serves a mount.
#[cfg(target_os = "linux")]
fn mounted_by(pid: u32) -> Option<String> {
    let dir = shown(&crate::mount::owners::mounted_by(pid)?.dir);
    Some(format!("use it on {dir}, or unmount it first: anyfs-lvm umount {dir}"))
}

#[cfg(not(target_os = "linux"))]
fn mounted_by(_: u32) -> Option<String> {
    None
}

/// Whether the owner of a volume can be waited for.
pub(crate) fn answers(owner: &Holder) -> bool {
    !matches!(owner.state, ProcessState::Stopped | ProcessState::Gone)
}
