//! PV arguments with extent ranges: `PV:PE-PE`, `PV:PE-`, `PV:PE+COUNT`, `PV:PE`, several joined by `:`.

use pv::PvUuid;

use crate::free_map::PeRange;

/// A PV, and which of its extents may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvRange {
    /// The PV.
    pub pv: PvUuid,
    /// Its extents; all when empty.
    pub ranges: Vec<PeRange>,
}

impl PvRange {
    /// All extents of `pv`.
    pub const fn whole(pv: PvUuid) -> Self {
        Self { pv, ranges: Vec::new() }
    }

    /// The parts of `free` that may be used.
    pub(crate) fn within(&self, free: &[PeRange]) -> Vec<PeRange> {
        if self.ranges.is_empty() {
            return free.to_vec();
        }
        let mut out: Vec<PeRange> =
            free.iter().flat_map(|free| self.ranges.iter().filter_map(|range| free.overlap(range))).collect();
        out.sort_unstable();
        out.dedup_by(|next, last| {
            let touching = next.start.0 <= last.end();
            if touching {
                *last = PeRange::new(last.start.0, last.end().max(next.end()).saturating_sub(last.start.0));
            }
            touching
        });
        out
    }
}

/// A PV argument of a command line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PvArg {
    /// Path of the PV, or `@tag`.
    pub name: String,
    /// Its extents; all when empty.
    pub ranges: Vec<PeRange>,
}

/// A PV argument whose extents cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Physical extent parsing error at {0}")]
pub struct PvArgError(String);

/// Looks like a range, right or wrong: begins with a digit or a minus and holds nothing but range characters.
fn rangelike(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b'+')
}

fn parse_range(part: &str) -> Option<PeRange> {
    let range = parse_any_range(part)?;
    // The largest number is no extent: it is how many there can be.
    range.start.0.checked_add(range.count.0).filter(|_| range.count.0 > 0).map(|_| range)
}

fn parse_any_range(part: &str) -> Option<PeRange> {
    let number = |text: &str| text.parse::<u32>().ok();
    if let Some((start, count)) = part.split_once('+') {
        let (start, count) = (number(start)?, number(count).filter(|count| *count > 0)?);
        return Some(PeRange::new(start, count));
    }
    let Some((start, last)) = part.split_once('-') else {
        let start = number(part)?;
        return Some(PeRange::new(start, 1));
    };
    let start = if start.is_empty() { 0 } else { number(start)? };
    if last.is_empty() {
        return Some(PeRange::new(start, u32::MAX.checked_sub(start)?));
    }
    let count = number(last)?.checked_sub(start)?.checked_add(1)?;
    Some(PeRange::new(start, count))
}

impl PvArg {
    /// Takes an argument apart. A path may hold colons; only what looks like ranges at its end is read as such.
    ///
    /// # Errors
    /// [`PvArgError`] when a range is backwards, empty or too large.
    pub fn parse(text: &str) -> Result<Self, PvArgError> {
        let mut name = text;
        let mut ranges = Vec::new();
        while let Some((head, part)) = name.rsplit_once(':').filter(|(_, part)| rangelike(part)) {
            ranges.push(parse_range(part).ok_or_else(|| PvArgError(part.to_owned()))?);
            name = head;
        }
        if name.is_empty() {
            return Err(PvArgError(text.to_owned()));
        }
        ranges.reverse();
        Ok(Self { name: name.to_owned(), ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Vec<(u32, u32)> {
        PvArg::parse(text).unwrap().ranges.iter().map(|range| (range.start.0, range.count.0)).collect()
    }

    #[test]
    fn ranges_are_read_as_lvm_reads_them() {
        assert_eq!(ranges("a.db"), []);
        assert_eq!(ranges("a.db:0-9"), [(0, 10)]);
        assert_eq!(ranges("a.db:20-"), [(20, u32::MAX - 20)]);
        assert_eq!(ranges("a.db:20+5"), [(20, 5)]);
        assert_eq!(ranges("a.db:7"), [(7, 1)]);
        assert_eq!(ranges("a.db:0-1:4-5:8+2"), [(0, 2), (4, 2), (8, 2)]);
        assert_eq!(PvArg::parse("c:x/a.db:3").unwrap().name, "c:x/a.db");
        for bad in [
            "a.db:9-0",
            "a.db:1+0",
            "a.db:4294967295+1",
            "a.db:4294967295",
            "a.db:4294967295-",
            "a.db:5-4294967295",
            "a.db:99999999999",
            "a.db:1-2-3",
            "",
            ":1",
        ] {
            assert!(PvArg::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overlapping_ranges_are_not_counted_twice() {
        let some = PvRange {
            pv: PvUuid::from_bytes([1; 16]),
            ranges: vec![PeRange::new(4, 4), PeRange::new(0, 6), PeRange::new(20, 99)],
        };
        let free = [PeRange::new(2, 10), PeRange::new(30, 5)];
        assert_eq!(some.within(&free), [PeRange::new(2, 6), PeRange::new(30, 5)]);
    }
}
