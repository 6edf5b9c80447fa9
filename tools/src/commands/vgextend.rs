//! `vgextend`.

use std::path::PathBuf;

use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::VolumeGroup;

use super::Entry;
use super::pvcreate::{NewPv, prepare, take_back};
use super::vgcreate::refused;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::picture::shown;
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
    /// Take these PVs back, which were given up as missing
    #[arg(long)]
    restoremissing: bool,
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
        if self.restoremissing {
            return self.restore(&session, ui, &mut group);
        }
        let made = prepare(&session, ui, &self.pvs, &options, group.descriptor().extent_size)?;
        if session.test {
            let there: Vec<PathBuf> = self.pvs.iter().filter(|path| path.exists()).cloned().collect();
            group.plan_extend(&there).map_err(|error| refused(&error, &self.name))?;
        } else {
            let lock = group.lock().map_err(|error| vg_failure(&error))?;
            group.extend(&lock, &self.pvs).map_err(|error| {
                take_back(&session, &made);
                refused(&error, &self.name)
            })?;
            for member in group.pvs().iter().filter(|member| member.present()) {
                session.register(member.uuid, &member.path)?;
            }
        }
        ui.say(&format!("Volume group \"{}\" successfully extended", self.name));
        Ok(())
    }
}

impl VgExtend {
    fn restore(&self, session: &Session, ui: &mut Ui<'_>, group: &mut VolumeGroup) -> Done {
        ui.each(&self.pvs, |ui, path| {
            if !session.test {
                let lock = group.lock().map_err(|error| vg_failure(&error))?;
                group.restore_missing(&lock, path).map_err(|error| vg_failure(&error))?;
                for member in group.pvs().iter().filter(|member| member.present()) {
                    session.register(member.uuid, &member.path)?;
                }
            }
            ui.say(&format!("Physical volume \"{}\" is back in volume group \"{}\"", shown(path), self.name));
            Ok(())
        })
    }
}
