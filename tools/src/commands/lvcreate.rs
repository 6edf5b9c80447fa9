//! `lvcreate`.

use anyfs_lvm::lv::hidden_reserve;
use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::{AllocPolicy, LvName, LvRequest, VolumeGroup};

use super::Entry;
use super::lvsizing::{SizeArgs, count, no_room, ranges};
use super::vgcreate::{policy, tag};
use crate::args::{Common, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvCreate>("Create a logical volume (LV)");

/// Create a logical volume (LV)
///
/// A logical volume is a complete filesystem; there is nothing to format.
#[derive(Debug, clap::Parser)]
#[command(name = "lvcreate", version, disable_version_flag = true)]
pub(crate) struct LvCreate {
    /// The volume group it is made in, or VG/LV
    #[arg(value_name = "VG")]
    vg: String,
    /// Only on these PVs, or extents of them
    #[arg(value_name = "PV[:PE-PE]|@TAG")]
    pvs: Vec<String>,
    /// Its name (default lvol0, lvol1, ..)
    #[arg(short, long)]
    name: Option<String>,
    #[command(flatten)]
    size: SizeArgs,
    /// linear or striped
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
    /// r or rw
    #[arg(short, long, value_name = "r|rw")]
    permission: Option<String>,
    /// Give it this tag
    #[arg(long, value_name = "TAG")]
    addtag: Vec<String>,
    /// Copies of its metadata
    #[arg(long, value_name = "N")]
    metadatacopies: Option<u32>,
    /// Accepted as LVM does, without effect
    #[arg(short, long, hide = true)]
    activate: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(short = 'Z', long, hide = true)]
    zero: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(short = 'W', long, hide = true)]
    wipesignatures: Option<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvCreate {
    const NAME: &'static str = "lvcreate";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let (vg, name) = self.names()?;
        let wanted = self.size.read(Self::NAME, false)?;
        let mut request = self.request(name)?;
        let session = Session::new(&self.common)?;
        let mut group = session.group(ui, &vg, Access::ReadWrite)?;
        request.pvs = ranges(&group, &self.pvs)?;
        if request.name.as_ref().is_some_and(|name| group.lv(name).is_ok()) {
            // Said first, before rounding: it is what matters.
            return Err(group
                .plan_lv_create(&request)
                .err()
                .map_or_else(|| Failure::new("exists"), |e| vg_failure(&e)));
        }
        self.size.tell_stripes(ui, &group)?;
        request.count = count(ui, &group, wanted, 0, request.stripes, request.pvs.as_deref())?;
        let made = create(&session, &mut group, &request)?;
        if hidden_reserve(request.count.0) >= request.count.0 {
            ui.warn(&format!("Logical volume \"{made}\" can hold no data: all its extents are kept for moving data."));
        }
        ui.say(&format!("Logical volume \"{made}\" created."));
        Ok(())
    }
}

fn create(session: &Session, group: &mut VolumeGroup, request: &LvRequest) -> Done<LvName> {
    let made = if session.test {
        group.plan_lv_create(request)
    } else {
        let lock = group.lock().map_err(|error| vg_failure(&error))?;
        group.lv_create(&lock, request, |group, lv| anyfs_lvm::make_catalogues(&session.env, group, lv))
    };
    made.map(|lv| lv.name).map_err(|error| no_room(group, &error))
}

impl LvCreate {
    /// The group, and the name if one was given.
    fn names(&self) -> Done<(String, Option<String>)> {
        let vg = self.vg.strip_prefix("/dev/").unwrap_or(&self.vg);
        let named = self.name.as_deref().map(|name| (lv_name(name), name));
        let (vg, name) = match (lv_name(vg), named) {
            (Some(target), None) => (target.vg, Some(target.lv)),
            (Some(_), Some(_)) => {
                return Err(Failure::usage(Self::NAME, "Please give the name once: VG/LV or -n LV VG."));
            }
            (None, Some((Some(target), _))) if target.vg == vg => (target.vg, Some(target.lv)),
            (None, Some((_, name))) => (vg.to_owned(), Some(name.to_owned())),
            (None, None) => (vg.to_owned(), None),
        };
        Ok((vg, name))
    }

    fn request(&self, name: Option<String>) -> Done<LvRequest> {
        let name = name.map(|name| LvName::new(&name)).transpose();
        let name = name.map_err(|error| Failure::usage(Self::NAME, error.to_string()))?;
        let mut request = LvRequest::new(name, anyfs_lvm::pv::LeCount(0));
        request.stripes = self.stripes()?;
        request.alloc = self.size.alloc.as_deref().map_or(Ok(AllocPolicy::Inherit), policy)?;
        request.copies = self.metadatacopies.unwrap_or(0);
        request.read_only = match self.permission.as_deref() {
            None | Some("rw") => false,
            Some("r") => true,
            Some(other) => return Err(Failure::argument("--permission", other, "")),
        };
        for text in &self.addtag {
            request.tags.insert(tag(text)?);
        }
        Ok(request)
    }

    fn stripes(&self) -> Done<u32> {
        let stripes = self.size.stripes.unwrap_or(1);
        match self.r#type.as_deref() {
            None => Ok(stripes),
            Some("linear") if stripes > 1 => {
                Err(Failure::usage(Self::NAME, "A linear volume has one stripe; leave out --stripes or --type."))
            }
            Some("linear") => Ok(1),
            Some("striped") => Ok(if self.size.stripes.is_none() { 2 } else { stripes }),
            Some(known @ ("raid1" | "mirror" | "thin" | "thin-pool" | "snapshot")) => {
                let failure =
                    Failure::argument("--type", known, &format!("Volumes of type {known} cannot be made yet."));
                Err(failure.hint("types are linear and striped"))
            }
            Some(other) => Err(Failure::argument("--type", other, "").hint("types are linear and striped")),
        }
    }
}
