//! The report for programs.

use measure::{Outcome, Samples, Target, median, spread};
use serde_json::{Map, Value, json};

use super::{Curves, Report};

/// A number; nothing for what JSON has no word for.
fn number(value: Option<f64>) -> Value {
    value.filter(|value| value.is_finite()).map_or(Value::Null, |value| json!(value))
}

fn samples(samples: &Samples) -> Value {
    json!({
        "median": number(samples.median()),
        "spread": number(Some(spread(&samples.values))),
        "values": samples.values,
    })
}

fn target(target: Target) -> Value {
    match target {
        Target::Open => Value::Null,
        Target::Ratio(ratio) => json!({ "ratio": ratio }),
        Target::AtMost(limit) => json!({ "at_most": limit }),
        Target::AtLeast(least) => json!({ "at_least": least }),
    }
}

fn row(outcome: &Outcome) -> Value {
    let filled = outcome.sides.iter().filter(|side| !side.values.is_empty());
    let sides: Map<String, Value> = filled.clone().map(|side| (side.side.clone(), samples(side))).collect();
    let ratios: Map<String, Value> =
        filled.filter_map(|side| Some((side.side.clone(), number(Some(outcome.ratio(&side.side)?))))).collect();
    json!({
        "work": outcome.work,
        "row": outcome.row.key,
        "item": outcome.row.item,
        "unit": outcome.row.unit.text(),
        "more_is_better": outcome.row.unit.more_is_better(),
        "target": target(outcome.row.target),
        "sides": sides,
        "ratios": ratios,
        "again": { "median": number(Some(median(&outcome.again))), "ratio": number(outcome.control()) },
        "absent": outcome.absent.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
        "skipped": outcome.skipped,
    })
}

impl Report {
    /// As JSON, with what one thing's growth does where that was measured.
    pub fn json(&self, curves: Option<&Curves>) -> Value {
        let (machine, scale) = (&self.machine, &self.settings.scale);
        // A volume that was there lies in a group with a shape of its own.
        let made = self.settings.volume.is_none();
        json!({
            "program": "anyfs-lvm bench",
            "version": self.version,
            "date": self.date,
            "machine": {
                "cores": machine.cores,
                "processor": machine.processor,
                "memory": machine.memory,
                "system": machine.system,
                "filesystem": machine.filesystem,
                "load": machine.load,
            },
            "settings": {
                "bytes": scale.bytes,
                "files": scale.files,
                "reads": scale.reads,
                "overwrites": scale.overwrites,
                "scattered": scale.scattered,
                "appends": scale.appends,
                "threads": scale.threads,
                "many": scale.many,
                "rounds": scale.rounds,
                "pvs": made.then_some(self.settings.pvs),
                "extent": made.then_some(self.settings.extent),
                "volume": self.settings.volume,
                "cold": self.cold.text(),
            },
            "curves": curves.map(Curves::json),
            "rows": self.outcomes.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

impl Curves {
    fn json(&self) -> Value {
        let line = |line: &super::Line| json!({ "side": line.side, "points": line.points });
        let curve = |curve: &super::Curve| {
            json!({
                "row": curve.row.key,
                "item": curve.row.item,
                "unit": curve.row.unit.text(),
                "lines": curve.lines.iter().map(line).collect::<Vec<_>>(),
            })
        };
        json!({
            "curve": self.kind.name(),
            "against": self.kind.axis(),
            "curves": self.curves.iter().map(curve).collect::<Vec<_>>(),
        })
    }
}
