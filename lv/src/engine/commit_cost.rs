//! What a commit to the metadata takes on its disk.

use std::path::{Path, PathBuf};

use pv::Env;

use crate::catalogue::TUNING;

/// What SQLite takes for a commit whatever it holds, at most.
pub(super) const COMMIT: u64 = 128 * 1024;
/// What it mostly takes: a header and a part of the log's index.
pub(super) const SMALL_COMMIT: u64 = 48 * 1024;
/// A row, when rows of the same page come together.
const PACKED_ROW: u64 = 512;
/// What a page takes in a log beside itself.
const FRAME: u64 = 24;

/// What commits to one volume's metadata take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    copies: u64,
    /// Bytes that all pages of the largest copy take in a log, at most; `None`: not looked at.
    pages: Option<u64>,
}

/// A page in a log, which a row may be alone in.
fn page() -> u64 {
    u64::from(TUNING.page_size).saturating_add(FRAME)
}

impl Cost {
    /// Nobody has looked how large the copies are.
    pub(super) fn anywhere(copies: usize) -> Self {
        Self { copies: u64::try_from(copies).unwrap_or(1), pages: None }
    }

    /// As the copies with these logs are now.
    pub(super) fn of_copies(env: &Env, logs: &[PathBuf]) -> Self {
        let len = |path: &Path| env.host.stat(path).map_or(0, |file| file.len.0);
        let bytes = |log: &PathBuf| len(&log.with_extension("meta")).saturating_add(len(log));
        let most = logs.iter().map(bytes).max().unwrap_or(0) / u64::from(TUNING.page_size).max(1);
        Self { pages: Some(most.saturating_add(1).saturating_mul(page())), ..Self::anywhere(logs.len()) }
    }

    /// Bytes that each of several copies keeps of a row for the others.
    fn kept_row(self) -> u64 {
        if self.copies > 1 { PACKED_ROW } else { 0 }
    }

    /// Bytes for rows that take so many bytes of a log, and for data: that goes into the logs and into the files, which must
    /// be able to take what the logs hold or nobody can open the volume.
    fn of(self, rows: u64, log: u64, inline: u64) -> u64 {
        self.beside(COMMIT, (rows, log, inline))
    }

    fn beside(self, commit: u64, (rows, log, inline): (u64, u64, u64)) -> u64 {
        let twice = inline.saturating_mul(2);
        let kept = if self.copies > 1 { twice } else { 0 };
        let kept = kept.saturating_add(rows.saturating_mul(self.kept_row()));
        log.saturating_add(twice).saturating_add(kept).saturating_add(commit).saturating_mul(self.copies)
    }

    /// At most: each row is alone in its page, or all pages that there are change once, and rows fill new ones, in the log
    /// and in the file.
    pub(super) fn most(self, rows: u64, inline: u64) -> u64 {
        let apart = rows.saturating_mul(page());
        let all = |pages: u64| pages.saturating_add(rows.saturating_mul(PACKED_ROW.saturating_mul(2)));
        self.of(rows, self.pages.map_or(apart, |pages| apart.min(all(pages))), inline)
    }

    /// When rows of the same page come together, as they mostly do.
    pub(super) fn likely(self, rows: u64, inline: u64) -> u64 {
        self.beside(SMALL_COMMIT, (rows, rows.saturating_mul(PACKED_ROW), inline))
    }

    /// The rows of which [`most`](Self::most) is not more than so many bytes.
    pub(super) fn rows_within(self, free: u64) -> u64 {
        let log = (free / self.copies.max(1)).saturating_sub(COMMIT);
        let (alone, packed) = (page(), PACKED_ROW.saturating_mul(2));
        let rows = |log: u64, row: u64| log / row.saturating_add(self.kept_row()).max(1);
        rows(log, alone).max(self.pages.map_or(0, |pages| rows(log.saturating_sub(pages), packed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_rows_fit_as_cost_no_more() {
        for copies in 1..=3 {
            for pages in [None, Some(0), Some(100_000), Some(5_000_000)] {
                let cost = Cost { pages, ..Cost::anywhere(copies) };
                for free in [0, 300_000, 1_000_000, 4_000_000, 50_000_000] {
                    let rows = cost.rows_within(free);
                    assert!(rows == 0 || cost.most(rows, 0) <= free, "{cost:?} {free}: {rows}");
                    assert!(cost.most(rows + 1, 0) > free, "{cost:?} {free}: {rows}");
                }
            }
        }
    }

    #[test]
    fn rows_of_a_small_copy_share_its_pages() {
        let (small, large) = (Cost { copies: 2, pages: Some(400_000) }, Cost::anywhere(2));
        assert!(small.most(1000, 0) < large.most(1000, 0) / 2 && small.most(10, 0) == large.most(10, 0));
        assert!(small.likely(1000, 0) < small.most(1000, 0));
    }
}
