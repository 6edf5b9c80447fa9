//! A file's bytes, cheap to copy.

use std::fmt;
use std::sync::Arc;

/// Bytes in one shared piece.
const CHUNK: usize = 4096;

type Chunk = Arc<[u8; CHUNK]>;

/// A file's bytes in copy-on-write chunks: a clone costs one reference count, a write copies the chunks it touches
/// when another clone still needs them, holes cost nothing.
///
/// Invariants: `chunks` covers `len`; bytes of the last chunk past `len` are zero.
#[derive(Clone, Default)]
pub struct Content {
    len: u64,
    chunks: Arc<Vec<Option<Chunk>>>,
}

impl Content {
    /// Length in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// No bytes.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies what there is from byte `at` into `buf`; how many bytes that were.
    pub fn read(&self, at: u64, buf: &mut [u8]) -> usize {
        let there = clamp(self.len.saturating_sub(at)).min(buf.len());
        let mut done = 0;
        while done < there {
            let (index, offset) = place(at + done as u64);
            let n = (CHUNK - offset).min(there - done);
            match self.chunks.get(index) {
                Some(Some(chunk)) => buf[done..done + n].copy_from_slice(&chunk[offset..offset + n]),
                _ => buf[done..done + n].fill(0),
            }
            done += n;
        }
        there
    }

    /// Writes `data` at byte `at`; a gap before it becomes zeros.
    pub fn write(&mut self, at: u64, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = at + data.len() as u64;
        if end > self.len {
            self.grow(end);
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        let mut done = 0;
        while done < data.len() {
            let (index, offset) = place(at + done as u64);
            let n = (CHUNK - offset).min(data.len() - done);
            let chunk = chunks[index].get_or_insert_with(|| Arc::new([0; CHUNK]));
            Arc::make_mut(chunk)[offset..offset + n].copy_from_slice(&data[done..done + n]);
            done += n;
        }
    }

    /// As [`Content::write`], but a gap between the end and `at` is filled with `fill`: what a lost write leaves
    /// behind on a filesystem that extends a file before its data arrives.
    pub fn write_filling(&mut self, at: u64, data: &[u8], fill: u8) {
        if fill != 0 && at > self.len {
            let gap = vec![fill; clamp(at - self.len)];
            self.write(self.len, &gap);
        }
        self.write(at, data);
    }

    /// Cuts or extends (with zeros) to `len` bytes.
    pub fn set_len(&mut self, len: u64) {
        if len >= self.len {
            self.grow(len);
            return;
        }
        let (index, offset) = place(len);
        let chunks = Arc::make_mut(&mut self.chunks);
        chunks.truncate(if offset == 0 { index } else { index + 1 });
        if let (1.., Some(Some(chunk))) = (offset, chunks.get_mut(index)) {
            Arc::make_mut(chunk)[offset..].fill(0);
        }
        self.len = len;
    }

    /// All bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = vec![0; clamp(self.len)];
        self.read(0, &mut bytes);
        bytes
    }

    /// What tells these bytes from others.
    pub(crate) fn digest(&self) -> u64 {
        let mut all = Vec::with_capacity(8 + 8 * self.chunks.len());
        all.extend_from_slice(&self.len.to_le_bytes());
        for chunk in self.chunks.iter() {
            // Zeros are the same whether they were ever written or not.
            let of = chunk.as_ref().map_or(0, |chunk| if **chunk == [0; CHUNK] { 0 } else { sum(&chunk[..]) });
            all.extend_from_slice(&of.to_le_bytes());
        }
        sum(&all)
    }

    fn grow(&mut self, len: u64) {
        let needed = clamp(len.div_ceil(CHUNK as u64));
        if self.chunks.len() < needed {
            Arc::make_mut(&mut self.chunks).resize(needed, None);
        }
        self.len = len;
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({} bytes)", self.len)
    }
}

/// A 64-bit digest.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    pv::row_sum(0, bytes).cast_unsigned()
}

/// Chunk and offset in it.
fn place(at: u64) -> (usize, usize) {
    (clamp(at / CHUNK as u64), clamp(at % CHUNK as u64))
}

/// A length that must fit into memory.
fn clamp(n: u64) -> usize {
    usize::try_from(n).expect("a file in memory is smaller than memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Prng;

    #[test]
    fn behaves_like_a_vector_and_clones_stay() {
        let mut rng = Prng::new(7);
        let (mut content, mut plain) = (Content::default(), Vec::new());
        let mut snapshots = Vec::new();
        for step in 0..2000 {
            let at = rng.index(20_000);
            if rng.one_in(4) {
                content.set_len(at as u64);
                plain.resize(at, 0);
            } else {
                let mut data = vec![0; rng.index(9000)];
                rng.fill(&mut data);
                content.write(at as u64, &data);
                if !data.is_empty() {
                    plain.resize(plain.len().max(at + data.len()), 0);
                    plain[at..at + data.len()].copy_from_slice(&data);
                }
            }
            if step % 100 == 0 {
                snapshots.push((content.clone(), plain.clone()));
            }
        }
        snapshots.push((content, plain));
        for (content, plain) in snapshots {
            assert_eq!(content.len(), plain.len() as u64);
            assert!(content.to_vec() == plain);
        }
    }

    #[test]
    fn a_gap_takes_the_filling() {
        let mut content = Content::default();
        content.write(0, b"ab");
        content.write_filling(4, b"c", 0xa5);
        assert_eq!(content.to_vec(), b"ab\xa5\xa5c");
    }
}
