//! The model test finds nothing in the engine, and finds what a rule that is off does.

use std::time::Duration;

use anyfs_lvm_rig::{Campaign, Counts, Failed, Weakness, watch};

#[cfg(test)]
mod support {
    use super::*;

    /// Runs cases from a fixed seed on.
    pub(crate) fn run(seed: u64, cases: u64, weakness: Weakness) -> (Counts, Option<Failed>) {
        watch(Duration::from_secs(120));
        Campaign { weakness, shrink: 30, ..Campaign::new(seed, cases) }.run()
    }
}

use support::run;

#[test]
fn a_volume_is_what_the_reference_says_whatever_happens_around_it() {
    let (counts, failed) = run(1, 300, Weakness::None);
    if let Some(failed) = failed {
        panic!("{failed}");
    }
    assert_eq!(counts.cases, 300);
    let seen = [
        ("crashes", counts.crashes, 300),
        ("crashes inside an operation", counts.inside, 30),
        ("crashes that lost something", counts.losing, 50),
        ("remounts", counts.remounts, 300),
        ("extends", counts.extends, 30),
        ("PVs added or removed", counts.pvs, 20),
        ("PVs missing", counts.missing, 40),
        ("reads that named the missing PV", counts.read_missing, 20),
        ("other reads meanwhile", counts.read_partial, 20),
        ("volumes filled", counts.full, 20),
        ("full disks", counts.squeezed, 40),
        ("stops of a volume", counts.stopped, 3),
        ("refused calls", counts.refused, 30),
        ("transactions", counts.transactions, 100),
    ];
    for (what, count, least) in seen {
        assert!(count >= least, "only {count} {what}: {counts}");
    }
}

#[test]
fn files_alone_are_what_the_reference_says() {
    watch(Duration::from_secs(120));
    let (counts, failed) = Campaign { calm: true, ..Campaign::new(1, 400) }.run();
    if let Some(failed) = failed {
        panic!("{failed}");
    }
    assert!(counts.operations > 20_000 && counts.remounts > 400, "{counts}");
}

#[test]
fn a_seed_repeats_its_case() {
    let [one, two] = [(); 2].map(|()| run(77, 12, Weakness::None));
    let whole = |failed: &Option<Failed>| failed.as_ref().map(ToString::to_string);
    assert_eq!((whole(&one.1), whole(&two.1)), (None, None));
    assert_eq!(one.0, two.0);
}

#[test]
fn without_the_deferred_reuse_the_model_test_fails() {
    let (counts, failed) = run(1, 3000, Weakness::Without(lv::Rule::DeferredReuse));
    assert!(failed.is_some(), "not found: {counts}");
}

/// It was away when the epoch rose.
#[test]
fn a_pv_that_returns_and_is_not_taken_is_found() {
    let (counts, failed) = run(1, 3000, Weakness::Without(lv::Rule::EveryPv));
    assert!(failed.is_some(), "not found: {counts}");
}

#[test]
fn without_the_pv_barrier_the_model_test_fails() {
    let (counts, failed) = run(1, 3000, Weakness::LazyPv);
    let failed = failed.unwrap_or_else(|| panic!("not found: {counts}"));
    // What it printed repeats it.
    let (_, again) = run(failed.seed, 1, Weakness::LazyPv);
    assert_eq!(again.map(|again| again.seed), Some(failed.seed), "{failed}");
}

/// A PV was missing, and there was no extent for one byte that had been accepted: it goes into the metadata.
#[test]
fn a_volume_without_a_free_extent_is_closed_with_what_it_has_accepted() {
    let (counts, failed) = run(420_041_598, 1, Weakness::None);
    assert!(failed.is_none() && counts.cases == 1, "{}", failed.unwrap());
}

/// Its own copy of the descriptor counts as long as no newer one is there, whatever the rest of the group has settled.
#[test]
fn a_pv_whose_leaving_was_interrupted_may_show_the_group_it_left() {
    let (counts, failed) = run(410_060_198, 1, Weakness::None);
    assert!(failed.is_none() && counts.cases == 1, "{}", failed.unwrap());
}
