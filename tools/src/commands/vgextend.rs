//! `vgextend`.

use std::path::PathBuf;

use anyfs_lvm::pv::Access;

use super::Entry;
use super::pvcreate::{NewPv, prepare};
use super::vgcreate::refused;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<VgExtend>("Add physical volumes to a volume group");

/// Add physical volumes to a volume group
///
/// Files that do not exist are made physical volumes first.
#[derive(Debug, clap::Parser)]
#[command(name = "vgextend", version, disable_version_flag = true)]
pub(crate) struct VgExtend {
    /// The volume group
    #[arg(value_name = "VG")]
    name: String,
    /// The PVs
    #[arg(required = true, value_name = "PV")]
    pvs: Vec<PathBuf>,
    #[command(flatten)]
    new: NewPv,
    #[command(flatten)]
    common: Common,
}

impl Verb for VgExtend {
    const NAME: &'static str = "vgextend";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let options = self.new.options()?;
        let mut group = session.group(ui, &self.name, Access::ReadWrite)?;
        prepare(&session, ui, &self.pvs, &options, group.descriptor().extent_size)?;
        if session.test {
            let there: Vec<PathBuf> = self.pvs.iter().filter(|path| path.exists()).cloned().collect();
            group.plan_extend(&there).map_err(|error| refused(&error, &self.name))?;
        } else {
            let lock = group.lock().map_err(|error| vg_failure(&error))?;
            group.extend(&lock, &self.pvs).map_err(|error| refused(&error, &self.name))?;
            for member in group.pvs().iter().filter(|member| member.present()) {
                session.register(member.uuid, &member.path)?;
            }
        }
        ui.say(&format!("Volume group \"{}\" successfully extended", self.name));
        Ok(())
    }
}
