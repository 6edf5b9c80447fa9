//! Damaged pools tell: right bytes and names, or an error that names what is damaged.

use std::collections::BTreeSet;
use std::time::Duration;

use anyfs_lvm_rig::{DamageKind, DamageOptions, DamageReport, TRIALS, Verdict, watch};

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn damage(seed: u64, trials: u64, kind: Option<DamageKind>) -> DamageReport {
        watch(Duration::from_secs(60));
        DamageOptions { seed, until: None, trials, trial: None, kind, threads: 0, real: None }.run().unwrap()
    }

    pub(crate) fn count(report: &DamageReport, verdict: Verdict) -> u64 {
        report.tally.iter().filter(|((_, known), _)| *known == verdict).map(|(_, count)| count).sum()
    }
}

use support::{count, damage};

#[test]
fn no_damage_goes_unnoticed() {
    let report = damage(1, 60, None);
    assert!(report.bad == 0 && report.trials() > 20, "{report}");
    // A rig whose damages never matter, or always, would prove nothing.
    assert!(count(&report, Verdict::Refused) > 0 && count(&report, Verdict::Harmless) > 0, "{report}");
    let kinds: BTreeSet<DamageKind> = report.tally.keys().map(|(kind, _)| *kind).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
}

#[test]
fn older_pages_of_metadata_are_noticed() {
    // The worst damage: every row on such a page is valid.
    for (seed, kind) in [(100, DamageKind::Stale), (102, DamageKind::StaleSome), (200, DamageKind::OldMetadata)] {
        let report = damage(seed, 40, Some(kind));
        assert!(report.bad == 0 && report.trials() > 20, "{report}");
        let noticed = count(&report, Verdict::Refused) + count(&report, Verdict::Detected);
        assert!(noticed > 0, "{report}");
    }
}

#[test]
fn a_trial_is_repeated_from_its_seed_and_number() {
    let once = || {
        let options =
            DamageOptions { seed: 5, until: None, trials: TRIALS, trial: Some(7), kind: None, threads: 1, real: None };
        let report = options.run().unwrap();
        (report.tally, report.failures)
    };
    let first = once();
    assert_eq!(first, once());
    assert_eq!(first.0.values().sum::<u64>(), 1);
}
