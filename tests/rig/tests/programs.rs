//! The programs of this package run, and say how it went.

use std::process::{Command, Output};

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
        (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }
}

use support::run;

#[test]
fn killed_owners_lose_nothing_they_acknowledged() {
    let (code, text) = run(env!("CARGO_BIN_EXE_killloop"), &["--seconds", "4", "--seed", "1"]);
    assert!(code == Some(0) && text.contains("nothing lost"), "{text}");
}

#[test]
fn a_killed_owner_without_the_pv_barrier_is_found() {
    let arguments = ["--seconds", "30", "--seed", "1", "--weakness", "lazy-pv"];
    let (code, text) = run(env!("CARGO_BIN_EXE_killloop"), &arguments);
    assert_eq!(code, Some(1), "{text}");
}

#[test]
fn explore_repeats_a_run_from_its_seed() {
    let arguments = ["--workload", "tight", "--seed", "7", "--steps", "12"];
    let counts = |text: &str| text.split(" recoveries").next().map(str::to_owned);
    let (code, first) = run(env!("CARGO_BIN_EXE_explore"), &arguments);
    let (_, second) = run(env!("CARGO_BIN_EXE_explore"), &arguments);
    assert!(code == Some(0), "{first}");
    assert_eq!(counts(&first), counts(&second));
}

#[test]
fn faults_repeats_one_run_and_says_what_was_run() {
    let arguments = ["--workload", "files", "--fault", "write:metadata-log:9:always", "--seed", "3"];
    let counts = |text: &str| text.lines().last().map(str::to_owned);
    let (code, first) = run(env!("CARGO_BIN_EXE_faults"), &arguments);
    assert!(code == Some(0) && first.contains("1 runs, 1 with a fault"), "{first}");
    let (_, second) = run(env!("CARGO_BIN_EXE_faults"), &arguments);
    assert_eq!(counts(&first), counts(&second));
    let (code, text) = run(env!("CARGO_BIN_EXE_faults"), &[&arguments[..], &["--at-least", "2"]].concat());
    assert!(code == Some(1) && text.contains("fewer than 2"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_faults"), &[&arguments[..], &["--weakness", "first-copy"]].concat());
    assert_eq!(code, Some(0), "with one copy there is nothing to be late: {text}");
}

#[test]
fn machine_counts_its_cases_and_fails_when_they_are_too_few() {
    let (code, text) = run(env!("CARGO_BIN_EXE_machine"), &["--cases", "3", "--seed", "5", "--at-least", "3"]);
    assert!(code == Some(0) && text.contains("\n3 cases, ") && text.ends_with("nothing wrong\n"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_machine"), &["--cases", "1", "--at-least", "2"]);
    assert!(code == Some(1) && text.contains("fewer than 2 cases"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_machine"), &["--seed", "5", "--seed"]);
    assert!(code == Some(2) && text.starts_with("machine: --seed needs a value (--help"), "{text}");
}

#[test]
fn a_failing_case_is_shrunk_and_repeats() {
    let arguments = ["--weakness", "lazy-pv", "--seed", "1", "--cases", "200"];
    let (code, text) = run(env!("CARGO_BIN_EXE_machine"), &arguments);
    assert!(code == Some(1) && text.contains("\nSetup { "), "{text}");
    let seed = text.split("case with --seed ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
    let (again, second) =
        run(env!("CARGO_BIN_EXE_machine"), &["--weakness", "lazy-pv", "--seed", seed, "--cases", "1"]);
    let shrunk = |text: &str| {
        text.split("\nSetup { ").nth(1).and_then(|rest| rest.split("\nmachine:").next()).map(str::to_owned)
    };
    assert_eq!((again, shrunk(&second)), (Some(1), shrunk(&text)), "{text}\n{second}");
}

#[test]
fn explore_fails_when_it_judges_fewer_disks_than_asked_for() {
    for workload in ["toy", "seq"] {
        let arguments = ["--workload", workload, "--seed", "1", "--seconds", "1", "--at-least", "100000000"];
        let (code, text) = run(env!("CARGO_BIN_EXE_explore"), &arguments);
        assert!(code == Some(1) && text.contains("images were judged, at least 100000000 are asked for"), "{text}");
    }
}

#[test]
fn wrong_arguments_are_named() {
    let (code, text) = run(env!("CARGO_BIN_EXE_faults"), &["--fault", "write:any:1"]);
    assert!(code == Some(2) && text.contains("write:any:1 is no fault"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_explore"), &["--seed", "x"]);
    assert!(code == Some(2) && text.starts_with("explore: --seed: x is no number (--help"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_killloop"), &["--frob", "1"]);
    assert!(code == Some(2) && text.starts_with("killloop: unknown argument --frob (--help"), "{text}");
    let (code, text) = run(env!("CARGO_BIN_EXE_explore"), &["--workload", "none"]);
    assert!(code == Some(2) && text.contains("no workload none"), "{text}");
}
