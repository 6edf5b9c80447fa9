//! The `anyfs-lvm` command.

use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout());
    let mut err = io::stderr();
    let mut input = BufReader::new(io::stdin());
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(anyfs_lvm_tools::run(&arguments, &mut out, &mut err, &mut input))
}
