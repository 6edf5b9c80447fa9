//! One large file: written, read, and read here and there.

use super::{BASE, compare, nothing, prepare_base, read_through, write_through};
use crate::bytes::buffer;
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, MIB, Place, Random, Result, Scale, Sheet, Stage, Wish, Work, float, written};

/// Sequential writes to one disk.
pub(super) const WRITE_1: Work = Work {
    name: "write1",
    fresh: true,
    wish: |scale| Wish { disks: Some(1), ..room_to_write("write1", scale) },
    prepare: nothing,
    stages: &[Stage {
        rows: &[Row::new("write_1pv", "sequential write + sync, 1 PV", Unit::MibPerSecond, Target::Ratio(0.55))],
        cold: false,
        warm_up: false,
        turn: |place, turn, sheet| write(place, turn, sheet, "write_1pv"),
    }],
};

/// Sequential writes.
pub(super) const WRITE: Work = Work {
    name: "write",
    fresh: false,
    wish: |scale| room_to_write("write", scale),
    prepare: nothing,
    stages: &[Stage {
        rows: &[
            Row::new("write", "sequential write + sync, all PVs", Unit::MibPerSecond, Target::Ratio(0.7)),
            Row::new("write_bytes", "bytes written per byte, sequential", Unit::Times, Target::AtMost(1.05)),
        ],
        cold: false,
        warm_up: false,
        turn: |place, turn, sheet| write(place, turn, sheet, "write"),
    }],
};

/// Sequential reads.
pub(super) const READ: Work = Work {
    name: "read",
    fresh: false,
    wish: |scale| Wish::new("read", scale.bytes, scale.bytes.saturating_mul(2)),
    prepare: prepare_base,
    stages: &[
        Stage {
            rows: &[Row::new("read_cold", "sequential read, cold", Unit::MibPerSecond, Target::Ratio(0.9))],
            cold: true,
            warm_up: false,
            turn: |place, _, sheet| read(place, sheet, "read_cold", true),
        },
        Stage {
            rows: &[Row::new("read_warm", "sequential read, warm", Unit::MibPerSecond, Target::Ratio(0.7))],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| read(place, sheet, "read_warm", false),
        },
    ],
};

/// Small reads all over a large file.
pub(super) const RANDOM: Work = Work {
    name: "random",
    fresh: false,
    wish: |scale| Wish::new("random", scale.bytes, scale.bytes.saturating_mul(2)),
    prepare: prepare_base,
    stages: &[
        Stage {
            rows: &[Row::new("random_hit", "4 KiB random read, cache hit", Unit::PerSecond, Target::Ratio(2.0))],
            cold: false,
            warm_up: true,
            turn: hit,
        },
        Stage {
            rows: &[Row::new("random_warm", "4 KiB random read, warm miss", Unit::PerSecond, Target::Ratio(0.22))],
            cold: false,
            warm_up: true,
            turn: |place, turn, sheet| miss(place, turn, sheet, false),
        },
        Stage {
            rows: &[Row::new("random_cold", "4 KiB random read, cold", Unit::PerSecond, Target::Ratio(0.6))],
            cold: true,
            warm_up: false,
            turn: |place, turn, sheet| miss(place, turn, sheet, true),
        },
    ],
};

/// Each turn writes a file of its own; what is freed stays unused for a while.
fn room_to_write(name: &'static str, scale: &Scale) -> Wish {
    let turns = scale.rounds.saturating_mul(2).saturating_add(2);
    Wish::new(name, scale.bytes, scale.bytes.saturating_mul(turns))
}

fn write(place: &mut Place, turn: u64, sheet: &mut Sheet, key: &str) -> Result {
    let (bytes, name) = (place.scale.bytes, format!("stream-{turn}"));
    let side = place.side()?;
    let file = side.create(&side.root(), &name)?;
    side.sync_all()?;
    let before = written();
    let seconds = place.seconds(|| write_through(place, &*file, bytes, turn))?;
    side.sync_all()?;
    sheet.add(key, float(bytes) / float(MIB) / seconds);
    note_written(sheet, "write_bytes", before, bytes);
    compare(place, &*file, bytes, turn)?;
    drop(file);
    side.unlink(&side.root(), &name)?;
    side.sync_all()
}

/// Notes how many bytes the system was given to write per byte that was to be written.
pub(super) fn note_written(sheet: &mut Sheet, key: &str, before: Option<u64>, bytes: u64) {
    let since = before.zip(written()).map(|(before, after)| after.saturating_sub(before));
    if let Some(since) = since {
        sheet.add(key, float(since) / float(bytes.max(1)));
    }
}

/// Reads the work's file from start to end; nothing of it is in the side's own memory.
pub(super) fn read(place: &mut Place, sheet: &mut Sheet, key: &str, cold: bool) -> Result {
    place.reopen_file(BASE, cold)?;
    let bytes = place.scale.bytes;
    let file = place.file()?;
    let seconds = place.seconds(|| read_through(place, file, bytes))?;
    sheet.add(key, float(bytes) / float(MIB) / seconds);
    Ok(())
}

/// Reads in a part of the file that any cache holds, and that was read before: in blocks, as a stream might be kept out
/// of a cache.
fn hit(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let part = (place.scale.bytes / 2).min(16 * MIB);
    let (file, mut block) = (place.file()?, buffer(BLOCK));
    (0..part / BLOCK).try_for_each(|n| file.read_at(n.saturating_mul(BLOCK), &mut block))?;
    reads(place, turn, sheet, ("random_hit", part))
}

fn miss(place: &mut Place, turn: u64, sheet: &mut Sheet, cold: bool) -> Result {
    place.reopen_file(BASE, cold)?;
    let bytes = place.scale.bytes;
    reads(place, turn, sheet, (if cold { "random_cold" } else { "random_warm" }, bytes))
}

fn reads(place: &Place, turn: u64, sheet: &mut Sheet, (key, bytes): (&str, u64)) -> Result {
    // A cold read takes as long as hundreds of warm ones.
    let count = if key == "random_cold" { place.scale.reads.div_ceil(10) } else { place.scale.reads };
    let (file, mut random, mut block) = (place.file()?, Random::new(turn), buffer(BLOCK));
    let seconds = place.seconds(|| {
        for _ in 0..count {
            place.check()?;
            file.read_at(random.below(bytes / BLOCK).saturating_mul(BLOCK), &mut block)?;
        }
        Ok(())
    })?;
    sheet.add(key, float(count) / seconds);
    Ok(())
}
