//! All short sequences.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyfs_lvm_rig::{Options, Prng, Sequences};

use super::arguments::Arguments;

/// Of all kinds of crashes at all points, one in so many is looked at.
const POINTS: u64 = 80;

/// Runs them and says how it went.
pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> ExitCode {
    let repeated = !arguments.options.only.is_empty();
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let points = if arguments.points_given { arguments.options.one_write_in } else { POINTS };
    let mut sequences = Sequences {
        length: arguments.sequences,
        start: arguments.start.unwrap_or(0),
        count: if repeated { 1 } else { u64::MAX },
        options: Options {
            one_write_in: 1,
            one_other_in: 1,
            one_crash_in: points,
            deep_one_in: arguments.options.deep_one_in,
            until: Some(until).filter(|_| arguments.seconds > 0 && !repeated),
            ..arguments.options.clone()
        },
    };
    if arguments.start.is_none() && arguments.seconds > 0 {
        // A short look at another part of them with every seed.
        sequences.start = Prng::new(arguments.options.seed).below(sequences.all() / 10 * 9);
    }
    let found = match sequences.run() {
        Ok(found) => found,
        Err(message) => {
            let _ = writeln!(out, "explore: {message}");
            return ExitCode::from(1);
        }
    };
    let _ = write!(out, "{}", found.report.details());
    if let Some((number, text, message)) = &found.failure {
        let image = message.split(": ").next().unwrap_or_default();
        let _ = writeln!(out, "  sequence {number} ({text}): {message}");
        let (seed, length) = (arguments.options.seed, arguments.sequences);
        let _ = write!(out, "  repeat: explore --workload seq --seed {seed} --sequences {length} --start {number}");
        let _ = writeln!(out, " --image {image}");
    }
    let too_few = arguments.too_few(&found.report);
    if let Some(text) = &too_few {
        let _ = writeln!(out, "{text}");
    }
    let all = sequences.all();
    let failed = found.failure.is_some() || too_few.is_some();
    let verdict = if failed { "FAILED: " } else { "" };
    let seed = arguments.options.seed;
    let _ = write!(out, "{verdict}seq, seed {seed}: {} of {all} sequences of {} done", found.done, sequences.length);
    let _ = write!(out, " and {} impossible, 1 crash in {points} of each", found.impossible);
    if found.next < all {
        let _ = write!(out, " (go on with --start {})", found.next);
    }
    let _ = writeln!(out, ": {}", found.report);
    ExitCode::from(u8::from(failed))
}
