//! Contents of a file, kept as plainly as files with holes allow.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: u64 = 1024;
/// Longest piece that is compared at once.
const PIECE: u64 = 64 * 1024;

/// Bytes by pages; a page that is not there is all zeros. Beyond the size every byte is zero. Clones share pages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    pages: BTreeMap<u64, Arc<Vec<u8>>>,
    pub(crate) size: u64,
}

/// An offset in memory.
pub(crate) fn index(off: u64) -> usize {
    usize::try_from(off).unwrap()
}

impl Contents {
    fn put(&mut self, off: u64, bytes: &[u8]) {
        let mut at = off;
        let mut rest = bytes;
        while !rest.is_empty() {
            let inside = index(at % PAGE);
            let (part, tail) = rest.split_at(rest.len().min(index(PAGE) - inside));
            let page = self.pages.entry(at / PAGE).or_insert_with(|| Arc::new(vec![0; index(PAGE)]));
            Arc::make_mut(page)[inside..inside + part.len()].copy_from_slice(part);
            at += part.len() as u64;
            rest = tail;
        }
    }

    pub(crate) fn write(&mut self, off: u64, bytes: &[u8]) {
        self.put(off, bytes);
        self.size = self.size.max(off + bytes.len() as u64);
    }

    /// Zeros from `start` to `end`, at most to the end of the file.
    pub(crate) fn zero(&mut self, start: u64, end: u64) {
        let end = end.min(self.size);
        if start >= end {
            return;
        }
        let touched: Vec<u64> = self.pages.range(start / PAGE..=end / PAGE).map(|(page, _)| *page).collect();
        for page in touched {
            let base = page * PAGE;
            let (from, to) = (start.clamp(base, base + PAGE), end.clamp(base, base + PAGE));
            if from < to {
                let bytes = Arc::make_mut(self.pages.get_mut(&page).unwrap());
                bytes[index(from - base)..index(to - base)].fill(0);
            }
        }
    }

    pub(crate) fn resize(&mut self, size: u64) {
        self.zero(size, self.size);
        self.size = size;
    }

    /// Up to `len` bytes from `off` on, fewer at the end.
    pub(crate) fn read(&self, off: u64, len: u64) -> Vec<u8> {
        let len = len.min(self.size.saturating_sub(off));
        let mut out = vec![0; index(len)];
        if len == 0 {
            return out;
        }
        for (page, bytes) in self.pages.range(off / PAGE..=(off + len - 1) / PAGE) {
            let base = page * PAGE;
            let (from, to) = (base.max(off), (base + PAGE).min(off + len));
            out[index(from - off)..index(to - off)].copy_from_slice(&bytes[index(from - base)..index(to - base)]);
        }
        out
    }

    /// Where there may be bytes that are not zero, in pieces of up to [`PIECE`] bytes.
    pub(crate) fn runs(&self) -> Vec<(u64, u64)> {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for page in self.pages.keys() {
            let (from, to) = (page * PAGE, (page * PAGE + PAGE).min(self.size));
            match runs.last_mut() {
                Some(last) if last.1 == from && to - last.0 <= PIECE => last.1 = to,
                _ => runs.push((from, to)),
            }
        }
        runs.retain(|(from, to)| from < to);
        runs
    }

    /// Whether `start..end` holds nothing but zeros.
    pub(crate) fn is_zero(&self, start: u64, end: u64) -> bool {
        start >= end
            || self.pages.range(start / PAGE..=(end - 1) / PAGE).all(|(page, bytes)| {
                let base = page * PAGE;
                let (from, to) = (base.max(start), (base + PAGE).min(end));
                bytes[index(from - base)..index(to - base)].iter().all(|byte| *byte == 0)
            })
    }

    /// Whether size and all bytes are the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let zeros = |page: &Vec<u8>| page.iter().all(|byte| *byte == 0);
        let covers = |a: &Self, b: &Self| {
            a.pages.iter().all(|(at, page)| b.pages.get(at).map_or_else(|| zeros(page), |there| page == there))
        };
        self.size == other.size && covers(self, other) && covers(other, self)
    }

    /// Bytes of the pages that were ever written to: at least as many as any store of them needs.
    pub(crate) fn weight(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }
}
