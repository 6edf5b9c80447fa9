//! The targets: each takes any bytes and panics when something is wrong.

mod catalogue;
mod command;
mod descriptor;
mod names;
mod operations;
mod paths;
mod pv_range;
mod pv_rows;
mod shared;
mod sizes;
mod table;
mod tar;
mod toc;

use crate::walk::Told;

/// Something that takes bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also that of its corpus.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// Longest input.
    pub longest: usize,
    /// What inputs are made of.
    pub words: &'static [&'static [u8]],
    /// Good inputs to begin with, besides the corpus.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Fresh inputs of an ordinary test.
    pub runs: u64,
    /// Does it, and says in words how it went: inputs that go another way than all before are worth keeping.
    pub run: fn(&[u8]) -> String,
}

/// All targets.
pub const TARGETS: [Target; 11] = [
    toc::TARGET,
    descriptor::TARGET,
    names::TARGET,
    sizes::TARGET,
    pv_range::TARGET,
    command::TARGET,
    paths::TARGET,
    tar::TARGET,
    pv_rows::TARGET,
    catalogue::TARGET,
    operations::TARGET,
];

/// No inputs but those of the corpus.
fn none() -> Vec<Vec<u8>> {
    Vec::new()
}

/// Checks that an error is a line that a terminal can show; what it says about the way that was taken.
fn one_line(what: &str, text: &str) -> String {
    let mut told = Told::default();
    told.line(what, text);
    told.way()
}
