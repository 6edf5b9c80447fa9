//! Bytes of the disk per byte that is stored.

use std::time::Duration;

use super::overwrite::overwrite;
use super::{BASE, SEED, compare, prepare_base};
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, Place, Result, Sheet, Stage, Wish, Work, float};

/// How much room a large file takes, new and after half of it was overwritten in blocks of 4 KiB.
pub(super) const SPACE: Work = Work {
    name: "space",
    fresh: true,
    wish: |scale| Wish {
        grace: Some(Duration::ZERO),
        ..Wish::new("space", scale.bytes, scale.bytes.saturating_mul(8).saturating_mul(scale.rounds.max(1)))
    },
    prepare: prepare_base,
    stages: &[Stage {
        rows: &[
            Row::new("space_new", "bytes on disk per byte, cleaned", Unit::Times, Target::AtMost(1.03)),
            Row::new("space_over", "the same, half of it overwritten", Unit::Times, Target::Open),
        ],
        cold: false,
        warm_up: false,
        turn: space,
    }],
};

fn space(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    // Every turn but the first finds what the one before has left: the first value is of the file as it was written.
    let new = if place.marks.is_empty() { stored(place)? } else { None };
    if let Some(value) = new {
        sheet.add("space_new", value);
    }
    let half = place.scale.bytes / 2 / BLOCK;
    overwrite(place, turn, half, 1000)?;
    if let Some(value) = stored(place)? {
        sheet.add("space_over", value);
    }
    compare(place, place.file()?, place.scale.bytes, SEED)
}

fn stored(place: &mut Place) -> Result<Option<f64>> {
    place.side()?.clean()?;
    place.reopen_file(BASE, false)?;
    let bytes = float(place.scale.bytes.max(1));
    Ok(place.side()?.stored()?.map(|stored| float(stored) / bytes))
}
