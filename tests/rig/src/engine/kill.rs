//! `kill -9` on real files: a child works on a pool and says over a pipe what it begins and what has returned; when it
//! has been killed, the pool must hold what it had acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lv::{Ino, Volume, VolumeOptions};
use pv::Env;

use super::pool::{Pool, Shape};
use super::weak::Weakness;
use crate::fs::{FsOp, Generator, History, Mix, Outcome, Snapshot, apply, made};
use crate::prng::Prng;
use crate::watch::watched;

/// The longest life of a child, in milliseconds.
const LIFE: u64 = 400;

const SHAPE: Shape = Shape { pvs: 2, extent: 64 * 1024, extents: 40, copies: 1 };

/// A pool on real files whose owner is killed again and again.
#[derive(Debug)]
pub struct KillLoop {
    pool: Pool,
    rng: Prng,
    history: History,
    /// Operations of killed children that had returned.
    pub returned: u64,
    /// Of these, fsyncs and syncs.
    pub acknowledged: u64,
}

/// A real pool is small, commits often, and uses threads.
fn options() -> VolumeOptions {
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

fn mix(pool: &Pool) -> Mix {
    Mix { live: pool.bytes() / 2, file: pool.bytes() / 8, write: 100 << 10, work: 3, sync: 8, overwrites: false }
}

fn activate(pool: &Pool, weakness: Weakness) -> Result<(Volume, Snapshot), String> {
    let volume = pool.activate(&Env::system(), options(), weakness).map_err(|error| format!("activation: {error}"))?;
    let found = Snapshot::read(&volume)?;
    Ok((volume, found))
}

/// What a child does until it is killed: works on the pool in `dir`, with a rule off, and reports to `out`: `B` before an operation,
/// then `D INODE` (0: none made) or `R` (refused).
///
/// # Errors
/// In words; the parent gets them too.
pub fn work_until_killed(dir: &Path, weakness: Weakness, seed: u64, out: &mut dyn Write) -> Result<(), String> {
    let pool = Pool::at(dir, SHAPE);
    let (volume, found) = activate(&pool, weakness)?;
    let mut history = History::new(&found);
    let mut generator = Generator::new(seed, mix(&pool));
    loop {
        let op = generator.draw(&history);
        let mut say = |line: String| out.write_all(line.as_bytes()).map_err(|error| error.to_string());
        say("B\n".to_owned())?;
        let outcome = apply(&volume, &op, None).map_err(|error| format!("{op:?}: {error}"))?;
        history.push(&op, outcome);
        say(match outcome {
            Outcome::Done(made) => format!("D {}\n", made.unwrap_or(Ino(0)).0),
            Outcome::Refused => "R\n".to_owned(),
        })?;
    }
}

impl KillLoop {
    /// Makes a pool in the folder `dir`.
    ///
    /// # Errors
    /// In words.
    pub fn new(dir: &Path, seed: u64) -> Result<Self, String> {
        let pool = Pool::create(&Env::system(), dir, SHAPE).map_err(|error| error.to_string())?;
        let history = History::new(&Snapshot::default());
        Ok(Self { pool, rng: Prng::new(seed), history, returned: 0, acknowledged: 0 })
    }

    /// Starts a child with `command` (to which a seed is appended), kills it, checks the pool.
    ///
    /// # Errors
    /// What is wrong.
    pub fn round(&mut self, mut command: Command) -> Result<(), String> {
        let seed = self.rng.draw();
        let life = Duration::from_millis(5 + self.rng.below(LIFE));
        let _watched = watched(|| format!("child with seed {seed}"));
        let io = |error: std::io::Error| format!("child: {error}");
        let child = command.arg(seed.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(io)?;
        let lines = kill_after(child, life).map_err(io)?;
        let mut generator = Generator::new(seed, mix(&self.pool));
        let unknown = self.replay(&mut generator, &lines)?;
        let (volume, found) = activate(&self.pool, Weakness::None)?;
        let done = self.history.step();
        if let Err(message) = self.history.judge(&found, done, done) {
            let Some(op) = unknown else { return Err(format!("seed {seed}: {message}")) };
            let outcome = Outcome::Done(made(&op, &found));
            self.history.push(&op, outcome);
            self.history.judge(&found, done, done + 1).map_err(|second| {
                format!("seed {seed}: {message}\n and if the unanswered {op:?} happened: {second}")
            })?;
        }
        self.history = History::new(&found);
        if self.rng.one_in(2) {
            volume.close().map_err(|error| format!("close: {error}"))?;
        } else {
            volume.abandon();
        }
        Ok(())
    }

    /// Does in the history what the child said; the operation that it had begun and not answered.
    fn replay(&mut self, generator: &mut Generator, lines: &[String]) -> Result<Option<FsOp>, String> {
        let mut begun = None;
        for line in lines {
            let outcome = match (line.as_str(), line.strip_prefix("D ").and_then(|ino| ino.parse().ok())) {
                ("B", _) => {
                    begun = Some(generator.draw(&self.history));
                    continue;
                }
                ("R", _) => Outcome::Refused,
                (_, Some(ino)) => Outcome::Done(Some(Ino(ino)).filter(|ino| ino.0 != 0)),
                _ => return Err(format!("child says: {line}")),
            };
            let Some(op) = begun.take() else { return Err(format!("child answers unasked: {line}")) };
            self.history.push(&op, outcome);
            self.returned += 1;
            self.acknowledged += u64::from(matches!(op, FsOp::Fsync(_) | FsOp::Sync));
        }
        Ok(begun)
    }
}

/// All whole lines a child wrote in its life.
fn kill_after(mut child: Child, life: Duration) -> std::io::Result<Vec<String>> {
    let pipe = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let Some(pipe) = pipe else { return Vec::new() };
        let mut lines = Vec::new();
        let mut pipe = BufReader::new(pipe);
        let mut text = String::new();
        while pipe.read_line(&mut text).is_ok_and(|n| n > 0) {
            // The last line may be cut off.
            if let Some(whole) = text.strip_suffix('\n') {
                lines.push(whole.to_owned());
            }
            text.clear();
        }
        lines
    });
    std::thread::sleep(life);
    child.kill()?;
    child.wait()?;
    reader.join().map_err(|_| std::io::ErrorKind::Other.into())
}
