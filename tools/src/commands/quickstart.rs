//! `quickstart`.

use std::path::{Path, PathBuf};

use super::Entry;
use crate::args::{Common, size};
use crate::cli::Verb;
use crate::failure::{Done, Failure, chain};
use crate::quickstart::{Demo, input};
use crate::ui::Ui;
use anyfs_lvm::pv::units::Unit;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Quickstart>("Show what a pool does, with real files, in a minute");

/// Show what a pool does, with real files, in a minute
///
/// Makes a pool of small files, fills it with the sources of the crates that cargo downloaded, lets it overflow, grows
/// it, and compares every byte.
#[derive(Debug, clap::Parser)]
#[command(name = "quickstart", version, disable_version_flag = true)]
pub(crate) struct Quickstart {
    /// Folder for the pool; it must be empty or not exist (default: a new one below the temporary folder)
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Folder whose entries are copied in (default: cargo's registry sources)
    #[arg(long, value_name = "DIR")]
    input: Option<PathBuf>,
    /// Take no more of the input than this
    #[arg(long, value_name = "SIZE", default_value = "256m")]
    limit: String,
    #[command(flatten)]
    common: Common,
}

impl Verb for Quickstart {
    const NAME: &'static str = "quickstart";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let limit = size("--limit", &self.limit, Unit::Mebi, false)?.bytes;
        let input = input::choose(self.input.as_deref(), limit)?;
        let dir = match &self.dir {
            Some(dir) => empty(dir)?,
            None => fresh()?,
        };
        Demo { dir: &dir, input: &input }.run(ui)?;
        ui.raw(format!("The pool stays in {}; look around:\n", crate::picture::shown(&dir)).as_bytes());
        ui.raw(format!("  anyfs-lvm --pool {} lvs\n", crate::picture::shown(&dir)).as_bytes());
        Ok(())
    }
}

fn empty(dir: &Path) -> Done<PathBuf> {
    let failed = |error: std::io::Error| Failure::new(format!("{}: {}", dir.display(), chain(&error)));
    std::fs::create_dir_all(dir).map_err(failed)?;
    if std::fs::read_dir(dir).map_err(failed)?.next().is_some() {
        return Err(Failure::new(format!("{}: the folder is not empty", dir.display())).hint("name a new folder"));
    }
    Ok(dir.to_owned())
}

fn fresh() -> Done<PathBuf> {
    let parent = std::env::temp_dir();
    let failed =
        |error: &std::io::Error| Failure::new(format!("{}: {}", parent.display(), crate::files::io_text(error)));
    for number in 0..1000u32 {
        let dir = parent.join(format!("anyfs-lvm-quickstart.{}.{number}", std::process::id()));
        match std::fs::create_dir(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Err(Failure::new(format!("{}: no free name for a folder", parent.display())))
}
