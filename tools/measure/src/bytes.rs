//! The bytes that are written, and where.

/// Bytes in a mebibyte.
pub const MIB: u64 = 1 << 20;
/// Bytes per write and read of a stream.
pub const CHUNK: u64 = 128 * 1024;
/// The unit of small operations, and of what is compared.
pub const BLOCK: u64 = 4096;

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, 0 when that is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.draw().checked_rem(end).unwrap_or(0)
    }
}

/// Fills `bytes`, which belong at `off` of a file, with what does not compress; the same for the same `seed`.
pub fn fill(bytes: &mut [u8], seed: u64, off: u64) {
    let mut random = Random::new(seed);
    for word in bytes.chunks_mut(8) {
        for (to, from) in word.iter_mut().zip(random.draw().to_le_bytes()) {
            *to = from;
        }
    }
    stamp(bytes, seed, off);
}

/// Makes each block of `bytes` different from every other of the file, for a fraction of what [`fill`] costs.
pub(crate) fn stamp(bytes: &mut [u8], seed: u64, off: u64) {
    let step = usize::try_from(BLOCK).unwrap_or(usize::MAX);
    for (n, block) in (0u64..).zip(bytes.chunks_mut(step)) {
        let at = off.saturating_add(n.saturating_mul(BLOCK));
        let mark = seed.to_le_bytes().into_iter().chain(at.to_le_bytes());
        for (to, from) in block.iter_mut().zip(mark) {
            *to = from;
        }
    }
}

/// A buffer of so many bytes.
pub(crate) fn buffer(bytes: u64) -> Vec<u8> {
    vec![0; usize::try_from(bytes).unwrap_or(0)]
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "figures are rounded to a few digits in the end")]
pub fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_every_file_is_its_own() {
        let (mut a, mut b) = (buffer(2 * BLOCK), buffer(2 * BLOCK));
        fill(&mut a, 1, 0);
        fill(&mut b, 2, 0);
        assert!(a != b && a[..4096] != a[4096..]);
        stamp(&mut b, 1, 0);
        assert!(a[..16] == b[..16] && a[16..64] != b[16..64]);
        let mut again = buffer(2 * BLOCK);
        fill(&mut again, 1, 0);
        assert!(a == again);
    }

    #[test]
    fn a_tail_that_is_no_whole_word_is_filled_too() {
        let mut bytes = vec![0; 29];
        fill(&mut bytes, 5, 0);
        assert!(bytes[24..].iter().any(|byte| *byte != 0));
    }
}
