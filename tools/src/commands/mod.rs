//! The commands, one file each.

use std::ffi::OsString;

use crate::failure::Done;
use crate::ui::Ui;

pub(crate) use cp::workers;

mod bench;
mod cat;
mod check;
mod chmod;
mod choosing;
mod chown;
mod cp;
mod df;
mod du;
mod export;
mod filing;
mod find;
mod getfattr;
pub(crate) mod help;
mod import;
mod ln;
mod ls;
mod lvchange;
mod lvconvert;
mod lvcreate;
mod lvextend;
mod lvremove;
mod lvrename;
mod lvs;
mod lvsizing;
mod mkdir;
#[cfg(target_os = "linux")]
pub(crate) mod mount;
mod mv;
mod naming;
mod put;
mod pvcreate;
mod pvremove;
mod pvs;
mod quickstart;
mod reporting;
mod rm;
mod setfattr;
mod sha256sum;
mod stat;
mod top;
mod touch;
mod tree;
mod truncate;
#[cfg(target_os = "linux")]
mod umount;
pub(crate) mod version;
mod vgcreate;
mod vgextend;
mod vgreduce;
mod vgremove;
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
    pvremove::ENTRY,
    pvs::ENTRY,
    vgcreate::ENTRY,
    vgextend::ENTRY,
    vgreduce::ENTRY,
    vgremove::ENTRY,
    vgs::ENTRY,
    lvcreate::ENTRY,
    lvchange::ENTRY,
    lvconvert::ENTRY,
    lvextend::ENTRY,
    lvremove::ENTRY,
    lvrename::ENTRY,
    lvs::ENTRY,
    #[cfg(target_os = "linux")]
    mount::ENTRY,
    #[cfg(target_os = "linux")]
    umount::ENTRY,
    check::ENTRY,
    cp::ENTRY,
    ls::ENTRY,
    cat::ENTRY,
    put::ENTRY,
    rm::ENTRY,
    mkdir::ENTRY,
    mv::ENTRY,
    ln::ENTRY,
    touch::ENTRY,
    chmod::ENTRY,
    chown::ENTRY,
    truncate::ENTRY,
    getfattr::ENTRY,
    setfattr::ENTRY,
    stat::ENTRY,
    tree::ENTRY,
    find::ENTRY,
    df::ENTRY,
    top::ENTRY,
    du::ENTRY,
    sha256sum::ENTRY,
    export::ENTRY,
    import::ENTRY,
    bench::ENTRY,
    quickstart::ENTRY,
    help::ENTRY,
    version::ENTRY,
];

/// The command of this name.
pub(crate) fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.name == name)
}
