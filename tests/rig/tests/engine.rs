//! The real engine survives every crash, and the explorer notices when one of its rules is off.

use std::time::{Duration, Instant};

use anyfs_lvm_rig::{Options, Report, Weakness, Workload, watch};
use lv::Rule;

#[cfg(test)]
mod support {
    use super::*;

    /// Explores until the time is over or something is found.
    pub(crate) fn explore(workload: Workload, seconds: u64, seed: u64) -> Result<Report, String> {
        watch(Duration::from_secs(60));
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut report = Report::default();
        for seed in seed.. {
            let options =
                Options { seed, one_write_in: 10, one_other_in: 4, repeats: 1, shorn: true, ..Options::default() };
            report.merge(workload.explore(Options { until: Some(until), ..options })?);
            if report.total().bad > 0 || Instant::now() >= until {
                break;
            }
        }
        Ok(report)
    }
}

use support::explore;

#[test]
fn the_engine_survives_every_crash() {
    for (workload, seed) in [(Workload::random(), 1000), (Workload::tight(), 2000), (Workload::copies(), 3000)] {
        let report = explore(workload, 4, seed).unwrap();
        assert!(report.total().bad == 0 && report.total().images > 20, "{report}");
    }
}

#[test]
fn without_the_pv_barrier_the_explorer_fails() {
    let report = explore(Workload { weakness: Weakness::LazyPv, ..Workload::random() }, 40, 1).unwrap();
    assert!(report.total().bad > 0, "not found: {report}");
}

#[test]
fn without_the_deferred_reuse_the_explorer_fails() {
    let report =
        explore(Workload { weakness: Weakness::Without(Rule::DeferredReuse), ..Workload::tight() }, 40, 1).unwrap();
    assert!(report.total().bad > 0, "not found: {report}");
}
