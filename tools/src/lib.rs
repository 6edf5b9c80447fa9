//! The `anyfs-lvm` command: parse, call the library, print.
//!
//! A library so that tests can give the command anything without starting a process each time; programs use
//! `anyfs-lvm`, not this.

mod accounts;
mod activity;
mod args;
pub mod bench;
mod cli;
mod commands;
mod devices;
#[doc(hidden)]
pub mod doors;
mod failure;
mod files;
mod in_use;
#[cfg(target_os = "linux")]
mod mount;
mod mounting;
mod picture;
mod quickstart;
mod report;
mod session;
mod sight;
mod sizes;
mod suggest;
mod ui;

use std::ffi::OsString;
use std::io::{BufRead, Write};

/// Runs the command that `arguments` (with the program's name first) ask for, with these in place of standard output,
/// standard error and standard input; the exit code.
pub fn run(arguments: &[OsString], out: &mut dyn Write, err: &mut dyn Write, input: &mut dyn BufRead) -> u8 {
    cli::main(arguments, &mut ui::Ui::new(out, err, input))
}
