//! `setfattr`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyfs_lvm::lv::{LvError, SetXattr};

use super::{Entry, filing};
use crate::args::{Common, LongHelp};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::show;
use crate::files::value::decode;
use crate::files::volume::about_arguments;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Setfattr>("Set extended attributes in a logical volume");

/// Set extended attributes in a logical volume
///
/// A value is taken as it is, or read as getfattr writes it: "text" with \ooo for bytes, 0x and hexadecimal digits, 0s
/// and base64. -v is a value here; to be told more, use --verbose.
#[derive(Debug, clap::Parser)]
#[command(name = "setfattr", version, disable_version_flag = true, disable_help_flag = true)]
#[command(mut_arg("verbose", |arg| arg.short(None)))]
pub(crate) struct Setfattr {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Set this attribute
    #[arg(short, long, value_name = "NAME", required_unless_present = "remove")]
    name: Option<OsString>,
    /// Its value; empty without this option
    #[arg(short, long, value_name = "VALUE", requires = "name", allow_hyphen_values = true)]
    value: Option<OsString>,
    /// Remove this attribute
    #[arg(short = 'x', long, value_name = "NAME", conflicts_with = "name")]
    remove: Option<OsString>,
    /// Symbolic links themselves, not what they lead to
    #[arg(short = 'h', long)]
    no_dereference: bool,
    #[command(flatten)]
    help: LongHelp,
    #[command(flatten)]
    common: Common,
}

impl Verb for Setfattr {
    const NAME: &'static str = "setfattr";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let text = self.value.as_deref().unwrap_or_default();
        let shown = show::name(text.as_bytes());
        let value = decode(text.as_bytes()).map_err(|reason| Failure::argument("--value", &shown, reason))?;
        let name = self.name.as_deref().or(self.remove.as_deref()).map(OsStr::as_bytes).unwrap_or_default();
        filing::each(ui, (Self::NAME, true), &self.paths, &self.common, |_, mount, path| {
            let follow = !self.no_dereference || path.ends_with(b"/");
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            let done = if self.remove.is_some() {
                mount.volume.removexattr(found.ino, name)
            } else {
                mount.volume.setxattr(found.ino, name, &value, SetXattr::Any)
            };
            done.map_err(|error| {
                let about = |why: &str| Failure::new(format!("{}: {}: {why}", mount.shown(path), show::name(name)));
                match &error {
                    LvError::NoXattr { .. } => about("No such attribute"),
                    error => about_arguments(error).map_or_else(|| mount.failure(path, error), about),
                }
            })
        })
    }
}
