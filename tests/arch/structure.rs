//! The rules.

use std::collections::BTreeSet;

use super::tree::{Source, dependencies, exists, files};

/// Longest file outside tests.
const LINES: usize = 500;

/// Where SQLite may be named: the PV crate's files that hold its SQL, and the catalogue.
const SQLITE: [&str; 9] = [
    "pv/src/change.rs",
    "pv/src/create.rs",
    "pv/src/descriptor.rs",
    "pv/src/label.rs",
    "pv/src/sqlite/",
    "pv/src/sqlite_store/",
    "pv/src/volume.rs",
    "lv/src/catalogue/",
    // What the benchmark compares with.
    "tools/bench/src/sqlite/",
];

/// Packages from the bottom up, each with the packages of the workspace that it may name.
const LAYERS: [(&str, &[&str]); 11] = [
    ("pv/Cargo.toml", &[]),
    ("vg/Cargo.toml", &["pv"]),
    ("lv/Cargo.toml", &["pv", "vg"]),
    ("Cargo.toml", &["pv", "vg", "lv"]),
    ("tools/measure/Cargo.toml", &[]),
    ("tools/Cargo.toml", &["anyfs-lvm", "measure"]),
    ("tools/bench/Cargo.toml", &["anyfs-lvm-tools"]),
    ("tools/bench/litebox/Cargo.toml", &["anyfs-lvm-measure"]),
    ("tests/rig/Cargo.toml", &["pv", "vg", "lv", "anyfs-lvm"]),
    ("tests/fuzz/guided/Cargo.toml", &["anyfs-lvm-fuzz"]),
    ("tests/fuzz/Cargo.toml", &["pv", "vg", "lv", "anyfs-lvm", "anyfs-lvm-tools", "anyfs-lvm-rig"]),
];

fn rust(files: &[Source]) -> impl Iterator<Item = &Source> {
    files.iter().filter(|file| file.ends("rs"))
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn no_file_outside_tests_is_longer_than_500_lines() {
    let files = files();
    let long = rust(&files).filter(|file| !file.is_test() && file.text.lines().count() > LINES);
    none("files that are too long", &long.map(|file| file.path.clone()).collect::<Vec<_>>());
}

#[test]
fn only_the_pv_files_and_the_catalogue_name_sqlite() {
    let files = files();
    let mut found = Vec::new();
    for file in rust(&files).filter(|file| !file.is_test() && !SQLITE.iter().any(|place| file.path.starts_with(place)))
    {
        found.extend(
            file.code().filter(|(_, line)| line.contains("rusqlite")).map(|(at, _)| format!("{}:{at}", file.path)),
        );
    }
    none("rusqlite is named outside its places", &found);
    for place in SQLITE {
        assert!(rust(&files).any(|file| file.path.starts_with(place)), "{place} is in the list and does not exist");
    }
}

#[test]
fn dependencies_point_down() {
    let files = files();
    let packages: BTreeSet<&str> = [
        "pv",
        "vg",
        "lv",
        "measure",
        "anyfs-lvm-measure",
        "anyfs-lvm",
        "anyfs-lvm-tools",
        "anyfs-lvm-rig",
        "anyfs-lvm-fuzz",
    ]
    .into();
    let mut seen = 0;
    for (path, allowed) in LAYERS {
        let manifest = files.iter().find(|file| file.path == path).unwrap();
        let named = dependencies(manifest);
        assert!(!named.is_empty(), "{path}: no dependencies were found");
        let up: Vec<String> = named
            .iter()
            .filter(|name| packages.contains(name.as_str()) && !allowed.contains(&name.as_str()))
            .cloned()
            .collect();
        none(&format!("{path} depends on what is above it"), &up);
        seen += 1;
    }
    let all = files.iter().filter(|file| file.split().1 == "Cargo.toml").count();
    assert_eq!(all, seen, "a package has no place in the list of layers");
}

#[test]
fn no_test_file_is_forgotten() {
    let files = files();
    let mut forgotten = Vec::new();
    for main in files.iter().filter(|file| file.is_test() && file.split().1 == "main.rs") {
        let folder = main.split().0;
        let named = |module: &str| {
            main.text.lines().any(|line| line.trim().trim_start_matches("pub ") == format!("mod {module};"))
        };
        for file in rust(&files).filter(|file| file.path != main.path) {
            let Some(rest) = file.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else { continue };
            let module = rest.split('/').next().unwrap().trim_end_matches(".rs");
            if !named(module) {
                forgotten.push(file.path.clone());
            }
        }
    }
    none("test files that no main.rs lists", &forgotten);
    assert!(files.iter().any(|file| file.path == "tests/cli/main.rs"));
}

#[test]
fn unsafe_code_is_in_two_named_places_only() {
    let allowed = ["tests/rig/src/vfs/", "tests/arch/", "pv/src/sqlite/writeback.rs"];
    let files = files();
    let mut found = Vec::new();
    for file in rust(&files).filter(|file| !allowed.iter().any(|place| file.path.starts_with(place))) {
        let lines = file
            .code()
            .filter(|(_, line)| ["unsafe {", "unsafe fn", "unsafe extern"].iter().any(|word| line.contains(word)));
        found.extend(lines.map(|(at, _)| format!("{}:{at}", file.path)));
    }
    none("unsafe code", &found);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    // Put together here, so that this file does not hold them.
    let folders = ["work", "root", "home", "Users"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for file in &files() {
        for (at, line) in file.text.lines().enumerate() {
            if folders.iter().any(|folder| line.contains(folder.as_str())) {
                found.push(format!("{}:{}: {}", file.path, at + 1, line.trim()));
            }
        }
    }
    none("absolute paths of one machine", &found);
}

/// Words in `backticks`.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a function of that name is a test.
fn is_test(text: &str, name: &str) -> bool {
    let head = format!("fn {name}(");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let attributes = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    let named = |at: &usize| lines[*at].starts_with(&head) && attributes(*at).any(|line| *line == "#[test]");
    (0..lines.len()).any(|at| named(&at))
}

#[test]
fn documents_name_tests_that_exist() {
    let files = files();
    for path in ["src/docs/durability.md", "src/docs/testing.md"] {
        let document = files.iter().find(|file| file.path == path).unwrap();
        let tests: Vec<&str> = quoted(&document.text).filter(|word| word.matches('_').count() > 2).collect();
        assert!(tests.len() > 10, "no tests were found in {path}");
        let unknown = tests.iter().filter(|name| !rust(&files).any(|file| is_test(&file.text, name)));
        none(&format!("{path} names tests that do not exist"), &unknown.map(ToString::to_string).collect::<Vec<_>>());
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let files = files();
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.ends("md")) {
        let targets = file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let target = target.split('#').next().unwrap_or(target);
            if !exists(file.split().0, target) {
                broken.push(format!("{}: {target}", file.path));
            }
        }
    }
    none("links that lead nowhere", &broken);
}
