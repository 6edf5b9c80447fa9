//! How long small operations take beside a writer at full speed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{SEED, append, compare, prepare_base};
use crate::bytes::{buffer, stamp};
use crate::row::{Row, Target, Unit};
use crate::stats::percentile;
use crate::{BLOCK, CHUNK, Error, MIB, OpenFile, Place, Random, Result, Sheet, Stage, Wish, Work, fill, float};

/// Reads, and fsyncs of another file, while somebody writes a stream without end.
pub(super) const BESIDE: Work = Work {
    name: "beside",
    fresh: false,
    // What the stream overwrites has to be used again after a while, as it has to be in any filesystem.
    wish: |scale| Wish::new("beside", scale.bytes.saturating_mul(2), scale.bytes.saturating_mul(12)),
    prepare: prepare_base,
    stages: &[
        Stage {
            rows: &[
                latency("beside_read_50", "4 KiB read beside a writer, p50", Target::Open),
                latency("beside_read_99", "4 KiB read beside a writer, p99", Target::AtMost(5.0)),
                latency("beside_read_max", "4 KiB read beside a writer, longest", Target::Open),
                rate("beside_read_rate", "the writer beside the reads"),
            ],
            cold: false,
            warm_up: false,
            turn: reads,
        },
        Stage {
            rows: &[
                latency("beside_sync_50", "4 KiB fsync beside a writer, p50", Target::Open),
                latency("beside_sync_99", "4 KiB fsync beside a writer, p99", Target::AtMost(15.0)),
                latency("beside_sync_max", "4 KiB fsync beside a writer, longest", Target::Open),
                rate("beside_sync_rate", "the writer beside the fsyncs"),
            ],
            cold: false,
            warm_up: false,
            turn: syncs,
        },
        Stage {
            rows: &[],
            cold: false,
            warm_up: false,
            turn: |place, _, _| compare(place, place.file()?, place.scale.bytes, SEED),
        },
    ],
};

/// What the stream is filled with.
const STREAM: u64 = 9;

const fn latency(key: &'static str, item: &'static str, target: Target) -> Row {
    Row::new(key, item, Unit::Millis, target)
}

const fn rate(key: &'static str, item: &'static str) -> Row {
    Row::new(key, item, Unit::MibPerSecond, Target::Open)
}

fn reads(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let (mut random, mut block) = (Random::new(turn), buffer(BLOCK));
    let (file, blocks) = (place.file()?, place.scale.bytes / BLOCK);
    let (times, rate) =
        while_writing(place, turn, || file.read_at(random.below(blocks).saturating_mul(BLOCK), &mut block))?;
    note(sheet, "read", times, rate);
    Ok(())
}

fn syncs(place: &mut Place, turn: u64, sheet: &mut Sheet) -> Result {
    let (mut block, mut blocks) = (buffer(BLOCK), 0u64);
    let (side, name) = (place.side()?, format!("log-{turn}"));
    let log = side.create(&side.root(), &name)?;
    let (times, rate) = while_writing(place, turn, || {
        fill(&mut block, blocks, 0);
        log.write_at(blocks.saturating_mul(BLOCK), &block)?;
        log.fsync()?;
        blocks = blocks.saturating_add(1);
        Ok(())
    })?;
    note(sheet, "sync", times, rate);
    append::compare(place, &*log, blocks)?;
    drop(log);
    side.unlink(&side.root(), &name)
}

fn note(sheet: &mut Sheet, what: &str, mut times: Vec<f64>, rate: f64) {
    times.sort_by(f64::total_cmp);
    for (part, name) in [(50, "50"), (99, "99"), (100, "max")] {
        sheet.add(&format!("beside_{what}_{name}"), percentile(&times, part));
    }
    sheet.add(&format!("beside_{what}_rate"), rate);
}

/// Times of `work`, again and again for a while, in ms, and the writer's MiB per second.
fn while_writing(place: &Place, turn: u64, mut work: impl FnMut() -> Result) -> Result<(Vec<f64>, f64)> {
    let (side, name) = (place.side()?, format!("stream-{turn}"));
    let stream = side.create(&side.root(), &name)?;
    side.sync_all()?;
    let stop = AtomicBool::new(false);
    let mut times = Vec::new();
    let (rate, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(place, &*stream, &stop));
        // The first writes only fill memory.
        std::thread::sleep(place.scale.beside.min(Duration::from_millis(500)));
        let start = Instant::now();
        let mut done = Ok(());
        while done.is_ok() && start.elapsed() < place.scale.beside && !writer.is_finished() {
            let before = Instant::now();
            done = place.check().and_then(|()| work());
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        stop.store(true, Ordering::Relaxed);
        let wrote = writer.join().unwrap_or_else(|_| Err(Error::Thread { side: place.name().to_owned() }));
        done.and(wrote)
    })?;
    compare(place, &*stream, written, STREAM)?;
    drop(stream);
    side.unlink(&side.root(), &name)?;
    side.sync_all()?;
    Ok((times, rate))
}

/// Overwrites a file from start to end until told to stop, made durable each time round and at the end; MiB per second,
/// and how much of the file is written.
fn write_until(place: &Place, file: &dyn OpenFile, stop: &AtomicBool) -> Result<(f64, u64)> {
    let mut chunk = buffer(CHUNK);
    fill(&mut chunk, STREAM, 0);
    // Whole chunks, so that each lies in the same place every time round.
    let bytes = (place.scale.bytes / CHUNK).max(1).saturating_mul(CHUNK);
    let start = Instant::now();
    let mut written = 0u64;
    while !stop.load(Ordering::Relaxed) {
        place.check()?;
        let off = written.checked_rem(bytes).unwrap_or(0);
        stamp(&mut chunk, STREAM, off);
        file.write_at(off, &chunk)?;
        written = written.saturating_add(CHUNK);
        if written.is_multiple_of(bytes) {
            file.fsync()?;
        }
    }
    file.fsync()?;
    let seconds = start.elapsed().as_secs_f64().max(1e-9);
    Ok((float(written) / float(MIB) / seconds, written.min(bytes)))
}
