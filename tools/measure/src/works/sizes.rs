//! How long an fsync takes after so many bytes.

use std::time::Instant;

use super::nothing;
use crate::row::{Row, Target, Unit};
use crate::{Place, Result, Sheet, Stage, Wish, Work, fill, median};

/// Appends of several sizes, each with an fsync.
pub(super) const SIZES: Work = Work {
    name: "sizes",
    fresh: false,
    wish: |scale| {
        let turn = KIB.iter().sum::<u64>().saturating_mul(1024).saturating_mul(scale.sized);
        Wish::new("sizes", turn, turn.saturating_mul(scale.rounds.saturating_mul(4).saturating_add(2)))
    },
    prepare: nothing,
    stages: &[Stage {
        rows: &[
            row("sync_4k", "fsync of 4 KiB, p50"),
            row("sync_16k", "fsync of 16 KiB, p50"),
            row("sync_64k", "fsync of 64 KiB, p50"),
            row("sync_128k", "fsync of 128 KiB, p50"),
            row("sync_192k", "fsync of 192 KiB, p50"),
            row("sync_256k", "fsync of 256 KiB, p50"),
            row("sync_512k", "fsync of 512 KiB, p50"),
        ],
        cold: false,
        warm_up: false,
        turn: sizes,
    }],
};

const KIB: [u64; 7] = [4, 16, 64, 128, 192, 256, 512];

const fn row(key: &'static str, item: &'static str) -> Row {
    Row::new(key, item, Unit::Millis, Target::Open)
}

fn sizes(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let side = place.side()?;
    for kib in KIB {
        let length = kib.saturating_mul(1024);
        let mut bytes = crate::bytes::buffer(length);
        let mut found = bytes.clone();
        let name = format!("sized-{kib}-{turn}");
        let file = side.create(&side.root(), &name)?;
        side.sync_all()?;
        let mut times = Vec::new();
        for n in 0..place.scale.sized {
            place.check()?;
            let at = n.saturating_mul(length);
            fill(&mut bytes, n, at);
            let before = Instant::now();
            file.write_at(at, &bytes)?;
            file.fsync()?;
            times.push(before.elapsed().as_secs_f64() * 1e3);
            file.read_at(at, &mut found)?;
            if found != bytes {
                return Err(place.wrong(&name, at));
            }
        }
        sheet.add(&format!("sync_{kib}k"), median(&times));
        drop(file);
        side.unlink(&side.root(), &name)?;
    }
    side.sync_all()
}
