//! `getfattr`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use anyfs_lvm::lv::{Ino, LvError};

use super::{Entry, filing};
use crate::args::{Common, LongHelp, NamePattern};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::show;
use crate::files::value::{Encoding, encode};
use crate::files::volume::Mount;
use crate::files::walk::{Step, Walk};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Getfattr>("Show extended attributes in a logical volume");

/// Show extended attributes in a logical volume
///
/// Names alone, or with -d and -n values, too. Those of the namespace user. are shown unless -m or -n asks for others.
#[derive(Debug, clap::Parser)]
#[command(name = "getfattr", version, disable_version_flag = true, disable_help_flag = true)]
#[command(mut_arg("debug", |arg| arg.short(None)))]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct Getfattr {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// With values
    #[arg(short, long)]
    dump: bool,
    /// The value of this attribute
    #[arg(short, long, value_name = "NAME")]
    name: Option<OsString>,
    /// Attributes whose names contain this: ^ is the beginning, $ the end, . any character; - stands for all
    #[arg(short = 'm', long = "match", value_name = "PATTERN", allow_hyphen_values = true)]
    pattern: Option<String>,
    /// Symbolic links themselves, not what they lead to
    #[arg(short = 'h', long)]
    no_dereference: bool,
    /// Directories with all they contain; links on the way are not followed
    #[arg(short = 'R', long)]
    recursive: bool,
    /// How values are written
    #[arg(short = 'e', long, value_enum)]
    encoding: Option<Encoding>,
    /// Values alone, as they are
    #[arg(long, conflicts_with = "encoding")]
    only_values: bool,
    #[command(flatten)]
    help: LongHelp,
    #[command(flatten)]
    common: Common,
}

impl Verb for Getfattr {
    const NAME: &'static str = "getfattr";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let pattern = NamePattern::new(self.pattern.as_deref().unwrap_or(r"^user\."))?;
        filing::each(ui, (Self::NAME, false), &self.paths, &self.common, |ui, mount, path| {
            let follow = !self.no_dereference || path.ends_with(b"/");
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            if !self.recursive {
                return self.show(ui, mount, path, found.ino, &pattern);
            }
            filing::walk(ui, Walk::new(mount, path, &found), None, |ui, walk, step| match step {
                Step::Entry(node) => self.show(ui, walk.mount(), walk.path(), node.ino, &pattern),
                Step::Left(_) => Ok(()),
            })
        })
    }
}

impl Getfattr {
    fn show(&self, ui: &mut Ui<'_>, mount: &Mount, path: &[u8], ino: Ino, pattern: &NamePattern) -> Done {
        let failed = |error: LvError| match &error {
            LvError::NoXattr { name, .. } => {
                Failure::new(format!("{}: {}: No such attribute", mount.shown(path), show::name(name)))
            }
            _ => mount.failure(path, &error),
        };
        let names = match &self.name {
            Some(name) => vec![name.as_bytes().to_vec()],
            None => mount.volume.listxattr(ino).map_err(failed)?,
        };
        let mut lines = String::new();
        for name in names.iter().filter(|name| self.name.is_some() || pattern.fits(name)) {
            if !self.dump && self.name.is_none() && !self.only_values {
                lines.extend([show::name(name).as_str(), "\n"]);
                continue;
            }
            let value = mount.volume.getxattr(ino, name).map_err(failed)?;
            if self.only_values {
                ui.raw(&value);
            } else {
                lines.extend([&show::name(name), "=", &encode(&value, self.encoding), "\n"]);
            }
        }
        if !lines.is_empty() {
            ui.raw(format!("# file: {}\n{lines}\n", mount.shown(path)).as_bytes());
        }
        Ok(())
    }
}
