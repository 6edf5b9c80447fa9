//! Inputs out of other inputs.

use anyfs_lvm_rig::Prng;

/// Numbers as text that break parsers.
const NUMBERS: [&[u8]; 10] = [
    b"0",
    b"-1",
    b"1",
    b"255",
    b"65536",
    b"2147483648",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551616",
];

/// Changes inputs at random.
#[derive(Debug)]
pub struct Mutator {
    rng: Prng,
    longest: usize,
    words: &'static [&'static [u8]],
}

impl Mutator {
    /// Inputs of at most `longest` bytes, with these words among them.
    pub fn new(rng: Prng, longest: usize, words: &'static [&'static [u8]]) -> Self {
        Self { rng, longest, words }
    }

    /// A new input out of some of `known`.
    pub fn next(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        let mut out = if known.is_empty() || self.rng.one_in(20) {
            self.noise(64)
        } else {
            known[self.rng.index(known.len())].clone()
        };
        if !known.is_empty() && self.rng.one_in(6) {
            let other = &known[self.rng.index(known.len())];
            let (to, from) = (self.rng.index(out.len() + 1), self.rng.index(other.len() + 1));
            out.truncate(to);
            out.extend_from_slice(&other[from..]);
        }
        for _ in 0..=self.rng.below(6) {
            self.change(&mut out);
        }
        out.truncate(self.longest);
        out
    }

    fn noise(&mut self, longest: usize) -> Vec<u8> {
        let mut out = vec![0; self.rng.index(longest)];
        self.rng.fill(&mut out);
        out
    }

    fn range(&mut self, out: &[u8], longest: usize) -> std::ops::Range<usize> {
        let from = self.rng.index(out.len() + 1);
        from..(from + self.rng.index(longest) + 1).min(out.len())
    }

    fn change(&mut self, out: &mut Vec<u8>) {
        let at = self.rng.index(out.len() + 1);
        match self.rng.below(10) {
            0 if at < out.len() => out[at] ^= 1 << self.rng.below(8),
            1 if at < out.len() => out[at] = [0, 1, 0x7f, 0x80, 0xff, b'/', b'\n', b' '][self.rng.index(8)],
            2 if at < out.len() => out[at] = self.rng.draw().to_le_bytes()[0],
            3 => {
                let range = self.range(out, 32);
                out.drain(range);
            }
            4 => {
                let range = self.range(out, 64);
                let copy = out[range].to_vec();
                out.splice(at..at, copy);
            }
            5 | 6 if !self.words.is_empty() => {
                let word = self.words[self.rng.index(self.words.len())];
                out.splice(at..at, word.iter().copied());
            }
            7 => {
                // A number that is there becomes another.
                let digit = |byte: &u8| byte.is_ascii_digit();
                let begin = out.iter().skip(at).position(digit).map_or(at, |more| at + more);
                let len = out[begin..].iter().take_while(|byte| digit(byte)).count();
                let number = NUMBERS[self.rng.index(NUMBERS.len())];
                out.splice(begin..begin + len, number.iter().copied());
            }
            8 => {
                let mut value = [0u64, 1, u64::MAX, 1 << 31, 1 << 63][self.rng.index(5)].to_le_bytes();
                if self.rng.one_in(2) {
                    value.reverse();
                }
                let end = (at + 8).min(out.len());
                out.splice(at..end, value);
            }
            _ => {
                let noise = self.noise(16);
                out.splice(at..at, noise);
            }
        }
    }
}

/// Makes a failing input smaller as long as `fails` says so, within so many tries.
pub fn shrink(input: &[u8], tries: usize, mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut best, mut left) = (input.to_vec(), tries);
    let mut step = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let before = best.len();
        while at < best.len() && left > 0 {
            let mut less = best.clone();
            less.drain(at..(at + step).min(best.len()));
            left -= 1;
            if fails(&less) {
                best = less;
            } else {
                at += step;
            }
        }
        if left == 0 || (step == 1 && best.len() == before) {
            return best;
        }
        step = (step / 2).max(1);
    }
}
