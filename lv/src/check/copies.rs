//! Copies of the metadata against each other.

use super::report::CheckReport;
use super::source::Source;
use crate::catalogue::Table;

/// All tables but `state`, which copies raise one after the other.
const TABLES: [Table; 9] = [
    Table::Pv,
    Table::Fs,
    Table::Inode,
    Table::Dirent,
    Table::Map,
    Table::Window,
    Table::Slice,
    Table::Le,
    Table::Xattr,
];

/// Compares `other` with the newest copy, row by row.
pub(super) fn compare(newest: &Source, other: &Source, report: &mut CheckReport) {
    other.judge_structure(report);
    let (a, b) = (newest.state, other.state);
    if a.family != b.family {
        report.problem(other.object(), "it belongs to another volume");
        return;
    }
    if a.txg != b.txg {
        let behind = a.txg.0.saturating_sub(b.txg.0);
        report.note(other.object(), format!("{behind} commits behind; the next activation makes it equal"));
        return;
    }
    for table in TABLES {
        match newest.differences(other, table) {
            Ok(found) if found.count == 0 => report.checked.rows = report.checked.rows.saturating_add(found.rows),
            Ok(found) => {
                let (count, rows, table) = (found.count, found.named.join("; "), table.name());
                let than = newest.path().display();
                report.problem(other.object(), format!("{count} rows of {table} ({rows}) differ from those of {than}"));
            }
            Err(error) => report.failure(other.object(), &error),
        }
    }
}
