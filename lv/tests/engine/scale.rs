//! Many levels, many entries.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyfs_backend::{FsDir, FsInode};
use anyfs_lvm_lv::{Ino, NewNode, Rename, Volume, VolumeOptions};

use super::support::Rig;

/// A stack that a call for each level would overflow long before the last one.
fn with_little_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        std::thread::Builder::new().stack_size(512 * 1024).spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

#[test]
fn a_tree_of_a_hundred_thousand_levels_is_made_moved_and_removed_without_recursion() {
    const LEVELS: usize = 100_000;
    let rig = Rig::new(1, 64, 65536);
    with_little_stack(|| {
        let volume = rig.open();
        let mut at = Ino::ROOT;
        for _ in 0..LEVELS {
            at = volume.mkdir(at, b"d", &NewNode::directory(0o755)).unwrap().ino;
        }
        volume.close().unwrap();
        let volume = rig.open();
        let fs = volume.clone().filesystem();
        let path = "/d".repeat(LEVELS);
        assert_eq!(volume.resolve(path.as_bytes(), true).unwrap().ino, at);
        assert_eq!(fs.inode_to_path(at.0).unwrap(), Path::new(&path));
        let top = volume.lookup(Ino::ROOT, b"d").unwrap().ino;
        let circle = volume.rename((Ino::ROOT, b"d"), (at, b"d"), Rename::Replace).unwrap_err();
        assert_eq!(circle.errno(), 22, "the lowest directory knows that it lies under the highest");
        let other = volume.mkdir(Ino::ROOT, b"other", &NewNode::directory(0o755)).unwrap().ino;
        volume.rename((Ino::ROOT, b"d"), (other, b"d"), Rename::Replace).unwrap();
        assert_eq!(volume.parent_of(top).unwrap(), other);
        fs.remove_dir_all(Path::new("/other")).unwrap();
        assert_eq!(volume.statfs().unwrap().files, 1);
        volume.close().unwrap();
        assert_eq!(rig.rows("inode"), 1);
        assert_eq!(rig.rows("dirent"), 0);
    });
}

fn fill(volume: &Volume, entries: usize) -> Ino {
    let dir = volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap().ino;
    for n in 0..entries {
        volume.create(dir, format!("entry {n}").as_bytes(), &NewNode::file(0o600)).unwrap();
    }
    dir
}

/// Lists a directory, each entry once; says in how many pages.
fn list(volume: &Volume, dir: Ino, entries: usize, limit: usize) -> usize {
    let (mut seen, mut pages, mut cookie) = (vec![false; entries], 0, 0);
    loop {
        let page = volume.readdir(dir, cookie, limit).unwrap();
        pages += 1;
        for entry in &page {
            let n: usize = std::str::from_utf8(&entry.name).unwrap()[6..].parse().unwrap();
            assert!(!std::mem::replace(&mut seen[n], true), "{n} twice");
            assert!(entry.cookie > cookie);
            cookie = entry.cookie;
        }
        if page.len() < limit {
            assert!(seen.iter().all(|seen| *seen));
            return pages;
        }
    }
}

#[test]
fn a_directory_of_a_hundred_thousand_entries_lists_by_full_pages_and_takes_no_memory() {
    const ENTRIES: usize = 100_000;
    let mut rig = Rig::new(1, 64, 65536);
    rig.options = VolumeOptions { cached_rows: 1000, ..rig.options };
    let volume = rig.open();
    let dir = fill(&volume, ENTRIES);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(list(&volume, dir, ENTRIES, 1000), ENTRIES / 1000 + 1);
    assert_eq!(list(&volume, dir, ENTRIES, 777), ENTRIES / 777 + 1);
    assert_eq!(volume.readdir(dir, 0, usize::MAX).unwrap().len(), ENTRIES);
    assert!(volume.usage().unwrap().rows < 1000, "{} rows are in memory", volume.usage().unwrap().rows);
}

/// By hand, because of its time: `cargo test --release -p anyfs-lvm-lv --test engine -- --ignored million`
#[test]
#[ignore = "most of a minute without optimisation, and a comparison of times"]
fn a_directory_of_a_million_entries_lists_in_proportion() {
    let times: Vec<Duration> = [100_000, 1_000_000]
        .into_iter()
        .map(|entries| {
            let rig = Rig::new(1, 64, 65536);
            let volume = rig.open();
            let dir = fill(&volume, entries);
            volume.close().unwrap();
            let volume = rig.open();
            let began = Instant::now();
            assert_eq!(list(&volume, dir, entries, 1000), entries / 1000 + 1);
            began.elapsed()
        })
        .collect();
    // Ten times as many entries; a listing that looked at all of them for each page would take a hundred times as long.
    assert!(times[1] < times[0] * 50, "{times:?}");
}

#[test]
fn what_stays_is_listed_once_in_small_pages_while_others_come_and_go() {
    const STAY: usize = 600;
    let mut rig = Rig::new(1, 64, 65536);
    rig.env.threads = true;
    // Entries leave memory and come back while the listing goes on.
    rig.options = VolumeOptions { cached_rows: 100, ..rig.options };
    let volume = rig.open();
    let dir = fill(&volume, STAY);
    volume.sync().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (volume, done) = (&volume, &done);
            scope.spawn(move || {
                for n in 0u32.. {
                    let [a, b] = [n % 90, n % 70].map(|n| format!("guest {thread} {n}"));
                    volume.create(dir, a.as_bytes(), &NewNode::file(0o600)).unwrap();
                    // A name that stays may lead to another file now and then.
                    let stays = format!("entry {}", n as usize % STAY);
                    match n % 3 {
                        0 => volume.rename((dir, a.as_bytes()), (dir, stays.as_bytes()), Rename::Replace).unwrap(),
                        1 => {
                            volume.rename((dir, a.as_bytes()), (dir, stays.as_bytes()), Rename::Exchange).unwrap();
                            volume.unlink(dir, a.as_bytes()).unwrap();
                        }
                        _ => {
                            volume.rename((dir, a.as_bytes()), (dir, b.as_bytes()), Rename::Replace).unwrap();
                            volume.unlink(dir, b.as_bytes()).unwrap();
                        }
                    }
                    if n.is_multiple_of(50) {
                        volume.sync().unwrap();
                    }
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        for limit in [1, 2, 3, 5, 7, 11, 50, 599, 600, 601, 10_000] {
            let mut seen: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            let mut cookie = 0;
            loop {
                let page = volume.readdir(dir, cookie, limit).unwrap();
                cookie = page.last().map_or(cookie, |entry| entry.cookie);
                for entry in &page {
                    *seen.entry(entry.name.clone()).or_default() += 1;
                }
                if page.len() < limit {
                    break;
                }
            }
            for n in 0..STAY {
                assert_eq!(seen.get(format!("entry {n}").as_bytes()), Some(&1), "entry {n} in pages of {limit}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    volume.close().unwrap();
    list(&rig.open(), dir, STAY, 7);
}
