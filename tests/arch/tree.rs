//! The workspace as text files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Endings of the files that people write.
const TEXT: [&str; 10] = ["rs", "toml", "md", "yml", "sh", "txt", "json", "sql", "py", "lock"];

/// A file, with its path from the root of the workspace and `/` between names.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// The folder and the name.
    pub(crate) fn split(&self) -> (&str, &str) {
        self.path.rsplit_once('/').unwrap_or(("", &self.path))
    }

    /// Whether the name has this ending.
    pub(crate) fn ends(&self, ending: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == ending)
    }

    /// Lines that are not comments, numbered from 1.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(at, line)| (at + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Code of tests: a folder `tests`, or a module of that name.
    pub(crate) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Build folders and what git keeps for itself are not the workspace.
fn skipped(name: &str) -> bool {
    name == ".git" || name.starts_with("target")
}

/// Every text file of the workspace.
pub(crate) fn files() -> Vec<Source> {
    let mut open = vec![root().to_owned()];
    let mut found = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !skipped(&name.to_string_lossy()) {
                    open.push(path);
                }
            } else if is_text(&path) {
                found.push(Source { text: fs::read_to_string(&path).unwrap(), path: relative(&path) });
            }
        }
    }
    assert!(found.len() > 100, "the workspace was not found");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Whether a file or folder is there, named from a folder of the workspace.
pub(crate) fn exists(folder: &str, name: &str) -> bool {
    root().join(folder).join(name).exists()
}

/// A script needs no ending.
fn is_text(path: &Path) -> bool {
    path.extension().map_or(relative(path) == ".ci/run", |end| TEXT.iter().any(|known| *known == end))
}

fn relative(path: &Path) -> String {
    let parts: PathBuf = path.strip_prefix(root()).unwrap().to_owned();
    parts.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The names that a `Cargo.toml` has under `[dependencies]`, `[dev-dependencies]` and `[build-dependencies]`, for
/// every target.
pub(crate) fn dependencies(manifest: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let section = section.trim_matches('[').trim_matches(']');
            let (head, name) = section.rsplit_once('.').unwrap_or((section, ""));
            inside = section.ends_with("dependencies") && !section.starts_with("workspace");
            // `[dependencies.name]`
            if head.ends_with("dependencies") && !head.starts_with("workspace") {
                names.insert(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            names.extend(line.split(['=', '.', ' ']).next().filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
}
