//! The allocator: a pure plan of which physical extents a request gets.
//!
//! Policies are tried strictest first, up to the one asked for, each from a clean state; a request gets everything or
//! nothing. On each PV the smallest area that holds the rest by itself is preferred, else the largest; among PVs the
//! one whose area covers most of the rest, then the one listed first. That is where LVM puts them.

use std::collections::BTreeSet;

use pv::{LeCount, LeIndex, PeCount, PeIndex, PvUuid};

use crate::free_map::{FreeMap, PeRange};
use crate::pv_range::PvRange;
use crate::{AllocPolicy, Segment, SegmentKind, StripeLeg};

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct AllocRequest<'a> {
    /// Logical extents, at least 1; a multiple of `stripes`.
    pub count: LeCount,
    /// How free the choice is; `inherit` counts as `normal`.
    pub policy: AllocPolicy,
    /// Legs to deal the extents to; 1 = linear.
    pub stripes: u32,
    /// Only these extents, PVs in this order; `None` = every PV.
    pub pvs: Option<&'a [PvRange]>,
    /// What the LV has already; the new extents follow.
    pub existing: &'a [Segment],
}

/// What a request gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllocPlan {
    /// New segments, following the existing ones.
    pub segments: Vec<Segment>,
}

/// Why a request gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocError {
    /// Too few free extents where they may be.
    #[error("Insufficient free space: {needed} extents needed, but only {available} available")]
    Insufficient {
        /// Extents asked for.
        needed: u64,
        /// Free ones among those that may be used.
        available: u64,
    },
    /// Enough free extents, but not laid out as the policy and the stripes want them.
    #[error("Insufficient suitable allocatable extents: {more} more required")]
    Unsuitable {
        /// Extents that found no place.
        more: u64,
    },
    /// Fewer PVs with free extents than stripes.
    #[error("Number of stripes ({stripes}) must not exceed number of physical volumes ({pvs})")]
    Stripes {
        /// Stripes asked for.
        stripes: u32,
        /// PVs with free extents.
        pvs: usize,
    },
    /// Not a number of extents that such an LV can have.
    #[error("{count} extents cannot be dealt to {stripes} stripes")]
    Uneven {
        /// Extents asked for.
        count: u32,
        /// Stripes asked for.
        stripes: u32,
    },
    /// The LV would have more extents than can be numbered.
    #[error("the logical volume would have more than 4294967295 extents")]
    TooLarge,
}

/// `count` rounded up to whole rows of `stripes` extents; `None` past the largest number.
pub fn whole_rows(count: LeCount, stripes: u32) -> Option<LeCount> {
    count.0.checked_next_multiple_of(stripes.max(1)).map(LeCount)
}

/// Places `request` in `map`, which is not changed. O(extents wanted x free ranges) at worst.
///
/// # Errors
/// The [`AllocError`] that says what is lacking; nothing is ever granted in part.
pub fn allocate(map: &FreeMap, request: &AllocRequest<'_>) -> Result<AllocPlan, AllocError> {
    let stripes = request.stripes;
    let uneven = AllocError::Uneven { count: request.count.0, stripes };
    let rows = request.count.0.checked_div(stripes).filter(|rows| *rows > 0).ok_or(uneven)?;
    if request.count.0.checked_rem(stripes) != Some(0) {
        return Err(uneven);
    }
    let start = request.existing.last().map_or(Some(LeIndex(0)), Segment::end).ok_or(AllocError::TooLarge)?;
    start.0.checked_add(request.count.0).ok_or(AllocError::TooLarge)?;
    let pool = Pool::new(map, request.pvs);
    let (needed, available) = (u64::from(request.count.0), pool.free());
    if available < needed {
        return Err(AllocError::Insufficient { needed, available });
    }
    let width = usize::try_from(stripes).map_err(|_| uneven)?;
    if pool.pvs.len() < width {
        return Err(AllocError::Stripes { stripes, pvs: pool.pvs.len() });
    }
    let mut fewest = rows;
    for policy in [AllocPolicy::Contiguous, AllocPolicy::Cling, AllocPolicy::Normal, AllocPolicy::Anywhere] {
        let mut attempt = Attempt { pool: pool.clone(), width, rows, tail: tail(request.existing, width) };
        let runs = match policy {
            AllocPolicy::Contiguous => attempt.contiguous(),
            AllocPolicy::Cling => attempt.cling(request.existing),
            _ => attempt.split(),
        };
        if attempt.rows == 0 {
            return Ok(AllocPlan { segments: segments(start, &runs) });
        }
        fewest = fewest.min(attempt.rows);
        let asked = if request.policy == AllocPolicy::Inherit { AllocPolicy::Normal } else { request.policy };
        if policy >= asked {
            break;
        }
    }
    Err(AllocError::Unsuitable { more: u64::from(fewest).saturating_mul(u64::from(stripes)) })
}

/// `existing` followed by `new`, joined where one continues the other.
pub fn join(existing: &[Segment], new: &[Segment]) -> Vec<Segment> {
    let mut out: Vec<Segment> = Vec::with_capacity(existing.len().saturating_add(new.len()));
    for segment in existing.iter().chain(new) {
        match out.last_mut() {
            Some(last) => match last.joined(segment) {
                Some(both) => *last = both,
                None => out.push(segment.clone()),
            },
            None => out.push(segment.clone()),
        }
    }
    out
}

/// Equally long runs, one per leg.
#[derive(Debug)]
struct Run {
    legs: Vec<StripeLeg>,
    rows: u32,
}

/// Where the last segment's legs would go on, when it has `width` of them.
fn tail(existing: &[Segment], width: usize) -> Option<Vec<StripeLeg>> {
    let last = existing.last().filter(|last| last.legs().len() == width)?;
    let rows = last.rows().0;
    last.legs().iter().map(|leg| Some(StripeLeg { pv: leg.pv, pe: PeIndex(leg.pe.0.checked_add(rows)?) })).collect()
}

fn segments(start: LeIndex, runs: &[Run]) -> Vec<Segment> {
    let mut at = start.0;
    let mut out = Vec::new();
    for run in runs {
        let count = u32::try_from(run.legs.len()).unwrap_or(0).saturating_mul(run.rows);
        let kind = match run.legs.as_slice() {
            [leg] => SegmentKind::Linear(*leg),
            legs => SegmentKind::Striped(legs.to_vec()),
        };
        out.push(Segment { start: LeIndex(at), count: LeCount(count), kind });
        at = at.saturating_add(count);
    }
    join(&[], &out)
}

/// What may be used, per PV.
#[derive(Debug, Clone)]
struct Pool {
    pvs: Vec<(PvUuid, Vec<PeRange>)>,
}

impl Pool {
    fn new(map: &FreeMap, only: Option<&[PvRange]>) -> Self {
        let usable = |uuid: PvUuid| map.pv(uuid).filter(|pv| pv.usable);
        let mut pvs: Vec<(PvUuid, Vec<PeRange>)> = match only {
            None => map.pvs().iter().filter(|pv| pv.usable).map(|pv| (pv.uuid, pv.ranges().to_vec())).collect(),
            Some(list) => {
                let mut seen = BTreeSet::new();
                let first = list.iter().filter(|range| seen.insert(range.pv));
                first
                    .filter_map(|range| Some((range.pv, merged(list, range.pv).within(usable(range.pv)?.ranges()))))
                    .collect()
            }
        };
        pvs.retain(|(_, ranges)| !ranges.is_empty());
        Self { pvs }
    }

    fn free(&self) -> u64 {
        self.pvs.iter().flat_map(|(_, ranges)| ranges).map(|range| u64::from(range.count.0)).sum()
    }

    fn take(&mut self, pv: PvUuid, taken: PeRange) {
        for (_, ranges) in self.pvs.iter_mut().filter(|(uuid, _)| *uuid == pv) {
            let left = |range: &PeRange| {
                let Some(hit) = range.overlap(&taken) else { return [*range, PeRange::new(0, 0)] };
                let before = PeRange::new(range.start.0, hit.start.0.saturating_sub(range.start.0));
                [before, PeRange::new(hit.end(), range.end().saturating_sub(hit.end()))]
            };
            *ranges = ranges.iter().flat_map(left).filter(|range| range.count.0 > 0).collect();
        }
        self.pvs.retain(|(_, ranges)| !ranges.is_empty());
    }

    /// The best area of each PV for `rows`, best PV first.
    fn areas(&self, rows: u32, on: Option<&BTreeSet<PvUuid>>) -> Vec<(PvUuid, PeRange)> {
        let best = |ranges: &[PeRange]| {
            let fitting = ranges.iter().filter(|range| range.count.0 >= rows).min_by_key(|range| range.count);
            // Of equally large areas the first: `max_by_key` alone would return the last.
            fitting.or_else(|| ranges.iter().rev().max_by_key(|range| range.count)).copied()
        };
        let allowed = |uuid: &PvUuid| on.is_none_or(|on| on.contains(uuid));
        let pvs = self.pvs.iter().filter(|(uuid, _)| allowed(uuid));
        let mut out: Vec<_> = pvs.filter_map(|(uuid, ranges)| Some((*uuid, best(ranges)?))).collect();
        out.sort_by_key(|(_, range)| std::cmp::Reverse(range.count.0.min(rows)));
        out
    }
}

/// All ranges that a list names for one PV; a mention without ranges means the whole PV.
fn merged(list: &[PvRange], pv: PvUuid) -> PvRange {
    let mentions = || list.iter().filter(|range| range.pv == pv);
    if mentions().any(|range| range.ranges.is_empty()) {
        return PvRange::whole(pv);
    }
    PvRange { pv, ranges: mentions().flat_map(|range| range.ranges.clone()).collect() }
}

/// One try under one policy; done when `rows` is 0.
#[derive(Debug)]
struct Attempt {
    pool: Pool,
    width: usize,
    rows: u32,
    tail: Option<Vec<StripeLeg>>,
}

impl Attempt {
    fn grant(&mut self, legs: Vec<StripeLeg>, rows: u32) -> Run {
        for leg in &legs {
            self.pool.take(leg.pv, PeRange { start: leg.pe, count: PeCount(rows) });
        }
        self.rows = self.rows.saturating_sub(rows);
        Run { legs, rows }
    }

    /// Free rows right behind the last segment, on all its legs.
    fn adjacent(&self) -> Option<(Vec<StripeLeg>, u32)> {
        let legs = self.tail.clone()?;
        let room = |leg: &StripeLeg| {
            let (_, ranges) = self.pool.pvs.iter().find(|(uuid, _)| *uuid == leg.pv)?;
            let range = ranges.iter().find(|range| range.start <= leg.pe && leg.pe.0 < range.end())?;
            range.end().checked_sub(leg.pe.0)
        };
        let rows = legs.iter().map(room).min().flatten()?.min(self.rows);
        Some((legs, rows))
    }

    /// The best areas on `width` PVs, and how many rows all of them have.
    fn choose(&self, on: Option<&BTreeSet<PvUuid>>) -> Option<(Vec<StripeLeg>, u32)> {
        let areas = self.pool.areas(self.rows, on);
        let chosen = areas.get(..self.width)?;
        let rows = chosen.iter().map(|(_, range)| range.count.0).min()?.min(self.rows);
        Some((chosen.iter().map(|(pv, range)| StripeLeg { pv: *pv, pe: range.start }).collect(), rows))
    }

    fn contiguous(&mut self) -> Vec<Run> {
        let found = if self.tail.is_some() { self.adjacent() } else { self.choose(None) };
        let whole = found.filter(|(_, rows)| *rows == self.rows);
        whole.map(|(legs, rows)| self.grant(legs, rows)).into_iter().collect()
    }

    fn cling(&mut self, existing: &[Segment]) -> Vec<Run> {
        let mut on: BTreeSet<PvUuid> = existing.iter().flat_map(Segment::legs).map(|leg| leg.pv).collect();
        if on.is_empty() {
            on = self.roomiest();
        }
        self.fill(Some(&on))
    }

    fn split(&mut self) -> Vec<Run> {
        self.fill(None)
    }

    fn fill(&mut self, on: Option<&BTreeSet<PvUuid>>) -> Vec<Run> {
        let mut runs = Vec::new();
        if let Some((legs, rows)) = self.adjacent() {
            runs.push(self.grant(legs, rows));
        }
        while self.rows > 0 {
            let Some((legs, rows)) = self.choose(on) else { break };
            runs.push(self.grant(legs, rows));
        }
        runs
    }

    /// The `width` PVs with the most free extents.
    fn roomiest(&self) -> BTreeSet<PvUuid> {
        let free = |ranges: &[PeRange]| ranges.iter().fold(0u32, |sum, range| sum.saturating_add(range.count.0));
        let mut pvs: Vec<_> = self.pool.pvs.iter().map(|(uuid, ranges)| (free(ranges).min(self.rows), *uuid)).collect();
        pvs.sort_by_key(|(free, _)| std::cmp::Reverse(*free));
        pvs.into_iter().take(self.width).map(|(_, uuid)| uuid).collect()
    }
}

#[cfg(test)]
mod tests;
