//! The cases that are rates.

use std::path::Path;
use std::time::Instant;

use anyfs_lvm::lv::Volume;
use anyfs_lvm::{GIB, MIB};

use crate::Settings;
use crate::machine::drop_caches;
use crate::side::{BLOCK, CHUNK, Fresh, Handle, Random, Side, fill};
use crate::table::Table;

/// What all cases share.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) dir: &'a Path,
    /// Whether the page cache can be emptied.
    pub(crate) cold: bool,
}

impl Run<'_> {
    pub(crate) fn host(&self) -> Side {
        Side::Host(self.dir.to_owned())
    }

    /// A new pool of `pvs` PVs with one volume of `bytes`.
    pub(crate) fn pool(&self, name: &str, pvs: u64, bytes: u64) -> Fresh {
        Fresh::new(&self.dir.join(name), self.settings.extent, pvs, bytes)
    }

    /// `count` per second of `work`; what was dirty before does not count.
    fn rate(&self, count: f64, work: impl FnOnce()) -> f64 {
        self.host().sync();
        let start = Instant::now();
        work();
        count / start.elapsed().as_secs_f64()
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

/// Sequential writes to fresh pools; then, on the last of them, reads and random overwrites.
pub(crate) fn stream(run: &Run<'_>, table: &mut Table) {
    let bytes = run.settings.size(GIB, 256 * MIB);
    let (mut host, mut again, mut one, mut two) = (vec![], vec![], vec![], vec![]);
    let mut kept = None;
    for round in 0..run.settings.rounds {
        let seed = round as u64;
        host.push(write_once(run, &run.host(), "stream", bytes, seed));
        if round + 1 < run.settings.rounds {
            run.host().remove("stream");
        }
        for (pvs, rates) in [(1, &mut one), (2, &mut two)] {
            let pool = run.pool(&format!("pool-{round}-{pvs}"), pvs, bytes * 6);
            rates.push(write_once(run, &pool.side(), "stream", bytes, seed));
            if pvs == 2 && round + 1 == run.settings.rounds {
                kept = Some(pool);
            } else {
                pool.remove();
            }
        }
        again.push(write_once(run, &run.host(), "again", bytes, seed));
        run.host().remove("again");
    }
    table.rate("sequential write + sync, 1 PV", "MiB/s", &host, &one);
    table.rate("sequential write + sync, 2 PVs", "MiB/s", &host, &two);
    table.rate("  host again", "MiB/s", &host, &again);
    let pool = kept.unwrap();
    read(run, table, pool, bytes);
    run.host().remove("stream");
}

fn write_once(run: &Run<'_>, side: &Side, name: &str, bytes: u64, seed: u64) -> f64 {
    let file = side.file(name);
    side.sync();
    let rate = run.rate(mib(bytes), || file.stream_in(bytes, seed));
    file.verify(bytes, seed);
    rate
}

/// Reads of the files that the sequential write has left, then random overwrites of them.
fn read(run: &Run<'_>, table: &mut Table, mut pool: Fresh, bytes: u64) {
    let sides = |pool: &Fresh| [run.host().again("stream"), pool.side().again("stream")];
    if run.cold {
        let (mut host, mut ours) = (vec![], vec![]);
        for _ in 0..run.settings.rounds {
            pool.reopen();
            for (file, rates) in sides(&pool).iter().zip([&mut host, &mut ours]) {
                run.host().sync();
                drop_caches();
                rates.push(run.rate(mib(bytes), || file.stream_out(bytes)));
            }
        }
        table.rate("sequential read, cold", "MiB/s", &host, &ours);
    }
    let files = sides(&pool);
    let (mut host, mut ours) = (vec![], vec![]);
    for file in &files {
        file.stream_out(bytes);
    }
    for _ in 0..run.settings.rounds {
        for (file, rates) in files.iter().zip([&mut host, &mut ours]) {
            rates.push(run.rate(mib(bytes), || file.stream_out(bytes)));
        }
    }
    table.rate("sequential read, warm", "MiB/s", &host, &ours);
    random_read(run, table, &files, bytes);
    random_write(run, table, &files, bytes);
    drop(files);
    pool.remove();
}

fn random_read(run: &Run<'_>, table: &mut Table, files: &[Handle; 2], bytes: u64) {
    let count = run.settings.size(100_000, 20_000);
    let (mut host, mut ours) = (vec![], vec![]);
    for round in 0..run.settings.rounds {
        for (file, rates) in files.iter().zip([&mut host, &mut ours]) {
            let mut random = Random::new(round as u64);
            let mut block = vec![0; BLOCK as usize];
            rates.push(run.rate(count as f64, || {
                for _ in 0..count {
                    file.read(random.below(bytes / BLOCK) * BLOCK, &mut block);
                }
            }));
        }
    }
    table.rate("random read 4 KiB, warm", "/s", &host, &ours);
}

fn random_write(run: &Run<'_>, table: &mut Table, files: &[Handle; 2], bytes: u64) {
    let count = run.settings.size(10_000, 2_000);
    let (mut host, mut ours) = (vec![], vec![]);
    let mut block = vec![0; BLOCK as usize];
    let mut last = vec![0; BLOCK as usize];
    for round in 0..run.settings.rounds {
        for (file, rates) in files.iter().zip([&mut host, &mut ours]) {
            let seed = 1000 + round as u64;
            let mut random = Random::new(seed);
            let mut at = 0;
            rates.push(run.rate(count as f64, || {
                for n in 1..=count {
                    at = random.below(bytes / BLOCK) * BLOCK;
                    fill(&mut block, seed, at);
                    file.write(at, &block);
                    if n % 100 == 0 {
                        file.fsync();
                    }
                }
            }));
            file.read(at, &mut last);
            assert!(last == block, "the last block written reads differently");
        }
    }
    table.rate("random overwrite 4 KiB, fsync per 100", "/s", &host, &ours);
    // Both were given the same blocks: they must be equal byte for byte.
    let (mut a, mut b) = (vec![0; CHUNK as usize], vec![0; CHUNK as usize]);
    for off in (0..bytes).step_by(CHUNK as usize) {
        files[0].read(off, &mut a);
        files[1].read(off, &mut b);
        assert!(a == b, "the two sides differ at {off}");
    }
}

/// A sequential overwrite in a pool that is 80 % full and was overwritten three times.
pub(crate) fn aged(run: &Run<'_>, table: &mut Table) {
    let room = run.settings.size(1536 * MIB, 384 * MIB);
    let timed = run.settings.size(GIB, 256 * MIB);
    let pool = run.pool("pool-aged", 2, room);
    let Side::Ours(volume) = pool.side() else { return };
    let bytes = usable(&volume) * 4 / 5 / CHUNK * CHUNK;
    let files = [run.host().file("aged"), pool.side().file("aged")];
    for file in &files {
        file.stream_in(bytes, 0);
        let mut random = Random::new(7);
        let mut chunk = vec![0; CHUNK as usize];
        for _ in 0..bytes * 3 / CHUNK {
            let off = random.below(bytes / CHUNK) * CHUNK;
            fill(&mut chunk, 1, off);
            file.write(off, &chunk);
        }
        file.fsync();
    }
    let (mut host, mut again, mut ours) = (vec![], vec![], vec![]);
    let timed = timed.min(bytes);
    for round in 0..run.settings.rounds {
        let seed = 10 + round as u64;
        for (file, rates) in [(&files[0], &mut host), (&files[1], &mut ours), (&files[0], &mut again)] {
            rates.push(run.rate(mib(timed), || file.stream_in(timed, seed)));
            file.verify(timed, seed);
        }
    }
    table.rate("sequential overwrite + sync, aged, 80 % full", "MiB/s", &host, &ours);
    table.rate("  host again", "MiB/s", &host, &again);
    let (mut host, mut ours) = (vec![], vec![]);
    for _ in 0..run.settings.rounds {
        for (file, rates) in files.iter().zip([&mut host, &mut ours]) {
            rates.push(run.rate(mib(bytes), || file.stream_out(bytes)));
        }
    }
    table.rate("sequential read, warm, aged", "MiB/s", &host, &ours);
    drop((files, volume));
    run.host().remove("aged");
    pool.remove();
}

/// Bytes that files can hold.
fn usable(volume: &Volume) -> u64 {
    volume.statfs().unwrap().total
}

/// Many small files.
pub(crate) fn create(run: &Run<'_>, table: &mut Table) {
    let count = run.settings.size(10_000, 2_000);
    let (mut host, mut again, mut ours) = (vec![], vec![], vec![]);
    for round in 0..run.settings.rounds {
        let pool = run.pool(&format!("pool-small-{round}"), 2, GIB);
        for (name, side, rates) in
            [("small", run.host(), &mut host), ("small", pool.side(), &mut ours), ("again", run.host(), &mut again)]
        {
            let dir = format!("{name}-{round}");
            rates.push(run.rate(count as f64, || side.many(&dir, count)));
            assert!(side.many_right(&dir, count), "a small file reads differently");
        }
        pool.remove();
        for name in ["small", "again"] {
            std::fs::remove_dir_all(run.dir.join(format!("{name}-{round}"))).unwrap();
        }
    }
    table.rate("create files of 4 KiB + sync", "/s", &host, &ours);
    table.rate("  host again", "/s", &host, &again);
}

/// Small appends that are durable one by one.
pub(crate) fn append(run: &Run<'_>, table: &mut Table) {
    for threads in [1, 16] {
        let each = run.settings.size(4_000, 800) / threads.min(4);
        let (mut host, mut again, mut ours) = (vec![], vec![], vec![]);
        let pool = run.pool(&format!("pool-append-{threads}"), 2, 4 * GIB);
        for round in 0..run.settings.rounds {
            for (name, side, rates) in
                [("log", run.host(), &mut host), ("log", pool.side(), &mut ours), ("again", run.host(), &mut again)]
            {
                let files: Vec<_> = (0..threads).map(|n| side.file(&format!("{name}-{round}-{n}"))).collect();
                side.sync();
                rates.push(run.rate((each * threads) as f64, || append_all(&files, each)));
                for file in &files {
                    check_appends(file, each);
                }
                drop(files);
                (0..threads).for_each(|n| side.remove(&format!("{name}-{round}-{n}")));
            }
        }
        table.rate(&format!("append 4 KiB + fsync, {threads} thread(s)"), "/s", &host, &ours);
        table.rate("  host again", "/s", &host, &again);
        pool.remove();
    }
}

fn append_all(files: &[Handle], each: u64) {
    std::thread::scope(|scope| {
        for file in files {
            scope.spawn(move || {
                let mut block = vec![0; BLOCK as usize];
                for n in 0..each {
                    fill(&mut block, n, 0);
                    file.write(n * BLOCK, &block);
                    file.fsync();
                }
            });
        }
    });
}

fn check_appends(file: &Handle, each: u64) {
    let (mut block, mut wanted) = (vec![0; BLOCK as usize], vec![0; BLOCK as usize]);
    for n in 0..each {
        file.read(n * BLOCK, &mut block);
        fill(&mut wanted, n, 0);
        assert!(block == wanted, "an appended block reads differently");
    }
}
