//! The command line.

use std::time::{SystemTime, UNIX_EPOCH};

use anyfs_lvm_rig::{Options, Report, Spec, Weakness, Workload};

/// A crash before one write in so many, unless told otherwise.
const POINTS: u64 = 10;
/// The same for changes of a volume group: each has many writes, and its images take long.
const DESCRIPTOR_POINTS: u64 = 20;
/// And of these crashes one in so many.
const DESCRIPTOR_CRASHES: u64 = 6;

/// What the command line asks for.
/// Images of which crashes are looked at in one recovery, at most: three times as many as usual.
const IMAGES_PER_RECOVERY: u64 = 200;

#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    pub(crate) seconds: u64,
    pub(crate) workload: String,
    pub(crate) steps: Option<u32>,
    pub(crate) weakness: Weakness,
    pub(crate) shrink: u64,
    pub(crate) at_least: u64,
    pub(crate) keep: Option<Vec<usize>>,
    pub(crate) sequences: u32,
    pub(crate) start: Option<u64>,
    pub(crate) points_given: bool,
    pub(crate) options: Options,
}

impl Arguments {
    /// What a report with fewer images, or crashes during recoveries, than were asked for has to say.
    pub(crate) fn too_few(&self, report: &Report) -> Option<String> {
        let again = if self.options.deep_one_in == 0 { 0 } else { self.at_least / IMAGES_PER_RECOVERY };
        let done = [("images", report.total().images, self.at_least), ("recoveries", report.recoveries, again)];
        let (what, count, least) = done.into_iter().find(|(_, count, least)| count < least)?;
        (self.options.only.is_empty())
            .then(|| format!("only {count} {what} were judged, at least {least} are asked for"))
    }
}

/// Ascending numbers as `0-3,9`.
pub(crate) fn ranges(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return "none".to_owned();
    }
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match parts.last_mut() {
            Some((_, end)) if *end + 1 == *number => *end = *number,
            _ => parts.push((*number, *number)),
        }
    }
    let part = |(start, end): &(usize, usize)| if start == end { start.to_string() } else { format!("{start}-{end}") };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

fn parse_ranges(text: &str) -> Option<Vec<usize>> {
    let mut numbers = Vec::new();
    if text == "none" {
        return Some(numbers);
    }
    for part in text.split(',') {
        let (start, end) = part.split_once('-').unwrap_or((part, part));
        numbers.extend(start.parse::<usize>().ok()?..=end.parse().ok()?);
    }
    Some(numbers)
}

/// What the words say.
///
/// # Errors
/// What is wrong with them.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let fresh = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()));
    // Many short looks at different runs find more than long looks at few.
    let options = Options { seed: fresh, repeats: 1, shorn: true, ..Options::default() };
    let mut arguments = Arguments {
        seconds: 0,
        workload: "random".to_owned(),
        steps: None,
        weakness: Weakness::None,
        shrink: 60,
        at_least: 0,
        keep: None,
        sequences: 2,
        start: None,
        points_given: false,
        options,
    };
    let mut points = None;
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        if name == "--points" {
            points = Some(value.parse().map_err(|_| format!("{name}: {value} is no number"))?);
        } else {
            set(&mut arguments, &name, value)?;
        }
    }
    arguments.points_given = points.is_some();
    let descriptor = arguments.workload == "descriptor";
    if descriptor && points.is_none() {
        arguments.options.one_crash_in = DESCRIPTOR_CRASHES;
    }
    let points = points.unwrap_or(if descriptor { DESCRIPTOR_POINTS } else { POINTS });
    arguments.options.one_write_in = points;
    arguments.options.one_other_in = points.div_ceil(3);
    if !["toy", "descriptor", "seq"].contains(&arguments.workload.as_str())
        && Workload::named(&arguments.workload).is_none()
    {
        return Err(format!("no workload {}", arguments.workload));
    }
    Ok(arguments)
}

fn set(arguments: &mut Arguments, name: &str, value: String) -> Result<(), String> {
    let wrong = |_| format!("{name}: {value} is no number");
    match name {
        "--seed" => arguments.options.seed = value.parse().map_err(wrong)?,
        "--seconds" => arguments.seconds = value.parse().map_err(wrong)?,
        "--steps" => arguments.steps = Some(value.parse().map_err(wrong)?),
        "--threads" => arguments.options.threads = value.parse().map_err(wrong)?,
        "--shrink" => arguments.shrink = value.parse().map_err(wrong)?,
        "--at-least" => arguments.at_least = value.parse().map_err(wrong)?,
        "--deep" => arguments.options.deep_one_in = value.parse().map_err(wrong)?,
        "--workload" => arguments.workload = value,
        "--shorn" => arguments.options.shorn = value != "0",
        "--sequences" => arguments.sequences = value.parse().map_err(wrong)?,
        "--start" => arguments.start = Some(value.parse().map_err(wrong)?),
        "--keep" => {
            arguments.keep = Some(parse_ranges(&value).ok_or_else(|| format!("--keep: {value} is no list of steps"))?);
        }
        "--weakness" => {
            arguments.weakness = Weakness::named(&value).ok_or_else(|| format!("no weakness {value}"))?;
        }
        "--image" => arguments.options.only = image(&value)?,
        _ => return Err(format!("unknown argument {name}")),
    }
    Ok(())
}

fn image(text: &str) -> Result<Vec<Spec>, String> {
    text.split('/').map(|part| part.parse().map_err(|error| format!("--image {text}: {error}"))).collect()
}
