//! Packing runs of bytes into extents.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pv::{Epoch, FamilyUuid, LeIndex, Part, SliceId, TocEntry, block_sums};
use twox_hash::XxHash3_64;

use crate::Ino;

/// Where a run comes from, and so what becomes of it when it is placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// New data of a layer.
    Layer,
    /// Live bytes of a slice that mostly is not: becomes a slice of its own. `shared` when others name it than the file it
    /// was written for.
    Record { old: SliceId, skip: u32, shared: bool },
    /// A whole slice that moves; keeps its number and checksums.
    Whole { id: SliceId, epoch: Epoch, from: Option<LeIndex> },
}

/// Bytes of one file to be placed.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) ino: Ino,
    pub(crate) off: u64,
    pub(crate) bytes: Part,
    pub(crate) origin: Origin,
}

/// A run, or a part of one, in its place.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) id: SliceId,
    pub(crate) ino: Ino,
    pub(crate) off: u64,
    pub(crate) len: u32,
    pub(crate) pos: u32,
    pub(crate) blocks: Arc<[u8]>,
    pub(crate) origin: Origin,
}

/// One extent's worth.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// The payload, in parts.
    pub(crate) data: Vec<Part>,
    /// Bytes of the payload.
    pub(crate) fill: usize,
    pub(crate) toc: Vec<TocEntry>,
    pub(crate) placed: Vec<Placed>,
}

/// Fills extents one after the other.
#[derive(Debug)]
pub(crate) struct Packer<'a> {
    pub(crate) family: FamilyUuid,
    pub(crate) epoch: Epoch,
    pub(crate) fs: u32,
    pub(crate) extent: usize,
    pub(crate) next_slice: &'a AtomicU64,
}

impl Packer<'_> {
    /// Packs runs from the front of `runs` into at most `limit` extents, each run into the first that has room. A run that
    /// does not fit is split at the end of an extent (a whole slice is not); what is left of it stays in front.
    pub(crate) fn pack(&self, runs: &mut VecDeque<Run>, limit: usize) -> Vec<Packed> {
        let mut out: Vec<Packed> = Vec::new();
        // Extents in front of this one are full.
        let mut first = 0;
        while let Some(run) = runs.pop_front() {
            let whole = matches!(run.origin, Origin::Whole { .. });
            if run.bytes.is_empty() || (whole && run.bytes.len() > self.extent) {
                continue;
            }
            let room = |packed: &Packed| self.extent.saturating_sub(packed.fill);
            while out.get(first).is_some_and(|packed| room(packed) == 0) {
                first += 1;
            }
            let least = if whole { run.bytes.len() } else { 1 };
            let Some(packed) = out.iter_mut().skip(first).find(|packed| room(packed) >= least) else {
                runs.push_front(run);
                if out.len() == limit {
                    break;
                }
                out.push(Packed::default());
                continue;
            };
            let (part, rest) = run.bytes.clone().split(room(packed));
            if !rest.is_empty() {
                runs.push_front(after(&run, part.len(), rest));
            }
            self.place(packed, &run, part);
        }
        out
    }

    fn place(&self, packed: &mut Packed, run: &Run, bytes: Part) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let pos = u32::try_from(packed.fill).unwrap_or(u32::MAX);
        let (id, epoch) = match run.origin {
            Origin::Whole { id, epoch, .. } => (id, epoch),
            _ => (SliceId(self.next_slice.fetch_add(1, Ordering::Relaxed)), self.epoch),
        };
        let blocks: Arc<[u8]> =
            block_sums(&self.family, epoch, id, &bytes).iter().flat_map(|sum| sum.to_le_bytes()).collect();
        packed.fill = packed.fill.saturating_add(bytes.len());
        packed.data.push(bytes);
        packed.toc.push(TocEntry {
            fs: self.fs,
            ino: run.ino.0,
            offset: run.off,
            slice: id,
            slice_epoch: epoch,
            pos,
            stored: len,
            raw: len,
            codec: 0,
            sum: XxHash3_64::oneshot(&blocks),
        });
        packed.placed.push(Placed { id, ino: run.ino, off: run.off, len, pos, blocks, origin: run.origin });
    }
}

/// What is left of a run after its first `taken` bytes.
fn after(run: &Run, taken: usize, rest: Part) -> Run {
    let off = run.off.saturating_add(u64::try_from(taken).unwrap_or(0));
    let origin = match run.origin {
        Origin::Record { old, skip, shared } => {
            Origin::Record { old, skip: skip.saturating_add(u32::try_from(taken).unwrap_or(0)), shared }
        }
        other => other,
    };
    Run { ino: run.ino, off, bytes: rest, origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_fill_extents_to_the_last_byte_and_whole_slices_stay_whole() {
        let next = AtomicU64::new(10);
        let packer =
            Packer { family: FamilyUuid::from_bytes([1; 16]), epoch: Epoch(2), fs: 1, extent: 4096, next_slice: &next };
        let (a, b, c) = (vec![1u8; 3000], vec![2u8; 3000], vec![3u8; 3000]);
        let run = |bytes: &[u8], origin| Run { ino: Ino(5), off: 0, bytes: bytes.to_vec().into(), origin };
        let whole = Origin::Whole { id: SliceId(3), epoch: Epoch(1), from: None };
        let mut runs = [run(&a[..], Origin::Layer), run(&b[..], Origin::Layer), run(&c[..], whole)].into();
        let out = packer.pack(&mut runs, 2);
        assert_eq!(out.len(), 2);
        assert_eq!(out[0].fill, 4096);
        assert_eq!(out[0].placed[1].len, 1096);
        assert_eq!(out[1].placed[0].off, 1096);
        assert_eq!(runs.len(), 1, "the whole slice does not fit beside and waits for an extent of its own");
        let out = packer.pack(&mut runs, 2);
        assert_eq!((out[0].placed[0].id, out[0].placed[0].len), (SliceId(3), 3000));
        assert!(runs.is_empty());
    }
}
