//! Every corpus is replayed, and a few thousand fresh inputs are tried.

use std::io::Write;
use std::process::{Command, Output};

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
        let system = tempfile::tempdir().unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_fuzz"))
            .args(arguments)
            .env("ANYFS_LVM_SYSTEM_DIR", system.path())
            .output()
            .unwrap();
        let Output { status, stdout, stderr } = command;
        (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    /// A target's corpus and the fresh inputs of one seed.
    pub(crate) fn target(name: &str) {
        let (code, text) = run(&["--target", name, "--seed", "1"]);
        writeln!(std::io::stdout(), "{name}: {}", text.lines().last().unwrap_or_default()).unwrap();
        assert!(code == Some(0) && text.ends_with(": 0 bad\n"), "{text}");
        assert!(!text.contains(" 0 inputs replayed"), "the corpus of {name} is missing:\n{text}");
    }
}

use support::{run, target};

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            target(stringify!($name));
        })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! { toc descriptor names sizes pv_range command paths tar pv_rows catalogue operations }

#[test]
fn every_target_is_tested() {
    let (code, text) = run(&["--list", "1"]);
    let listed: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!((code, listed.as_slice()), (Some(0), NAMES));
}

#[test]
fn a_seed_repeats_its_run_and_an_input_can_be_tried_alone() {
    // All but the memory it took.
    let counts = |text: &str| text.split(", at most").next().map(str::to_owned);
    let run_of = |seed| {
        let (code, text) = run(&["--target", "toc", "--seed", seed, "--runs", "50"]);
        (code, counts(&text))
    };
    assert_eq!(run_of("7"), run_of("7"));
    let (code, text) = run(&["--target", "names", "--input", "612f62"]);
    assert!(code == Some(0) && text.contains("1 inputs replayed, 0 fresh"), "{text}");
}

#[test]
fn wrong_arguments_are_told() {
    for arguments in [&["--target", "nothing"][..], &["--seed"], &["--seed", "x"], &["--input", "0"], &["-x", "1"]] {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}
