//! Which bytes of a sparse file an archive holds: GNU's four ways to say it.

use ::tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::number;
use super::pax::{Record, decimal};

/// Most pieces of data of one file: bounds the memory that an archive can ask for.
pub(super) const PIECES: usize = 1 << 22;

/// Where a file's stored bytes belong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Size of the file, holes counted.
    pub(super) size: u64,
    /// Pieces of data: where they begin, and how long they are.
    pub(super) pieces: Vec<(u64, u64)>,
}

impl Map {
    /// The map, when its pieces are in order, inside the file, and as long as what is stored.
    pub(super) fn checked(self, stored: u64) -> Option<Self> {
        let mut end = 0u64;
        let mut sum = 0u64;
        for (at, len) in &self.pieces {
            if *at < end {
                return None;
            }
            end = at.checked_add(*len)?;
            sum = sum.checked_add(*len)?;
        }
        (end <= self.size && sum == stored).then_some(self)
    }

    fn add(&mut self, at: u64, len: u64) -> Option<()> {
        if self.pieces.len() >= PIECES {
            return None;
        }
        // Others end the list with an empty piece; there is nothing to store for one.
        if len > 0 {
            self.pieces.push((at, len));
        }
        Some(())
    }
}

/// GNU's own header: up to four pieces; whether blocks with more follow.
pub(super) fn from_header(header: &Header) -> Option<(Map, bool)> {
    let gnu = header.as_gnu()?;
    let mut map = Map { size: number::read_size(&gnu.realsize)?, pieces: Vec::new() };
    add_all(&mut map, &gnu.sparse)?;
    Some((map, gnu.is_extended()))
}

/// A block with 21 more pieces; whether another follows.
pub(super) fn more(map: &mut Map, block: &[u8; super::BLOCK]) -> Option<bool> {
    let mut header = GnuExtSparseHeader::new();
    header.as_mut_bytes().copy_from_slice(block);
    add_all(map, header.sparse())?;
    Some(header.is_extended())
}

fn add_all(map: &mut Map, headers: &[GnuSparseHeader]) -> Option<()> {
    // An unused place ends the list.
    for header in headers.iter().take_while(|header| !header.is_empty()) {
        map.add(number::read_size(&header.offset)?, number::read_size(&header.numbytes)?)?;
    }
    Some(())
}

/// What records of an extended header say about holes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: all bytes are there.
    Dense,
    /// Forms 0.0 and 0.1: the map.
    Map(Map),
    /// Form 1.0: the size; the map is at the beginning of the contents.
    Inside(u64),
}

/// What `records` say about holes; `None` when it makes no sense.
pub(super) fn from_records(records: &[Record]) -> Option<Said> {
    let find = |key: &str| records.iter().rev().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value);
    match (find("GNU.sparse.major"), find("GNU.sparse.minor")) {
        (Some(major), Some(minor)) if major == b"1" && minor == b"0" => {
            return Some(Said::Inside(decimal(find("GNU.sparse.realsize")?)?));
        }
        (Some(major), _) if major != b"0" => return None,
        _ => {}
    }
    let Some(size) = find("GNU.sparse.size") else {
        return Some(Said::Dense);
    };
    let mut map = Map { size: decimal(size)?, pieces: Vec::new() };
    if let Some(list) = find("GNU.sparse.map") {
        let mut numbers = list.split(|byte| *byte == b',').filter(|text| !text.is_empty()).map(decimal);
        while let Some(at) = numbers.next() {
            map.add(at?, numbers.next()??)?;
        }
    } else {
        let mut begun = None;
        for (key, value) in records {
            match key.as_slice() {
                b"GNU.sparse.offset" => begun = Some(decimal(value)?),
                b"GNU.sparse.numbytes" => map.add(begun.take()?, decimal(value)?)?,
                _ => {}
            }
        }
    }
    Some(Said::Map(map))
}

/// Reads the map of form 1.0 block by block: how many pieces, then two numbers for each, a line for every number.
#[derive(Debug)]
pub(super) struct Lines {
    map: Map,
    number: Vec<u8>,
    left: Option<u64>,
    at: Option<u64>,
}

impl Lines {
    pub(super) fn new(size: u64) -> Self {
        Self { map: Map { size, pieces: Vec::new() }, number: Vec::new(), left: None, at: None }
    }

    /// Takes a block; the map when it is complete. The rest of its last block means nothing.
    pub(super) fn take(&mut self, block: &[u8]) -> Result<Option<Map>, Nonsense> {
        for byte in block {
            if *byte != b'\n' {
                // No number has more digits.
                if self.number.len() >= 20 {
                    return Err(Nonsense);
                }
                self.number.push(*byte);
                continue;
            }
            let value = decimal(&std::mem::take(&mut self.number)).ok_or(Nonsense)?;
            match (self.left, self.at.take()) {
                (None, _) => self.left = Some(value),
                (Some(_), None) => self.at = Some(value),
                (Some(left), Some(at)) => {
                    self.map.add(at, value).ok_or(Nonsense)?;
                    self.left = Some(left.saturating_sub(1));
                }
            }
            if self.left == Some(0) {
                return Ok(Some(std::mem::take(&mut self.map)));
            }
        }
        Ok(None)
    }
}

/// A list that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

/// The map of form 1.0 as it stands before the contents.
pub(super) fn text(map: &Map) -> Vec<u8> {
    let mut pieces = map.pieces.clone();
    if pieces.last().is_none_or(|(at, len)| at.saturating_add(*len) < map.size) {
        // As GNU tar says that the file ends with a hole.
        pieces.push((map.size, 0));
    }
    let mut out = format!("{}\n", pieces.len()).into_bytes();
    for (at, len) in pieces {
        out.extend_from_slice(format!("{at}\n{len}\n").as_bytes());
    }
    out.resize(out.len().next_multiple_of(super::BLOCK), 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(all: &[(&str, &str)]) -> Vec<Record> {
        all.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_map_is_read_as_it_was_written_however_many_blocks_it_takes() {
        for count in [0u64, 1, 40, 5000] {
            let pieces: Vec<_> = (0..count).map(|n| (n * 8192 + 4096, 512)).collect();
            let map = Map { size: count * 8192 + 10_000, pieces };
            let bytes = text(&map);
            let mut lines = Lines::new(map.size);
            let mut blocks = bytes.chunks(512);
            let read = loop {
                if let Some(map) = lines.take(blocks.next().unwrap()).unwrap() {
                    break map;
                }
            };
            assert_eq!((read, blocks.next()), (map, None));
        }
    }

    #[test]
    fn both_old_forms_give_the_same_map() {
        let map = Map { size: 9000, pieces: vec![(0, 512), (4096, 1024)] };
        let new = records(&[("GNU.sparse.size", "9000"), ("GNU.sparse.map", "0,512,4096,1024,9000,0")]);
        assert_eq!(from_records(&new), Some(Said::Map(map.clone())));
        let old = records(&[
            ("GNU.sparse.size", "9000"),
            ("GNU.sparse.numblocks", "2"),
            ("GNU.sparse.offset", "0"),
            ("GNU.sparse.numbytes", "512"),
            ("GNU.sparse.offset", "4096"),
            ("GNU.sparse.numbytes", "1024"),
        ]);
        assert_eq!(from_records(&old), Some(Said::Map(map.clone())));
        assert!(map.clone().checked(1536).is_some());
        assert!(map.checked(1535).is_none());
        assert_eq!(from_records(&[]), Some(Said::Dense));
    }

    #[test]
    fn maps_that_make_no_sense_are_refused() {
        for bad in ["0,512,4096", "0,x", "-1,5"] {
            assert_eq!(from_records(&records(&[("GNU.sparse.size", "9000"), ("GNU.sparse.map", bad)])), None);
        }
        assert_eq!(from_records(&records(&[("GNU.sparse.major", "2"), ("GNU.sparse.minor", "0")])), None);
        let map = |pieces: &[(u64, u64)]| Map { size: 1000, pieces: pieces.to_vec() };
        for bad in [map(&[(0, 600), (500, 100)]), map(&[(900, 200)]), map(&[(u64::MAX, 2)])] {
            let stored = bad.pieces.iter().map(|(_, len)| len).sum();
            assert!(bad.checked(stored).is_none());
        }
        assert_eq!(Lines::new(9).take(b"99999999999999999999999999\n"), Err(Nonsense));
        assert_eq!(Lines::new(9).take(b"\n"), Err(Nonsense));
    }
}
