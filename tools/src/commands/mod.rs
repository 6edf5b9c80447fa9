//! The commands, one file each.

use std::ffi::OsString;

use crate::failure::Done;
use crate::ui::Ui;

mod cat;
mod cp;
mod df;
mod filing;
pub(crate) mod help;
mod ls;
mod lvs;
mod mkdir;
mod put;
mod pvcreate;
mod pvs;
mod reporting;
mod rm;
mod sha256sum;
pub(crate) mod version;
mod vgs;

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
pub(crate) static ALL: &[Entry] = &[
    pvcreate::ENTRY,
    pvs::ENTRY,
    vgs::ENTRY,
    lvs::ENTRY,
    cp::ENTRY,
    ls::ENTRY,
    cat::ENTRY,
    put::ENTRY,
    rm::ENTRY,
    mkdir::ENTRY,
    df::ENTRY,
    sha256sum::ENTRY,
    help::ENTRY,
    version::ENTRY,
];

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}
