//! `lvextend`.

use anyfs_lvm::owner::Client;
use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::{LvExtension, LvName, LvRecord, SegmentKind, VgError, VolumeGroup};

use super::Entry;
use super::lvsizing::{SizeArgs, count, no_room, ranges};
use super::vgcreate::policy;
use crate::args::{Common, LvName as Target, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::mounting::answers;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::sizes::long;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvExtend>("Add space to a logical volume");

/// Add space to a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "lvextend", version, disable_version_flag = true)]
pub(crate) struct LvExtend {
    /// The volume
    #[arg(value_name = "VG/LV")]
    name: String,
    /// Only on these PVs, or extents of them
    #[arg(value_name = "PV[:PE-PE]|@TAG")]
    pvs: Vec<String>,
    #[command(flatten)]
    size: SizeArgs,
    /// Accepted as LVM does: the filesystem always grows with its volume
    #[arg(short, long, hide = true)]
    resizefs: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvExtend {
    const NAME: &'static str = "lvextend";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let target = lv_name(&self.name).ok_or_else(|| {
            Failure::usage(Self::NAME, format!("\"{}\": please give the volume as VG/LV.", self.name))
        })?;
        let wanted = self.size.read(Self::NAME, true)?;
        let alloc = self.size.alloc.as_deref().map(policy).transpose()?;
        let session = Session::new(&self.common)?;
        let mut group = session.group(ui, &target.vg, Access::ReadWrite)?;
        // What is added is added to the size that nobody changes meanwhile.
        let lock = if session.test { None } else { Some(group.lock().map_err(|error| vg_failure(&error))?) };
        let missing = || Failure::new(format!("Failed to find logical volume \"{target}\""));
        let name = LvName::new(&target.lv).map_err(|_| missing())?;
        let old = group.lv(&name).map_err(|_| missing())?.clone();
        let pvs = ranges(&group, &self.pvs)?;
        self.size.tell_stripes(ui, &group)?;
        let stripes = self.size.stripes.unwrap_or_else(|| stripes_of(&old));
        let count = count(ui, &group, wanted, old.count().get(), stripes, pvs.as_deref())?;
        let extension = LvExtension { count, stripes: self.size.stripes, alloc, pvs };
        let grown = match &lock {
            None => group.plan_lv_extend(&name, &extension),
            Some(lock) => group.lv_extend(lock, &name, &extension),
        };
        let grown = grown.map_err(|error| refused(no_room(&group, &error), &error))?;
        let extent = group.descriptor().extent_size;
        let size = |lv: &LvRecord| long(extent.times(lv.count().get()).get());
        ui.say(&format!(
            "Size of logical volume {target} changed from {} ({} extents) to {} ({} extents).",
            size(&old),
            old.count(),
            size(&grown),
            grown.count()
        ));
        if lock.is_some() {
            tell_owner(ui, &session, &group, (&target, &grown));
        }
        ui.say(&format!("Logical volume {target} successfully resized."));
        Ok(())
    }
}

/// Lets the process that has the volume use the new extents, if that one serves others. The volume is larger in any case.
fn tell_owner(ui: &mut Ui<'_>, session: &Session, group: &VolumeGroup, (name, lv): (&Target, &LvRecord)) {
    let Some(holder) = session.owner(group, lv) else { return };
    let asked = holder.pid.filter(|_| answers(&holder)).map(|pid| Client::find(lv.family, pid));
    let told = match asked {
        Some(Ok(Some(client))) => client.grow().map_err(|error| chain(&error)),
        Some(Ok(None)) | None => Err("it takes no requests".to_owned()),
        Some(Err(error)) => Err(chain(&error)),
    };
    if let Err(why) = told {
        ui.warn(&format!("{name} is in use by {holder}, which sees the room when it opens the volume again: {why}"));
    }
}

fn refused(failure: Failure, error: &VgError) -> Failure {
    match error {
        VgError::NotLarger { .. } => failure.hint("to add to the present size, write it with a +, as in -L +1g"),
        _ => failure,
    }
}

fn stripes_of(lv: &LvRecord) -> u32 {
    match lv.segments.last().map(|segment| &segment.kind) {
        Some(SegmentKind::Striped(legs)) => u32::try_from(legs.len()).unwrap_or(1),
        _ => 1,
    }
}
