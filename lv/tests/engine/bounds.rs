//! Bounds: log, memory, threads.

use std::time::Duration;

use anyfs_lvm_lv::{Ino, NewNode, VolumeOptions};
use pv::Env;

use super::support::{Rig, contents, pattern};

#[test]
fn the_log_never_grows_past_its_bound_while_readers_come_and_go() {
    let mut rig = Rig::new(1, 64, 65536);
    let bound = 512 * 1024;
    rig.options = VolumeOptions { wal_bytes: bound, ..rig.options };
    let volume = rig.open();
    let path = rig.copies[0].path.clone();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Each reader holds the log for a while: only waiting for it keeps the log short.
        scope.spawn(|| {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            for _ in 0..2000 {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                let reader = rusqlite::Connection::open_with_flags(&path, flags).unwrap();
                reader.execute_batch("BEGIN; SELECT count(*) FROM inode;").unwrap();
                let _: i64 = reader.query_row("SELECT count(*) FROM inode", [], |row| row.get(0)).unwrap();
                std::thread::sleep(Duration::from_millis(60));
            }
        });
        let (mut highest, mut largest_commit) = (0, 0);
        for n in 0..150u32 {
            let before = volume.usage().unwrap().log_bytes;
            let file = volume.create(Ino::ROOT, format!("f{n}").as_bytes(), &NewNode::file(0o600)).unwrap().ino;
            volume.write(file, 0, &pattern(u64::from(n), 20_000)).unwrap();
            volume.fsync(file).unwrap();
            let after = volume.usage().unwrap().log_bytes;
            largest_commit = largest_commit.max(after.saturating_sub(before));
            highest = highest.max(after);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(highest > bound / 4, "the log was never in use: {highest}");
        assert!(highest <= bound + largest_commit, "log of {highest} bytes, bound {bound}");
    });
}

#[test]
fn the_log_begins_anew_while_commits_go_on() {
    let mut rig = Rig::new(1, 64, 65536);
    rig.options = VolumeOptions { wal_bytes: 8 << 20, ..rig.options };
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    let mut written = 0;
    while written < 16 << 20 {
        volume.write(file, 0, &pattern(written, 4096)).unwrap();
        volume.fsync(file).unwrap();
        written += 4096;
    }
    // A quarter of the bound, and what a commit adds before it is noticed.
    let log = volume.usage().unwrap().log_bytes;
    assert!(log <= 3 << 20, "log of {log} bytes");
}

#[test]
fn memory_stays_within_its_budgets() {
    let mut rig = Rig::new(2, 200, 65536);
    rig.options = VolumeOptions { cached_rows: 1000, cache_bytes: 1 << 20, dirty_bytes: 1 << 20, ..rig.options };
    let volume = rig.open();
    let mut files = Vec::new();
    let mut most = (0, 0, 0);
    let mut look = |volume: &anyfs_lvm_lv::Volume| {
        let usage = volume.usage().unwrap();
        most = (most.0.max(usage.rows), most.1.max(usage.cache_bytes), most.2.max(usage.dirty_bytes));
    };
    for n in 0..8000u32 {
        let name = format!("f{n}");
        let file = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(u64::from(n), 1500)).unwrap();
        files.push(file);
        if n % 200 == 0 {
            volume.sync().unwrap();
        }
        look(&volume);
    }
    volume.sync().unwrap();
    for (n, file) in files.iter().enumerate() {
        assert!(contents(&volume, *file) == pattern(n as u64, 1500));
        look(&volume);
    }
    assert!(most.0 <= 4000, "{} rows in memory", most.0);
    assert!(most.1 <= 1 << 20, "{} bytes cached", most.1);
    assert!(most.2 <= (1 << 20) + 1500, "{} bytes dirty", most.2);
}

#[test]
fn sixteen_threads_share_commits_and_lose_nothing() {
    let mut rig = Rig::new(2, 200, 65536);
    rig.env = Env { threads: true, ..Env::system() };
    let volume = rig.open();
    std::thread::scope(|scope| {
        for t in 0..16u64 {
            let volume = &volume;
            scope.spawn(move || {
                let file = volume.create(Ino::ROOT, format!("t{t}").as_bytes(), &NewNode::file(0o600)).unwrap().ino;
                for n in 0..40u64 {
                    volume.write(file, n * 3000, &pattern(t * 1000 + n, 3000)).unwrap();
                    volume.fsync(file).unwrap();
                }
            });
        }
    });
    volume.abandon();
    let volume = rig.open();
    for t in 0..16u64 {
        let file = volume.lookup(Ino::ROOT, format!("t{t}").as_bytes()).unwrap().ino;
        let expected: Vec<u8> = (0..40).flat_map(|n| pattern(t * 1000 + n, 3000)).collect();
        assert!(contents(&volume, file) == expected, "thread {t}");
    }
}
