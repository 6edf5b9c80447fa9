//! The workloads do what their names say, survive, repeat, and shrink when they fail.

use std::time::{Duration, Instant};

use anyfs_lvm_rig::{Options, Report, Sequences, Story, Weakness, Workload, shrink, watch};

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn options(seed: u64, points: u64, crashes: u64) -> Options {
        watch(Duration::from_secs(60));
        Options {
            seed,
            one_write_in: points,
            one_other_in: points.div_ceil(3),
            one_crash_in: crashes,
            repeats: 1,
            shorn: true,
            ..Options::default()
        }
    }

    /// What happens in these runs, without crashes.
    pub(crate) fn seen(workload: &Workload, seeds: std::ops::RangeInclusive<u64>, what: &'static str) -> u64 {
        let mut report = Report::default();
        for seed in seeds {
            let tale = workload.tell(Options { from_mark: u64::MAX, ..options(seed, 1, 1) }, None);
            assert_eq!(tale.broken, None, "seed {seed}");
            report.merge(tale.report);
        }
        report.seen.get(what).copied().unwrap_or(0)
    }
}

use support::{options, seen};

#[test]
fn compaction_moves_records() {
    assert!(seen(&Workload::compaction(), 1..=3, "compactions that moved records") >= 5);
}

#[test]
fn copies_are_dropped_and_return_stale_or_in_sync() {
    let lost = Workload::lost_copy();
    assert!(seen(&lost, 1..=8, "copies dropped by a change of the descriptor") >= 8);
    assert!(seen(&lost, 1..=8, "copies that returned stale") >= 2);
    assert!(seen(&lost, 1..=8, "copies that returned in sync") >= 1);
}

#[test]
fn every_workload_survives_crashes() {
    for name in ["compaction", "several", "lost-copy"] {
        let workload = Workload { steps: 40, ..Workload::named(name).unwrap() };
        for seed in 1..=2 {
            let tale = workload.tell(options(seed, 30, 3), None);
            assert!(!tale.is_bad() && tale.report.total().images > 10, "{name} {:?} {}", tale.failure(), tale.report);
        }
    }
}

#[test]
fn crashes_in_recovery_meet_copies_that_are_behind() {
    let workload = Workload { steps: 40, ..Workload::several() };
    let deep = Options { deep_one_in: 2, deep_images: 2, ..options(1, 20, 4) };
    let tale = workload.tell(deep, None);
    let behind = tale.report.seen.get("recoveries with a copy behind").copied();
    assert!(!tale.is_bad() && behind.is_some_and(|times| times > 0), "{:?} {}", tale.failure(), tale.report);
}

#[test]
fn a_failure_shrinks_to_the_steps_that_matter_and_repeats() {
    let weak = Workload { weakness: Weakness::Without(lv::Rule::DeferredReuse), ..Workload::tight() };
    let bad = (1..=20).map(|seed| (seed, weak.tell(options(seed, 10, 4), None))).find(|(_, tale)| tale.is_bad());
    let (seed, tale) = bad.expect("the weakness was not found");
    let until = Instant::now() + Duration::from_secs(600);
    let shrunk = shrink(&weak, &options(seed, 10, 4), &tale, until).expect("it fails again");
    let (fewer, all) = (shrunk.steps.len(), tale.steps.len());
    assert!(fewer < all / 2 && shrunk.kept.len() == fewer, "{fewer} of {all}: {:?}", shrunk.steps);
    let again = weak.tell(Options { only: shrunk.path.clone(), ..options(seed, 1, 1) }, Some(&shrunk.steps));
    assert!(again.is_bad(), "{:?} {:?}", shrunk.path, shrunk.steps);
    let healthy = Workload { weakness: Weakness::None, ..weak };
    let well = healthy.tell(Options { only: shrunk.path, ..options(seed, 1, 1) }, Some(&shrunk.steps));
    assert!(!well.is_bad(), "{:?}", well.failure());
}

#[test]
fn every_sequence_of_one_operation_survives_crashes_and_goes_on_where_it_ended() {
    let all = Sequences { length: 1, start: 0, count: u64::MAX, options: options(1, 1, 40) };
    let found = all.run().unwrap();
    assert_eq!(found.failure, None);
    assert_eq!((found.done + found.impossible, found.next), (all.all(), all.all()));
    assert!(found.done > 90 && found.report.total().images > 200, "{} {}", found.done, found.report);
    let rest = Sequences { start: 100, ..all.clone() }.run().unwrap();
    assert_eq!(rest.done + rest.impossible, all.all() - 100);
    assert_eq!(Sequences { length: 2, ..all.clone() }.all(), all.all() * all.all());
}
