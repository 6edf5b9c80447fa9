//! `lvrename`.

use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::LvName;

use super::Entry;
use crate::args::{Common, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvRename>("Rename a logical volume");

/// Rename a logical volume
///
/// lvrename VG OLD NEW, or lvrename VG/OLD NEW
#[derive(Debug, clap::Parser)]
#[command(name = "lvrename", version, disable_version_flag = true)]
pub(crate) struct LvRename {
    /// VG OLD NEW, or VG/OLD NEW
    #[arg(required = true, num_args = 2..=3, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvRename {
    const NAME: &'static str = "lvrename";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let (vg, old, new) = self.parts()?;
        let session = Session::new(&self.common)?;
        let mut group = session.group(ui, &vg, Access::ReadWrite)?;
        let missing = || Failure::new(format!("Existing logical volume \"{old}\" not found in volume group \"{vg}\""));
        let from = LvName::new(&old).map_err(|_| missing())?;
        group.lv(&from).map_err(|_| missing())?;
        let to = LvName::new(&new).map_err(|error| Failure::usage(Self::NAME, error.to_string()))?;
        if session.test {
            if group.lv(&to).is_ok() {
                return Err(Failure::new(format!("Logical Volume \"{to}\" already exists in volume group \"{vg}\"")));
            }
        } else {
            let lock = group.lock().map_err(|error| vg_failure(&error))?;
            group.lv_rename(&lock, &from, &to).map_err(|error| vg_failure(&error))?;
        }
        ui.say(&format!("Renamed \"{old}\" to \"{new}\" in volume group \"{vg}\""));
        Ok(())
    }
}

impl LvRename {
    fn parts(&self) -> Done<(String, String, String)> {
        let usage = |line: &str| Failure::usage(Self::NAME, line);
        let bare = |vg: &str, name: &str| match lv_name(name) {
            Some(target) if target.vg == vg => Ok(target.lv),
            Some(_) => Err(usage("Logical volume names must have the same volume group")),
            None => Ok(name.to_owned()),
        };
        match self.names.as_slice() {
            [old, new] => {
                let target =
                    lv_name(old).ok_or_else(|| usage("Please give the volume group: VG/OLD NEW, or VG OLD NEW."))?;
                let new = bare(&target.vg, new)?;
                Ok((target.vg, target.lv, new))
            }
            [vg, old, new] => Ok((vg.clone(), bare(vg, old)?, bare(vg, new)?)),
            _ => Err(usage("Old and new logical volume names required")),
        }
    }
}
