//! Commits that come while the log of one before them is moved into its file: SQLite leaves out a sync then, and later
//! logs begin anew over what was moved. The explorer's workloads have one thread, and see no such commit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyfs_lvm_rig::{Before, Check, Crash, Disk, Explorer, Options, Pool, Report, Settings, Shape, Weakness, watch};
use lv::{Ino, NewNode, Rule, Volume, VolumeOptions};

const SHAPE: Shape = Shape { pvs: 2, extent: 4096, extents: 60, copies: 2 };

/// Files, most of them made durable while the log is moved for another.
struct Judge {
    pool: Pool,
    /// What was acknowledged, in this order; a mark in the log is their number then.
    made: Mutex<Vec<String>>,
}

fn options() -> VolumeOptions {
    VolumeOptions { wal_bytes: 256 * 1024, commit_interval: Duration::from_secs(3600), ..VolumeOptions::default() }
}

fn contents(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(700).collect()
}

/// Makes a file durable.
fn make(volume: &Volume, name: &str) {
    let ino = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600)).unwrap().ino;
    volume.write(ino, 0, &contents(name)).unwrap();
    volume.fsync(ino).unwrap();
}

impl Judge {
    fn has(&self, name: &str) -> bool {
        self.made.lock().unwrap().iter().any(|made| made == name)
    }

    fn acknowledge(&self, disk: &Disk, name: String) {
        let mut made = self.made.lock().unwrap();
        made.push(name);
        disk.mark(made.len() as u64);
    }
}

impl Check for Judge {
    fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
        let volume = self.pool.activate(&disk.env(), options(), Weakness::None).map_err(|error| error.to_string())?;
        let count = usize::try_from(crash.mark.unwrap_or(0)).map_err(|error| error.to_string())?;
        for name in &self.made.lock().unwrap()[..count] {
            let found = volume.lookup(Ino::ROOT, name.as_bytes()).and_then(|attr| volume.read_all(attr.ino));
            match found {
                Ok(bytes) if bytes == contents(name) => {}
                other => return Err(format!("{name}, one of {count}: {other:?}")),
            }
        }
        volume.abandon();
        self.pool.check(&disk.env())
    }

    fn recover(&self, _: &Crash, disk: &Disk) -> Result<(), String> {
        let volume = self.pool.activate(&disk.env(), options(), Weakness::None).map_err(|error| error.to_string())?;
        volume.close().map_err(|error| error.to_string())
    }
}

/// Makes files, most of them while a page of the log before them is written to a copy; how many came so.
fn explore(seed: u64, weakness: Weakness) -> (u64, Report) {
    let disk = Disk::new(Settings::default());
    let pool = Pool::create(&disk.env(), std::path::Path::new("/"), SHAPE).unwrap();
    let volume = pool.activate(&disk.env(), options(), weakness).unwrap();
    let paths: Vec<String> = pool.copies().iter().map(|copy| copy.path.display().to_string()).collect();
    let explorer =
        Options { seed, one_write_in: 8, one_other_in: 3, one_crash_in: 2, repeats: 1, ..Options::default() };
    let mut explorer = Explorer::new(&disk.image(), explorer);
    disk.start_recording();
    let judge = Arc::new(Judge { pool, made: Mutex::default() });
    let between = Arc::new(AtomicU64::new(0));
    for number in 0..40u64 {
        let outer = format!("outer{number}");
        // The first comes while the log of one copy is moved, the second while that of the other is.
        for (at, path) in paths.iter().enumerate() {
            let (there, judge, volume, count) =
                (disk.clone(), Arc::clone(&judge), volume.clone(), Arc::clone(&between));
            let (outer, inner) = (outer.clone(), format!("inner{number}-{at}"));
            disk.interject(Before::Write, path, move || {
                // Its commit has returned: only the log is moved yet.
                if !judge.has(&outer) {
                    judge.acknowledge(&there, outer);
                }
                make(&volume, &inner);
                judge.acknowledge(&there, inner);
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        make(&volume, &outer);
        disk.interject_nothing();
        if !judge.has(&outer) {
            judge.acknowledge(&disk, outer);
        }
        explorer.feed(&disk.take_log(), &*judge);
    }
    volume.abandon();
    (between.load(Ordering::Relaxed), explorer.finish(&*judge))
}

#[test]
fn commits_that_come_while_a_log_is_moved_survive_every_crash() {
    watch(Duration::from_secs(120));
    let (between, report) = explore(1, Weakness::None);
    if let Some(failure) = report.failures.first() {
        panic!("{failure}\n{report}");
    }
    let images = report.total().images;
    assert!(between > 8 && images > 500, "{between} commits, {images} images");
}

#[test]
fn a_file_that_passes_for_newer_than_it_is_after_a_commit_beside_a_checkpoint_is_found() {
    watch(Duration::from_secs(120));
    let (_, report) = explore(1, Weakness::Without(Rule::HeldCheckpoint));
    assert!(!report.failures.is_empty(), "not found: {report}");
}
