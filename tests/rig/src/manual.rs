//! What `--help` says of a program: the head of its own source, so that the two cannot differ.

use std::io::{Write, stdout};

/// Prints the documentation at the head of `source` when the first word of the command line is `--help` or `-h`.
pub fn manual(source: &str) -> bool {
    if !std::env::args().nth(1).is_some_and(|word| word == "--help" || word == "-h") {
        return false;
    }
    let mut out = stdout().lock();
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        // The reader may be gone.
        let _ = writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(line));
    }
    true
}
