//! How long small operations take beside a writer at full speed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyfs_lvm::{GIB, MIB};

use crate::cases::Run;
use crate::side::{BLOCK, CHUNK, Handle, Random, Side, fill};
use crate::table::{Table, median, say};

/// Latencies of one round in ms: the middle, the 99th of a hundred, the longest.
#[derive(Debug, Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
    max: Vec<f64>,
    count: usize,
    written: Vec<f64>,
}

impl Rounds {
    fn add(&mut self, mut times: Vec<f64>, written: f64) {
        times.sort_by(f64::total_cmp);
        self.p50.push(times[times.len() / 2]);
        self.p99.push(times[times.len() * 99 / 100]);
        self.max.push(times[times.len() - 1]);
        self.count += times.len();
        self.written.push(written);
    }
}

/// A 4 KiB read, and a 4 KiB fsync of another file, while somebody writes a stream without end.
pub(crate) fn beside(run: &Run<'_>, table: &mut Table) {
    let bytes = run.settings.size(GIB, 256 * MIB);
    let stay = Duration::from_secs(run.settings.size(6, 2));
    let mut reads = [Rounds::default(), Rounds::default()];
    let mut syncs = [Rounds::default(), Rounds::default()];
    for round in 0..run.settings.rounds {
        let pool = run.pool(&format!("pool-beside-{round}"), 2, 12 * GIB);
        for (n, side) in [run.host(), pool.side()].into_iter().enumerate() {
            let quiet = side.file("quiet");
            quiet.stream_in(bytes, 3);
            let mut random = Random::new(round as u64);
            let mut block = vec![0; BLOCK as usize];
            let read = || quiet.read(random.below(bytes / BLOCK) * BLOCK, &mut block);
            let (times, written) = while_writing(&side, bytes, stay, read);
            reads[n].add(times, written);
            let small = side.file("small");
            let mut at = 0;
            let sync = || append(&small, &mut at);
            let (times, written) = while_writing(&side, bytes, stay, sync);
            syncs[n].add(times, written);
            quiet.verify(bytes, 3);
            drop((quiet, small));
            side.remove("quiet");
            side.remove("small");
        }
        pool.remove();
    }
    for (what, [host, ours]) in [("read 4 KiB", &reads), ("fsync of 4 KiB", &syncs)] {
        table.latency(&format!("{what} beside a writer, p50"), &host.p50, &ours.p50);
        table.latency(&format!("{what} beside a writer, p99"), &host.p99, &ours.p99);
        table.latency(&format!("{what} beside a writer, longest"), &host.max, &ours.max);
        say(&format!(
            "  {what}: {} and {} of them; the writer wrote {:.0} and {:.0} MiB/s",
            host.count,
            ours.count,
            median(&host.written),
            median(&ours.written)
        ));
    }
}

/// How long an fsync takes after so many bytes: up to the inline threshold they go into the metadata volume, above it
/// into extents.
pub(crate) fn sizes(run: &Run<'_>, table: &mut Table) {
    let each = run.settings.size(100, 30);
    let pool = run.pool("pool-sizes", 2, 4 * GIB);
    for kib in [4, 16, 64, 128, 192, 256, 512] {
        let mut bytes = vec![0; kib * 1024];
        let (mut host, mut ours) = (vec![], vec![]);
        for round in 0..run.settings.rounds {
            for (side, medians) in [(run.host(), &mut host), (pool.side(), &mut ours)] {
                let name = format!("sized-{kib}-{round}");
                let file = side.file(&name);
                side.sync();
                let mut times = Vec::new();
                for n in 0..each {
                    fill(&mut bytes, n, 0);
                    let before = Instant::now();
                    file.write(n * (kib as u64) * 1024, &bytes);
                    file.fsync();
                    times.push(before.elapsed().as_secs_f64() * 1e3);
                }
                medians.push(median(&times));
                drop(file);
                side.remove(&name);
            }
        }
        table.latency(&format!("append {kib} KiB + fsync, p50"), &host, &ours);
    }
    pool.remove();
}

fn append(file: &Handle, at: &mut u64) {
    let mut block = vec![0; BLOCK as usize];
    fill(&mut block, *at, 0);
    file.write(*at, &block);
    file.fsync();
    *at += BLOCK;
}

/// Times of `work`, again and again for a while, in ms, and the writer's MiB per second.
fn while_writing(side: &Side, bytes: u64, stay: Duration, mut work: impl FnMut()) -> (Vec<f64>, f64) {
    let stop = AtomicBool::new(false);
    let stream = side.file("stream");
    let mut times = Vec::new();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&stream, bytes, &stop));
        // The first writes only fill memory.
        std::thread::sleep(Duration::from_millis(500));
        let start = Instant::now();
        while start.elapsed() < stay {
            let before = Instant::now();
            work();
            times.push(before.elapsed().as_secs_f64() * 1e3);
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    drop(stream);
    side.remove("stream");
    side.sync();
    (times, written)
}

/// Overwrites a file from start to end until told to stop, made durable each time round; MiB per second.
fn write_until(file: &Handle, bytes: u64, stop: &AtomicBool) -> f64 {
    let mut chunk = vec![0; CHUNK as usize];
    fill(&mut chunk, 9, 0);
    let start = Instant::now();
    let mut written = 0u64;
    while !stop.load(Ordering::Relaxed) {
        let off = written % bytes;
        file.write(off, &chunk);
        written += CHUNK;
        if written.is_multiple_of(bytes) {
            file.fsync();
        }
    }
    written as f64 / MIB as f64 / start.elapsed().as_secs_f64()
}
