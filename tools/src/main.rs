//! The `anyfs-lvm` command: parse, call the library, print.

mod accounts;
mod args;
mod cli;
mod commands;
mod devices;
mod failure;
mod files;
mod picture;
mod quickstart;
mod report;
mod session;
mod sight;
mod sizes;
mod suggest;
mod ui;

use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut err = io::stderr();
    let mut input = BufReader::new(io::stdin());
    let mut ui = ui::Ui::new(&mut out, &mut err, &mut input);
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(cli::main(&arguments, &mut ui))
}
