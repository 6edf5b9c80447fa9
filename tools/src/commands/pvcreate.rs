//! `pvcreate`.

use std::path::{Path, PathBuf};

use anyfs_lvm::pv::units::Unit;
use anyfs_lvm::pv::{Access, Bytes, ExtentSize, Pv, PvError, PvOptions, PvUuid};

use super::Entry;
use super::pvremove::delete;
use crate::args::{Common, size};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::in_use;
use crate::picture::shown;
use crate::session::{Session, check_new};
use crate::sight::vg_failure;
use crate::sizes::long;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<PvCreate>("Make files physical volumes (PV)");

/// How new PVs are made; also taken by vgcreate and vgextend, which make the files that do not exist.
#[derive(Debug, clap::Args)]
pub(crate) struct NewPv {
    /// What the file may grow to (default 16g)
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    setphysicalvolumesize: Option<String>,
    /// Take the host's space now instead of growing with use
    #[arg(long)]
    preallocate: bool,
    /// Accepted as LVM does, without effect
    #[arg(short = 'Z', long, hide = true)]
    zero: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    metadatasize: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    dataalignment: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    labelsector: Option<String>,
}

impl NewPv {
    /// The options in the library's terms.
    pub(crate) fn options(&self) -> Done<PvOptions> {
        let mut options = PvOptions { preallocate: self.preallocate, ..PvOptions::default() };
        if let Some(text) = &self.setphysicalvolumesize {
            options.capacity = Bytes(size("--setphysicalvolumesize", text, Unit::Mebi, false)?.bytes);
        }
        Ok(options)
    }
}

/// Make files physical volumes (PV)
///
/// A PV is an SQLite file. It is created; a file that exists already is only replaced with -ff.
#[derive(Debug, clap::Parser)]
#[command(name = "pvcreate", version, disable_version_flag = true)]
pub(crate) struct PvCreate {
    /// The files, by custom NAME.db
    #[arg(required = true, value_name = "PV")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    new: NewPv,
    /// Give the PV this UUID
    #[arg(short, long)]
    uuid: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    norestorefile: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for PvCreate {
    const NAME: &'static str = "pvcreate";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let mut options = self.new.options()?;
        if let Some(text) = &self.uuid {
            let uuid: PvUuid = text.parse().map_err(|_| Failure::argument("--uuid", text, ""))?;
            if self.paths.len() > 1 {
                return Err(Failure::usage(Self::NAME, "Can only set uuid on one volume at once"));
            }
            options.uuid = Some(uuid);
        }
        let force = self.common.force;
        ui.each(&self.paths, |ui, path| initialize(&session, ui, path, &options, force))
    }
}

/// Makes `path` a PV, asking and refusing as LVM does.
pub(crate) fn initialize(session: &Session, ui: &mut Ui<'_>, path: &Path, options: &PvOptions, force: u8) -> Done {
    let name = shown(path);
    let mut options = options.clone();
    options.force = allowed(session, ui, path, force)
        .map_err(|failure| failure.line(format!("{name}: physical volume not initialized.")))?;
    if let Some(free) = session.host_free(path)
        && free < options.capacity.get()
        && !options.preallocate
    {
        ui.warn(&format!(
            "{name} may grow to {}, but its host filesystem has only {} free.",
            long(options.capacity.get()),
            long(free)
        ));
    }
    if session.test {
        check_new(path)?;
    } else {
        let pv = Pv::create(&session.env, path, &options).map_err(|error| refused(&error))?;
        let registered = session.register(pv.label().pv, pv.path());
        drop(pv);
        if registered.is_err() {
            take_back(session, &[path.to_owned()]);
        }
        registered?;
    }
    ui.say(&format!("Physical volume \"{name}\" successfully created."));
    Ok(())
}

/// Makes those of `paths` PVs that do not exist, for commands that add PVs to a group. Nothing is made unless each new
/// one would hold an extent.
pub(super) fn prepare(
    session: &Session,
    ui: &mut Ui<'_>,
    paths: &[PathBuf],
    options: &PvOptions,
    extent: ExtentSize,
) -> Done<Vec<PathBuf>> {
    let new: Vec<&PathBuf> = paths.iter().filter(|path| std::fs::symlink_metadata(path).is_err()).collect();
    if let Some(path) = new.first()
        && options.capacity.get() < extent.bytes()
    {
        let (size, extent) = (long(options.capacity.get()), long(extent.bytes()));
        return Err(Failure::new(format!("{}: {size} is less than one extent ({extent}).", shown(path))));
    }
    let mut made = Vec::new();
    for path in new {
        if let Err(failure) = initialize(session, ui, path, options, 0) {
            take_back(session, &made);
            return Err(failure);
        }
        made.push(path.clone());
    }
    Ok(made)
}

/// Removes PVs that were made for a change that then failed: those that are of no group. A failure here adds nothing to
/// the one that is told.
pub(super) fn take_back(session: &Session, made: &[PathBuf]) {
    for path in made {
        let Ok(pv) = Pv::open(&session.env, path, Access::Immutable) else { continue };
        if pv.label().membership.is_none() {
            let (uuid, file) = (pv.label().pv, pv.path().to_owned());
            drop(pv);
            let _ = delete(&file);
            let _ = session.unregister(uuid);
        }
    }
}

/// Refuses when a logical volume of this group is in use: its owner would lose the PV under its hands.
pub(super) fn unused(session: &Session, ui: &mut Ui<'_>, path: &Path, group: &str) -> Done {
    // One that is only locked may well have one.
    session.scan(Access::ReadOnly)?.refuse_locked().map_err(|error| vg_failure(&error))?;
    // A group that cannot be read has no volume that is open.
    let Ok(found) = session.group(ui, group, Access::ReadOnly) else { return Ok(()) };
    match found.active_lvs().map_err(|error| vg_failure(&error))?.first() {
        None => Ok(()),
        Some((lv, owner)) => {
            let said = format!("{}: logical volume {group}/{lv} is in use by {owner}", shown(path));
            Err(in_use::explained(&said, owner, found.lv(lv).ok().map(|record| record.family)))
        }
    }
}

fn refused(error: &PvError) -> Failure {
    let failure = Failure::new(chain(error));
    match error {
        PvError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            failure.hint("make its folder first")
        }
        _ => Failure { hint: error.hint().map(str::to_owned), ..failure },
    }
}

/// Whether an existing file is to be replaced; fails when it must not be.
fn allowed(session: &Session, ui: &mut Ui<'_>, path: &Path, force: u8) -> Done<bool> {
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(false);
    }
    let name = shown(path);
    if path.is_dir() {
        return Err(Failure::new(format!("{name}: exists already and is a folder"))
            .hint("name a file in it, as in {name}/disk1.db".replace("{name}", &name)));
    }
    let special = |found: std::fs::Metadata| !found.is_file();
    if std::fs::metadata(path).is_ok_and(special) {
        return Err(Failure::new(format!("{name}: exists already and is a pipe, socket or device")));
    }
    let unforced = |failure: Failure| failure.hint(format!("replace it with: anyfs-lvm pvcreate -ff {name}"));
    match Pv::open(&session.env, path, Access::Immutable) {
        Ok(pv) => match &pv.label().membership {
            Some(member) if force < 2 => Err(Failure::new(format!(
                "Can't initialize physical volume \"{name}\" of volume group \"{}\" without -ff",
                member.name
            ))),
            Some(member) => {
                let group = &member.name;
                unused(session, ui, path, group)?;
                let ask = format!("Really INITIALIZE physical volume \"{name}\" of volume group \"{group}\" [y/n]? ");
                agreed(ui, &ask)
            }
            None if force == 0 => {
                let line = format!("{name}: already a physical volume of no volume group.");
                Err(Failure::new(line)
                    .hint(format!("use it as it is, or make it anew with: anyfs-lvm pvcreate -f {name}")))
            }
            None => Ok(true),
        },
        Err(PvError::Foreign { what, .. }) if force < 2 => {
            Err(unforced(Failure::new(format!("{name}: exists already and is {what}"))))
        }
        Err(PvError::Foreign { what, .. }) => agreed(ui, &format!("WARNING: {name} is {what}. Wipe it? [y/n]: ")),
        Err(error) if force < 2 => Err(unforced(Failure::new(chain(&error)))),
        Err(error) => agreed(ui, &format!("WARNING: {}. Wipe it? [y/n]: ", chain(&error))),
    }
}

fn agreed(ui: &mut Ui<'_>, question: &str) -> Done<bool> {
    if ui.confirm(question) {
        return Ok(true);
    }
    Err(Failure { code: crate::failure::code::FAILED, lines: Vec::new(), hint: None })
}
