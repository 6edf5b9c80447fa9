//! Reading file contents: open layer over sealed layers over map, every block verified.

use std::sync::Arc;

use pv::{BLOCK, LeIndex, PvError, ReadMode, block_sum};

use super::core::Core;
use super::layer::{Layer, Piece};
use super::rules::Rule;
use super::state::State;
use crate::catalogue::SliceRow;
use crate::{Ino, LvError, Result};

/// Reads up to this length go through the block cache; longer ones would only wash it out.
const CACHED_READ: usize = 64 * 1024;
/// How often a read looks the map up again when an extent turned out to be reused meanwhile.
const LOOKUPS: usize = 8;

/// Why a slice could not be read.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Its PV is not there.
    Missing { pv: std::path::PathBuf },
    /// No leg gave bytes that match the checksums.
    Damaged { pv: std::path::PathBuf, le: LeIndex },
    /// The catalogue's own bytes do not match.
    Inline,
    /// I/O.
    Pv(PvError),
}

/// Where a part of a read comes from.
struct Part {
    /// Offset in the caller's buffer.
    at: usize,
    len: usize,
    row: SliceRow,
    skip: u32,
    off: u64,
}

fn index(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl Core {
    /// Fills `buf` from `off` on and says how many bytes there were; less than asked only at the end of the file.
    pub(crate) fn read(&self, ino: Ino, off: u64, buf: &mut [u8]) -> Result<usize> {
        for attempt in 1..=LOOKUPS {
            let mut state = self.state()?;
            let Some(target) = state.readable(ino, off, buf)? else { return Ok(0) };
            let parts = state.resolve(ino, off, target)?;
            drop(state);
            match self.fetch(&parts, target) {
                Ok(()) => return Ok(target.len()),
                Err((at, failure)) => {
                    let again = attempt < LOOKUPS && self.options.switches.keep(Rule::SecondLook);
                    let changed = again && self.moved(ino, &parts)?;
                    if !changed {
                        return Err(self.name_failure(ino, at, failure));
                    }
                }
            }
        }
        Ok(0)
    }

    /// As [`read`](Self::read), for whoever holds the state.
    pub(crate) fn read_held(&self, state: &mut State, ino: Ino, off: u64, buf: &mut [u8]) -> Result<usize> {
        let Some(target) = state.readable(ino, off, buf)? else { return Ok(0) };
        let parts = state.resolve(ino, off, target)?;
        match self.fetch(&parts, target) {
            Ok(()) => Ok(target.len()),
            Err((at, failure)) => Err(state.name_failure(ino, at, failure)),
        }
    }

    /// Whether any of these parts is somewhere else by now.
    fn moved(&self, ino: Ino, parts: &[Part]) -> Result<bool> {
        let mut state = self.state()?;
        for part in parts {
            let end = part.off.saturating_add(u64::try_from(part.len).unwrap_or(0));
            let entries = state.mapped(ino, part.off, end)?;
            let same = entries.iter().any(|entry| entry.slice == part.row.id)
                && state
                    .slices
                    .get(&part.row.id)
                    .is_some_and(|slice| slice.row.le == part.row.le && slice.row.pos == part.row.pos);
            if !same {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fetch(&self, parts: &[Part], target: &mut [u8]) -> Result<(), (u64, Failure)> {
        let cached = target.len() <= CACHED_READ;
        for part in parts {
            let end = part.at.saturating_add(part.len);
            let Some(out) = target.get_mut(part.at..end) else { continue };
            self.fetch_part(part, out, cached).map_err(|failure| (part.off, failure))?;
        }
        Ok(())
    }

    fn fetch_part(&self, part: &Part, out: &mut [u8], cached: bool) -> Result<(), Failure> {
        if !cached || part.row.le.is_none() {
            return self.read_slice(&part.row, part.skip, out);
        }
        let mut skip = part.skip;
        let mut out = out;
        while !out.is_empty() {
            let block = usize::try_from(skip).unwrap_or(usize::MAX) / BLOCK;
            let inside = usize::try_from(skip).unwrap_or(usize::MAX) % BLOCK;
            let bytes = self.cached_block(&part.row, block)?;
            let take = out.len().min(bytes.len().saturating_sub(inside));
            let (head, tail) = std::mem::take(&mut out).split_at_mut(take);
            let Some(source) = bytes.get(inside..inside.saturating_add(take)).filter(|_| take > 0) else {
                return Err(Failure::Inline);
            };
            head.copy_from_slice(source);
            out = tail;
            skip = skip.saturating_add(u32::try_from(take).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn cached_block(&self, row: &SliceRow, block: usize) -> Result<Arc<[u8]>, Failure> {
        let key = (row.id.0, u32::try_from(block).unwrap_or(u32::MAX));
        if let Some(bytes) = self.cache.get(&key) {
            self.meter.cache_hits.add(1);
            return Ok(bytes);
        }
        self.meter.cache_misses.add(1);
        let start = block.saturating_mul(BLOCK);
        let len = usize::try_from(row.stored).unwrap_or(0).saturating_sub(start).min(BLOCK);
        let mut bytes = vec![0u8; len];
        self.read_slice(row, u32::try_from(start).unwrap_or(u32::MAX), &mut bytes)?;
        let bytes: Arc<[u8]> = bytes.into();
        self.cache.insert(key, Arc::clone(&bytes));
        Ok(bytes)
    }

    /// Bytes of a slice, verified, not from the cache.
    pub(crate) fn slice_bytes(&self, row: &SliceRow, skip: u32, len: u32) -> Result<Vec<u8>, Failure> {
        let mut out = vec![0u8; usize::try_from(len).unwrap_or(0)];
        self.read_slice(row, skip, &mut out)?;
        Ok(out)
    }

    /// Fills `out` from byte `skip` of a slice: whole blocks are read and verified.
    fn read_slice(&self, row: &SliceRow, skip: u32, out: &mut [u8]) -> Result<(), Failure> {
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let stored = usize::try_from(row.stored).unwrap_or(0);
        let first = skip / BLOCK;
        let from = first.saturating_mul(BLOCK);
        let to = skip.saturating_add(out.len()).div_ceil(BLOCK).saturating_mul(BLOCK).min(stored);
        if from == skip && to.saturating_sub(from) == out.len() {
            return self.read_blocks(row, first, out);
        }
        let mut bytes = vec![0u8; to.saturating_sub(from)];
        self.read_blocks(row, first, &mut bytes)?;
        let inside = skip.saturating_sub(from);
        match bytes.get(inside..inside.saturating_add(out.len())) {
            Some(part) => {
                out.copy_from_slice(part);
                Ok(())
            }
            None => Err(Failure::Inline),
        }
    }

    /// Fills `out` with whole blocks, from block `first` on: without locks first, with ever more certainty after a
    /// mismatch, from each mirror leg.
    fn read_blocks(&self, row: &SliceRow, first: usize, out: &mut [u8]) -> Result<(), Failure> {
        let Some(le) = row.le else {
            let from = first.saturating_mul(BLOCK);
            let source = row.data.as_ref().and_then(|data| data.get(from..from.saturating_add(out.len())));
            let Some(source) = source else { return Err(Failure::Inline) };
            out.copy_from_slice(source);
            return if self.verified(row, first, out) { Ok(()) } else { Err(Failure::Inline) };
        };
        let at = row.pos.saturating_add(u32::try_from(first.saturating_mul(BLOCK)).unwrap_or(u32::MAX));
        let mut failure = None;
        let extents = self.extents();
        for place in extents.places(le) {
            let Some(slot) = extents.pv(place.pv) else { continue };
            let Some(store) = &slot.store else {
                failure.get_or_insert(Failure::Missing { pv: slot.path.clone() });
                continue;
            };
            let meter = self.meter.pv(place.pv);
            for mode in [ReadMode::Fast, ReadMode::Reopen, ReadMode::Locked] {
                failure = Some(match meter.reading(out.len(), || store.read(place.pe, at, out, mode)) {
                    Ok(()) if self.verified(row, first, out) => return Ok(()),
                    Ok(()) | Err(PvError::ExtentMissing { .. } | PvError::Damaged { .. }) => {
                        Failure::Damaged { pv: slot.path.clone(), le }
                    }
                    Err(error) => Failure::Pv(error),
                });
            }
        }
        Err(failure.unwrap_or(Failure::Damaged { pv: std::path::PathBuf::new(), le }))
    }

    fn verified(&self, row: &SliceRow, first: usize, bytes: &[u8]) -> bool {
        let sums = row.blocks.chunks_exact(4).skip(first);
        let whole = bytes.len().div_ceil(BLOCK) <= sums.len();
        whole
            && (first..).zip(bytes.chunks(BLOCK)).zip(sums).all(|((at, block), sum)| {
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                block_sum(&self.family, row.epoch, row.id, at, block).to_le_bytes() == *sum
            })
    }

    /// A failure, told with the path it concerns.
    pub(crate) fn name_failure(&self, ino: Ino, offset: u64, failure: Failure) -> LvError {
        match self.state() {
            Ok(mut state) => state.name_failure(ino, offset, failure),
            Err(error) => error,
        }
    }
}

/// Copies what a layer has of `off..` into `target`; holes become zeros. Marks what it filled.
fn overlay(layer: &Layer, off: u64, target: &mut [u8], filled: &mut Vec<(u64, u64)>) {
    let end = off.saturating_add(u64::try_from(target.len()).unwrap_or(0));
    for (at, piece) in layer.overlapping(off, end) {
        let from = at.max(off);
        let to = at.saturating_add(piece.len()).min(end);
        let Some(out) = target.get_mut(index(from.saturating_sub(off))..index(to.saturating_sub(off))) else {
            continue;
        };
        match piece {
            Piece::Hole(_) => out.fill(0),
            Piece::Data(bytes) => {
                let source = bytes.get(index(from.saturating_sub(at))..index(to.saturating_sub(at)));
                if let Some(source) = source {
                    out.copy_from_slice(source);
                }
            }
        }
        filled.push((from, to));
    }
}

impl State {
    fn name_failure(&mut self, ino: Ino, offset: u64, failure: Failure) -> LvError {
        let path = self.path_of(ino);
        match failure {
            Failure::Missing { pv } => LvError::PvMissing { path, offset, pv },
            Failure::Damaged { pv, le } => LvError::Damaged { path, offset, pv, le },
            Failure::Inline => {
                let path = String::from_utf8_lossy(&path).into_owned();
                self.damaged(format!("the data of {path} at byte {offset} does not match its checksum"))
            }
            Failure::Pv(error) => error.into(),
        }
    }

    /// The part of `buf` that lies inside the file.
    fn readable<'b>(&mut self, ino: Ino, off: u64, buf: &'b mut [u8]) -> Result<Option<&'b mut [u8]>> {
        let inode = self.inode(ino)?;
        super::write::regular(inode)?;
        // An old row may say that a file is shorter than it is, or empty: its map tells.
        self.verify_start(ino)?;
        let inode = self.inode(ino)?;
        let len = inode.attr.size.saturating_sub(off).min(u64::try_from(buf.len()).unwrap_or(u64::MAX));
        Ok(buf.get_mut(..index(len)))
    }

    /// Fills `target` with what is in memory and returns what has to be fetched.
    fn resolve(&mut self, ino: Ino, off: u64, target: &mut [u8]) -> Result<Vec<Part>> {
        let end = off.saturating_add(u64::try_from(target.len()).unwrap_or(0));
        let inode = self.inode(ino)?;
        let mut filled = Vec::new();
        let layered = inode.has_layers();
        if layered {
            target.fill(0);
            let mut sealed_parts = Vec::new();
            for sealed in &inode.sealed {
                overlay(&sealed.layer, off, target, &mut sealed_parts);
            }
            overlay(&inode.open, off, target, &mut filled);
            filled.extend(sealed_parts);
            filled.sort_unstable();
        }
        let entries = self.mapped(ino, off, end)?;
        let mut parts = Vec::new();
        let mut at = off;
        for entry in entries {
            let from = entry.off.max(off);
            let to = entry.off.saturating_add(u64::from(entry.len)).min(end);
            if !layered
                && at < from
                && let Some(hole) = target.get_mut(index(at.saturating_sub(off))..index(from.saturating_sub(off)))
            {
                hole.fill(0);
            }
            at = to;
            let Some(row) = self.slices.get(&entry.slice).map(|slice| slice.row.clone()) else {
                return Err(self.damaged(format!("slice {} is named by a map and missing", entry.slice)));
            };
            for (from, to) in gaps(from, to, &filled) {
                let skip = u64::from(entry.skip).saturating_add(from.saturating_sub(entry.off));
                parts.push(Part {
                    at: index(from.saturating_sub(off)),
                    len: index(to.saturating_sub(from)),
                    row: row.clone(),
                    skip: u32::try_from(skip).unwrap_or(u32::MAX),
                    off: from,
                });
            }
        }
        if !layered && let Some(hole) = target.get_mut(index(at.saturating_sub(off))..) {
            hole.fill(0);
        }
        Ok(parts)
    }
}

/// What of `from..to` no range of the sorted list covers.
fn gaps(from: u64, to: u64, covered: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    let mut at = from;
    for (start, end) in covered {
        if *start >= to {
            break;
        }
        if *start > at {
            out.push((at, *start));
        }
        at = at.max(*end);
    }
    if at < to {
        out.push((at, to));
    }
    out
}
