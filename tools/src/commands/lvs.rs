//! `lvs`.

use super::{Entry, reporting};
use crate::args::{Common, ReportArgs, lv_name};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::report::LVS;
use crate::report::model::{Lv, Vg};
use crate::session::group_not_found;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Lvs>("Report logical volumes");

/// Report logical volumes
#[derive(Debug, clap::Parser)]
#[command(name = "lvs", version, disable_version_flag = true)]
pub(crate) struct Lvs {
    /// Only these, or those with @TAG
    #[arg(value_name = "VG|VG/LV|@TAG")]
    names: Vec<String>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    common: Common,
}

impl Verb for Lvs {
    const NAME: &'static str = "lvs";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let Some((spec, model)) = reporting::begin(ui, &LVS, &self.report, &self.common)? else { return Ok(()) };
        let found = ui.each(&self.names, |_, name| known(&model.vgs, name));
        reporting::print(ui, &model, &spec, |row| {
            let named = |name: &String| row.vg.zip(row.lv).is_some_and(|(vg, lv)| is_meant(name, vg, lv));
            self.names.is_empty() || self.names.iter().any(named)
        });
        found
    }
}

fn known(vgs: &[Vg], name: &str) -> Done {
    if name.starts_with('@') {
        return Ok(());
    }
    let group = |vg: &str| vgs.iter().find(|known| known.name == vg).ok_or_else(|| group_not_found(vg));
    let Some(target) = lv_name(name) else { return group(name).map(drop) };
    if group(&target.vg)?.lvs.iter().any(|lv| lv.name == target.lv) {
        return Ok(());
    }
    Err(Failure::new(format!("Failed to find logical volume \"{target}\"")))
}

fn is_meant(name: &str, vg: &Vg, lv: &Lv) -> bool {
    match lv_name(name) {
        Some(target) => target.vg == vg.name && (target.lv == lv.name || lv.hidden && target.lv == lv.parent),
        None => name == vg.name || reporting::is_named(name, "", &lv.tags),
    }
}
