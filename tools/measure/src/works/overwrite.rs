//! Small overwrites all over a large file.

use super::stream::note_written;
use super::{SEED, compare, prepare_base};
use crate::bytes::buffer;
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, Place, Random, Result, Sheet, Stage, Wish, Work, fill, float, written};

/// Random overwrites of 4 KiB.
pub(super) const OVERWRITE: Work = Work {
    name: "overwrite",
    fresh: false,
    wish: |scale| {
        let turns = scale.rounds.saturating_mul(4).saturating_add(2);
        let more = scale.overwrites.saturating_mul(BLOCK).saturating_mul(turns);
        Wish::new("overwrite", scale.bytes, scale.bytes.saturating_mul(3).saturating_add(more))
    },
    prepare: prepare_base,
    stages: &[
        Stage {
            rows: &[
                Row::new("over_100", "4 KiB random overwrite, sync every 100", Unit::PerSecond, Target::Ratio(0.85)),
                Row::new("over_bytes", "bytes written per byte, sync every 100", Unit::Times, Target::AtMost(2.2)),
            ],
            cold: false,
            warm_up: true,
            turn: every_100,
        },
        Stage {
            rows: &[Row::new(
                "over_end",
                "4 KiB random overwrite, sync at the end",
                Unit::PerSecond,
                Target::Ratio(0.7),
            )],
            cold: false,
            warm_up: true,
            turn: at_the_end,
        },
        Stage {
            rows: &[],
            cold: false,
            warm_up: false,
            turn: |place, _, _| compare(place, place.file()?, place.scale.bytes, SEED),
        },
    ],
};

/// Overwrites `count` blocks of the work's file, made durable each `sync` of them and at the end; where they are.
fn over(place: &Place, seed: u64, count: u64, sync: u64) -> Result<Vec<(u64, u64)>> {
    let blocks = place.scale.bytes / BLOCK;
    let mut random = Random::new(seed);
    let mut block = buffer(BLOCK);
    let mut marks = Vec::new();
    let file = place.file()?;
    for n in 1..=count {
        place.check()?;
        let at = random.below(blocks).saturating_mul(BLOCK);
        fill(&mut block, seed, at);
        file.write_at(at, &block)?;
        marks.push((at, seed));
        if n.is_multiple_of(sync) {
            file.fsync()?;
        }
    }
    file.fsync()?;
    Ok(marks)
}

/// The same, remembered for the comparison at the end.
pub(super) fn overwrite(place: &mut Place, seed: u64, count: u64, sync: u64) -> Result {
    let marks = over(place, seed, count, sync)?;
    place.marks.extend(marks);
    Ok(())
}

fn timed(place: &mut Place, seed: u64, sync: u64) -> Result<f64> {
    let count = place.scale.overwrites;
    let mut marks = Vec::new();
    let seconds = place.seconds(|| {
        marks = over(place, seed, count, sync)?;
        Ok(())
    })?;
    place.marks.extend(marks);
    Ok(float(count) / seconds)
}

fn every_100(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let before = written();
    let rate = timed(place, turn.saturating_add(1000), 100)?;
    place.side()?.sync_all()?;
    sheet.add("over_100", rate);
    note_written(sheet, "over_bytes", before, place.scale.overwrites.saturating_mul(BLOCK));
    Ok(())
}

fn at_the_end(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    sheet.add("over_end", timed(place, turn.saturating_add(2000), u64::MAX)?);
    Ok(())
}
