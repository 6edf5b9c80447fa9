//! The report as a table.
//!
//! What was measured, what that costs for one unit of it, the host beside it, the ratio of the two, and the target.

use measure::{Outcome, Target, Unit, float};

use super::{OURS, Report};

/// Whether ratios are coloured by how well they meet their targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Green: met; yellow: less than a fifth off; red: further.
    Colours,
    /// Not at all.
    Plain,
}

/// Between green and red: this share of a target.
const NEARLY: f64 = 0.8;

const HEAD: [&str; 7] = ["ITEM", "VALUE", "COST", "HOST", "RATIO", "TARGET", "AGAIN"];

/// A cell: its text and how it is painted.
type Cell = (String, Option<&'static str>);

/// The rows of a report as a table with a frame, and below it what has to be known about them.
pub fn table(report: &Report, paint: Paint) -> String {
    let head: Vec<Cell> = HEAD.iter().map(|text| ((*text).to_owned(), None)).collect();
    let rows: Vec<Vec<Cell>> = report.outcomes.iter().map(row).collect();
    let widths: Vec<usize> = (0..HEAD.len()).map(|at| width(at, std::iter::once(&head).chain(&rows))).collect();
    let rule = widths.iter().fold(String::from("+"), |line, width| format!("{line}{}+", "-".repeat(width + 2)));
    let mut lines = vec![rule.clone(), line(&head, &widths, Paint::Plain), rule.clone()];
    lines.extend(rows.iter().map(|row| line(row, &widths, paint)));
    lines.push(rule);
    lines.extend(notes(report));
    lines.push(String::new());
    lines.join("\n")
}

fn width<'a>(at: usize, rows: impl Iterator<Item = &'a Vec<Cell>>) -> usize {
    rows.filter_map(|row| row.get(at)).map(|(text, _)| text.chars().count()).max().unwrap_or(0)
}

fn line(cells: &[Cell], widths: &[usize], paint: Paint) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(at, ((text, colour), width))| {
        let pad = " ".repeat(width.saturating_sub(text.chars().count()));
        let text = match colour.filter(|_| paint == Paint::Colours) {
            Some(colour) => format!("\x1b[{colour}m{text}\x1b[0m"),
            None => text.clone(),
        };
        if at == 0 { format!(" {text}{pad} ") } else { format!(" {pad}{text} ") }
    });
    format!("|{}|", padded.collect::<Vec<_>>().join("|"))
}

fn row(outcome: &Outcome) -> Vec<Cell> {
    let plain = |text: String| (text, None);
    let item = plain(outcome.row.item.to_owned());
    let unit = outcome.row.unit;
    let Some(value) = outcome.median(OURS) else {
        let blank = || plain(String::new());
        return vec![item, plain("-".to_owned()), blank(), blank(), blank(), plain(target(outcome)), blank()];
    };
    let ratio = outcome.ratio(OURS);
    let colour = outcome.row.target.score(value, ratio).map(colour);
    // What a target is about is what is painted.
    let about_ratio = matches!(outcome.row.target, Target::Ratio(_));
    let host = outcome.sides.first().filter(|side| side.side != OURS).and_then(measure::Samples::median);
    vec![
        item,
        (format!("{} {}", number(value), unit.text()), colour.filter(|_| !about_ratio)),
        plain(cost(unit, value)),
        plain(host.map_or_else(String::new, |host| format!("{} {}", number(host), unit.text()))),
        (ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")), colour.filter(|_| about_ratio)),
        plain(target(outcome)),
        plain(outcome.control().map_or_else(String::new, |control| format!("{control:.2}"))),
    ]
}

fn colour(score: f64) -> &'static str {
    match score {
        score if score >= 1.0 => "32",
        score if score >= NEARLY => "33",
        _ => "31",
    }
}

fn target(outcome: &Outcome) -> String {
    let unit = outcome.row.unit.text();
    match outcome.row.target {
        Target::Open => String::new(),
        Target::Ratio(ratio) => format!("{ratio}"),
        Target::AtMost(limit) => format!("<= {limit} {unit}"),
        Target::AtLeast(least) => format!(">= {least} {unit}"),
    }
}

/// Three digits, or as many as stand before the point.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// What one unit of it takes.
fn cost(unit: Unit, value: f64) -> String {
    match unit {
        Unit::MibPerSecond => format!("{} s/GiB", number(1024.0 / value)),
        Unit::PerSecond if value >= 1e4 => format!("{} us/op", number(1e6 / value)),
        Unit::PerSecond => format!("{} ms/op", number(1e3 / value)),
        Unit::Millis | Unit::Seconds | Unit::Times | Unit::Mib => String::new(),
    }
}

fn notes(report: &Report) -> Vec<String> {
    let scale = &report.settings.scale;
    let room = report.settings.volume.as_ref().map_or_else(
        || format!("pools of {} PVs, extents of {} KiB", report.settings.pvs, report.settings.extent / 1024),
        |name| format!("in {name}"),
    );
    let mib = float(scale.bytes) / float(measure::MIB);
    let amount = format!("{mib:.0} MiB, {} small files, median of {} rounds", scale.files, scale.rounds);
    let mut lines = vec![report.machine.text(), format!("{room}; {amount}; {}", report.cold.text())];
    lines.extend(report.controls().map(|(low, high)| {
        let again = "AGAIN: the host against itself at the end of each round";
        format!("{again}, from {low:.2} to {high:.2}; ratios mean little in rows where it is far from 1")
    }));
    let skipped = report.outcomes.iter().filter_map(|outcome| Some((outcome.row.item, outcome.skipped.as_ref()?)));
    lines.extend(skipped.map(|(item, why)| format!("{item}: left out, {why}")));
    lines
}

#[cfg(test)]
mod tests;
