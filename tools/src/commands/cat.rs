//! `cat`.

use std::ffi::OsString;

use super::filing::{pieces, regular};
use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Cat>("Print files of a logical volume");

/// Print files of a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "cat", version, disable_version_flag = true)]
pub(crate) struct Cat {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Cat {
    const NAME: &'static str = "cat";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let file = regular(mount, path)?;
            pieces(mount, path, file.ino, |bytes| {
                ui.raw(bytes);
                !ui.closed()
            })
        })
    }
}
