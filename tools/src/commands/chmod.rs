//! `chmod`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Ino, Kind, SetAttr};
use rustix::fs::Mode;

use super::{Entry, filing};
use crate::args::{Common, ModeArg, mode};
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::stop::Stop;
use crate::files::volume::Mount;
use crate::files::walk::{Step, Walk};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Chmod>("Change permissions in a logical volume");

/// Change permissions in a logical volume
///
/// MODE is octal (0644, 4755) or symbolic (u=rwX,go-w; without u, g, o or a it is for all and heeds the umask). What a
/// symbolic link leads to is changed; links that -R meets are left alone.
#[derive(Debug, clap::Parser)]
#[command(name = "chmod", version, disable_version_flag = true)]
pub(crate) struct Chmod {
    /// The permissions, or how they change
    #[arg(allow_hyphen_values = true)]
    mode: String,
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Directories with all they contain
    #[arg(short = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Chmod {
    const NAME: &'static str = "chmod";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let mode = mode(&self.mode, umask())?;
        let stop = Stop::watch()?;
        filing::each(ui, (Self::NAME, true), &self.paths, &self.common, |ui, mount, path| {
            let found = mount.resolve(path)?;
            if !self.recursive {
                return change(mount, path, found.ino, &mode);
            }
            filing::walk(ui, Walk::new(mount, path, &found), Some(&stop), |_, walk, step| match step {
                Step::Entry(node) if node.kind != Kind::Symlink => change(walk.mount(), walk.path(), node.ino, &mode),
                _ => Ok(()),
            })
        })
    }
}

fn change(mount: &Mount, path: &[u8], ino: Ino, mode: &ModeArg) -> Done {
    let changed = mount.volume.getattr(ino).and_then(|attr| {
        let mode = mode.apply(attr.mode, attr.kind == Kind::Directory);
        mount.volume.setattr(ino, &SetAttr { mode: Some(mode), ..SetAttr::default() })
    });
    changed.map(drop).map_err(|error| mount.failure(path, &error))
}

/// The umask: it can only be read by setting it.
fn umask() -> u32 {
    let umask = rustix::process::umask(Mode::from_raw_mode(0o077));
    rustix::process::umask(umask);
    umask.as_raw_mode()
}
