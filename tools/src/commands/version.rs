//! `version`.

use super::Entry;
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::Done;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Version>("Show the version");

/// Show the version
#[derive(Debug, clap::Parser)]
#[command(name = "version", version, disable_version_flag = true)]
pub(crate) struct Version {
    #[command(flatten)]
    common: Common,
}

impl Verb for Version {
    const NAME: &'static str = "version";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        ui.raw(format!("  anyfs-lvm version:  {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
        Ok(())
    }
}
