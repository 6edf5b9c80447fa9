//! The table of results.

use std::io::Write;

/// Prints a line.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// The value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rows of the table, in the order they were measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    /// Adds rates (more is better) of all rounds.
    pub(crate) fn rate(&mut self, name: &str, unit: &str, host: &[f64], ours: &[f64]) {
        let ratio = median(ours) / median(host);
        self.add(name, unit, (median(host), median(ours)), ratio, ours);
    }

    /// Adds latencies (less is better): the ratio is host to ours, so that more is better here too.
    pub(crate) fn latency(&mut self, name: &str, host: &[f64], ours: &[f64]) {
        let ratio = median(host) / median(ours);
        self.add(name, "ms", (median(host), median(ours)), ratio, ours);
    }

    fn add(&mut self, name: &str, unit: &str, (host, ours): (f64, f64), ratio: f64, all: &[f64]) {
        let show = |value: f64| if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(0.0, f64::max);
        let row = [
            name.to_owned(),
            format!("{} {unit}", show(host)),
            format!("{} {unit}", show(ours)),
            format!("[{}..{}]", show(low), show(high)),
            format!("{ratio:.2}"),
        ];
        say(&format!("  {}", row.join(" | ")));
        self.rows.push(row);
    }

    /// Prints all rows.
    pub(crate) fn show(&self) {
        say("");
        say(&format!("{:<46} {:>13} {:>13} {:>17} {:>6}", "name", "host", "ours", "[min..max]", "ratio"));
        for [name, host, ours, spread, ratio] in &self.rows {
            say(&format!("{name:<46} {host:>13} {ours:>13} {spread:>17} {ratio:>6}"));
        }
    }
}
