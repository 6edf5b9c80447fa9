//! `cat`.

use std::ffi::OsString;

use super::Entry;
use super::filing::{Mounts, inside, pieces, regular};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::session::Session;
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
        let session = Session::new(&self.common)?;
        let mut mounts = Mounts::new(&session, false);
        let done = ui.each(&self.paths, |ui, path| {
            let (name, path) = inside(Self::NAME, path)?;
            let mount = mounts.get(ui, &name)?;
            let file = regular(&mount, &path)?;
            pieces(&mount, &path, file.ino, |bytes| {
                ui.raw(bytes);
                !ui.closed()
            })
        });
        done.and(mounts.close())
    }
}
