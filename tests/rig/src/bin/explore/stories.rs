//! Workloads that are lists of steps, and what is left of one that fails.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyfs_lvm_rig::{Options, Report, Shrunk, Spec, Story, Tale, Weakness, shrink};

use super::arguments::{Arguments, ranges};

/// One run of a story, and what is left of it when it fails.
pub(crate) fn tell<S: Story>(story: &S, arguments: &Arguments, options: &Options) -> (Report, Option<String>) {
    let tale = match &arguments.keep {
        None => story.tell(options.clone(), None),
        Some(keep) => {
            let quiet = Options { from_mark: u64::MAX, only: Vec::new(), until: None, ..options.clone() };
            let whole = story.tell(quiet, None).steps;
            let steps: Vec<S::Step> = keep.iter().filter_map(|at| whole.get(*at).cloned()).collect();
            story.tell(options.clone(), Some(&steps))
        }
    };
    let Some((path, message)) = tale.failure() else { return (tale.report, None) };
    let mut text = format!("round with --seed {}: {}: {message}", options.seed, name(&path));
    if arguments.shrink > 0 && arguments.keep.is_none() && options.only.is_empty() {
        text.push_str(&shrunk(story, arguments, options, &tale));
    }
    (tale.report, Some(text))
}

/// The steps that matter, and the command that repeats them.
fn shrunk<S: Story>(story: &S, arguments: &Arguments, options: &Options, tale: &Tale<S::Step>) -> String {
    let until = Instant::now() + Duration::from_secs(arguments.shrink);
    let Some(Shrunk { kept, steps, path, message, tries }) = shrink(story, options, tale, until) else {
        return "\n  (it does not fail again with the steps before the crash alone)".to_owned();
    };
    let mut text = format!("\n  {} of its {} steps fail too ({tries} runs):", kept.len(), tale.steps.len());
    for (at, step) in kept.iter().zip(&steps) {
        let _ = write!(text, "\n    {at}: {step:?}");
    }
    let _ = write!(text, "\n  {}: {message}\n  repeat: explore --workload {}", name(&path), arguments.workload);
    let _ = write!(text, " --seed {} --keep {}", options.seed, ranges(&kept));
    if !path.is_empty() {
        let _ = write!(text, " --image {}", name(&path));
    }
    if let Some(steps) = arguments.steps {
        let _ = write!(text, " --steps {steps}");
    }
    if arguments.weakness != Weakness::None {
        let _ = write!(text, " --weakness {}", arguments.weakness.name());
    }
    text
}

fn name(path: &[Spec]) -> String {
    if path.is_empty() {
        return "no crash".to_owned();
    }
    path.iter().map(Spec::to_string).collect::<Vec<_>>().join("/")
}
