//! What an error says to its reader.

use std::error::Error;

/// Words of SQLite and of this project's insides that mean nothing to a user.
const JARGON: [&str; 16] = [
    "sqlite",
    "sql ",
    "pragma",
    "ioerr",
    "disk image",
    "malformed",
    "disk i/o",
    "disk or full",
    "-wal",
    "-shm",
    "vfs",
    "poison",
    "panick",
    "worker thread",
    "unwrap",
    "none value",
];

/// An error with its causes, as the command prints it: in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What is wrong with an error's text: it is one line, names an object, and needs no knowledge of SQLite.
pub(super) fn judge(text: &str) -> Result<(), String> {
    let lower = text.to_lowercase();
    if let Some(word) = JARGON.iter().find(|word| lower.contains(**word)) {
        return Err(format!("an error speaks of \"{}\": {text}", word.trim()));
    }
    if text.contains('\n') || text.len() > 600 {
        return Err(format!("an error of more than a line: {text}"));
    }
    if ["/", "inode", "volume", "directory", "vg "].iter().any(|object| lower.contains(object)) {
        Ok(())
    } else {
        Err(format!("an error that names no object: {text}"))
    }
}
