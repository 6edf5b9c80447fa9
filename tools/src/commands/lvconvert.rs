//! `lvconvert`.

use anyfs_lvm::pv::Access;
use anyfs_lvm::vg::LvName as Name;

use super::Entry;
use crate::args::{Common, LvName, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::session::Session;
use crate::sight::vg_failure;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<LvConvert>("Change how many copies of its metadata a logical volume has");

/// Change how many copies of its metadata a logical volume has
///
/// lvconvert --metadatacopies 2 VG/LV makes a second copy beside another physical volume, on another host device where
/// there is one. It also replaces a copy that was lost. Nobody may use the volume meanwhile.
#[derive(Debug, clap::Parser)]
#[command(name = "lvconvert", version, disable_version_flag = true)]
pub(crate) struct LvConvert {
    /// The volumes
    #[arg(required = true, value_name = "VG/LV")]
    names: Vec<String>,
    /// Copies of its metadata
    #[arg(long, value_name = "N")]
    metadatacopies: Option<u32>,
    #[command(flatten)]
    common: Common,
}

impl Verb for LvConvert {
    const NAME: &'static str = "lvconvert";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let count = self.metadatacopies.ok_or_else(|| {
            Failure::usage(
                Self::NAME,
                "Nothing to change: lvconvert --metadatacopies N VG/LV is what this version can do.",
            )
        })?;
        let session = Session::new(&self.common)?;
        ui.each(&self.names, |ui, name| {
            let target = lv_name(name)
                .ok_or_else(|| Failure::usage(Self::NAME, format!("\"{name}\": please give the volume as VG/LV.")))?;
            convert(&session, ui, &target, count)
        })
    }
}

fn convert(session: &Session, ui: &mut Ui<'_>, name: &LvName, count: u32) -> Done {
    let mut group = session.group(ui, &name.vg, Access::ReadWrite)?;
    let missing = || Failure::new(format!("Failed to find logical volume \"{name}\""));
    let lv = Name::new(&name.lv).map_err(|_| missing())?;
    group.lv(&lv).map_err(|_| missing())?;
    if session.test {
        return group.plan_metadata_copies(&lv, count).map(drop).map_err(|error| vg_failure(&error));
    }
    let notices = anyfs_lvm::set_metadata_copies(&session.env, &mut group, &lv, count).map_err(|error| {
        let failure = Failure::new(format!("{name}: {}", chain(&error)));
        Failure { hint: session.hint(&error), ..failure }
    })?;
    for notice in notices {
        ui.warn(&notice.to_string());
    }
    let copies = if count == 1 { "one copy" } else { &format!("{count} copies") };
    ui.say(&format!("Logical volume {name} converted: its metadata has {copies}."));
    Ok(())
}
