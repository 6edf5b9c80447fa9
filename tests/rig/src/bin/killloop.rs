//! `killloop`: kills the owner of a pool on real files, again and again, and checks what is left.
//!
//! ```text
//! killloop [--seconds S] [--seed N] [--dir DIR] [--weakness NAME]
//! ```
//!
//! The pool lies in a new folder in DIR (the system's folder for temporary files), which is removed at the end unless
//! something was wrong. Exit code 0: nothing wrong; 1: something wrong; 2: wrong arguments. `kill -9` loses nothing
//! that was written: this finds wrong orders of writing, not missing syncs (`explore` does).
//! A weakness is a rule of the engine switched off in the child, to see the failure (`lazy-pv`).

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{KillLoop, Weakness, watch, work_until_killed};

/// What the command line asks for.
#[derive(Debug)]
struct Arguments {
    seconds: u64,
    seed: u64,
    dir: PathBuf,
    weakness: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut out = stdout();
    if let [flag, dir, weakness, seed] = &words[..]
        && flag == "--child"
    {
        let weakness = Weakness::named(weakness).unwrap_or_default();
        let result = work_until_killed(Path::new(dir), weakness, seed.parse().unwrap_or(0), &mut out);
        let _ = writeln!(out, "{}", result.err().unwrap_or_default());
        return ExitCode::from(1);
    }
    let arguments = match parse(&words) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "killloop: {message}");
            return ExitCode::from(2);
        }
    };
    watch(Duration::from_secs(60));
    let _ = writeln!(out, "killloop --seed {}", arguments.seed);
    match run(&arguments) {
        Ok(message) => {
            let _ = writeln!(out, "{message}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(out, "killloop: {message}");
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments) -> Result<String, String> {
    let dir = arguments.dir.join(format!("anyfs-lvm-killloop-{}-{}", std::process::id(), arguments.seed));
    std::fs::create_dir(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    let dir = dir.canonicalize().map_err(|error| format!("{}: {error}", dir.display()))?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut pool = KillLoop::new(&dir, arguments.seed)?;
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut kills = 0u64;
    while kills == 0 || Instant::now() < end {
        let mut child = Command::new(&own);
        child.arg("--child").arg(&dir).arg(&arguments.weakness);
        pool.round(child)
            .map_err(|message| format!("kill {kills}: {message}\nthe pool is left in {}", dir.display()))?;
        kills += 1;
    }
    let _ = std::fs::remove_dir_all(&dir);
    let (returned, acknowledged) = (pool.returned, pool.acknowledged);
    Ok(format!("{kills} kills, {returned} operations, {acknowledged} acknowledged syncs, nothing lost"))
}

fn parse(words: &[String]) -> Result<Arguments, String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let mut arguments = Arguments { seconds: 10, seed: fresh, dir: std::env::temp_dir(), weakness: "none".to_owned() };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let wrong = |_| format!("{name}: {value} is no number");
        match name.as_str() {
            "--seconds" => arguments.seconds = value.parse().map_err(wrong)?,
            "--seed" => arguments.seed = value.parse().map_err(wrong)?,
            "--dir" => arguments.dir = PathBuf::from(value),
            "--weakness" if Weakness::named(value).is_some() => arguments.weakness.clone_from(value),
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    Ok(arguments)
}
