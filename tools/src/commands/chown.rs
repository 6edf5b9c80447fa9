//! `chown`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Ino, SetAttr};

use super::{Entry, filing};
use crate::accounts::Accounts;
use crate::args::{Common, LongHelp, Owner, owner};
use crate::cli::Verb;
use crate::failure::Done;
use crate::files::stop::Stop;
use crate::files::volume::Mount;
use crate::files::walk::{Step, Walk};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Chown>("Change owners in a logical volume");

/// Change owners in a logical volume
///
/// OWNER is OWNER, OWNER:GROUP, OWNER: (with the group of the owner's login) or :GROUP, by the names of this host or by
/// number. What is no directory loses its set-id bits and capabilities, as everywhere. Links that -R meets change
/// themselves.
#[derive(Debug, clap::Parser)]
#[command(name = "chown", version, disable_version_flag = true, disable_help_flag = true)]
pub(crate) struct Chown {
    /// The owner, the group or both
    #[arg(value_name = "OWNER[:GROUP]")]
    owner: String,
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Directories with all they contain
    #[arg(short = 'R', long)]
    recursive: bool,
    /// Symbolic links themselves, not what they lead to
    #[arg(short = 'h', long)]
    no_dereference: bool,
    #[command(flatten)]
    help: LongHelp,
    #[command(flatten)]
    common: Common,
}

impl Verb for Chown {
    const NAME: &'static str = "chown";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let owner = owner(&self.owner, &mut Accounts::default())?;
        let stop = Stop::watch()?;
        filing::each(ui, (Self::NAME, true), &self.paths, &self.common, |ui, mount, path| {
            let follow = path.ends_with(b"/") || !(self.no_dereference || self.recursive);
            let found = mount.volume.resolve(path, follow).map_err(|error| mount.failure(path, &error))?;
            if !self.recursive {
                return change(mount, path, found.ino, owner);
            }
            filing::walk(ui, Walk::new(mount, path, &found), Some(&stop), |_, walk, step| match step {
                Step::Entry(node) => change(walk.mount(), walk.path(), node.ino, owner),
                Step::Left(_) => Ok(()),
            })
        })
    }
}

fn change(mount: &Mount, path: &[u8], ino: Ino, owner: Owner) -> Done {
    let set = SetAttr { uid: owner.uid, gid: owner.gid, ..SetAttr::default() };
    mount.volume.setattr(ino, &set).map(drop).map_err(|error| mount.failure(path, &error))
}
