//! What a child process does: random operations on a volume, each told before it begins and when it has returned.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lv::{Ino, Volume, VolumeOptions};
use pv::Env;
use signal_hook::consts::SIGTERM;

use crate::engine::{Pool, Shape, Weakness};
use crate::fs::{Generator, History, Mix, Outcome, Snapshot, apply};

/// Pools of real processes: several PVs and copies of the metadata.
pub(super) const SHAPE: Shape = Shape { pvs: 3, extent: 64 * 1024, extents: 30, copies: 2 };

/// What to work on.
#[derive(Debug, Clone)]
pub struct Work {
    /// Folder of the pool.
    pub dir: PathBuf,
    /// Which of its volumes.
    pub number: u8,
    /// Rule that is off.
    pub weakness: Weakness,
    /// Decides the operations.
    pub seed: u64,
}

impl Work {
    /// The words that [`Work::read`] reads.
    pub(super) fn words(&self, weakness: &str) -> [String; 4] {
        [self.dir.display().to_string(), self.number.to_string(), weakness.to_owned(), self.seed.to_string()]
    }

    /// Reads the words of a command line.
    pub fn read(words: &[String]) -> Option<Self> {
        let [dir, number, weakness, seed] = words else { return None };
        Some(Self {
            dir: PathBuf::from(dir),
            number: number.parse().ok()?,
            weakness: Weakness::named(weakness)?,
            seed: seed.parse().ok()?,
        })
    }
}

/// A real volume is small, commits often, and uses threads.
pub(super) fn options() -> VolumeOptions {
    VolumeOptions {
        cache_bytes: 1 << 20,
        dirty_bytes: 2 << 20,
        flush_bytes: 256 << 10,
        cached_rows: 100,
        commit_interval: Duration::from_millis(40),
        grace: Duration::from_millis(100),
        wal_bytes: 256 << 10,
        ..VolumeOptions::default()
    }
}

pub(super) fn mix(pool: &Pool) -> Mix {
    Mix { live: pool.bytes() / 2, file: pool.bytes() / 8, write: 100 << 10, work: 3, sync: 8, overwrites: false }
}

/// Works until killed, and reports to `out`: `B` before an operation, then `D INODE` (0: none made) or `R` (refused). After
/// SIGTERM it closes the volume and ends with `E`. When something fails it says so behind `!`, then what syncing says.
///
/// # Errors
/// What went wrong, in words.
pub fn work(work: &Work, out: &mut dyn Write) -> Result<(), String> {
    let ended = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&ended)).map_err(|error| error.to_string())?;
    let pool = Pool::at(&work.dir, SHAPE).volume(work.number);
    let say = |out: &mut dyn Write, line: String| out.write_all(line.as_bytes()).map_err(|error| error.to_string());
    let activated =
        pool.activate(&Env::system(), options(), work.weakness).map_err(|error| format!("activation: {error}"));
    let volume = match activated {
        Ok(volume) => volume,
        Err(error) => return say(out, format!("! {error}\n")).and(Err(error)),
    };
    match work_on(&volume, work.seed, &pool, &ended, out) {
        Ok(()) => {
            volume.close().map_err(|error| format!("close: {error}"))?;
            say(out, "E\n".to_owned())
        }
        Err(error) => {
            say(out, format!("! {error}\n"))?;
            if let Err(error) = volume.sync() {
                say(out, format!("! sync: {error}\n"))?;
            }
            Err(error)
        }
    }
}

fn work_on(volume: &Volume, seed: u64, pool: &Pool, ended: &AtomicBool, out: &mut dyn Write) -> Result<(), String> {
    let mut history = History::new(&Snapshot::read(volume)?);
    let mut generator = Generator::new(seed, mix(pool));
    while !ended.load(Ordering::Relaxed) {
        let op = generator.draw(&history);
        let mut say = |line: &str| out.write_all(line.as_bytes()).map_err(|error| error.to_string());
        say("B\n")?;
        let outcome = apply(volume, &op, None).map_err(|error| format!("{op:?}: {error}"))?;
        history.push(&op, outcome);
        match outcome {
            Outcome::Done(made) => say(&format!("D {}\n", made.unwrap_or(Ino(0)).0))?,
            Outcome::Refused => say("R\n")?,
        }
    }
    Ok(())
}
