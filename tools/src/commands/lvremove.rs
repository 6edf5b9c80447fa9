//! `lvremove`.

use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::{LvName, VolumeGroup};

use super::Entry;
use crate::args::{Common, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::in_use;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvRemove>("Remove logical volumes with all they contain");

/// Remove logical volumes with all they contain
#[derive(Debug, clap::Parser)]
#[command(name = "lvremove", version, disable_version_flag = true)]
pub(crate) struct LvRemove {
    /// The volumes; a volume group means all of its volumes
    #[arg(required = true, value_name = "VG|VG/LV")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvRemove {
    const NAME: &'static str = "lvremove";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        ui.each(&self.names, |ui, name| {
            if let Some(target) = lv_name(name) {
                let mut group = session.group(ui, &target.vg, Access::ReadWrite)?;
                let missing = || Failure::new(format!("Failed to find logical volume \"{target}\""));
                let lv = LvName::new(&target.lv).map_err(|_| missing())?;
                group.lv(&lv).map_err(|_| missing())?;
                return self.remove(&session, ui, &mut group, &lv);
            }
            let mut group = session.group(ui, name, Access::ReadWrite)?;
            let lvs: Vec<_> = group.descriptor().lvs.iter().map(|lv| lv.name.clone()).collect();
            ui.each(&lvs, |ui, lv| self.remove(&session, ui, &mut group, lv))
        })
    }
}

impl LvRemove {
    fn remove(&self, session: &Session, ui: &mut Ui<'_>, group: &mut VolumeGroup, lv: &LvName) -> Done {
        // Nobody is asked about what cannot be done.
        group.lv(lv).map_or(Ok(()), |record| in_use::refuse(session, group, record))?;
        let vg = group.name().clone();
        if self.common.force == 0 && !session.test {
            let ask = format!("Do you really want to remove logical volume {vg}/{lv}? [y/n]: ");
            if !ui.confirm(&ask) {
                return Err(Failure::new(format!("Logical volume {vg}/{lv} not removed.")));
            }
        }
        remove_volume(session, ui, group, lv)
    }
}

/// Removes one volume without asking.
pub(super) fn remove_volume(session: &Session, ui: &mut Ui<'_>, group: &mut VolumeGroup, lv: &LvName) -> Done {
    if !session.test {
        let lock = group.lock().map_err(|error| vg_failure(&error))?;
        group.lv_remove(&lock, lv).map_err(|error| vg_failure(&error))?;
    }
    ui.say(&format!("Logical volume \"{lv}\" successfully removed."));
    Ok(())
}
