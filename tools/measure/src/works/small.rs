//! Many small files: made, found, renamed, read, removed.

use super::nothing;
use crate::bytes::buffer;
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, Dir, Place, Result, Sheet, Side, Stage, Wish, Work, fill, float};

/// Making, renaming and removing.
pub(super) const CREATE: Work = Work {
    name: "create",
    fresh: false,
    wish: |scale| {
        let turn = scale.files.saturating_mul(2 * BLOCK);
        Wish::new("create", turn, turn.saturating_mul(scale.rounds.saturating_mul(2).saturating_add(3)))
    },
    prepare: nothing,
    stages: &[Stage {
        rows: &[
            Row::new("create_4k", "create files of 4 KiB + sync", Unit::PerSecond, Target::Ratio(3.0)),
            Row::new("create_empty", "create empty files + sync", Unit::PerSecond, Target::Ratio(5.0)),
            Row::new("rename", "rename + sync", Unit::PerSecond, Target::Ratio(3.5)),
            Row::new("delete", "delete files of 4 KiB + sync", Unit::PerSecond, Target::Ratio(15.0)),
        ],
        cold: false,
        warm_up: true,
        turn: life,
    }],
};

/// Finding out about files that are there.
pub(super) const NAMES: Work = Work {
    name: "names",
    fresh: false,
    wish: |scale| Wish::new("names", scale.files.saturating_mul(BLOCK), scale.files.saturating_mul(4 * BLOCK)),
    prepare,
    stages: &[
        Stage {
            rows: &[Row::new("stat_cached", "stat by name, cached", Unit::PerSecond, Target::Ratio(3.5))],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| {
                stats(place)?;
                stat(place, sheet, "stat_cached")
            },
        },
        Stage {
            rows: &[Row::new("stat_uncached", "stat by name, just opened", Unit::PerSecond, Target::Ratio(0.8))],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| {
                place.reopen(false)?;
                stat(place, sheet, "stat_uncached")
            },
        },
        Stage {
            rows: &[Row::new("readdir", "readdir, names", Unit::PerSecond, Target::Ratio(1.2))],
            cold: false,
            warm_up: true,
            turn: list,
        },
    ],
};

/// Reading small files.
pub(super) const SMALL: Work = Work {
    name: "small",
    fresh: false,
    wish: |scale| Wish::new("small", scale.files.saturating_mul(BLOCK), scale.files.saturating_mul(4 * BLOCK)),
    prepare,
    stages: &[
        Stage {
            rows: &[Row::new("small_warm", "read files of 4 KiB, warm", Unit::PerSecond, Target::Ratio(0.9))],
            cold: false,
            warm_up: true,
            turn: |place, _, sheet| read(place, sheet, "small_warm", false),
        },
        Stage {
            rows: &[Row::new("small_cold", "read files of 4 KiB, cold", Unit::PerSecond, Target::Ratio(2.0))],
            cold: true,
            warm_up: false,
            turn: |place, _, sheet| read(place, sheet, "small_cold", true),
        },
    ],
};

const KEPT: &str = "kept";

fn name(n: u64) -> String {
    format!("file-{n:07}")
}

/// Makes `count` files of one block and makes them durable.
fn make(place: &Place, side: &dyn Side, dir: &Dir, count: u64) -> Result {
    let mut block = buffer(BLOCK);
    for n in 0..count {
        place.check()?;
        fill(&mut block, n, 0);
        side.create(dir, &name(n))?.write_at(0, &block)?;
    }
    side.sync_all()
}

fn compare(place: &Place, side: &dyn Side, dir: &Dir, count: u64) -> Result {
    let (mut block, mut wanted) = (buffer(BLOCK), buffer(BLOCK));
    for n in 0..count {
        place.check()?;
        side.open(dir, &name(n))?.read_at(0, &mut block)?;
        fill(&mut wanted, n, 0);
        if block != wanted {
            return Err(place.wrong(&name(n), 0));
        }
    }
    Ok(())
}

/// Does something with each of `count` names, then makes it durable.
fn each(place: &Place, side: &dyn Side, count: u64, act: impl Fn(&str) -> Result) -> Result {
    for n in 0..count {
        place.check()?;
        act(&name(n))?;
    }
    side.sync_all()
}

fn life(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let (side, count) = (place.side()?, place.scale.files);
    let (full, empty) = (format!("full-{turn}"), format!("empty-{turn}"));
    let dir = side.mkdir(&side.root(), &full)?;
    let seconds = place.seconds(|| make(place, side, &dir, count))?;
    sheet.add("create_4k", float(count) / seconds);
    compare(place, side, &dir, count)?;
    let bare = side.mkdir(&side.root(), &empty)?;
    let seconds = place.seconds(|| each(place, side, count, |name| side.create(&bare, name).map(drop)))?;
    sheet.add("create_empty", float(count) / seconds);
    let renamed = |name: &str| format!("{name}.old");
    let seconds = place.seconds(|| each(place, side, count, |name| side.rename(&bare, name, &renamed(name))))?;
    sheet.add("rename", float(count) / seconds);
    if side.list(&bare)? != count {
        return Err(place.wrong("the directory of renamed files", 0));
    }
    each(place, side, count, |name| side.unlink(&bare, &renamed(name)))?;
    let seconds = place.seconds(|| each(place, side, count, |name| side.unlink(&dir, name)))?;
    sheet.add("delete", float(count) / seconds);
    side.rmdir(&side.root(), &empty)?;
    side.rmdir(&side.root(), &full)
}

fn prepare(place: &mut Place) -> Result {
    let (side, count) = (place.side()?, place.scale.files);
    let dir = side.mkdir(&side.root(), KEPT)?;
    make(place, side, &dir, count)?;
    compare(place, side, &dir, count)
}

fn stats(place: &Place) -> Result {
    let side = place.side()?;
    let dir = side.enter(&side.root(), KEPT)?;
    for n in 0..place.scale.files {
        place.check()?;
        if side.size_of(&dir, &name(n))? != BLOCK {
            return Err(place.wrong(&name(n), 0));
        }
    }
    Ok(())
}

fn stat(place: &Place, sheet: &mut Sheet, key: &str) -> Result {
    let seconds = place.seconds(|| stats(place))?;
    sheet.add(key, float(place.scale.files) / seconds);
    Ok(())
}

fn list(place: &mut Place, _: u64, sheet: &mut Sheet) -> Result {
    let side = place.side()?;
    let dir = side.enter(&side.root(), KEPT)?;
    let mut count = 0;
    let seconds = place.seconds(|| {
        count = side.list(&dir)?;
        Ok(())
    })?;
    if count != place.scale.files {
        return Err(place.wrong("a directory", 0));
    }
    sheet.add("readdir", float(count) / seconds);
    Ok(())
}

fn read(place: &mut Place, sheet: &mut Sheet, key: &str, cold: bool) -> Result {
    place.reopen(cold)?;
    let (side, count) = (place.side()?, place.scale.files);
    let dir = side.enter(&side.root(), KEPT)?;
    let mut block = buffer(BLOCK);
    let seconds = place.seconds(|| {
        for n in 0..count {
            place.check()?;
            side.open(&dir, &name(n))?.read_at(0, &mut block)?;
        }
        Ok(())
    })?;
    sheet.add(key, float(count) / seconds);
    Ok(())
}
