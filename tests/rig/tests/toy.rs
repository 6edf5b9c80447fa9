//! The explorer finds every wrong commit order of a toy, and nothing wrong with the right one.

use anyfs_lvm_rig::{Mode, Options, Toy};

fn shallow() -> Options {
    Options { deep_one_in: 0, ..Options::default() }
}

#[test]
fn the_right_order_survives_every_crash() {
    let report = Toy::RIGHT.explore(Options::default(), 25).unwrap();
    let total = report.total();
    assert!(total.bad == 0 && total.images > 1_000 && !report.second.is_empty(), "{report}");
}

#[test]
fn the_right_order_survives_garbage_sectors() {
    let report = Toy::RIGHT.explore(Options { seed: 1, shorn: true, ..shallow() }, 25).unwrap();
    assert!(report.total().bad == 0 && report.first[&Mode::Shorn].images > 100, "{report}");
}

#[test]
fn every_wrong_order_is_found() {
    let wrong = [
        ("A never synced", Toy { sync_a: "OFF", ..Toy::RIGHT }),
        ("B at NORMAL", Toy { sync_b: "NORMAL", ..Toy::RIGHT }),
        ("B before A", Toy { b_first: true, ..Toy::RIGHT }),
        ("freed before the commit that frees", Toy { free_early: true, ..Toy::RIGHT }),
        ("A in DELETE mode at FULL", Toy { journal_a: "DELETE", ..Toy::RIGHT }),
        ("A in TRUNCATE mode at NORMAL", Toy { journal_a: "TRUNCATE", sync_a: "NORMAL", ..Toy::RIGHT }),
    ];
    for (name, toy) in wrong {
        let report = toy.explore(shallow(), 13).unwrap();
        assert!(report.total().bad > 0, "{name}: not found: {report}");
    }
}

#[test]
fn kill_alone_finds_no_missing_sync() {
    let report = Toy { sync_b: "NORMAL", ..Toy::RIGHT }.explore(shallow(), 13).unwrap();
    assert!(report.first[&Mode::Kill].bad == 0 && report.total().bad > 0, "{report}");
}

#[test]
fn a_failure_is_repeated_from_its_printed_name() {
    let toy = Toy { sync_b: "NORMAL", ..Toy::RIGHT };
    let first = toy.explore(shallow(), 10).unwrap();
    let failure = &first.failures[0];
    let only = failure.path.iter().map(|spec| spec.to_string().parse().unwrap()).collect();
    let again = toy.explore(Options { only, ..shallow() }, 10).unwrap();
    assert_eq!((again.total().images, again.total().bad), (1, 1));
    assert_eq!(again.failures[0], *failure);
}
