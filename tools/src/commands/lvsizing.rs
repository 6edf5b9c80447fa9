//! From `-L` and `-l` to a number of extents, as lvcreate and lvextend need it.

use anyfs_lvm::pv::units::Unit;
use anyfs_lvm::pv::{LeCount, PeCount};
use anyfs_lvm::vg::{PvArg, PvRange, VgError, VolumeGroup};

use crate::args::{Extents, ExtentsOf, Sign, extents, size};
use crate::failure::{Done, Failure, code};
use crate::sight::vg_failure;
use crate::sizes::long;
use crate::ui::Ui;

/// How large a volume is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct SizeArgs {
    /// Size (megabytes without a unit; rounded up to whole extents)
    #[arg(short = 'L', long, value_name = "SIZE", allow_hyphen_values = true, conflicts_with = "extents")]
    size: Option<String>,
    /// Extents, or a share of the volume group or its free space, rounded down
    #[arg(short = 'l', long, value_name = "N|N%VG|N%FREE|N%PVS", allow_hyphen_values = true)]
    extents: Option<String>,
    /// Stripes: spread over this many PVs
    #[arg(short = 'i', long, value_name = "N")]
    pub(crate) stripes: Option<u32>,
    /// Accepted as LVM does: a stripe unit is one extent, sizes below it are rounded up
    #[arg(short = 'I', long, value_name = "SIZE", allow_hyphen_values = true)]
    stripesize: Option<String>,
    /// contiguous, cling, normal, anywhere or inherit
    #[arg(long, value_name = "POLICY")]
    pub(crate) alloc: Option<String>,
}

/// A size that was read but not yet applied to a group.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// `-L`.
    Bytes(Sign, u64),
    /// `-l`.
    Extents(Extents),
}

impl SizeArgs {
    /// Reads the options, before anything is opened.
    pub(crate) fn read(&self, command: &str, plus: bool) -> Done<Wanted> {
        if let Some(text) = &self.stripesize {
            let bytes = size("--stripesize", text, Unit::Kibi, false)?.bytes;
            if !bytes.is_power_of_two() || bytes < 4096 {
                return Err(Failure::usage(command, format!("Invalid stripe size {}.", long(bytes))));
            }
        }
        if self.stripes == Some(0) {
            return Err(Failure::argument("--stripes", "0", ""));
        }
        match (&self.size, &self.extents) {
            (Some(text), _) => {
                let read = size("--size", text, Unit::Mebi, plus)?;
                if read.bytes == 0 {
                    return Err(Failure::usage(command, "--size may not be zero."));
                }
                Ok(Wanted::Bytes(read.sign, read.bytes))
            }
            (None, Some(text)) => Ok(Wanted::Extents(extents(command, text, plus)?)),
            (None, None) => {
                let line = format!(
                    "No command with matching syntax recognised.  Run '{command} --help' for more information."
                );
                let failure = Failure { code: code::USAGE, lines: vec![line], hint: None };
                Err(failure.hint("give a size: -L SIZE, or -l EXTENTS, as in -L 10g or -l 100%FREE"))
            }
        }
    }

    /// Says what stripes of this group are like.
    pub(crate) fn tell_stripes(&self, ui: &mut Ui<'_>, group: &VolumeGroup) -> Done {
        if self.stripes.is_none_or(|n| n < 2) {
            return Ok(());
        }
        let extent = group.descriptor().extent_size.bytes();
        match &self.stripesize {
            None => ui.say(&format!("Using default stripesize {}.", long(extent))),
            Some(text) => {
                let asked = size("--stripesize", text, Unit::Kibi, false)?.bytes;
                if asked > extent {
                    let line = format!("Stripe size {} is larger than an extent ({}).", long(asked), long(extent));
                    return Err(Failure::new(line));
                }
                if asked < extent {
                    ui.say(&format!("Rounding up stripesize to the extent size {}.", long(extent)));
                }
            }
        }
        Ok(())
    }
}

/// The PVs that may be used, none for all. An unknown one is named as LVM names it.
pub(crate) fn ranges(group: &VolumeGroup, args: &[String]) -> Done<Option<Vec<PvRange>>> {
    if args.is_empty() {
        return Ok(None);
    }
    let read = |text: &String| {
        // A file whose name ends like a range is the file.
        if std::fs::symlink_metadata(text).is_ok() {
            return Ok(PvArg { name: text.clone(), ranges: Vec::new() });
        }
        PvArg::parse(text).map_err(|error| Failure { code: code::USAGE, ..Failure::new(error.to_string()) })
    };
    let args = args.iter().map(read).collect::<Done<Vec<_>>>()?;
    let found = group.pv_ranges(&args).map_err(|error| match error {
        VgError::PvNotFound(path) => Failure::new(format!(
            "Physical Volume \"{}\" not found in Volume Group \"{}\".",
            path.display(),
            group.name()
        )),
        other => vg_failure(&other),
    })?;
    Ok(Some(found))
}

/// The number of extents meant, of a volume that has `old` and grows by whole rows of `stripes`.
pub(crate) fn count(
    ui: &mut Ui<'_>,
    group: &VolumeGroup,
    wanted: Wanted,
    old: u32,
    stripes: u32,
    pvs: Option<&[PvRange]>,
) -> Done<LeCount> {
    let extent_size = group.descriptor().extent_size;
    let too_large = || Failure::new("The volume would have more extents than a volume can have.");
    let (sign, number) = match wanted {
        Wanted::Bytes(sign, bytes) => {
            let number = bytes.div_ceil(extent_size.bytes());
            let rounded = number.checked_mul(extent_size.bytes()).ok_or_else(too_large)?;
            if rounded != bytes {
                ui.say(&format!("Rounding up size to full physical extent {}", long(rounded)));
            }
            (sign, u32::try_from(number).map_err(|_| too_large())?)
        }
        Wanted::Extents(extents) => {
            let number = share(group, extents, pvs);
            if number == 0 {
                let free = group.free_map().free();
                let line = format!(
                    "Volume group \"{}\" has insufficient free space ({free} extents): 1 required.",
                    group.name()
                );
                return Err(Failure::new(line).hint(format!("add a PV with: anyfs-lvm vgextend {} PV", group.name())));
            }
            // A share is an upper limit: whole rows of stripes only.
            let rest = if extents.of == ExtentsOf::Count { 0 } else { number.checked_rem(stripes).unwrap_or(0) };
            (extents.sign, number.saturating_sub(rest).max(stripes))
        }
    };
    let total = match sign {
        Sign::Absolute => number,
        Sign::Plus => old.checked_add(number).ok_or_else(too_large)?,
    };
    let more = total.saturating_sub(old);
    let rows = more.div_ceil(stripes.max(1)).checked_mul(stripes.max(1)).ok_or_else(too_large)?;
    if rows != more {
        ui.say(&format!("Rounding size ({more} extents) up to stripe boundary size for segment ({rows} extents)."));
    }
    if total <= old { Ok(LeCount(total)) } else { Ok(LeCount(old.checked_add(rows).ok_or_else(too_large)?)) }
}

fn share(group: &VolumeGroup, extents: Extents, pvs: Option<&[PvRange]>) -> u32 {
    let map = group.free_map();
    let whole: u64 = match extents.of {
        ExtentsOf::Count => return extents.number,
        ExtentsOf::Vg => group.descriptor().pvs.iter().map(|pv| u64::from(pv.pe_count.get())).sum(),
        ExtentsOf::Free => map.usable(),
        ExtentsOf::Pvs => match pvs {
            None => map.usable(),
            Some(pvs) => {
                pvs.iter().filter_map(|range| map.pv(range.pv)).map(|free| u64::from(PeCount::get(free.free()))).sum()
            }
        },
    };
    u32::try_from(whole.saturating_mul(u64::from(extents.number)) / 100).unwrap_or(u32::MAX)
}

/// An error of the allocator, with bytes beside the extents.
pub(crate) fn no_room(group: &VolumeGroup, error: &VgError) -> Failure {
    let failure = vg_failure(error);
    match error {
        VgError::InsufficientFree { vg, free, needed } => {
            let bytes = |extents: &u64| long(extents.saturating_mul(group.descriptor().extent_size.bytes()));
            let (free, needed) = (bytes(free), bytes(needed));
            failure.hint(format!("{free} free, {needed} required; add a PV with: anyfs-lvm vgextend {vg} PV"))
        }
        _ => failure,
    }
}
