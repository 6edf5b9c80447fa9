//! `vgremove`.

use anyfs_lvm::pv::Access;

use super::Entry;
use super::lvremove::remove_volume;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::in_use;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<VgRemove>("Remove volume groups");

/// Remove volume groups
///
/// Their files stay, as physical volumes of no volume group.
#[derive(Debug, clap::Parser)]
#[command(name = "vgremove", version, disable_version_flag = true)]
pub(crate) struct VgRemove {
    /// The volume groups
    #[arg(required = true, value_name = "VG")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for VgRemove {
    const NAME: &'static str = "vgremove";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        ui.each(&self.names, |ui, name| self.remove(&session, ui, name))
    }
}

impl VgRemove {
    fn remove(&self, session: &Session, ui: &mut Ui<'_>, name: &str) -> Done {
        let mut group = session.group(ui, name, Access::ReadWrite)?;
        // Rather none than some of them.
        group.descriptor().lvs.iter().try_for_each(|lv| in_use::refuse(session, &group, lv))?;
        let lvs: Vec<_> = group.descriptor().lvs.iter().map(|lv| lv.name.clone()).collect();
        if !lvs.is_empty() && self.common.force == 0 {
            let count = lvs.len();
            let ask = format!(
                "Do you really want to remove volume group \"{name}\" containing {count} logical volumes? [y/n]: "
            );
            if !ui.confirm(&ask) {
                return Err(Failure::new(format!("Volume group \"{name}\" not removed")));
            }
        }
        for lv in &lvs {
            remove_volume(session, ui, &mut group, lv)?;
        }
        if !session.test {
            let lock = group.lock().map_err(|error| vg_failure(&error))?;
            group.remove(&lock).map_err(|error| vg_failure(&error))?;
        }
        ui.say(&format!("Volume group \"{name}\" successfully removed"));
        Ok(())
    }
}
