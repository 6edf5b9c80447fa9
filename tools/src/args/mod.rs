//! The argument layer: what every command takes, and values as LVM spells them.

pub(crate) mod criteria;
mod errors;
mod length;
mod mode;
mod name_pattern;
mod owner;
mod report;
mod size;
mod target;
mod time;

pub(crate) use errors::translate;
pub(crate) use length::{Length, length};
pub(crate) use mode::{ModeArg, mode};
pub(crate) use name_pattern::NamePattern;
pub(crate) use owner::{Owner, owner};
pub(crate) use report::ReportArgs;
pub(crate) use size::{Extents, ExtentsOf, Sign, extents, size};
pub(crate) use target::{FilePath, LvName, file_path, lv_name};
pub(crate) use time::{date, stamp};

use std::path::PathBuf;

/// Help of commands whose `-h` means something else.
#[derive(Debug, clap::Args)]
pub(crate) struct LongHelp {
    /// Print help
    #[arg(long, action = clap::ArgAction::Help, help_heading = "Common options")]
    help: Option<bool>,
}

/// Options that every command takes.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct Common {
    /// Use the pool in this folder (all its *.db files)
    #[arg(long, value_name = "DIR", help_heading = "Common options")]
    pub(crate) pool: Option<PathBuf>,
    /// Use these PV files only
    #[arg(long, value_name = "FILE", value_delimiter = ',', help_heading = "Common options")]
    pub(crate) devices: Vec<PathBuf>,
    /// Say what is done (more columns in reports)
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub(crate) verbose: u8,
    /// Say less; twice: answer "no" to every question
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub(crate) quiet: u8,
    /// Answer "yes" to every question
    #[arg(short, long, help_heading = "Common options")]
    pub(crate) yes: bool,
    /// Do not ask; twice: override protection
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Common options")]
    pub(crate) force: u8,
    /// Check and show what would happen, change nothing
    #[arg(short, long, help_heading = "Common options")]
    pub(crate) test: bool,
    /// Print the version
    #[arg(long, action = clap::ArgAction::Version, help_heading = "Common options")]
    version: Option<bool>,
    /// Print all help
    #[arg(long, action = clap::ArgAction::HelpLong, hide = true)]
    longhelp: Option<bool>,
    /// Accepted as LVM does, without effect
    #[arg(short, long, action = clap::ArgAction::Count, hide = true)]
    debug: u8,
    /// Accepted as LVM does, without effect
    #[arg(long, value_name = "SECTION/KEY=VALUE", hide = true)]
    pub(crate) config: Vec<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    commandprofile: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    profile: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    nolocking: bool,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    lockopt: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    nohints: bool,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    journal: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    devicesfile: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(long, hide = true)]
    driverloaded: Option<String>,
    /// Accepted as LVM does, without effect
    #[arg(short = 'A', long, hide = true)]
    autobackup: Option<String>,
}

impl Common {
    /// Options given that have no effect here.
    pub(crate) fn ignored(&self) -> Vec<&'static str> {
        let given = [
            ("--config", !self.config.is_empty()),
            ("--commandprofile", self.commandprofile.is_some()),
            ("--profile", self.profile.is_some()),
            ("--nolocking", self.nolocking),
            ("--lockopt", self.lockopt.is_some()),
            ("--nohints", self.nohints),
            ("--journal", self.journal.is_some()),
            ("--devicesfile", self.devicesfile.is_some()),
            ("--driverloaded", self.driverloaded.is_some()),
            ("--autobackup", self.autobackup.is_some()),
            ("--debug", self.debug > 0),
        ];
        given.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
    }
}
