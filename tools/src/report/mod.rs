//! The report engine behind `pvs`, `vgs` and `lvs`.
//!
//! A [`model::Model`] is turned into rows ([`row`]), the rows into cells by the table of fields ([`field`]), the cells
//! into text by [`layout`] or [`json`].

mod cell;
pub(crate) mod field;
mod fields;
mod json;
mod layout;
pub(crate) mod model;
pub(crate) mod row;
mod sort;
mod spec;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use spec::{Defaults, Format, LVS, PVS, Quotes, Spec, SpecError, VGS, Wanted};

pub(crate) use value::time_text;

use model::Model;
use row::{Row, rows};

/// The finished text of a report.
pub(crate) fn render(model: &Model, spec: &Spec, keep: impl Fn(&Row<'_>) -> bool) -> String {
    let subject = spec.subject();
    let mut lines: Vec<Row<'_>> = rows(model, subject, spec.all).into_iter().filter(|row| keep(row)).collect();
    sort::sort(&mut lines, &spec.sort);
    match spec.format {
        Format::Basic => layout::render(&lines, spec),
        Format::Json => json::render(&lines, spec, subject.word()),
    }
}
