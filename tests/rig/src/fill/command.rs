//! A cycle through the command: what people type when a disk runs full.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ground::Ground;
use super::plan::Plan;
use super::{Tally, pool, refusal};
use crate::fs::bytes;
use crate::prng::Prng;
use crate::watch::Watched;

/// What a command did.
struct Ran {
    code: Option<i32>,
    out: Vec<u8>,
    err: String,
}

struct Cycle<'a> {
    plan: &'a Plan,
    ground: &'a Ground,
    command: &'a Path,
    base: &'a Path,
    rng: Prng,
    files: BTreeMap<String, Vec<u8>>,
    next: u64,
    tally: &'a mut Tally,
    watched: &'a Watched,
}

pub(super) fn run(
    seed: u64,
    plan: &Plan,
    place: (&Path, &Path),
    (tally, watched): (&mut Tally, &Watched),
) -> Result<(), String> {
    let (base, command) = place;
    let ground = Ground::new(plan.kind, base, plan.host)?;
    let rng = Prng::derived(seed, &[3]);
    let mut cycle =
        Cycle { plan, ground: &ground, command, base, rng, files: BTreeMap::new(), next: 0, tally, watched };
    let done = cycle.turns();
    done.map_err(|why| format!("by command: {why}\n  {plan:?}\n  {}", ground.save(&base.with_extension("kept"))))
}

impl Cycle<'_> {
    fn turns(&mut self) -> Result<(), String> {
        pool::create(self.ground, self.plan)?;
        let mut best = 0;
        for turn in 0..2 {
            let began = self.files.len();
            self.fill()?;
            let reached: u64 = self.files.values().map(|bytes| bytes.len() as u64).sum();
            if turn == 0 {
                best = reached;
            }
            if reached < best / 10 * 8 {
                return Err(format!(
                    "turn {turn} reached {reached} bytes (began with {began} files), the first {best}"
                ));
            }
            self.tally.bytes += reached;
            self.tally.filled += 1;
            self.compare()?;
            let reserved = self.ground.reserved();
            if self.plan.ballast {
                self.ground.ballast(0)?;
                self.tally.ballasts += 1;
            }
            self.remove(reserved)?;
            self.ground.lift()?;
            self.compare()?;
            self.works(&["check", "--data", "pool"])?;
        }
        Ok(())
    }

    fn run(&mut self, words: &[&str], input: Option<&[u8]>) -> Result<Ran, String> {
        self.watched.goes_on();
        let Some((verb, rest)) = words.split_first() else { return Err("no command".to_owned()) };
        let mut command = Command::new(self.command);
        command
            .arg(verb)
            .arg("--pool")
            .arg(&self.ground.dir)
            .args(rest)
            .env("ANYFS_LVM_SYSTEM_DIR", self.base.join("sys"));
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let spawned = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.map_err(|error| format!("{}: {error}", self.command.display()))?;
        if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
            // A command that refuses does not read what it is given.
            let _ = pipe.write_all(input);
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        self.tally.opened += 1;
        Ok(Ran { code: output.status.code(), out: output.stdout, err })
    }

    fn works(&mut self, words: &[&str]) -> Result<Vec<u8>, String> {
        let ran = self.run(words, None)?;
        if ran.code == Some(0) {
            return Ok(ran.out);
        }
        Err(format!("{} ({} bytes free): exit code {:?}: {}", words[0], self.ground.free(), ran.code, ran.err))
    }

    /// Puts files until none of 4 KiB goes in.
    fn fill(&mut self) -> Result<(), String> {
        let mut largest = u64::MAX;
        let mut rounds = 0;
        while largest >= 4096 && rounds < 150 {
            rounds += 1;
            // Single files through a pipe, and several at once from the host.
            let count = if self.rng.one_in(3) { 1 } else { 10 + self.rng.below(40) };
            let mut new = BTreeMap::new();
            for _ in 0..count {
                let len = self.plan.length(&mut self.rng).max(100).min(largest);
                let data = bytes(self.rng.draw(), usize::try_from(len).unwrap_or(0));
                new.insert(format!("f{:05}", self.next), data);
                self.next += 1;
            }
            let largest_new = new.values().map(|data| data.len() as u64).max().unwrap_or(0);
            if !self.copy(new)? {
                largest = largest.min(largest_new.max(4096)) / 2;
            }
        }
        Ok(())
    }

    /// Copies new files into the volume; `false` when one did not fit.
    fn copy(&mut self, new: BTreeMap<String, Vec<u8>>) -> Result<bool, String> {
        let single = new.iter().next().filter(|_| new.len() == 1);
        let ran = if let Some((name, data)) = single {
            self.run(&["put", &format!("pool/home:/{name}")], Some(data))?
        } else {
            let source = self.base.join("source");
            let io = |error: std::io::Error| format!("{}: {error}", source.display());
            std::fs::create_dir_all(&source).map_err(io)?;
            for (name, data) in &new {
                std::fs::write(source.join(name), data).map_err(io)?;
            }
            let paths: Vec<String> = new.keys().map(|name| source.join(name).display().to_string()).collect();
            let words: Vec<&str> =
                ["cp"].into_iter().chain(paths.iter().map(String::as_str)).chain(["pool/home:/"]).collect();
            let ran = self.run(&words, None)?;
            std::fs::remove_dir_all(&source).map_err(io)?;
            ran
        };
        match ran.code {
            Some(0) => {
                self.files.extend(new);
                self.tally.acknowledged += 1;
                Ok(true)
            }
            Some(5) => {
                self.tally.refused += 1;
                judge(&ran.err)?;
                // Each of several files is there whole, or not at all.
                for name in self.listing()? {
                    if let Some(data) = new.get(&name) {
                        self.files.insert(name, data.clone());
                    }
                }
                Ok(false)
            }
            other => Err(format!("copying ended with {other:?}: {}", ran.err)),
        }
    }

    fn listing(&mut self) -> Result<Vec<String>, String> {
        let out = self.works(&["ls", "pool/home:/"])?;
        Ok(String::from_utf8_lossy(&out).lines().map(str::to_owned).collect())
    }

    /// Everything is there, and nothing else.
    fn compare(&mut self) -> Result<(), String> {
        let found = self.listing()?;
        let expected: Vec<String> = self.files.keys().cloned().collect();
        if found != expected {
            return Err(format!("found {} files, expected {}", found.len(), expected.len()));
        }
        for names in expected.chunks(200) {
            let paths: Vec<String> = names.iter().map(|name| format!("pool/home:/{name}")).collect();
            let words: Vec<&str> = ["cat"].into_iter().chain(paths.iter().map(String::as_str)).collect();
            let out = self.works(&words)?;
            let all: Vec<u8> = names.iter().flat_map(|name| self.files[name].iter().copied()).collect();
            if out != all {
                return Err(format!("the files from {} on do not hold what was put", names[0]));
            }
        }
        self.works(&["df", "pool/home"]).map(drop)
    }

    /// Removes most files; with a reserve that works with nothing free.
    fn remove(&mut self, reserved: bool) -> Result<(), String> {
        let doomed: Vec<String> = self.files.keys().filter(|_| !self.rng.one_in(4)).cloned().collect();
        for names in doomed.chunks(500) {
            let paths: Vec<String> = names.iter().map(|name| format!("pool/home:/{name}")).collect();
            let words: Vec<&str> = ["rm"].into_iter().chain(paths.iter().map(String::as_str)).collect();
            let ran = self.run(&words, None)?;
            if ran.code != Some(0) {
                if reserved || !self.plan.ballast {
                    return Err(format!("rm ({} bytes free): {:?}: {}", self.ground.free(), ran.code, ran.err));
                }
                judge(&ran.err)?;
                self.tally.unopened += 1;
                self.ground.lift()?;
                self.works(&words)?;
            }
            for name in names {
                self.files.remove(name);
            }
            self.tally.deleted += names.len() as u64;
        }
        Ok(())
    }
}

/// Every line of a refusal says what is missing, or is the hint after such a line.
fn judge(err: &str) -> Result<(), String> {
    let (hints, lines): (Vec<&str>, Vec<&str>) =
        err.lines().filter(|line| !line.starts_with("  Copied ")).partition(|line| line.starts_with("  hint: "));
    if lines.is_empty() || hints.is_empty() {
        return Err(format!("a refusal without a reason or without a hint: {err}"));
    }
    match lines.iter().find_map(|line| refusal::fault(line, Some(""))) {
        Some(why) => Err(why),
        None => Ok(()),
    }
}
