//! A filesystem that is 80 % full and was overwritten three times.

use super::stream::note_written;
use super::{BASE, SEED, compare, make_base, read_through, write_through};
use crate::bytes::buffer;
use crate::row::{Row, Target, Unit};
use crate::{CHUNK, MIB, Place, Random, Result, Sheet, Stage, Wish, Work, fill, float, written};

/// Sequential overwrites of a file that fills most of it.
pub(super) const AGED: Work = Work {
    name: "aged",
    fresh: true,
    wish: |scale| {
        let room = scale.bytes.saturating_mul(3) / 2;
        Wish { tight: true, ..Wish::new("aged", room, room) }
    },
    prepare,
    stages: &[
        Stage {
            rows: &[
                Row::new(
                    "aged_write",
                    "sequential write + sync, aged, 80 % full",
                    Unit::MibPerSecond,
                    Target::Ratio(0.35),
                ),
                Row::new("aged_bytes", "bytes written per byte, aged", Unit::Times, Target::AtMost(1.6)),
            ],
            cold: false,
            warm_up: false,
            turn: write,
        },
        Stage {
            rows: &[Row::new("aged_read", "sequential read, warm, aged", Unit::MibPerSecond, Target::Open)],
            cold: false,
            warm_up: true,
            turn: read,
        },
    ],
};

/// Bytes of the file: 80 % of what fits.
fn size(place: &Place) -> Result<u64> {
    let room = place.side()?.room().unwrap_or(place.wish.room);
    Ok(room.saturating_mul(4) / 5 / CHUNK * CHUNK)
}

fn prepare(place: &mut Place) -> Result {
    let bytes = size(place)?;
    make_base(place, bytes)?;
    let file = place.file()?;
    let (mut random, mut chunk) = (Random::new(7), buffer(CHUNK));
    for _ in 0..(bytes / CHUNK).saturating_mul(3) {
        place.check()?;
        let off = random.below(bytes / CHUNK).saturating_mul(CHUNK);
        fill(&mut chunk, SEED, off);
        file.write_at(off, &chunk)?;
    }
    file.fsync()?;
    compare(place, file, bytes, SEED)
}

fn write(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let bytes = place.scale.bytes.min(size(place)?);
    let file = place.file()?;
    let before = written();
    let seconds = place.seconds(|| write_through(place, file, bytes, turn))?;
    place.side()?.sync_all()?;
    sheet.add("aged_write", float(bytes) / float(MIB) / seconds);
    note_written(sheet, "aged_bytes", before, bytes);
    compare(place, file, bytes, turn)
}

fn read(place: &mut Place, _: u64, sheet: &mut Sheet) -> Result {
    place.reopen_file(BASE, false)?;
    let bytes = place.scale.bytes.min(size(place)?);
    let file = place.file()?;
    let seconds = place.seconds(|| read_through(place, file, bytes))?;
    sheet.add("aged_read", float(bytes) / float(MIB) / seconds);
    Ok(())
}
