//! How figures change while one thing grows.

use std::path::Path;

use anyfs_lvm::pv::ExtentSize;
use measure::{Contender, Host, Outcome, Result, Row, Runner, Scale, Stop, WORKS, Wanted, float, free_space};

use super::table::number;
use super::{LvMaker, Shape};

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurveKind {
    /// Bytes of data.
    Pool,
    /// PVs of the pool.
    Pvs,
    /// Size of an extent.
    Extent,
    /// Files in a directory.
    Files,
    /// Threads that append.
    Threads,
}

impl CurveKind {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Pool, Self::Pvs, Self::Extent, Self::Files, Self::Threads];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Pvs => "pvs",
            Self::Extent => "extent",
            Self::Files => "files",
            Self::Threads => "threads",
        }
    }

    /// What its points stand for.
    pub fn axis(self) -> &'static str {
        match self {
            Self::Pool => "data in the pool, MiB",
            Self::Pvs => "PVs",
            Self::Extent => "extent, KiB",
            Self::Files => "files",
            Self::Threads => "threads",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The rows that it follows.
    fn rows(self) -> &'static [&'static str] {
        match self {
            Self::Pool => &["write", "random_warm", "over_100"],
            Self::Pvs => &["write", "read_warm", "append_1"],
            Self::Extent => &["write", "read_warm", "random_warm"],
            Self::Files => &["create_4k", "create_empty", "delete", "stat_uncached"],
            Self::Threads => &["append_n"],
        }
    }

    /// The points, for a run that does as much as `scale`.
    fn points(self, scale: &Scale) -> Vec<u64> {
        match self {
            // Up to 48 times the size of a large file: 48 GiB in a full run.
            Self::Pool => [1, 4, 16, 64, 192].map(|n| (scale.bytes / 4).saturating_mul(n)).to_vec(),
            Self::Pvs | Self::Threads => vec![1, 2, 4, 8, 16],
            Self::Extent => vec![64, 128, 256, 512, 1024],
            Self::Files => [1, 5, 10, 50, 200].map(|n| scale.files.saturating_mul(n)).to_vec(),
        }
    }

    fn value(self, point: u64) -> f64 {
        if self == Self::Pool { float(point) / float(measure::MIB) } else { float(point) }
    }

    /// A row whose name does not say how many threads there are when that is what grows.
    fn named_row(self, outcome: &Outcome) -> Outcome {
        let mut outcome = outcome.clone();
        if self == Self::Threads {
            outcome.row.item = "4 KiB append + fsync, all threads together";
        }
        outcome
    }

    /// A scale and a shape in which the thing is as large as `point` says.
    fn set(self, point: u64, scale: &Scale, shape: Shape) -> (Scale, Shape) {
        let (mut scale, mut shape) = (scale.clone(), shape);
        match self {
            // Such a round takes long enough to be steady, and leaves as much behind until it is cleaned.
            Self::Pool => (scale.bytes, scale.rounds) = (point, 1),
            Self::Files => (scale.files, scale.rounds) = (point, 1),
            Self::Pvs => shape.pvs = point,
            Self::Extent => shape.extent = ExtentSize::new(point.saturating_mul(1024)).unwrap_or(shape.extent),
            Self::Threads => scale.threads = point,
        }
        (scale, shape)
    }
}

/// One side of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Name of the side.
    pub side: String,
    /// Size of what grows, and the median there.
    pub points: Vec<(f64, f64)>,
}

/// A row over what grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The row.
    pub row: Row,
    /// Its sides.
    pub lines: Vec<Line>,
}

/// All rows that follow one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// What grows.
    pub kind: CurveKind,
    /// The rows.
    pub curves: Vec<Curve>,
}

/// Measures what one thing's growth does, in pools below `dir` with the host beside them.
///
/// # Errors
/// As [`Runner::run`].
pub fn curve(
    kind: CurveKind,
    dir: &Path,
    (scale, shape): (&Scale, Shape),
    stop: &Stop,
    tell: &mut dyn FnMut(&str),
) -> Result<Curves> {
    let mut curves: Vec<Curve> = Vec::new();
    for point in kind.points(scale) {
        let (scale, shape) = kind.set(point, scale, shape);
        // Two sides with a file each, and what one of them has not cleaned yet.
        let needed = scale.bytes.saturating_mul(4);
        if free_space(dir).is_some_and(|free| free < needed) {
            tell(&format!("{} {point}: left out, {needed} bytes of the disk would be needed", kind.name()));
            continue;
        }
        tell(&format!("{} {point}", kind.name()));
        let contenders =
            vec![Contender::Here(Box::new(Host::new(dir))), Contender::Here(Box::new(LvMaker::in_folder(dir, shape)))];
        let rows: Vec<String> = kind.rows().iter().map(ToString::to_string).collect();
        let (wanted, folder, stop) = (Wanted::exactly(&rows), dir.to_owned(), stop.clone());
        let outcomes = Runner { scale, wanted, contenders, folder, stop, tell: &mut *tell }.run(WORKS)?;
        for outcome in &outcomes {
            add(&mut curves, &kind.named_row(outcome), kind.value(point));
        }
    }
    Ok(Curves { kind, curves })
}

fn add(curves: &mut Vec<Curve>, outcome: &Outcome, x: f64) {
    let blank = || {
        let line = |side: &measure::Samples| Line { side: side.side.clone(), points: Vec::new() };
        Curve { row: outcome.row, lines: outcome.sides.iter().map(line).collect() }
    };
    if !curves.iter().any(|curve| curve.row == outcome.row) {
        curves.push(blank());
    }
    for line in curves.iter_mut().filter(|curve| curve.row == outcome.row).flat_map(|curve| &mut curve.lines) {
        line.points.extend(outcome.median(&line.side).map(|value| (x, value)));
    }
}

impl Curves {
    /// As text, a line for each point.
    pub fn text(&self) -> String {
        let lines = self.curves.iter().flat_map(|curve| curve.lines_of_text(self.kind));
        lines.fold(String::new(), |text, line| text + &line + "\n")
    }
}

impl Curve {
    fn lines_of_text(&self, kind: CurveKind) -> Vec<String> {
        let columns = |cells: Vec<String>| cells.iter().fold(String::new(), |line, cell| format!("{line}{cell:>14}"));
        let names = self.lines.iter().map(|line| line.side.clone());
        let mut out = vec![format!("{}, {} against {}", self.row.item, self.row.unit.text(), kind.axis())];
        out.push(columns(std::iter::once(String::new()).chain(names).collect()));
        let points = self.lines.first().map_or(&[][..], |line| &line.points);
        for (at, (x, _)) in points.iter().enumerate() {
            let values = self.lines.iter().filter_map(|line| line.points.get(at)).map(|(_, value)| number(*value));
            out.push(columns(std::iter::once(x.to_string()).chain(values).collect()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_curve_is_a_row_of_the_table() {
        let keys: Vec<&str> = WORKS.iter().flat_map(measure::Work::rows).map(|row| row.key).collect();
        for kind in CurveKind::ALL {
            assert_eq!(CurveKind::named(kind.name()), Some(kind));
            assert!(kind.rows().iter().all(|row| keys.contains(row)), "{kind:?}");
        }
        assert_eq!(CurveKind::named("moon"), None);
    }

    #[test]
    fn what_grows_grows_and_nothing_else() {
        let (scale, shape) = (Scale::quick(), Shape::default());
        let sizes = |scale: &Scale, shape: Shape| {
            [scale.bytes, shape.pvs, shape.extent.bytes() / 1024, scale.files, scale.threads]
        };
        for (at, kind) in CurveKind::ALL.into_iter().enumerate() {
            for point in kind.points(&scale) {
                let (new, wide) = kind.set(point, &scale, shape);
                let mut wanted = sizes(&scale, shape);
                wanted[at] = point;
                assert_eq!(sizes(&new, wide), wanted, "{kind:?}");
                let Scale { bytes, files, threads, rounds, .. } = scale;
                assert_eq!(Scale { bytes, files, threads, rounds, ..new }, scale, "{kind:?} {point}");
            }
        }
    }
}
