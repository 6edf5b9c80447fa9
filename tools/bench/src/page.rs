//! The page with all figures.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use anyfs_lvm_tools::bench::measure::{MIB, Outcome, Samples, Scale, Target};
use anyfs_lvm_tools::bench::{Curves, OURS, Report, number};

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
        parts.extend(curves.iter().map(|curves| picture(curves, &options(&report.settings.scale))));
    }
    parts.join("\n")
}

/// How the others are used.
const USED: &str = "\
Ratios to the host, as above: more than 1 is faster than the host. Each is used as its own users would: `4 KiB rows` and
`64 KiB rows` are the AgentFS layout (chunks as rows of one SQLite file; WAL, prepared statements, a transaction for
each operation, `synchronous=FULL` for the commit of an fsync and NORMAL otherwise), `one blob` is a file as one value
of one row (WAL, read whole and kept while it is open, written whole when it grows, in place with an incremental blob
otherwise; at most 10^9 bytes), both with one connection that all threads share and that keeps 64 MiB of pages, and
`liteboxfs` is the crate of that name with its default settings, many operations in one transaction that ends with each
sync (in a process of its own; handing over to the thread that holds the transaction costs it about a microsecond and a
copy of the bytes for each operation). Empty: not measured, or not possible.
";

fn conditions(report: &Report, command: &str) -> String {
    let scale = &report.settings.scale;
    let controls = report.controls().map_or_else(String::new, |(low, high)| {
        format!(
            "* the host against itself at the end of each round: {low:.2} to {high:.2} (column *again*); a row where \
             that is not between {} and {} does not count\n",
            STEADY.start(),
            STEADY.end()
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
    let again = format!("`anyfs-lvm bench{} --only ROW`", options(scale));
    format!("{}\n{controls}\n{COUNTS}A row again: {again}.\n", lines.map(|line| line + "\n").concat())
}

/// How the host compares with itself where a row counts.
const STEADY: RangeInclusive<f64> = 0.9..=1.1;

/// What the figures are.
const COUNTS: &str = "\
What a row counts is durable when its clock stops (reads apart), and every byte was read back and compared.
";

/// What `anyfs-lvm bench` is to be told for a run of that size; each option with a space before it.
fn options(scale: &Scale) -> String {
    let known = [(Scale::usual(), ""), (Scale::full(), " --full"), (Scale::quick(), " --quick")];
    let (bytes, files, rounds) = (scale.bytes, scale.files, scale.rounds);
    // What else there is comes only with one of them.
    let like = known.into_iter().find(|(known, _)| Scale { bytes, files, rounds, ..known.clone() } == *scale);
    let (like, word) = like.unwrap_or((Scale::usual(), ""));
    let differs = |same: bool, option: String| if same { String::new() } else { option };
    let size = differs(bytes == like.bytes, format!(" --size {}m", bytes / MIB));
    let files = differs(files == like.files, format!(" --files {files}"));
    let rounds = differs(rounds == like.rounds, format!(" --rounds {rounds}"));
    format!("{word}{size}{files}{rounds}")
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
        Some(_) if outcome.control().is_some_and(|control| !STEADY.contains(&control)) => "does not count",
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

fn picture(curves: &Curves, options: &str) -> String {
    let name = curves.kind.name();
    format!(
        "Against {}: `anyfs-lvm bench{options} --curve {name}`\n\n![{name}](plots/{name}.svg)\n",
        curves.kind.axis()
    )
}

#[cfg(test)]
mod tests {
    use anyfs_lvm_tools::bench::measure::{Machine, Row, Unit};
    use anyfs_lvm_tools::bench::{CurveKind, Settings};

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
        assert!(page.contains("A row again: `anyfs-lvm bench --full --only ROW`.\n"), "{page}");
        assert!(!page.contains("As things grow") && !page.contains("left out of"));
    }

    #[test]
    fn a_row_in_which_the_host_was_unsteady_does_not_count() {
        for (again, word) in [(89.0, "does not count"), (91.0, "met"), (109.0, "met"), (111.0, "does not count")] {
            let mut outcome = report().outcomes.remove(0);
            outcome.again = vec![again];
            assert_eq!(verdict(&outcome), word, "{again}");
            outcome.row.target = Target::Open;
            assert_eq!(verdict(&outcome), "", "{again}");
        }
    }

    #[test]
    fn what_the_page_says_to_run_is_as_large_as_the_run() {
        let changed = Scale { bytes: 64 * MIB, files: 20, rounds: 5, ..Scale::quick() };
        let known = [(Scale::usual(), ""), (Scale::full(), " --full"), (Scale::quick(), " --quick")];
        for (scale, words) in known.into_iter().chain([(changed, " --quick --size 64m --files 20 --rounds 5")]) {
            assert_eq!(options(&scale), words);
            let mut report = report();
            report.settings.scale = scale;
            let curves = Curves { kind: CurveKind::Pvs, curves: Vec::new() };
            let page = page(&report, &[curves], "");
            for rest in ["--only ROW", "--curve pvs"] {
                assert!(page.contains(&format!("`anyfs-lvm bench{words} {rest}`")), "{page}");
            }
        }
    }
}
