//! Tables of contents of extents.

use pv::{Epoch, PeIndex, SliceId, TocEntry, decode_toc, encode_toc};

use super::{Target, none, one_line};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "toc",
    about: "tables of contents of extents: what is read writes the same bytes again",
    longest: 4096,
    words: &[],
    seeds: none,
    runs: 3000,
    run,
};

fn run(bytes: &[u8]) -> String {
    let way = match decode_toc(PeIndex(7), bytes) {
        Ok(entries) => {
            assert_eq!(encode_toc(&entries), bytes);
            format!("{} entries", entries.len().min(3))
        }
        Err(error) => one_line("toc", &error.to_string()),
    };
    let mut source = Source(bytes);
    let mut entries = Vec::new();
    while !source.is_empty() && entries.len() < 20 {
        let four = |source: &mut Source<'_>| u32::try_from(source.number()).unwrap_or(u32::MAX);
        entries.push(TocEntry {
            fs: four(&mut source),
            ino: source.number(),
            offset: source.number(),
            slice: SliceId(source.number()),
            slice_epoch: Epoch(source.number()),
            pos: four(&mut source),
            stored: four(&mut source),
            raw: four(&mut source),
            codec: source.byte(),
            sum: source.number(),
        });
    }
    assert_eq!(decode_toc(PeIndex(7), &encode_toc(&entries)).expect("what was written"), entries);
    way
}
