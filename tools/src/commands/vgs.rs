//! `vgs`.

use super::{Entry, reporting};
use crate::args::{Common, ReportArgs};
use crate::cli::Verb;
use crate::failure::Done;
use crate::report::VGS;
use crate::session::group_not_found;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Vgs>("Report volume groups");

/// Report volume groups
#[derive(Debug, clap::Parser)]
#[command(name = "vgs", version, disable_version_flag = true)]
pub(crate) struct Vgs {
    /// Only these, or those with @TAG
    #[arg(value_name = "VG|@TAG")]
    names: Vec<String>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    common: Common,
}

impl Verb for Vgs {
    const NAME: &'static str = "vgs";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let Some((spec, model)) = reporting::begin(ui, &VGS, &self.report, &self.common)? else { return Ok(()) };
        let found = ui.each(&self.names, |_, name| {
            let known = name.starts_with('@') || model.vgs.iter().any(|vg| vg.name == *name);
            if known { Ok(()) } else { Err(group_not_found(name)) }
        });
        reporting::print(ui, &model, &spec, |row| {
            let named = |name: &String| row.vg.is_some_and(|vg| reporting::is_named(name, &vg.name, &vg.tags));
            self.names.is_empty() || self.names.iter().any(named)
        });
        found
    }
}
