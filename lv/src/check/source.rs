//! A copy of the metadata and what a check says of its rows.

use std::cell::Cell;

use pv::Env;

use super::report::{CheckReport, Object};
use crate::catalogue::{Columns, CopyPlace, CopyView, Table, Totals, Value, key_of};
use crate::engine::FS;
use crate::{Ino, Result};

/// A copy, seen at one commit.
#[derive(Debug)]
pub(super) struct Source {
    view: CopyView,
    /// What the rows that were walked add up to.
    totals: Cell<Totals>,
}

impl std::ops::Deref for Source {
    type Target = CopyView;

    fn deref(&self) -> &CopyView {
        &self.view
    }
}

impl Source {
    pub(super) fn open(env: &Env, place: &CopyPlace) -> Result<Self> {
        Ok(Self { view: CopyView::open(env, place)?, totals: Cell::default() })
    }

    pub(super) fn object(&self) -> Object {
        Object::Metadata(self.path().to_owned())
    }

    /// An inode by a path that leads to it, if one does.
    pub(super) fn named(&self, ino: Ino) -> Object {
        self.path_of(FS, ino).map_or(Object::Inode(ino), Object::Path)
    }

    /// Whether the file's own structure holds together.
    pub(super) fn judge_structure(&self, report: &mut CheckReport) {
        report.structure(self.object(), self.structure());
    }

    /// Hands the rows of a table to `each`, those that match their checksum and can be what they say.
    pub(super) fn walk<T>(
        &self,
        report: &mut CheckReport,
        (table, by): (Table, &str),
        from: impl Fn(Columns<'_>) -> Option<T>,
        mut each: impl FnMut(&mut CheckReport, T),
    ) {
        let done = self.each_row(table, by, |values, right| {
            report.checked.rows = report.checked.rows.saturating_add(1);
            if let Some(Value::Int(sum)) = values.last() {
                let mut totals = self.totals.get();
                totals.change(table, 0, sum.cast_unsigned());
                self.totals.set(totals);
            }
            match from(Columns::of(values)).filter(|_| right) {
                Some(row) => each(report, row),
                None => self.bad_row(report, table, values, right),
            }
        });
        if let Err(error) = done {
            report.failure(self.object(), &error);
        }
    }

    /// Compares what all rows of whole tables add up to with what the state row says.
    pub(super) fn judge_totals(&self, report: &mut CheckReport) {
        let names = ["inodes or windows", "slices", "logical extents", "physical volumes or filesystems"];
        let pairs = self.totals.get().columns().into_iter().zip(self.state.totals.columns()).zip(names);
        for (_, name) in pairs.filter(|((have, wanted), _)| have != wanted) {
            report.problem(self.object(), format!("rows of {name} are missing, old or too many"));
        }
    }

    fn bad_row(&self, report: &mut CheckReport, table: Table, values: &[Value], right: bool) {
        let what = if right { "holds impossible values" } else { "does not match its checksum" };
        let row = format!("a row of {}", table.name());
        match (table, values.get(1)) {
            (Table::Inode | Table::Map | Table::Xattr | Table::Dirent, Some(Value::Int(ino))) => {
                let file = self.path().display().to_string();
                report.problem(self.named(Ino(ino.cast_unsigned())), format!("{row} in {file} {what}"));
            }
            (_, _) => report.problem(self.object(), format!("{row} ({}) {what}", key_of(table, values))),
        }
    }
}
