//! What the report commands have in common.

use anyfs_lvm::pv::Access;

use crate::args::{Common, ReportArgs};
use crate::failure::Done;
use crate::report::field::{Field, Kind, Type};
use crate::report::model::Model;
use crate::report::row::Row;
use crate::report::{Defaults, Spec, render};
use crate::session::Session;
use crate::ui::Ui;

/// What a report shows and what it is made of; `None` when only the fields were asked for, which are printed.
pub(crate) fn begin(
    ui: &mut Ui<'_>,
    defaults: &Defaults,
    report: &ReportArgs,
    common: &Common,
) -> Done<Option<(Spec, Model)>> {
    if report.help() {
        help(ui);
        return Ok(None);
    }
    let spec = report.spec(defaults, common.verbose > 0)?;
    let model = Session::new(common)?.model(ui, Access::ReadOnly)?;
    Ok(Some((spec, model)))
}

/// Prints a report of the rows that `keep` chooses.
pub(crate) fn print(ui: &mut Ui<'_>, model: &Model, spec: &Spec, keep: impl Fn(&Row<'_>) -> bool) {
    ui.raw(render(model, spec, keep).as_bytes());
}

/// Whether `name` (or `@tag`) means an object.
pub(crate) fn is_named(name: &str, object: &str, tags: &[String]) -> bool {
    match name.strip_prefix('@') {
        Some(tag) => tags.iter().any(|known| known == tag),
        None => name == object,
    }
}

/// `-o help`: every field.
fn help(ui: &mut Ui<'_>) {
    let kinds = [
        (Kind::Lv, "Logical Volume Fields"),
        (Kind::Pv, "Physical Volume Fields"),
        (Kind::Vg, "Volume Group Fields"),
        (Kind::Seg, "Logical Volume Segment Fields"),
        (Kind::PvSeg, "Physical Volume Segment Fields"),
    ];
    for (kind, title) in kinds {
        ui.raw(format!("  {title}\n  {}\n", "-".repeat(title.len())).as_bytes());
        for field in crate::report::field::all().filter(|field| field.kind == kind) {
            ui.raw(format!("    {:22} - {} [{}]\n", field.name, field.help, type_word(field)).as_bytes());
        }
        ui.raw(b"   \n");
    }
}

fn type_word(field: &Field) -> &'static str {
    match field.ty {
        Type::Str => "string",
        Type::Num => "number",
        Type::Siz => "size",
        Type::Pct => "percent",
        Type::Bin => "binary",
        Type::Tim => "time",
        Type::List => "string list",
    }
}
