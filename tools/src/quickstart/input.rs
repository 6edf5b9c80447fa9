//! What the demonstration copies.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Done, Failure};
use crate::files::io_text;

/// Less than this shows nothing.
const LEAST: u64 = 4 << 20;
/// Files up to about this size live in the catalogue and take no room on PVs.
const INLINE: u64 = 512;

/// Chosen entries of a folder.
#[derive(Debug)]
pub(crate) struct Input {
    /// The folder.
    pub(crate) root: PathBuf,
    /// Entries of it, not following links.
    pub(crate) entries: Vec<PathBuf>,
    /// Regular files in them.
    pub(crate) files: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Bytes that will need room on PVs.
    pub(crate) room: u64,
}

/// Entries of `dir` (or of cargo's registry sources) up to `limit` bytes.
pub(crate) fn choose(dir: Option<&Path>, limit: u64) -> Done<Input> {
    let root = match dir {
        Some(dir) => dir.to_owned(),
        None => registry()?,
    };
    let mut input = Input { root: root.clone(), entries: Vec::new(), files: 0, bytes: 0, room: 0 };
    for entry in list(&root)? {
        let (files, bytes, on_pvs) = measure(&entry)?;
        if input.bytes.saturating_add(bytes) > limit {
            continue;
        }
        input.entries.push(entry);
        input.files = input.files.saturating_add(files);
        input.bytes = input.bytes.saturating_add(bytes);
        input.room = input.room.saturating_add(on_pvs);
    }
    if input.room < LEAST {
        let failure = Failure::new(format!("{}: too little to show anything", root.display()));
        return Err(failure.hint("name a folder with more in it: --input DIR"));
    }
    Ok(input)
}

/// The folder with the sources of the crates that cargo downloaded.
fn registry() -> Done<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let none = || Failure::new("no sources of crates found below CARGO_HOME").hint("name a folder: --input DIR");
    let sources = home.ok_or_else(none)?.join("registry/src");
    // One folder per registry; the largest is the real one.
    let indexes = list(&sources).map_err(|_| none())?;
    indexes.into_iter().max_by_key(|dir| fs::read_dir(dir).map_or(0, Iterator::count)).ok_or_else(none)
}

fn list(dir: &Path) -> Done<Vec<PathBuf>> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {}", dir.display(), io_text(&error)));
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort_unstable();
    Ok(entries)
}

/// Files, bytes, and bytes that need room on PVs.
fn measure(path: &Path) -> Done<(u64, u64, u64)> {
    let mut total = (0u64, 0u64, 0u64);
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let failed = |error: std::io::Error| Failure::new(format!("{}: {}", path.display(), io_text(&error)));
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        if found.is_dir() {
            open.extend(list(&path)?);
        } else if found.is_file() {
            let room = if found.len() <= INLINE { 0 } else { found.len() };
            total = (total.0.saturating_add(1), total.1.saturating_add(found.len()), total.2.saturating_add(room));
        }
    }
    Ok(total)
}
