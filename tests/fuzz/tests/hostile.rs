//! Every hostile file of the table, in four processes: one that dies takes its quarter with it, and says which case it was.

use std::io::Write;
use std::process::{Command, Output};

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn run(arguments: &[&str]) -> (Option<i32>, String) {
        let system = tempfile::tempdir().unwrap();
        let command = Command::new(env!("CARGO_BIN_EXE_hostile"))
            .args(arguments)
            .env("ANYFS_LVM_SYSTEM_DIR", system.path())
            .output()
            .unwrap();
        let Output { status, stdout, stderr } = command;
        (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    pub(crate) fn part(number: u32) {
        let (code, text) = run(&["--part", &format!("{number}/4")]);
        let last = text.lines().rfind(|line| line.contains(" files of ")).unwrap_or_default();
        writeln!(std::io::stdout(), "{last}").unwrap();
        assert!(code == Some(0) && last.ends_with(": 0 bad"), "{text}");
    }
}

use support::{part, run};

#[test]
fn hostile_files_do_no_harm_first_quarter() {
    part(1);
}

#[test]
fn hostile_files_do_no_harm_second_quarter() {
    part(2);
}

#[test]
fn hostile_files_do_no_harm_third_quarter() {
    part(3);
}

#[test]
fn hostile_files_do_no_harm_fourth_quarter() {
    part(4);
}

#[test]
fn the_table_is_long_and_no_case_has_the_name_of_another() {
    let (code, text) = run(&["--list", "1"]);
    let names: Vec<&str> = text.lines().collect();
    let different: std::collections::BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!((code, different.len()), (Some(0), names.len()));
    assert!(names.len() > 250, "{} cases", names.len());
}

#[test]
fn wrong_arguments_are_told() {
    for arguments in
        [&["--case", "nothing of that name"][..], &["--seed"], &["--seed", "x"], &["--part", "5/4"], &["-x", "1"]]
    {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}
