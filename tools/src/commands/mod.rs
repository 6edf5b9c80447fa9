//! The commands, one file each.

use std::ffi::OsString;

use crate::failure::Done;
use crate::ui::Ui;

pub(crate) mod help;
pub(crate) mod version;

/// A command in the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Runs it with the words after its name.
    pub(crate) run: fn(&[OsString], &mut Ui<'_>) -> Done,
    /// Its options, for help.
    pub(crate) command: fn() -> clap::Command,
}

/// Every command, in the order of `help`.
pub(crate) static ALL: &[Entry] = &[help::ENTRY, version::ENTRY];

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}
