//! LiteboxFS as a side of the comparison: `anyfs-lvm-compare-litebox FOLDER`, asked on standard input.

mod owner;
mod side;

use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyfs_lvm_measure::serve;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        let _ = writeln!(std::io::stderr(), "usage: anyfs-lvm-compare-litebox FOLDER");
        return ExitCode::from(2);
    };
    let maker = Box::new(side::Liteboxes::new(folder.clone()));
    let (mut input, mut output) = (BufReader::new(std::io::stdin()), std::io::stdout());
    match serve(maker, &folder, &mut input, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "anyfs-lvm-compare-litebox: {error}");
            ExitCode::FAILURE
        }
    }
}
