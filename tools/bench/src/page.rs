//! The page with all figures.

use std::collections::BTreeMap;

use anyfs_lvm_tools::bench::measure::{Outcome, Samples, Target};
use anyfs_lvm_tools::bench::{Curves, OURS, Report};

/// The whole page, as Markdown.
pub(crate) fn page(report: &Report, curves: &[Curves], command: &str) -> String {
    let mut parts = vec!["# How fast it is\n".to_owned(), conditions(report, command)];
    parts.push("## Beside the host's filesystem\n".to_owned());
    parts.push(targets(report));
    parts.push("## Beside other ways to keep files in SQLite\n".to_owned());
    parts.push(USED.to_owned());
    parts.push(rivals(report));
    if !curves.is_empty() {
        parts.push("## As things grow\n".to_owned());
        parts.extend(curves.iter().map(picture));
    }
    parts.join("\n")
}

/// How the others are used.
const USED: &str = "\
Ratios to the host, as above: more than 1 is faster than the host. Each is used as its own users would: `4 KiB rows` and
`64 KiB rows` are the AgentFS layout (chunks as rows of one SQLite file; WAL, prepared statements, a transaction for
each operation, `synchronous=FULL` for the commit of an fsync and NORMAL otherwise), `one blob` is a file as one value
of one row (WAL, read whole and kept while it is open, written whole when it grows, in place with an incremental blob
otherwise; at most 10^9 bytes), and
`liteboxfs` is the crate of that name with its default settings, many operations in one transaction that ends with each
sync (in a process of its own; handing over to the thread that holds the transaction costs it about a microsecond and a
copy of the bytes for each operation). Empty: not measured, or not possible.
";

fn conditions(report: &Report, command: &str) -> String {
    let scale = &report.settings.scale;
    let controls = report.controls().map_or_else(String::new, |(low, high)| {
        format!(
            "* the host against itself at the end of each round: {low:.2} to {high:.2} (column *again*); a row where \
             that is not between 0.9 and 1.1 does not count\n"
        )
    });
    let lines = [
        format!("* measured {} with `{command}`, version {}", report.date, report.version),
        format!("* machine: {}", report.machine.text()),
        format!("* pools of {} PVs, extents of {} KiB", report.settings.pvs, report.settings.extent / 1024),
        format!("* large files of {} MiB, {} small files", scale.bytes >> 20, scale.files),
        format!("* medians of {} rounds, in which all take turns", scale.rounds),
        format!("* cold: {}", report.cold.text()),
    ];
    format!("{}\n{controls}\n{COUNTS}", lines.map(|line| line + "\n").concat())
}

/// What the figures are.
const COUNTS: &str = "\
What a row counts is durable when its clock stops (reads apart), and every byte was read back and compared. A row again:
`anyfs-lvm bench --full --only ROW`. All of it: `tools/bench/compare.sh DIR --full`.
";

/// Three digits, or as many as stand before the point.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn target(outcome: &Outcome) -> String {
    let unit = outcome.row.unit.text();
    match outcome.row.target {
        Target::Open => String::new(),
        Target::Ratio(ratio) => ratio.to_string(),
        Target::AtMost(limit) => format!("at most {limit} {unit}"),
        Target::AtLeast(least) => format!("at least {least} {unit}"),
    }
}

/// Whether the target is met, in a word.
fn verdict(outcome: &Outcome) -> &'static str {
    let score = outcome.median(OURS).and_then(|value| outcome.row.target.score(value, outcome.ratio(OURS)));
    match score {
        None => "",
        Some(score) if score >= 1.0 => "met",
        Some(_) => "not met",
    }
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn targets(report: &Report) -> String {
    let mut out =
        "| what | row | anyfs-lvm | host | ratio | again | target | |\n|---|---|--:|--:|--:|--:|--:|---|\n".to_owned();
    for outcome in &report.outcomes {
        let unit = outcome.row.unit.text();
        let shown = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{} {unit}", number(value)));
        let ratio = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
        let ours = outcome.skipped.clone().unwrap_or_else(|| shown(outcome.median(OURS)));
        out.push_str(&row(&[
            outcome.row.item.to_owned(),
            format!("`{}`", outcome.row.key),
            ours,
            shown(outcome.median("host")),
            ratio(outcome.ratio(OURS)),
            ratio(outcome.control()),
            target(outcome),
            verdict(outcome).to_owned(),
        ]));
    }
    out
}

fn rivals(report: &Report) -> String {
    let several = |outcome: &&Outcome| outcome.sides.len() > 1;
    let Some(first) = report.outcomes.iter().find(several) else { return String::new() };
    let sides: Vec<&Samples> = first.sides.iter().skip(1).collect();
    let heads = sides.iter().fold("| what |".to_owned(), |line, side| format!("{line} {} |", side.side));
    let mut out = format!("{heads}\n|---|{}\n", "--:|".repeat(sides.len()));
    for outcome in report.outcomes.iter().filter(several) {
        let ratio = |side: &&Samples| outcome.ratio(&side.side).map_or_else(String::new, number);
        let cells = std::iter::once(outcome.row.item.to_owned()).chain(sides.iter().map(ratio));
        out.push_str(&row(&cells.collect::<Vec<_>>()));
    }
    out + &absent(report)
}

/// Who did not take part in what, and why.
fn absent(report: &Report) -> String {
    let all = report.outcomes.iter().flat_map(|outcome| outcome.absent.iter().map(|who| (who, &outcome.work)));
    let mut works: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for (who, work) in all {
        let works = works.entry(who).or_default();
        if works.last() != Some(&work.as_str()) {
            works.push(work);
        }
    }
    let lines = works.iter().map(|((side, why), works)| format!("* {side} left out of {}: {why}\n", works.join(", ")));
    let text = lines.collect::<String>();
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn picture(curves: &Curves) -> String {
    let name = curves.kind.name();
    format!("Against {}: `anyfs-lvm bench --full --curve {name}`\n\n![{name}](plots/{name}.svg)\n", curves.kind.axis())
}

#[cfg(test)]
mod tests {
    use anyfs_lvm_tools::bench::Settings;
    use anyfs_lvm_tools::bench::measure::{Machine, Row, Scale, Unit};

    use super::*;

    fn report() -> Report {
        let settings = Settings { scale: Scale::full(), pvs: 2, extent: 256 * 1024, volume: None };
        let mut report = Report::begin(Machine::here(std::path::Path::new(".")), settings);
        let side = |side: &str, value: f64| Samples { side: side.to_owned(), values: vec![value] };
        let row = Row { key: "write", item: "writing", unit: Unit::MibPerSecond, target: Target::Ratio(0.5) };
        let sides = vec![side("host", 100.0), side(OURS, 60.0), side("one blob", 20.0)];
        let again = vec![95.0];
        report.outcomes = vec![
            Outcome { work: "w".to_owned(), row, sides, again, absent: Vec::new(), skipped: None },
            Outcome::skipped("w", Row { key: "cold", item: "cold", ..row }, "not here"),
        ];
        report
    }

    #[test]
    fn who_is_absent_is_named_once_with_all_works() {
        let mut report = report();
        let why = || vec![("one blob".to_owned(), "too large".to_owned())];
        report.outcomes.iter_mut().for_each(|outcome| outcome.absent = why());
        assert!(absent(&report) == "\n* one blob left out of w: too large\n", "{}", absent(&report));
    }

    #[test]
    fn the_page_has_a_row_for_each_outcome_and_a_column_for_each_side() {
        let page = page(&report(), &[], "tools/bench/compare.sh --full");
        assert!(page.contains("| writing | `write` | 60.0 MiB/s | 100 MiB/s | 0.60 | 0.95 | 0.5 | met |\n"), "{page}");
        assert!(page.contains("| cold | `cold` | not here |  |  |  | 0.5 |  |\n"), "{page}");
        assert!(page.contains("| what | anyfs-lvm | one blob |\n|---|--:|--:|\n| writing | 0.60 | 0.20 |\n"), "{page}");
        assert!(page.contains("0.95 to 0.95") && page.contains("large files of 1024 MiB, 10000 small files"), "{page}");
        assert!(!page.contains("As things grow") && !page.contains("left out of"));
    }
}
