//! Values out of bytes: any bytes are some values, and a change of a few bytes is a change of a few values.

/// Bytes that are taken from the front; behind their end everything is zero.
#[derive(Debug, Clone)]
pub(crate) struct Source<'a>(pub(crate) &'a [u8]);

/// Numbers at which something ends.
const EDGES: [u64; 16] = [
    0,
    1,
    2,
    511,
    4095,
    4096,
    65_535,
    65_536,
    1 << 24,
    u32::MAX as u64,
    1 << 32,
    (1 << 62) + 5,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

impl<'a> Source<'a> {
    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// An index below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number.checked_rem(end).unwrap_or(0)
    }

    /// A number: small ones and those at edges more often than others.
    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            kind @ 0..128 => u64::from(kind),
            128..224 => EDGES[self.below(EDGES.len())],
            224..240 => EDGES[self.below(EDGES.len())].wrapping_add(u64::from(self.byte())).wrapping_sub(128),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// Some bytes, at most `longest`.
    pub(crate) fn bytes(&mut self, longest: usize) -> &'a [u8] {
        let len = self.below(longest + 1).min(self.0.len());
        let (head, rest) = self.0.split_at(len);
        self.0 = rest;
        head
    }
}
