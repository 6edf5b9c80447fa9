//! What an extent row says about itself: header and table of contents.

use crate::{Epoch, FamilyUuid, FlushNo, LeIndex, LvUuid, Part, PeIndex, PvError, Result, SliceId};

/// Header of an extent row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtentHeader {
    /// The LV whose logical extent this is.
    pub lv: LvUuid,
    /// The family that owns it.
    pub family: FamilyUuid,
    /// The logical extent.
    pub le: LeIndex,
    /// Epoch of the PV transaction that wrote it.
    pub epoch: Epoch,
    /// Number of the PV transaction that wrote it.
    pub flush: FlushNo,
}

/// One slice inside an extent: enough to salvage the file's bytes without the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TocEntry {
    /// Filesystem within the family.
    pub fs: u32,
    /// Inode the bytes were written for.
    pub ino: u64,
    /// Byte offset in that file.
    pub offset: u64,
    /// Slice number.
    pub slice: SliceId,
    /// Epoch the slice's checksums are keyed with.
    pub slice_epoch: Epoch,
    /// Where the slice begins in the extent, in bytes.
    pub pos: u32,
    /// Stored length in bytes.
    pub stored: u32,
    /// Length of the file's bytes (differs from `stored` when compressed).
    pub raw: u32,
    /// 0 = stored as is.
    pub codec: u8,
    /// Checksum over the slice's block checksums (4-byte little-endian each).
    pub sum: u64,
}

/// Encoded size of one [`TocEntry`].
const ENTRY: usize = 4 + 8 + 8 + 8 + 8 + 4 + 4 + 4 + 1 + 8;

/// The table of contents as stored: fixed-size little-endian entries.
pub fn encode_toc(entries: &[TocEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.len().saturating_mul(ENTRY));
    for e in entries {
        out.extend_from_slice(&e.fs.to_le_bytes());
        out.extend_from_slice(&e.ino.to_le_bytes());
        out.extend_from_slice(&e.offset.to_le_bytes());
        out.extend_from_slice(&e.slice.0.to_le_bytes());
        out.extend_from_slice(&e.slice_epoch.0.to_le_bytes());
        out.extend_from_slice(&e.pos.to_le_bytes());
        out.extend_from_slice(&e.stored.to_le_bytes());
        out.extend_from_slice(&e.raw.to_le_bytes());
        out.push(e.codec);
        out.extend_from_slice(&e.sum.to_le_bytes());
    }
    out
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_at_checked(N)?;
        self.0 = tail;
        head.try_into().ok()
    }
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
    fn entry(&mut self) -> Option<TocEntry> {
        Some(TocEntry {
            fs: self.u32()?,
            ino: self.u64()?,
            offset: self.u64()?,
            slice: SliceId(self.u64()?),
            slice_epoch: Epoch(self.u64()?),
            pos: self.u32()?,
            stored: self.u32()?,
            raw: self.u32()?,
            codec: self.take::<1>()?.first().copied()?,
            sum: self.u64()?,
        })
    }
}

/// Reads a stored table of contents.
///
/// # Errors
/// [`PvError::BadToc`] when the bytes are not a whole number of entries.
pub fn decode_toc(pe: PeIndex, bytes: &[u8]) -> Result<Vec<TocEntry>> {
    let mut reader = Reader(bytes);
    let mut out = Vec::new();
    while !reader.0.is_empty() {
        out.push(reader.entry().ok_or(PvError::BadToc { pe })?);
    }
    Ok(out)
}

/// An extent about to be inserted; its row must not exist.
#[derive(Debug, Clone)]
pub struct FreshExtent {
    /// Where it goes.
    pub pe: PeIndex,
    /// The LV whose logical extent this is.
    pub lv: LvUuid,
    /// The logical extent it holds.
    pub le: LeIndex,
    /// Encoded table of contents ([`encode_toc`]).
    pub toc: Vec<u8>,
    /// Payload in parts, at most one extent in all: bytes go from where they wait to the PV's pages directly.
    pub data: Vec<Part>,
}

impl FreshExtent {
    /// Bytes of the payload.
    pub fn fill(&self) -> usize {
        self.data.iter().map(|part| part.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_contents_reads_back_and_refuses_a_torn_one() {
        let entry = TocEntry {
            fs: 1,
            ino: 2,
            offset: 3,
            slice: SliceId(4),
            slice_epoch: Epoch(5),
            pos: 6,
            stored: 7,
            raw: 8,
            codec: 0,
            sum: 9,
        };
        let bytes = encode_toc(&[entry, entry]);
        assert_eq!(decode_toc(PeIndex(0), &bytes).unwrap(), [entry, entry]);
        assert!(decode_toc(PeIndex(0), &bytes[..bytes.len() - 1]).is_err());
    }
}
