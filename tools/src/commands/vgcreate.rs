//! `vgcreate`.

use std::path::PathBuf;

use anyfs_lvm::pv::ExtentSize;
use anyfs_lvm::pv::units::Unit;
use anyfs_lvm::vg::{AllocPolicy, NameError, Tag, VgError, VgName, VgOptions, VolumeGroup};

use super::Entry;
use super::pvcreate::{NewPv, prepare, take_back};
use crate::args::{Common, size};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<VgCreate>("Create a volume group (VG)");

/// Create a volume group (VG)
///
/// Files that do not exist are made physical volumes first.
#[derive(Debug, clap::Parser)]
#[command(name = "vgcreate", version, disable_version_flag = true)]
pub(crate) struct VgCreate {
    /// Its name
    name: String,
    /// Its PVs
    #[arg(required = true, value_name = "PV")]
    pvs: Vec<PathBuf>,
    /// Size of an extent: a power of two from 64k to 1m (default 256k)
    #[arg(short = 's', long, value_name = "SIZE", allow_hyphen_values = true)]
    physicalextentsize: Option<String>,
    /// contiguous, cling, normal or anywhere
    #[arg(long, value_name = "POLICY")]
    alloc: Option<String>,
    /// Give it this tag
    #[arg(long, value_name = "TAG")]
    addtag: Vec<String>,
    /// Copies of each volume's metadata (default: 1 on one host device, 2 on several)
    #[arg(long, value_name = "N")]
    metadatacopies: Option<u32>,
    #[command(flatten)]
    new: NewPv,
    #[command(flatten)]
    common: Common,
}

impl Verb for VgCreate {
    const NAME: &'static str = "vgcreate";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let name = VgName::new(&self.name).map_err(|error| bad_name(&error))?;
        let options = self.options(&session)?;
        let pv_options = self.new.options()?;
        let taken = session.paths().map(|paths| VolumeGroup::check_new_name(&session.env, &name, &paths))?;
        taken.map_err(|error| match error {
            VgError::VgExists(_) => vg_failure(&error),
            other => vg_failure(&other),
        })?;
        let made = prepare(&session, ui, &self.pvs, &pv_options, options.extent_size)?;
        if !session.test {
            let group = VolumeGroup::create(&session.env, &name, &self.pvs, &options).map_err(|error| {
                take_back(&session, &made);
                refused(&error, &self.name)
            })?;
            for member in group.pvs() {
                session.register(member.uuid, &member.path)?;
            }
        }
        ui.say(&format!("Volume group \"{name}\" successfully created"));
        Ok(())
    }
}

impl VgCreate {
    fn options(&self, session: &Session) -> Done<VgOptions> {
        let mut options = VgOptions { open: session.options(anyfs_lvm::pv::Access::ReadWrite), ..VgOptions::default() };
        if let Some(text) = &self.physicalextentsize {
            let bytes = size("--physicalextentsize", text, Unit::Mebi, false)?.bytes;
            options.extent_size = ExtentSize::new(bytes).ok_or_else(|| {
                let line = format!("Physical extent size {} is invalid.", crate::sizes::long(bytes));
                Failure::usage(Self::NAME, line).hint("an extent is a power of two from 64 KiB to 1 MiB, as in -s 256k")
            })?;
        }
        if let Some(text) = &self.alloc {
            options.alloc = policy(text)?;
        }
        for text in &self.addtag {
            options.tags.insert(tag(text)?);
        }
        options.metadata_copies = self.metadatacopies.unwrap_or(0);
        Ok(options)
    }
}

fn bad_name(error: &NameError) -> Failure {
    let failure = Failure::usage("vgcreate", error.to_string());
    let mut lines = vec!["Name contains invalid character, valid set includes: [a-zA-Z0-9.-_+].".to_owned()];
    lines.extend(failure.lines);
    Failure { lines, ..failure }
}

/// LVM names the group that the PV is in, and what could not be done with it.
pub(super) fn refused(error: &VgError, group: &str) -> Failure {
    match error {
        VgError::AlreadyMember { path, .. } => vg_failure(error)
            .line(format!("Unable to add physical volume '{}' to volume group '{group}'", path.display())),
        _ => vg_failure(error),
    }
}

/// Reads `--alloc`.
pub(super) fn policy(text: &str) -> Done<AllocPolicy> {
    AllocPolicy::parse(text)
        .ok_or_else(|| Failure::argument("--alloc", text, &format!("Unrecognised allocation policy {text}")))
}

/// Reads `--addtag`.
pub(super) fn tag(text: &str) -> Done<Tag> {
    Tag::new(text).map_err(|_| Failure::argument("--addtag", text, ""))
}
