//! What a volume did from one look at its counts to the next, as a table and as JSON.

use std::time::Duration;

use anyfs_lvm::lv::{Meters, PvMeters, StatFs, Timings, Usage};
use anyfs_lvm::pv::Bytes;
use anyfs_lvm::pv::units::Units;
use serde_json::{Map, Value, json};

use crate::picture::shown;

/// The heads of the columns and how wide they are.
const COLUMNS: [(&str, usize); 6] =
    [("Operation", 16), ("Per s", 10), ("Bytes/s", 10), ("Mean", 9), ("P99", 9), ("Max", 9)];

/// A look at a volume.
#[derive(Debug, Clone)]
pub(crate) struct Look {
    pub(crate) meters: Meters,
    pub(crate) usage: Usage,
    pub(crate) space: StatFs,
}

/// A look, and what came before: an earlier look, or the activation.
#[derive(Debug)]
pub(crate) struct Activity<'a> {
    now: &'a Look,
    before: Option<&'a Meters>,
    took: Duration,
}

/// Operations of one kind, with the bytes that they moved.
#[derive(Debug)]
struct Kind<'a> {
    all: &'a Timings,
    new: Timings,
    /// All, and since the look before.
    bytes: Option<(u64, u64)>,
}

impl<'a> Activity<'a> {
    /// What was done since `before`. Counts of another activation are none to compare with.
    pub(crate) fn new(now: &'a Look, before: Option<&'a Look>) -> Self {
        let before = before.map(|look| &look.meters).filter(|before| before.elapsed < now.meters.elapsed);
        let since = before.map_or(Duration::ZERO, |before| before.elapsed);
        Self { now, before, took: now.meters.elapsed.saturating_sub(since) }
    }

    /// What the volume did, by kind.
    fn kinds(&self) -> [(&'static str, Kind<'a>); 5] {
        let (now, before) = (&self.now.meters, self.before);
        let new = |pick: fn(&Meters) -> &Timings| Kind::new(pick(now), before.map(pick));
        let bytes = |pick: fn(&Meters) -> u64| Some((pick(now), before.map_or(0, pick)));
        [
            ("read", new(|meters| &meters.read).moving(bytes(|meters| meters.read_bytes))),
            ("write", new(|meters| &meters.write).moving(bytes(|meters| meters.written_bytes))),
            ("sync", new(|meters| &meters.sync)),
            ("metadata", new(|meters| &meters.metadata)),
            ("commit", new(|meters| &meters.commits)),
        ]
    }

    /// What happened on a PV.
    fn on_pv(&self, pv: &'a PvMeters) -> [(&'static str, Kind<'a>); 2] {
        let before = self.before.and_then(|before| before.pvs.iter().find(|other| other.path == pv.path));
        let kind = |all, earlier, bytes, earlier_bytes: Option<u64>| {
            Kind::new(all, earlier).moving(Some((bytes, earlier_bytes.unwrap_or(0))))
        };
        [
            ("read", kind(&pv.reads, before.map(|pv| &pv.reads), pv.read_bytes, before.map(|pv| pv.read_bytes))),
            (
                "write",
                kind(&pv.writes, before.map(|pv| &pv.writes), pv.written_bytes, before.map(|pv| pv.written_bytes)),
            ),
        ]
    }

    /// Blocks that were found in the cache, and those that were not.
    fn cached(&self) -> (u64, u64) {
        let (now, before) = (&self.now.meters, self.before);
        let new = |pick: fn(&Meters) -> u64| pick(now).saturating_sub(before.map_or(0, pick));
        (new(|meters| meters.cache_hits), new(|meters| meters.cache_misses))
    }

    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { float(count) / seconds } else { 0.0 }
    }

    fn bytes_per_second(&self, count: u64) -> String {
        let all = u128::from(count).saturating_mul(1_000_000_000).checked_div(self.took.as_nanos()).unwrap_or(0);
        bytes(u64::try_from(all).unwrap_or(u64::MAX))
    }

    /// As lines of a table.
    pub(crate) fn table(&self) -> String {
        let Look { meters, usage, space } = self.now;
        let mut lines = vec![line(&COLUMNS.map(|(head, _)| head.to_owned()))];
        lines.extend(self.kinds().iter().map(|(name, kind)| self.row((*name).to_owned(), kind)));
        for pv in &meters.pvs {
            let name = pv.path.file_name().map(|name| shown(name.as_ref())).unwrap_or_default();
            lines.extend(self.on_pv(pv).iter().map(|(what, kind)| self.row(format!("{name} {what}"), kind)));
        }
        let (hits, misses) = self.cached();
        let hit = hits.saturating_mul(100).checked_div(hits.saturating_add(misses));
        let hit = hit.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"));
        let commit = match meters.committed_at {
            0 => "none yet".to_owned(),
            _ => format!("{} in {}", meters.txg, duration(Some(meters.last_commit))),
        };
        let facts = [
            ("cache hits", hit),
            ("last commit", commit),
            ("dirty", bytes(usage.dirty_bytes)),
            ("intents", bytes(usage.intent_bytes)),
            ("log", bytes(usage.log_bytes)),
            ("cache", bytes(usage.cache_bytes)),
            ("rows", usage.rows.to_string()),
            ("used", bytes(space.used)),
            ("free", bytes(space.free)),
            ("files", space.files.to_string()),
        ];
        let facts: Vec<String> = facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let (first, rest) = facts.split_at_checked(5).unwrap_or((&facts, &[]));
        lines.extend([first, rest].map(|facts| format!("    {}\n", facts.join(", "))));
        lines.concat()
    }

    fn row(&self, name: String, kind: &Kind<'_>) -> String {
        line(&[
            name,
            format!("{:.1}", self.per_second(kind.new.count)),
            kind.bytes.map_or_else(|| "-".to_owned(), |(_, new)| self.bytes_per_second(new)),
            duration(kind.new.mean()),
            duration(kind.new.within(990)),
            duration(kind.new.within(1000)),
        ])
    }

    /// As the fields of a JSON object.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let Look { meters, usage, space } = self.now;
        let (hits, misses) = self.cached();
        let found = hits.saturating_add(misses);
        let ratio = (found > 0).then(|| float(hits) / float(found));
        let at = Duration::from_nanos(meters.committed_at).as_secs_f64();
        let pvs: Vec<Value> = meters
            .pvs
            .iter()
            .map(|pv| {
                let mut fields = self.kinds_as_json(&self.on_pv(pv));
                fields.insert("path".to_owned(), json!(shown(&pv.path)));
                Value::Object(fields)
            })
            .collect();
        let mut fields = self.kinds_as_json(&self.kinds());
        let more = json!({
            "interval_seconds": self.took.as_secs_f64(),
            "cache_hits": meters.cache_hits,
            "cache_misses": meters.cache_misses,
            "cache_hit_ratio": ratio,
            "txg": meters.txg,
            "last_commit_us": micros(meters.last_commit),
            "committed_at": (meters.committed_at > 0).then_some(at),
            "pvs": pvs,
            "dirty_bytes": usage.dirty_bytes,
            "intent_bytes": usage.intent_bytes,
            "rows": usage.rows,
            "cache_bytes": usage.cache_bytes,
            "log_bytes": usage.log_bytes,
            "free_extents": usage.free_extents,
            "quarantined_extents": usage.quarantined_extents,
            "total_bytes": space.total,
            "used_bytes": space.used,
            "free_bytes": space.free,
            "files": space.files,
        });
        if let Value::Object(more) = more {
            fields.extend(more);
        }
        fields
    }

    fn kinds_as_json(&self, kinds: &[(&'static str, Kind<'_>)]) -> Map<String, Value> {
        let one = |kind: &Kind<'_>| {
            json!({
                "count": kind.all.count,
                "timed": kind.new.timed,
                "per_second": self.per_second(kind.new.count),
                "bytes": kind.bytes.map(|(all, _)| all),
                "bytes_per_second": kind.bytes.map(|(_, new)| self.per_second(new)),
                "mean_us": kind.new.mean().map(micros),
                "p99_us": kind.new.within(990).map(micros),
                "max_us": kind.new.within(1000).map(micros),
            })
        };
        kinds.iter().map(|(name, kind)| ((*name).to_owned(), one(kind))).collect()
    }
}

impl<'a> Kind<'a> {
    fn new(all: &'a Timings, before: Option<&Timings>) -> Self {
        Self { all, new: before.map_or_else(|| all.clone(), |before| all.since(before)), bytes: None }
    }

    /// With the bytes that were moved, now and before.
    fn moving(self, bytes: Option<(u64, u64)>) -> Self {
        Self { bytes: bytes.map(|(now, before)| (now, now.saturating_sub(before))), ..self }
    }
}

/// Cells under their heads: numbers to the right.
fn line(cells: &[String; 6]) -> String {
    let padded = cells.iter().zip(COLUMNS).enumerate().map(|(at, (cell, (_, width)))| match at {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    format!("    {}\n", padded.collect::<Vec<_>>().join(" "))
}

/// A count as the nearest float.
fn float(count: u64) -> f64 {
    let part = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).map_or(0.0, f64::from);
    part(count >> 32).mul_add(4_294_967_296.0, part(count))
}

fn bytes(count: u64) -> String {
    Units::default().show(Bytes(count)).trim().to_owned()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn duration(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return "-".to_owned() };
    let seconds = duration.as_secs_f64();
    match duration.as_nanos() {
        0..1_000_000 => format!("{:.1}us", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.2}ms", seconds * 1e3),
        _ => format!("{seconds:.2}s"),
    }
}
