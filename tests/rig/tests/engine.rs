//! The real engine survives every crash.

use std::time::Duration;

use anyfs_lvm_rig::{Options, Workload, watch};

#[test]
fn the_engine_survives_every_crash() {
    watch(Duration::from_secs(60));
    for (workload, seed) in [(Workload::random(), 1000), (Workload::tight(), 2000), (Workload::copies(), 3000)] {
        let points = Options { seed, one_write_in: 60, one_other_in: 20, repeats: 1, ..Options::default() };
        let report = workload.explore(Options { shorn: true, deep_one_in: 20, deep_images: 5, ..points }).unwrap();
        assert!(report.total().bad == 0 && report.total().images > 100, "{report}");
    }
}
