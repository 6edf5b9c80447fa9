//! Runs that can be told again with parts left out, and finding the few parts that matter.

use std::fmt::Debug;
use std::time::Instant;

use crate::explore::Options;
use crate::image::Spec;
use crate::report::Report;

/// A workload whose steps are a list.
///
/// Its log carries the mark `2n+1` before and `2n+2` after step `n` (from 0), so that a crash knows which had returned.
pub trait Story {
    /// One step. It must mean the same when steps before it are left out, or do nothing.
    type Step: Clone + Debug;

    /// Runs `steps` (without: fresh ones that follow from the seed) on a new disk and judges crashes.
    fn tell(&self, options: Options, steps: Option<&[Self::Step]>) -> Tale<Self::Step>;
}

/// How a run went.
#[derive(Debug, Clone)]
pub struct Tale<S> {
    /// The crashes that were judged.
    pub report: Report,
    /// What went wrong without a crash.
    pub broken: Option<String>,
    /// What was done, up to where it went wrong.
    pub steps: Vec<S>,
}

impl<S> Tale<S> {
    /// Whether anything is wrong.
    pub fn is_bad(&self) -> bool {
        self.broken.is_some() || self.report.total().bad > 0
    }

    /// What is wrong first, with the crash that shows it.
    pub fn failure(&self) -> Option<(Vec<Spec>, String)> {
        let crash = self.report.failures.first().map(|failure| (failure.path.clone(), failure.message.clone()));
        crash.or_else(|| self.broken.clone().map(|message| (Vec::new(), message)))
    }
}

/// The steps that a failure needs.
#[derive(Debug, Clone)]
pub struct Shrunk<S> {
    /// Which of the original steps they are, from 0.
    pub kept: Vec<usize>,
    /// The steps.
    pub steps: Vec<S>,
    /// The crash that shows the failure; empty when none is needed.
    pub path: Vec<Spec>,
    /// What is wrong.
    pub message: String,
    /// Runs that were tried.
    pub tries: u64,
}

/// Leaves out steps of a run that went wrong as long as it goes wrong without them, in the same kind of crash, during
/// the last step. `None` when `tale` is fine, or does not go wrong again.
pub fn shrink<S: Story>(story: &S, options: &Options, tale: &Tale<S::Step>, until: Instant) -> Option<Shrunk<S::Step>> {
    let first = tale.report.failures.first();
    let end = match first {
        Some(failure) => usize::try_from(failure.mark.unwrap_or(0).div_ceil(2)).unwrap_or(usize::MAX),
        None => tale.steps.len(),
    };
    let path: &[Spec] = first.map_or(&[], |failure| &failure.path);
    let focused = Options {
        one_write_in: 1,
        one_other_in: 1,
        one_crash_in: 1,
        repeats: 4,
        shorn: true,
        only: Vec::new(),
        modes: path.first().map(|spec| spec.mode).into_iter().collect(),
        deep_modes: path.get(1).map(|spec| spec.mode).into_iter().collect(),
        deep_one_in: u64::from(path.len() == 2),
        until: Some(until),
        ..options.clone()
    };
    let mut tries = 0;
    let mut found = None;
    let mut fails = |kept: &[usize]| {
        let steps: Vec<S::Step> = kept.iter().filter_map(|at| tale.steps.get(*at).cloned()).collect();
        let last = (2 * steps.len() as u64).saturating_sub(1);
        tries += 1;
        let again = story.tell(Options { from_mark: last, ..focused.clone() }, Some(&steps));
        let failure = again.failure();
        if let Some((path, message)) = failure {
            found = Some((steps, path, message));
        }
        again.is_bad()
    };
    let all: Vec<usize> = (0..end.min(tale.steps.len())).collect();
    if !tale.is_bad() || !fails(&all) {
        return None;
    }
    let kept = fewest(all, fails, until);
    let (steps, path, message) = found?;
    Some(Shrunk { kept, steps, path, message, tries })
}

/// The shortest part of `list` that was found to fail: pieces are left out, ever smaller ones, until none can be.
fn fewest<T: Clone>(list: Vec<T>, mut fails: impl FnMut(&[T]) -> bool, until: Instant) -> Vec<T> {
    let mut list = list;
    let mut piece = list.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < list.len() && Instant::now() < until {
            let without: Vec<T> = list.iter().take(at).chain(list.iter().skip(at + piece)).cloned().collect();
            if !without.is_empty() && fails(&without) {
                list = without;
                shorter = true;
            } else {
                at += piece;
            }
        }
        if Instant::now() >= until {
            break;
        }
        piece = if shorter && piece == 1 { 1 } else { piece / 2 };
    }
    list
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let needed = [3, 17, 18, 60];
        let mut tries = 0;
        let fails = |list: &[u32]| {
            tries += 1;
            needed.iter().all(|one| list.contains(one))
        };
        let until = Instant::now() + Duration::from_secs(60);
        assert_eq!(fewest((0..100).collect(), fails, until), needed);
        assert!(tries < 100, "{tries}");
        assert_eq!(fewest(vec![1], |_| true, until), [1], "a failure needs something");
    }
}
