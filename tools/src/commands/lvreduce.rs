//! `lvreduce`.

use anyfs_lvm::lv::LvError;
use anyfs_lvm::pv::units::Unit;
use anyfs_lvm::pv::{Access, LeCount};
use anyfs_lvm::vg::{LvName, LvRecord, VgError, VolumeGroup};

use super::Entry;
use super::lvsizing::{no_size, share};
use crate::args::{Common, Extents, Sign, Signs, extents, lv_name, size};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::volume::Mount;
use crate::mounting::Use;
use crate::session::Session;
use crate::sight::vg_failure;
use crate::sizes::long;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvReduce>("Take space from a logical volume");

/// Take space from a logical volume
///
/// Nothing is lost: what lies in the extents that go moves first, also while the volume is mounted, and a size that is too
/// small for what the volume holds is refused.
#[derive(Debug, clap::Parser)]
#[command(name = "lvreduce", version, disable_version_flag = true)]
pub(crate) struct LvReduce {
    /// The volume
    #[arg(value_name = "VG/LV")]
    name: String,
    /// Its new size, or with a - what to take off (megabytes without a unit)
    #[arg(short = 'L', long, value_name = "[-]SIZE", allow_hyphen_values = true, conflicts_with = "extents")]
    size: Option<String>,
    /// The same in extents, or as a share of the volume group or its free space
    #[arg(short = 'l', long, value_name = "[-]N|N%VG|N%FREE", allow_hyphen_values = true)]
    extents: Option<String>,
    /// Accepted as LVM does: the filesystem always shrinks with its volume
    #[arg(short, long, hide = true)]
    resizefs: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvReduce {
    const NAME: &'static str = "lvreduce";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let target = lv_name(&self.name).ok_or_else(|| {
            Failure::usage(Self::NAME, format!("\"{}\": please give the volume as VG/LV.", self.name))
        })?;
        let wanted = self.wanted()?;
        let session = Session::new(&self.common)?;
        let mut group = session.group(ui, &target.vg, Access::ReadWrite)?;
        let missing = || Failure::new(format!("Failed to find logical volume \"{target}\""));
        let name = LvName::new(&target.lv).map_err(|_| missing())?;
        let old = group.lv(&name).map_err(|_| missing())?.clone();
        let count = wanted.count(ui, &group, old.count());
        let planned = group.plan_lv_reduce(&name, count).map_err(|error| refused(&error))?;
        if !session.test {
            // It stays open until its extents are gone, so that nobody begins to use them again.
            let mount = session.mount(ui, &target, Use::Write)?;
            mount.volume.shrink(planned.count()).map_err(|error| trouble(&mount, &error))?;
            if let Err(failure) = give_free(&mut group, &name, (&old, &planned)) {
                // They are still the volume's: without this, when it is opened next.
                let _ = mount.volume.grow();
                return Err(failure);
            }
            mount.close()?;
        }
        let size = |lv: &LvRecord| long(group.descriptor().extent_size.times(lv.count().get()).get());
        ui.say(&format!(
            "Size of logical volume {target} changed from {} ({} extents) to {} ({} extents).",
            size(&old),
            old.count(),
            size(&planned),
            planned.count()
        ));
        ui.say(&format!("Logical volume {target} successfully resized."));
        Ok(())
    }
}

/// Lets the volume group have the extents that `planned` leaves out of `old`, unless another command was faster.
fn give_free(group: &mut VolumeGroup, name: &LvName, (old, planned): (&LvRecord, &LvRecord)) -> Done {
    let lock = group.lock().map_err(|error| vg_failure(&error))?;
    let same = group.lv(name).is_ok_and(|now| now.uuid == old.uuid && now.segments == old.segments);
    if !same {
        let line = format!("Logical volume {}/{name} was changed by another command meanwhile.", group.name());
        return Err(Failure::new(line).hint("nothing was taken from it; run the command again"));
    }
    group.lv_reduce(&lock, name, planned.count()).map(drop).map_err(|error| vg_failure(&error))
}

fn refused(error: &VgError) -> Failure {
    let failure = vg_failure(error);
    match error {
        VgError::NotSmaller { .. } => failure.hint("to take off the present size, write it with a -, as in -L -1g"),
        _ => failure,
    }
}

/// Why the volume did not become smaller; the smallest size as it would be asked for.
fn trouble(mount: &Mount, error: &LvError) -> Failure {
    let name = mount.name.to_string();
    match error {
        LvError::TooSmall { least, .. } => Failure::new(format!("{name}: {error}"))
            .hint(format!("remove files, or leave it larger: anyfs-lvm lvreduce -l {least} {name}")),
        _ => mount.trouble(error).about(&name),
    }
}

/// A size that was read but not yet applied to a group.
enum Wanted {
    /// `-L`.
    Bytes(Sign, u64),
    /// `-l`.
    Extents(Extents),
}

impl Wanted {
    /// The number of extents that are to be left of `old`. What is taken off is rounded down to whole extents, a size up.
    fn count(&self, ui: &mut Ui<'_>, group: &VolumeGroup, old: LeCount) -> LeCount {
        let extent = group.descriptor().extent_size.bytes();
        let (sign, number) = match self {
            Self::Bytes(sign, bytes) => {
                let whole = if *sign == Sign::Minus { bytes / extent } else { bytes.div_ceil(extent) };
                let rounded = whole.saturating_mul(extent);
                if rounded != *bytes {
                    let way = if rounded < *bytes { "down" } else { "up" };
                    ui.say(&format!("Rounding {way} size to full physical extent {}", long(rounded)));
                }
                (*sign, u32::try_from(whole).unwrap_or(u32::MAX))
            }
            Self::Extents(extents) => (extents.sign, share(group, *extents, None)),
        };
        if sign != Sign::Minus {
            return LeCount(number);
        }
        // Nothing taken off, or everything: the group refuses both.
        LeCount(old.get().saturating_sub(number))
    }
}

impl LvReduce {
    fn wanted(&self) -> Done<Wanted> {
        match (&self.size, &self.extents) {
            (Some(text), _) => {
                let read = size("--size", text, Unit::Mebi, Signs::Minus)?;
                Ok(Wanted::Bytes(read.sign, read.bytes))
            }
            (None, Some(text)) => Ok(Wanted::Extents(extents(Self::NAME, text, Signs::Minus)?)),
            (None, None) => {
                Err(no_size(Self::NAME).hint("give a size: -L SIZE, or -l EXTENTS, as in -L 10g or -L -1g"))
            }
        }
    }
}
