//! Small appends that are durable one by one, as a log's.

use std::sync::atomic::{AtomicBool, Ordering};

use super::nothing;
use crate::bytes::buffer;
use crate::row::{Row, Target, Unit};
use crate::{BLOCK, Error, OpenFile, Place, Result, Scale, Sheet, Stage, Wish, Work, fill, float};

/// Appends of 4 KiB, by one thread and by several, each with a file of its own.
pub(super) const APPEND: Work = Work {
    name: "append",
    fresh: false,
    wish: |scale| {
        let (one, many) = (bytes(scale, 1), bytes(scale, scale.threads));
        let turns = scale.rounds.saturating_mul(2).saturating_add(1);
        Wish::new("append", one.max(many), one.saturating_add(many).saturating_mul(turns))
    },
    prepare: nothing,
    stages: &[
        Stage {
            rows: &[Row::new("append_1", "4 KiB append + fsync, 1 thread", Unit::PerSecond, Target::Ratio(0.8))],
            cold: false,
            warm_up: true,
            turn: |place, turn, sheet| append(place, turn, sheet, ("append_1", 1)),
        },
        Stage {
            rows: &[Row::new("append_n", "4 KiB append + fsync, 16 threads", Unit::PerSecond, Target::Ratio(0.9))],
            cold: false,
            warm_up: true,
            turn: |place, turn, sheet| {
                let threads = place.scale.threads;
                append(place, turn, sheet, ("append_n", threads))
            },
        },
    ],
};

/// Appends of each of several threads: few would say nothing about many threads, so from the fifth on all do more.
fn each(scale: &Scale, threads: u64) -> u64 {
    (scale.appends / threads.clamp(1, 4)).max(1)
}

/// Bytes that one turn appends.
fn bytes(scale: &Scale, threads: u64) -> u64 {
    each(scale, threads).saturating_mul(threads).saturating_mul(BLOCK)
}

fn append(place: &mut Place, turn: u64, sheet: &mut Sheet, (key, threads): (&str, u64)) -> Result {
    let each = each(&place.scale, threads);
    let side = place.side()?;
    let name = |n: u64| format!("{key}-{turn}-{n}");
    let files = (0..threads).map(|n| side.create(&side.root(), &name(n))).collect::<Result<Vec<_>>>()?;
    side.sync_all()?;
    let seconds = place.seconds(|| all_append(place, &files, each))?;
    sheet.add(key, float(each.saturating_mul(threads)) / seconds);
    for file in &files {
        compare(place, &**file, each)?;
    }
    drop(files);
    (0..threads).try_for_each(|n| side.unlink(&side.root(), &name(n)))?;
    side.sync_all()
}

fn all_append(place: &Place, files: &[Box<dyn OpenFile>], each: u64) -> Result {
    // When one thread fails, the others need not go on.
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let started: Vec<_> = files
            .iter()
            .map(|file| {
                scope.spawn(|| {
                    let done = append_one(place, &**file, each, &failed);
                    failed.fetch_or(done.is_err(), Ordering::Relaxed);
                    done
                })
            })
            .collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, Result>| {
            thread.join().unwrap_or_else(|_| Err(Error::Thread { side: place.name().to_owned() }))
        };
        started.into_iter().map(ended).fold(Ok(()), Result::and)
    })
}

fn append_one(place: &Place, file: &dyn OpenFile, each: u64, failed: &AtomicBool) -> Result {
    let mut block = buffer(BLOCK);
    for n in 0..each {
        place.check()?;
        if failed.load(Ordering::Relaxed) {
            return Ok(());
        }
        fill(&mut block, n, 0);
        file.write_at(n.saturating_mul(BLOCK), &block)?;
        file.fsync()?;
    }
    Ok(())
}

/// Compares a file with `each` blocks that were appended to it, filled with their numbers.
pub(super) fn compare(place: &Place, file: &dyn OpenFile, each: u64) -> Result {
    let (mut block, mut wanted) = (buffer(BLOCK), buffer(BLOCK));
    for n in 0..each {
        let at = n.saturating_mul(BLOCK);
        file.read_at(at, &mut block)?;
        fill(&mut wanted, n, 0);
        if block != wanted {
            return Err(place.wrong("an appended file", at));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_what_all_threads_append() {
        for threads in [1, 2, 3, 5, 16] {
            let scale = Scale { threads, ..Scale::quick() };
            let wish = (APPEND.wish)(&scale);
            let (one, many) = (bytes(&scale, 1), bytes(&scale, threads));
            assert!(wish.live >= one.max(many), "{threads}");
            // What is freed stays unused for a while.
            assert!(wish.room >= (one + many) * (2 * scale.rounds + 1), "{threads}");
        }
    }
}
