//! `pvs`.

use std::ffi::OsString;

use super::{Entry, reporting};
use crate::args::{Common, ReportArgs};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::picture::shown;
use crate::report::PVS;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Pvs>("Report physical volumes");

/// Report physical volumes
#[derive(Debug, clap::Parser)]
#[command(name = "pvs", version, disable_version_flag = true)]
pub(crate) struct Pvs {
    /// Only these, or those with @TAG
    #[arg(value_name = "PV|@TAG")]
    names: Vec<OsString>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    common: Common,
}

impl Verb for Pvs {
    const NAME: &'static str = "pvs";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let Some((spec, model)) = reporting::begin(ui, &PVS, &self.report, &self.common)? else { return Ok(()) };
        let known: Vec<_> = model.vgs.iter().flat_map(|vg| &vg.pvs).chain(&model.orphans).collect();
        let mut wanted = Vec::new();
        let found = ui.each(&self.names, |_, name| {
            if let Some(tag) = name.to_str().and_then(|name| name.strip_prefix('@')) {
                wanted.extend(known.iter().filter(|pv| pv.tags.iter().any(|t| t == tag)).map(|pv| pv.name.clone()));
                return Ok(());
            }
            let path = std::path::Path::new(name);
            let canonical = std::fs::canonicalize(path)
                .map_err(|_| Failure::new(format!("Cannot use {}: device not found", shown(path))))?;
            let name = shown(&canonical);
            if known.iter().any(|pv| pv.name == name) {
                wanted.push(name);
                return Ok(());
            }
            Err(Failure::new(format!("Failed to find physical volume \"{}\".", shown(path))))
        });
        reporting::print(ui, &model, &spec, |row| {
            self.names.is_empty() || row.pv.is_some_and(|pv| wanted.contains(&pv.name))
        });
        found
    }
}
