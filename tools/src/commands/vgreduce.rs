//! `vgreduce`.

use std::path::PathBuf;

use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::VolumeGroup;

use super::Entry;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::picture::shown;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<VgReduce>("Remove physical volumes from a volume group");

/// Remove physical volumes from a volume group
#[derive(Debug, clap::Parser)]
#[command(name = "vgreduce", version, disable_version_flag = true)]
pub(crate) struct VgReduce {
    /// The volume group
    #[arg(value_name = "VG")]
    name: String,
    /// The PVs; they must hold nothing
    #[arg(value_name = "PV")]
    pvs: Vec<PathBuf>,
    /// All PVs that hold nothing
    #[arg(short, long)]
    all: bool,
    /// Missing PVs that hold nothing; not those that are there and cannot be opened
    #[arg(long)]
    removemissing: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for VgReduce {
    const NAME: &'static str = "vgreduce";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        if self.pvs.is_empty() != (self.all || self.removemissing) {
            let line = "Please give physical volume(s), or one of --all and --removemissing.";
            return Err(Failure::usage(Self::NAME, line));
        }
        let session = Session::new(&self.common)?;
        let mut group = session.group(ui, &self.name, Access::ReadWrite)?;
        if self.removemissing {
            return self.remove_missing(&session, ui, group);
        }
        let pvs =
            if self.all { group.pvs().iter().map(|member| member.path.clone()).collect() } else { self.pvs.clone() };
        ui.each(&pvs, |ui, path| {
            remove(&session, &mut group, path)?;
            ui.say(&format!("Removed \"{}\" from volume group \"{}\"", shown(path), self.name));
            Ok(())
        })
    }
}

impl VgReduce {
    fn remove_missing(&self, session: &Session, ui: &mut Ui<'_>, mut group: VolumeGroup) -> Done {
        let missing: Vec<_> = group.pvs().iter().filter(|member| !member.present()).map(|member| member.uuid).collect();
        if missing.is_empty() {
            ui.complain(&format!("Volume group \"{}\" is already consistent.", self.name));
            return Ok(());
        }
        group.refuse_not_lost().map_err(|error| vg_failure(&error))?;
        let mut used: Vec<String> = Vec::new();
        for uuid in &missing {
            used.extend(group.descriptor().users(*uuid).into_iter().map(|lv| lv.name.to_string()));
        }
        used.sort();
        used.dedup();
        for lv in &used {
            ui.warn(&format!("Partial LV {lv} needs to be repaired or removed."));
        }
        if !used.is_empty() && self.common.force == 0 {
            let failure = Failure::new(format!("There are still partial LVs in VG {}.", self.name));
            return Err(failure.hint(format!(
                "bring the missing files back into the pool's folder, or give up what they held (volumes with data there \
                 are removed): anyfs-lvm vgreduce --removemissing --force {}",
                self.name
            )));
        }
        if session.test {
            return Ok(());
        }
        let lock = group.lock().map_err(|error| vg_failure(&error))?;
        group.remove_missing(&lock, self.common.force > 0).map_err(|error| vg_failure(&error))?;
        if self.common.force > 0 {
            for lv in group.remove_partial(&lock).map_err(|error| vg_failure(&error))? {
                ui.say(&format!("Logical volume \"{lv}\" successfully removed."));
            }
        }
        ui.say(&format!("Wrote out consistent volume group {}.", self.name));
        Ok(())
    }
}

fn remove(session: &Session, group: &mut VolumeGroup, path: &PathBuf) -> Done {
    let paths = std::slice::from_ref(path);
    if session.test {
        return group.plan_reduce(paths).map(drop).map_err(|error| vg_failure(&error));
    }
    let lock = group.lock().map_err(|error| vg_failure(&error))?;
    group.reduce(&lock, paths).map_err(|error| vg_failure(&error))
}
