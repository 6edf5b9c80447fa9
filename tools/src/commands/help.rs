//! `help [COMMAND]`.

use super::Entry;
use crate::args::Common;
use crate::cli::{Verb, no_such_command};
use crate::failure::Done;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Help>("Show help");

/// Show help
#[derive(Debug, clap::Parser)]
#[command(name = "help", version, disable_version_flag = true)]
pub(crate) struct Help {
    /// The command to explain
    #[arg(value_name = "COMMAND")]
    commands: Vec<String>,
    #[command(flatten)]
    common: Common,
}

impl Verb for Help {
    const NAME: &'static str = "help";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        if self.commands.is_empty() {
            overview(ui);
        }
        for name in &self.commands {
            let entry = super::find(name).ok_or_else(|| no_such_command(name))?;
            ui.raw((entry.command)().render_long_help().to_string().as_bytes());
        }
        Ok(())
    }
}

/// All commands, a line each.
pub(crate) fn overview(ui: &mut Ui<'_>) {
    ui.raw(b"  Available anyfs-lvm commands:\n  Use 'anyfs-lvm help <command>' for more information.\n\n");
    for entry in super::ALL {
        ui.raw(format!("  {:15} {}\n", entry.name, entry.about).as_bytes());
    }
}
