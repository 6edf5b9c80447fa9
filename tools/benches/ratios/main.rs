//! How fast a logical volume is, as ratios to the host filesystem.
//!
//! `cargo bench -p anyfs-lvm-tools --bench ratios -- [--dir DIR] [--rounds 3] [--quick] [--only NAME]
//! [--extent KIB]`
//!
//! The same work is done with `std::fs` and through the library, in turns within one run; the table holds the medians
//! of the rounds. The rows "host again" repeat the host's work at the end of each round: how far they are from 1 says
//! how far the other ratios can be trusted. What a row times is durable at its end (reads apart), and every byte that
//! was written is read back and compared. The folder should lie on a real disk; about 10 GiB are used there for a time.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark stops at the first failure and rounds its figures"
)]

mod cases;
mod latency;
mod machine;
mod side;
mod table;

use std::path::PathBuf;

use anyfs_lvm::pv::ExtentSize;

use crate::table::Table;

/// What to run, and how much of it.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) dir: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    pub(crate) only: Option<String>,
    /// Size of an extent of the pools.
    pub(crate) extent: ExtentSize,
}

impl Settings {
    fn from_args() -> Self {
        let mut out =
            Self { dir: std::env::temp_dir(), rounds: 3, quick: false, only: None, extent: ExtentSize::DEFAULT };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--dir" => out.dir = args.next().unwrap().into(),
                "--rounds" => out.rounds = args.next().unwrap().parse().unwrap(),
                "--only" => out.only = args.next(),
                "--extent" => {
                    let kib: u64 = args.next().unwrap().parse().unwrap();
                    out.extent = ExtentSize::new(kib * 1024).unwrap();
                }
                "--quick" => out.quick = true,
                // What cargo passes by itself.
                "--bench" => {}
                other => {
                    table::say(&format!("ratios: unknown argument {other}"));
                    std::process::abort();
                }
            }
        }
        out
    }

    /// Whether the cases of this name are wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// `full`, or a smaller number for a quick run.
    pub(crate) fn size(&self, full: u64, quick: u64) -> u64 {
        if self.quick { quick } else { full }
    }
}

fn main() {
    let settings = Settings::from_args();
    let folder = tempfile::Builder::new().prefix("ratios-").tempdir_in(&settings.dir).unwrap();
    let mut table = Table::default();
    machine::show(folder.path());
    let run = cases::Run { settings: &settings, dir: folder.path(), cold: machine::can_drop_caches() };
    for (name, case) in [
        ("write", cases::stream as fn(&cases::Run<'_>, &mut Table)),
        ("aged", cases::aged),
        ("create", cases::create),
        ("append", cases::append),
        ("sizes", latency::sizes),
        ("beside", latency::beside),
    ] {
        if settings.wants(name) {
            case(&run, &mut table);
        }
    }
    table.show();
    machine::show_end();
}
