//! A file that was overwritten all over reads slower; how much, and whether cleaning mends it.

use super::overwrite::overwrite;
use super::stream::read;
use super::{BASE, SEED, compare, prepare_base};
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, Place, Result, Sheet, Stage, Wish, Work};

/// Sequential reads of a file that was overwritten in blocks of 4 KiB.
pub(super) const SCATTERED: Work = Work {
    name: "scattered",
    fresh: false,
    wish: |scale| {
        let over = scale.scattered.saturating_mul(BLOCK);
        Wish::new("scattered", scale.bytes, scale.bytes.saturating_mul(3).saturating_add(over.saturating_mul(3)))
    },
    prepare,
    stages: &[
        Stage {
            rows: &[Row::new(
                "scattered_read",
                "sequential read after random overwrites",
                Unit::MibPerSecond,
                Target::Ratio(0.3),
            )],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| read(place, sheet, "scattered_read", false),
        },
        Stage { rows: &[], cold: false, warm_up: false, turn: clean },
        Stage {
            rows: &[Row::new("cleaned_read", "the same after the cleaner", Unit::MibPerSecond, Target::Ratio(0.6))],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| read(place, sheet, "cleaned_read", false),
        },
        Stage {
            rows: &[],
            cold: false,
            warm_up: false,
            turn: |place, _, _| compare(place, place.file()?, place.scale.bytes, SEED),
        },
    ],
};

fn prepare(place: &mut Place) -> Result {
    prepare_base(place)?;
    let count = place.scale.scattered;
    overwrite(place, 7, count, 1000)
}

fn clean(place: &mut Place, _: u64, _: &mut Sheet) -> Result {
    place.side()?.clean()?;
    place.reopen_file(BASE, false)
}
