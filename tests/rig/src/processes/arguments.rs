//! The command line that programs of real processes share, and the folder that they work in.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::engine::Weakness;
use crate::watch::watch;

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct ProcessArguments {
    /// Decides everything but the order in which processes get their turn.
    pub seed: u64,
    /// A folder for this run.
    pub dir: PathBuf,
    /// Name of the rule that is off.
    pub weakness: String,
    /// Owners at the same time.
    pub owners: u8,
    /// The `anyfs-lvm` command; the one beside this program when it is not given.
    pub command: Option<PathBuf>,
    at_least: u64,
    end: Instant,
}

impl ProcessArguments {
    fn read(words: &[String]) -> Result<Self, String> {
        let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
        let (mut seconds, dir, weakness) = (10, std::env::temp_dir(), "none".to_owned());
        let end = Instant::now();
        let mut read = Self { seed: fresh, dir, weakness, owners: 1, command: None, at_least: 1, end };
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
            let wrong = |_| format!("{name}: {value} is no number");
            match name.as_str() {
                "--seconds" => seconds = value.parse().map_err(wrong)?,
                "--seed" => read.seed = value.parse().map_err(wrong)?,
                "--at-least" => read.at_least = value.parse().map_err(wrong)?,
                "--dir" => read.dir = PathBuf::from(value),
                "--command" => read.command = Some(PathBuf::from(value)),
                "--owners" => {
                    read.owners = value.parse().map_err(wrong)?;
                    if !(1..=2).contains(&read.owners) {
                        return Err(format!("--owners: {value} is not 1 or 2"));
                    }
                }
                "--weakness" if Weakness::named(value).is_some() => read.weakness.clone_from(value),
                _ => return Err(format!("unknown argument {name}")),
            }
        }
        read.end += Duration::from_secs(seconds);
        Ok(read)
    }

    /// Whether the time is not over, or `done` is not yet enough.
    pub fn go_on(&self, done: u64) -> bool {
        done < self.at_least || Instant::now() < self.end
    }
}

/// Runs a program in a folder of its own, and says how it went in its last line; exit code 0: nothing wrong, 1: something
/// wrong, 2: wrong arguments. The folder stays when something was wrong.
pub fn run_processes(
    name: &str,
    words: &[String],
    out: &mut dyn Write,
    run: &mut dyn FnMut(&ProcessArguments, &mut dyn Write) -> Result<String, String>,
) -> ExitCode {
    let mut arguments = match ProcessArguments::read(words) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "{name}: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    watch(Duration::from_secs(60));
    let _ = writeln!(out, "{name} --seed {}", arguments.seed);
    let dir = arguments.dir.join(format!("anyfs-lvm-{name}-{}-{}", std::process::id(), arguments.seed));
    let io = |error: std::io::Error| format!("{}: {error}", dir.display());
    let made = std::fs::create_dir(&dir).and_then(|()| dir.canonicalize()).map_err(io);
    let done = made.and_then(|made| {
        arguments.dir = made;
        run(&arguments, out)
    });
    match done {
        Ok(message) => {
            let _ = std::fs::remove_dir_all(&dir);
            let _ = writeln!(out, "{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(out, "the pool is left in {}\n{name}: {message}", dir.display());
            ExitCode::from(1)
        }
    }
}
