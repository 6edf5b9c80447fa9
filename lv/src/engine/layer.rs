//! Bytes and holes of one file that are not yet in its map.
//!
//! Invariants: pieces never overlap; a data piece never crosses a record boundary (so it becomes one slice, or a few
//! when an extent ends inside it); no piece is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest run of bytes that becomes one slice.
pub(crate) const RECORD: u64 = 128 * 1024;

/// Contents of a piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Arc<Vec<u8>>),
    Hole(u64),
}

impl Piece {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Data(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::Hole(len) => *len,
        }
    }

    /// Cuts the piece at `at` (inside it), keeps the head and returns the tail.
    fn split(&mut self, at: u64) -> Self {
        match self {
            Self::Data(bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Self::Data(Arc::new(Arc::make_mut(bytes).split_off(at)))
            }
            Self::Hole(len) => {
                let tail = len.saturating_sub(at);
                *len = at.min(*len);
                Self::Hole(tail)
            }
        }
    }
}

/// What changed in one file: pieces over its map, by offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Layer {
    pieces: BTreeMap<u64, Piece>,
    data: u64,
}

impl Layer {
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of data (holes do not count).
    pub(crate) fn data(&self) -> u64 {
        self.data
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = (u64, &Piece)> {
        self.pieces.iter().map(|(off, piece)| (*off, piece))
    }

    /// The pieces that touch `start..end`, in order.
    pub(crate) fn overlapping(&self, start: u64, end: u64) -> impl Iterator<Item = (u64, &Piece)> {
        let first = match self.pieces.range(..=start).next_back() {
            Some((off, piece)) if off.saturating_add(piece.len()) > start => *off,
            _ => start,
        };
        self.pieces.range(first..end).map(|(off, piece)| (*off, piece))
    }

    /// Makes `at` a piece boundary.
    fn cut(&mut self, at: u64) {
        let Some((off, piece)) = self.pieces.range_mut(..at).next_back() else { return };
        let inside = at.saturating_sub(*off);
        if inside < piece.len() {
            let tail = piece.split(inside);
            self.pieces.insert(at, tail);
        }
    }

    /// Forgets everything in `start..end`.
    fn clear(&mut self, start: u64, end: u64) {
        self.cut(start);
        self.cut(end);
        while let Some(off) = self.pieces.range(start..end).next().map(|(off, _)| *off) {
            if let Some(Piece::Data(bytes)) = self.pieces.remove(&off) {
                self.data = self.data.saturating_sub(u64::try_from(bytes.len()).unwrap_or(0));
            }
        }
    }

    /// Puts bytes over whatever was there.
    pub(crate) fn write(&mut self, mut off: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = RECORD.saturating_sub(off % RECORD);
            let (part, rest) = bytes.split_at(bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.write_record(off, part);
            off = off.saturating_add(u64::try_from(part.len()).unwrap_or(0));
            bytes = rest;
        }
    }

    /// As [`write`](Self::write), within one record. Sequential writes grow one piece; rewriting a pending piece
    /// changes it in place.
    fn write_record(&mut self, off: u64, bytes: &[u8]) {
        let len = u64::try_from(bytes.len()).unwrap_or(0);
        let end = off.saturating_add(len);
        let record = off.saturating_sub(off % RECORD);
        if let Some((start, Piece::Data(piece))) = self.pieces.range_mut(record..=off).next_back() {
            let inside = usize::try_from(off.saturating_sub(*start)).unwrap_or(usize::MAX);
            let within = inside.checked_add(bytes.len()).filter(|to| *to <= piece.len());
            if let Some(target) = within.and_then(|to| Arc::make_mut(piece).get_mut(inside..to)) {
                target.copy_from_slice(bytes);
                return;
            }
            if inside == piece.len() && self.pieces.range(off..end).next().is_none() {
                if let Some((_, Piece::Data(piece))) = self.pieces.range_mut(record..=off).next_back() {
                    Arc::make_mut(piece).extend_from_slice(bytes);
                    self.data = self.data.saturating_add(len);
                }
                return;
            }
        }
        self.clear(off, end);
        self.pieces.insert(off, Piece::Data(Arc::new(bytes.to_vec())));
        self.data = self.data.saturating_add(len);
    }

    /// Makes `start..end` read as zeros.
    pub(crate) fn punch(&mut self, start: u64, end: u64) {
        if start < end {
            self.clear(start, end);
            self.pieces.insert(start, Piece::Hole(end.saturating_sub(start)));
        }
    }

    /// Puts a newer layer over this one.
    pub(crate) fn stack(&mut self, newer: Self) {
        for (off, piece) in newer.pieces {
            match piece {
                Piece::Data(bytes) => self.write(off, &bytes),
                Piece::Hole(len) => self.punch(off, off.saturating_add(len)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Step {
        Write(u64, usize, u8),
        Punch(u64, u64),
    }

    fn at(off: u64) -> usize {
        usize::try_from(off).unwrap()
    }

    fn step() -> impl Strategy<Value = Step> {
        let off = 0u64..300_000;
        prop_oneof![
            (off.clone(), 1usize..140_000, any::<u8>()).prop_map(|(o, l, b)| Step::Write(o, l, b)),
            (off, 0u64..140_000).prop_map(|(o, l)| Step::Punch(o, l)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_layer_reads_as_the_bytes_written_last(steps in prop::collection::vec(step(), 1..24)) {
            let mut layer = Layer::default();
            // None: nothing pending; Some(None): hole; Some(Some(b)): data.
            let mut model: Vec<Option<Option<u8>>> = vec![None; 450_000];
            for step in steps {
                match step {
                    Step::Write(off, len, byte) => {
                        layer.write(off, &vec![byte; len]);
                        model[at(off)..at(off) + len].fill(Some(Some(byte)));
                    }
                    Step::Punch(off, len) => {
                        layer.punch(off, off + len);
                        model[at(off)..at(off + len)].fill(Some(None));
                    }
                }
            }
            let mut read = vec![None; model.len()];
            let mut data = 0;
            for (off, piece) in layer.pieces() {
                let range = at(off)..at(off + piece.len());
                prop_assert!(read[range.clone()].iter().all(Option::is_none), "pieces overlap");
                match piece {
                    Piece::Data(bytes) => {
                        prop_assert!(off / RECORD == (off + piece.len() - 1) / RECORD, "a piece crosses a record");
                        data += piece.len();
                        for (slot, byte) in read[range].iter_mut().zip(bytes.iter()) { *slot = Some(Some(*byte)); }
                    }
                    Piece::Hole(_) => read[range].fill(Some(None)),
                }
            }
            prop_assert_eq!(data, layer.data());
            prop_assert_eq!(read, model);
        }
    }
}
