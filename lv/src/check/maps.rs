//! Maps and slices: which bytes files name, and how often.

use std::collections::HashMap;

use pv::{LeIndex, SliceId, block_sums};

use super::names::{Tree, first_two};
use super::report::CheckReport;
use super::source::Source;
use crate::catalogue::{
    Columns, MapRow, SliceRow, Table, WINDOW, map_from, map_is_borrowed, map_mark, slice_from, window_from,
};
use crate::engine::FS;
use crate::{Ino, Kind};

/// Slices in the order in which they lie in their extents.
const BY_PLACE: &str = "le, pos";

/// How maps use a slice.
#[derive(Debug)]
struct Use {
    refs: u32,
    live: u64,
    /// End of the bytes that are named.
    reach: u64,
    /// A file that names it.
    ino: Ino,
    /// The place that it was written for, as entries say that do not borrow from it; `None` when they contradict each
    /// other.
    home: Option<(Ino, u64)>,
    /// Entries that do not borrow.
    at_home: u32,
}

/// What slices take in an LE.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    /// Bytes that files name.
    pub(super) live: u64,
    /// End of the last slice.
    pub(super) end: u64,
}

/// How maps use slices.
#[derive(Debug, Default)]
pub(super) struct Maps(HashMap<SliceId, Use>);

impl Maps {
    /// Reads all maps and counts.
    pub(super) fn read(source: &Source, tree: &mut Tree, report: &mut CheckReport) -> Self {
        let mut maps = Self::default();
        let mut last = (Ino(0), 0u64);
        let mut windows: HashMap<(Ino, u64), u64> = HashMap::new();
        let keyed =
            |columns: Columns<'_>| Some((first_two(&columns)?, map_from(columns.clone())?, map_is_borrowed(columns)?));
        source.walk(report, (Table::Map, Table::Map.key()), keyed, |report, ((fs, ino), row, borrowed)| {
            if last.0 != ino {
                last = (ino, 0);
            }
            let end = row.off.saturating_add(u64::from(row.len));
            let crosses = row.off / WINDOW != end.saturating_sub(1) / WINDOW;
            if row.off < last.1 || row.len == 0 || crosses || i64::try_from(end).is_err() {
                report.problem(source.named(ino), format!("its map contradicts itself at byte {}", row.off));
            }
            last.1 = last.1.max(end);
            match tree.nodes.get_mut(&ino).filter(|node| fs == FS && node.kind == Kind::File) {
                Some(node) => node.count(&row),
                None => report.problem(source.named(ino), "it has a map and is no file"),
            }
            maps.count(ino, &row, borrowed);
            if row.off >= WINDOW {
                let sum = windows.entry((ino, row.off / WINDOW)).or_default();
                *sum = sum.wrapping_add(map_mark(&row));
            }
        });
        judge_windows(source, windows, report);
        maps
    }

    fn count(&mut self, ino: Ino, row: &MapRow, borrowed: bool) {
        let unused = Use { refs: 0, live: 0, reach: 0, ino, home: None, at_home: 0 };
        let used = self.0.entry(row.slice).or_insert(unused);
        used.refs = used.refs.saturating_add(1);
        used.live = used.live.saturating_add(u64::from(row.len));
        used.reach = used.reach.max(u64::from(row.skip).saturating_add(u64::from(row.len)));
        if !borrowed {
            let home = row.off.checked_sub(row.skip.into()).map(|off| (ino, off));
            used.home = if used.at_home == 0 || used.home == home { home } else { None };
            used.at_home = used.at_home.saturating_add(1);
        }
    }

    /// Reads all slices and compares; what they take in each LE.
    pub(super) fn judge(mut self, source: &Source, report: &mut CheckReport) -> HashMap<LeIndex, Taken> {
        let mut taken: HashMap<LeIndex, Taken> = HashMap::new();
        let next = source.state.next_slice;
        source.walk(report, (Table::Slice, BY_PLACE), slice_from, |report, row| {
            let about = |what: String| format!("slice {} (bytes from {} on) {what}", row.id, row.off);
            let wrong = |report: &mut CheckReport, what: String| report.problem(source.named(row.ino), about(what));
            let used = self.0.remove(&row.id);
            let stray = used.as_ref().is_some_and(|used| used.at_home > 0 && used.home != Some((row.ino, row.off)));
            if stray {
                wrong(report, "is named as if it had been written for another place".to_owned());
            }
            let (refs, live, reach) = used.map_or((0, 0, 0), |used| (used.refs, used.live, used.reach));
            if refs != row.refs || live != row.live {
                let (said, bytes) = (row.refs, row.live);
                wrong(report, format!("is named {refs} times for {live} bytes and counts {said} for {bytes}"));
            }
            if reach > u64::from(row.raw) || row.id >= next || row.epoch > source.state.epoch {
                wrong(report, "is shorter than what is named of it, or of the future".to_owned());
            }
            let Some(le) = row.le else {
                report.checked.bytes = report.checked.bytes.saturating_add(u64::from(row.stored));
                if !inline_sound(source, &row) {
                    wrong(report, "does not match its checksum".to_owned());
                }
                return;
            };
            let place = taken.entry(le).or_default();
            if u64::from(row.pos) < place.end {
                wrong(report, format!("overlaps another in logical extent {le}"));
            }
            place.live = place.live.saturating_add(row.occupied());
            place.end = place.end.max(u64::from(row.pos).saturating_add(u64::from(row.stored)));
        });
        let mut missing: Vec<(SliceId, Use)> = self.0.into_iter().collect();
        missing.sort_unstable_by_key(|(id, _)| *id);
        for (id, used) in missing {
            report.problem(source.named(used.ino), format!("slice {id} is named by its map and missing"));
        }
        taken
    }
}

/// Compares what the entries of each window after a map's first add up to with what vouches for them.
fn judge_windows(source: &Source, mut windows: HashMap<(Ino, u64), u64>, report: &mut CheckReport) {
    let keyed = |columns: Columns<'_>| Some((first_two(&columns)?, window_from(columns)?));
    let old = |report: &mut CheckReport, ino: Ino, window: u64| {
        let from = window.saturating_mul(WINDOW);
        report.problem(source.named(ino), format!("its contents from byte {from} on are not all there, or old"));
    };
    source.walk(report, (Table::Window, Table::Window.key()), keyed, |report, ((_, ino), row)| {
        if windows.remove(&(ino, row.window)) != Some(row.below) {
            old(report, ino, row.window);
        }
    });
    let mut left: Vec<(Ino, u64)> = windows.into_keys().collect();
    left.sort_unstable();
    for (ino, window) in left {
        old(report, ino, window);
    }
}

/// Whether a slice that lies in the catalogue itself is what was written.
fn inline_sound(source: &Source, row: &SliceRow) -> bool {
    let Some(data) = &row.data else { return false };
    let sums = block_sums(&source.state.family, row.epoch, row.id, data);
    let same = row.blocks.chunks_exact(4).zip(&sums).all(|(stored, sum)| *stored == sum.to_le_bytes());
    let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
    same && row.blocks.len() == sums.len().saturating_mul(4) && len == u64::from(row.stored)
}
