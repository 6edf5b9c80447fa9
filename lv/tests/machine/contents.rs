//! Contents of a file, kept as plainly as files with holes allow.

use std::collections::BTreeMap;

const PAGE: u64 = 1024;

/// Bytes by pages; a page that is not there is all zeros. Beyond the size every byte is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pages: BTreeMap<u64, Vec<u8>>,
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
            let page = self.pages.entry(at / PAGE).or_insert_with(|| vec![0; index(PAGE)]);
            page[inside..inside + part.len()].copy_from_slice(part);
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
                self.pages.get_mut(&page).unwrap()[index(from - base)..index(to - base)].fill(0);
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

    /// Where there may be bytes that are not zero.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.pages.keys().map(|page| (page * PAGE, (page * PAGE + PAGE).min(self.size))).filter(|(from, to)| from < to)
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
}
