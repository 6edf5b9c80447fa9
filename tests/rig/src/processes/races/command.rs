//! Running the command, and what may come of it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often commands were run and refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(BTreeMap<String, (u64, u64)>, BTreeMap<String, u64>);

impl Tally {
    pub(super) fn commands(&self) -> u64 {
        self.0.values().map(|(run, _)| run).sum()
    }

    /// Those that were not refused.
    pub(super) fn done(&self) -> u64 {
        self.0.values().map(|(run, refused)| run - refused).sum()
    }

    /// One more command; why it was refused, if it was.
    pub(super) fn count(&mut self, verb: &str, refused: Option<&str>) {
        let (run, not) = self.0.entry(verb.to_owned()).or_default();
        *run += 1;
        *not += u64::from(refused.is_some());
        if let Some(why) = refused {
            *self.1.entry(plain(why)).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, other: &mut Self) {
        for (verb, (run, not)) in std::mem::take(&mut other.0) {
            let sum = self.0.entry(verb).or_default();
            *sum = (sum.0 + run, sum.1 + not);
        }
        for (why, count) in std::mem::take(&mut other.1) {
            *self.1.entry(why).or_default() += count;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (why, count) in &self.1 {
            writeln!(out, "{count:6} {why}")?;
        }
        let refused: u64 = self.0.values().map(|(_, not)| not).sum();
        write!(out, "{} commands", self.commands())?;
        for (verb, (run, not)) in &self.0 {
            write!(out, ", {verb} {run} ({not})")?;
        }
        write!(out, "; {refused} refused, all as acknowledged")
    }
}

/// A message without names and numbers: what kind of refusal it is.
fn plain(message: &str) -> String {
    let words = message.split_whitespace().map(|word| {
        let named = word.contains(['/', '"', '\'']) || word.chars().any(|c| c.is_ascii_digit());
        if named { "_" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Ran {
    code: i32,
    pub(super) out: Vec<u8>,
    pub(super) err: String,
}

impl Ran {
    /// It says that it was done.
    pub(super) fn ok(&self) -> bool {
        self.code == 0
    }
}

/// Runs commands of one racer.
#[derive(Debug)]
pub(super) struct Runner {
    dir: PathBuf,
    command: PathBuf,
    number: u8,
    pub(super) tally: Tally,
}

impl Runner {
    pub(super) fn new(dir: &Path, command: &Path, number: u8) -> Self {
        Self { dir: dir.to_owned(), command: command.to_owned(), number, tally: Tally::default() }
    }

    /// A file of this racer's.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}{}", self.number))
    }

    /// The folder of the pool.
    pub(super) fn pool(&self) -> PathBuf {
        self.dir.join("pool")
    }

    /// Runs a command with more words behind it. Its exit code must be 0 or 5, and what it says is for people.
    pub(super) fn run(&mut self, words: &[&str], more: &[String]) -> Result<Ran, String> {
        let ran = self.wait(words, more)?;
        let line = format!("{} {}", words.join(" "), more.join(" "));
        let said = || format!("{line}: exit code {}, {}", ran.code, ran.err);
        if ran.code != 0 && ran.code != 5 {
            return Err(said());
        }
        for raw in ["panicked", "RUST_BACKTRACE", "os error", "Error {"] {
            if ran.err.contains(raw) {
                return Err(said());
            }
        }
        let told = ran.err.lines().filter(|line| !line.starts_with("  WARNING") && !line.starts_with("  hint:"));
        let told: Vec<&str> = told.collect();
        // LVM's own refusals have up to two lines; `df` of all volumes says why for each that it cannot open.
        let most = if words == ["df"] && more.is_empty() { usize::MAX } else { 2 };
        if !ran.ok() && !(1..=most).contains(&told.len()) {
            return Err(said());
        }
        self.tally.count(words[0], told.first().filter(|_| !ran.ok()).copied());
        Ok(ran)
    }

    fn wait(&self, words: &[&str], more: &[String]) -> Result<Ran, String> {
        let io = |error: std::io::Error| format!("{}: {error}", words.join(" "));
        let (out, err) = (self.file("out"), self.file("err"));
        let mut child = Command::new(&self.command)
            .arg("--pool")
            .arg(self.pool())
            .args(words)
            .args(more)
            .env("ANYFS_LVM_SYSTEM_DIR", self.dir.join("sys"))
            .stdin(Stdio::null())
            .stdout(File::create(&out).map_err(io)?)
            .stderr(File::create(&err).map_err(io)?)
            .spawn()
            .map_err(io)?;
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(io)? {
                break status;
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("after {PATIENCE:?} still running: {} {}", words.join(" "), more.join(" ")));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let err = String::from_utf8_lossy(&std::fs::read(err).map_err(io)?).into_owned();
        Ok(Ran { code: status.code().unwrap_or(-1), out: std::fs::read(out).map_err(io)?, err })
    }
}
