//! `machine`: the model test, for as long as asked.
//!
//! ```text
//! machine [--seed N] [--seconds S] [--cases N] [--threads N] [--at-least CASES] [--calm 0|1]
//!         [--weakness NAME]
//! ```
//!
//! Each case has a seed of its own: that of the first is `--seed`, the next has the next number. A failure is shrunk and
//! printed with its seed; `--seed THAT --cases 1` repeats it. Without `--seconds` and `--cases` it runs 100 cases.
//! `--at-least`: fewer cases than that in the given time are a failure. `--calm 1`: operations on files alone, many more of them in
//! the same time. `--weakness`: a rule of the engine switched
//! off, to see the failure (`reuse-at-once`, `lazy-pv`).
//!
//! Exit code 0: nothing wrong; 1: something wrong; 2: wrong arguments.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{Campaign, Weakness, manual, watch};

/// No case takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    if manual(include_str!("machine.rs")) {
        return ExitCode::SUCCESS;
    }
    let mut out = stdout().lock();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (campaign, at_least) = match parse(&words) {
        Ok(arguments) => arguments,
        Err(message) => {
            let _ = writeln!(out, "machine: {message} (--help tells more)");
            return ExitCode::from(2);
        }
    };
    watch(PATIENCE);
    let _ = writeln!(out, "machine --seed {}", campaign.seed);
    let _ = out.flush();
    let (counts, failed) = campaign.run();
    if let Some(failed) = failed {
        let _ = writeln!(out, "{failed}\nmachine: case with --seed {} failed; {counts}", failed.seed);
        return ExitCode::from(1);
    }
    if counts.cases < at_least {
        let _ = writeln!(out, "machine: fewer than {at_least} cases; {counts}");
        return ExitCode::from(1);
    }
    let _ = writeln!(out, "{counts}, nothing wrong");
    ExitCode::SUCCESS
}

fn parse(words: &[String]) -> Result<(Campaign, u64), String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    let mut campaign = Campaign::new(fresh, 100);
    let (mut cases, mut at_least) = (None, 0);
    for pair in words.chunks(2) {
        let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
        let number = || value.parse().map_err(|_| format!("{name}: {value} is no number"));
        match name.as_str() {
            "--seed" => campaign.seed = number()?,
            "--seconds" => campaign.until = Some(Instant::now() + Duration::from_secs(number()?)),
            "--cases" => cases = Some(number()?),
            "--threads" => campaign.threads = usize::try_from(number()?).unwrap_or(1),
            "--at-least" => at_least = number()?,
            "--calm" => campaign.calm = value != "0",
            "--weakness" => {
                campaign.weakness = Weakness::named(value).ok_or_else(|| format!("no weakness {value}"))?;
            }
            _ => return Err(format!("unknown argument {name}")),
        }
    }
    if cases.is_some() || campaign.until.is_some() {
        campaign.cases = cases.unwrap_or(u64::MAX);
    }
    Ok((campaign, at_least))
}
