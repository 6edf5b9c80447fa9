//! What only a pool has: two owners at once, opening, memory. Each measurement is a second process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyfs_lvm::MIB;
use anyfs_lvm::lv::VolumeOptions;
use measure::{Error, Extra, Result, Row, Scale, Sheet, Stop, Target, Unit, float, remove_folder};

use super::pool::ours;
use super::{OURS, PoolSpec, Role, Shape};

/// How this program is started a second time, to play a [`Role`].
#[derive(Debug, Clone)]
pub struct Child {
    /// The program and its first arguments; what follows is the role as one word, `--dir` and the folder.
    pub command: Vec<OsString>,
    /// Ends waiting early.
    pub stop: Stop,
}

/// Everything that is measured in further processes, in pools below `dir`.
pub fn extras(dir: &Path, shape: Shape, child: &Child) -> Vec<Box<dyn Extra>> {
    let ground = Ground { dir: dir.to_owned(), shape, child: child.clone() };
    vec![Box::new(Two(ground.clone())), Box::new(Opening(ground.clone())), Box::new(Memory(ground))]
}

#[derive(Debug, Clone)]
struct Ground {
    dir: PathBuf,
    shape: Shape,
    child: Child,
}

/// A second process that is at work; killed when it is not needed any more.
struct Running {
    process: std::process::Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    stop: Stop,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn not(what: impl Into<String>) -> Error {
    Error::Worker { program: "the second process".to_owned(), what: what.into() }
}

impl Running {
    /// The next line that it says.
    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        let heard = self.output.read_line(&mut line);
        self.stop.check()?;
        match heard {
            Ok(1..) => Ok(line.trim_end().to_owned()),
            _ => Err(not("ended early")),
        }
    }

    /// The number after `done`; none where it knows none.
    fn done(&mut self) -> Result<Option<f64>> {
        let line = self.hear()?;
        let mut words = line.split(' ');
        if words.next() != Some("done") {
            return Err(not(format!("said `{line}'")));
        }
        words.next().map(|word| word.parse().map_err(|_| not(format!("said `{line}'")))).transpose()
    }

    fn go(&mut self) -> Result {
        writeln!(self.input, "go").map_err(|error| not(format!("does not listen: {error}")))
    }

    /// Waits for its good end.
    fn end(mut self) -> Result {
        let status = self.process.wait().map_err(|error| not(error.to_string()))?;
        self.stop.check()?;
        if status.success() { Ok(()) } else { Err(not(format!("failed ({status})"))) }
    }
}

impl Ground {
    /// A new pool with these volumes of `bytes` each.
    fn pool(&self, name: &str, volumes: &[&str], bytes: u64) -> Result<PoolSpec> {
        let spec = PoolSpec::new(&self.dir.join(format!("pool-{name}")), self.shape);
        let bytes = bytes.max(spec.shape.extent.bytes().saturating_mul(64));
        let all = bytes.saturating_mul(u64::try_from(volumes.len()).unwrap_or(1).max(1));
        spec.create(all.div_ceil(spec.shape.pvs.max(1)).saturating_add(spec.shape.extent.bytes().saturating_mul(2)))?;
        volumes.iter().try_for_each(|volume| spec.create_volume(volume, bytes))?;
        Ok(spec)
    }

    fn start(&self, spec: &PoolSpec, what: &str, volume: &str, count: u64) -> Result<Running> {
        let role = Role { what: what.to_owned(), dir: spec.dir.clone(), volume: volume.to_owned(), count };
        let (program, arguments) = self.child.command.split_first().ok_or_else(|| not("has no program"))?;
        let mut command = Command::new(program);
        command.args(arguments).arg(role.word()).arg("--dir").arg(&role.dir);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().map_err(|error| not(format!("cannot be started: {error}")))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(not("has no standard streams"));
        };
        Ok(Running { process, input, output: BufReader::new(output), stop: self.child.stop.clone() })
    }
}

/// Two processes that write to two volumes of the same PVs.
#[derive(Debug)]
struct Two(Ground);

impl Extra for Two {
    fn name(&self) -> &'static str {
        "two"
    }

    fn rows(&self) -> &'static [Row] {
        &[
            Row {
                key: "two_sum",
                item: "two owners, sum per one alone",
                unit: Unit::Times,
                target: Target::AtLeast(0.9),
            },
            Row {
                key: "two_share",
                item: "two owners, faster per slower",
                unit: Unit::Times,
                target: Target::AtMost(1.3),
            },
        ]
    }

    fn side(&self) -> &str {
        OURS
    }

    fn turn(&mut self, turn: u64, scale: &Scale) -> Result<Sheet> {
        let spec = self.0.pool(&format!("two-{turn}"), &["alone", "one", "two"], scale.bytes.saturating_mul(2))?;
        let (alone, _) = self.write(&spec, &["alone"], scale.bytes)?;
        let (both, seconds) = self.write(&spec, &["one", "two"], scale.bytes)?;
        let slow = seconds.iter().copied().fold(0.0, f64::max);
        let fast = seconds.iter().copied().fold(f64::INFINITY, f64::min);
        remove_folder(&spec.dir)?;
        let mut sheet = Sheet::default();
        sheet.add("two_sum", 2.0 * alone / both);
        sheet.add("two_share", slow / fast);
        Ok(sheet)
    }
}

impl Two {
    /// Seconds until all have written their file, and of each.
    fn write(&self, spec: &PoolSpec, volumes: &[&str], bytes: u64) -> Result<(f64, Vec<f64>)> {
        let start = |volume: &&str| self.0.start(spec, "write", volume, bytes);
        let mut all = volumes.iter().map(start).collect::<Result<Vec<_>>>()?;
        for one in &mut all {
            let line = one.hear()?;
            if line != "ready" {
                return Err(not(format!("said `{line}'")));
            }
        }
        let start = Instant::now();
        all.iter_mut().try_for_each(Running::go)?;
        let mut seconds = Vec::new();
        for one in &mut all {
            seconds.push(one.done()?.ok_or_else(|| not("said no time"))?);
        }
        let elapsed = start.elapsed().as_secs_f64();
        all.iter_mut().try_for_each(Running::go)?;
        all.into_iter().try_for_each(Running::end)?;
        Ok((elapsed, seconds))
    }
}

/// Opening a volume of many files, after a clean end and after a crash.
#[derive(Debug)]
struct Opening(Ground);

impl Extra for Opening {
    fn name(&self) -> &'static str {
        "opening"
    }

    fn rows(&self) -> &'static [Row] {
        &[
            Row {
                key: "open_clean",
                item: "open a volume of many files",
                unit: Unit::Seconds,
                target: Target::AtMost(0.1),
            },
            Row {
                key: "open_killed",
                item: "the same after kill -9",
                unit: Unit::Seconds,
                target: Target::AtMost(2.0),
            },
        ]
    }

    fn side(&self) -> &str {
        OURS
    }

    fn turn(&mut self, turn: u64, scale: &Scale) -> Result<Sheet> {
        let spec = self.0.pool(&format!("opening-{turn}"), &["many"], 256 * MIB)?;
        let mut sheet = Sheet::default();
        self.0.start(&spec, "fill", "many", scale.many)?.end()?;
        sheet.add("open_clean", open(&spec, scale.many)?);
        let mut dying = self.0.start(&spec, "die", "many", scale.many / 10)?;
        // One line says that its files are durable, the next that it is busy with more.
        dying.hear()?;
        dying.hear()?;
        drop(dying);
        sheet.add("open_killed", open(&spec, scale.many.saturating_add(scale.many / 10))?);
        remove_folder(&spec.dir)?;
        Ok(sheet)
    }
}

/// Seconds until the pool and its volume are open, with at least so many files.
fn open(spec: &PoolSpec, files: u64) -> Result<f64> {
    let start = Instant::now();
    let volume = spec.volume("many")?;
    let seconds = start.elapsed().as_secs_f64();
    let found = volume.statfs().map_err(|error| ours("look at", "the volume")(error))?.files;
    volume.close().map_err(|error| ours("close", "the volume")(error))?;
    if found < files {
        return Err(not(format!("left {found} files, {files} were durable")));
    }
    Ok(seconds)
}

/// What one process has in memory at most.
#[derive(Debug)]
struct Memory(Ground);

impl Extra for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn rows(&self) -> &'static [Row] {
        &[
            Row { key: "memory_peak", item: "peak memory", unit: Unit::Mib, target: Target::Open },
            Row {
                key: "memory_beyond",
                item: "peak memory beyond the caches",
                unit: Unit::Mib,
                target: Target::AtMost(128.0),
            },
        ]
    }

    fn side(&self) -> &str {
        OURS
    }

    fn turn(&mut self, turn: u64, scale: &Scale) -> Result<Sheet> {
        let spec = self.0.pool(&format!("memory-{turn}"), &["memory"], scale.bytes.saturating_mul(3))?;
        let mut process = self.0.start(&spec, "memory", "memory", scale.bytes)?;
        let peak = process.done()?;
        process.end()?;
        remove_folder(&spec.dir)?;
        let mut sheet = Sheet::default();
        if let Some(peak) = peak.map(|bytes| bytes / float(MIB)) {
            let caches = float(cached(scale.bytes)) / float(MIB);
            sheet.add("memory_peak", peak);
            sheet.add("memory_beyond", (peak - caches).max(0.0));
        }
        Ok(sheet)
    }
}

/// Bytes that a volume's caches hold of a file of `bytes` bytes.
fn cached(bytes: u64) -> u64 {
    let VolumeOptions { cache_bytes, dirty_bytes, .. } = VolumeOptions::default();
    cache_bytes.min(bytes).saturating_add(dirty_bytes.min(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_hold_no_more_than_the_file() {
        let VolumeOptions { cache_bytes, dirty_bytes, .. } = VolumeOptions::default();
        assert_eq!(cached(1024 * MIB), cache_bytes + dirty_bytes);
        assert_eq!(cached(MIB), 2 * MIB);
    }
}
