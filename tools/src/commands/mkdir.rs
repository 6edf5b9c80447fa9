//! `mkdir`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Ino, Kind, LvError, NewNode};

use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::volume::{Mount, owned, parts};
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Mkdir>("Make directories in a logical volume");

/// Make directories in a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "mkdir", version, disable_version_flag = true)]
pub(crate) struct Mkdir {
    /// The directories
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Make those above as well; what exists is fine
    #[arg(short, long)]
    parents: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Mkdir {
    const NAME: &'static str = "mkdir";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        filing::each(ui, (Self::NAME, true), &self.paths, &self.common, |_, mount, path| {
            if self.parents { make_all(mount, path) } else { make(mount, path) }
        })
    }
}

fn make(mount: &Mount, path: &[u8]) -> Done {
    let place = mount.place(path, false)?;
    let Some(name) = place.name else { return Err(Failure::new(format!("{}: File exists", mount.shown(path)))) };
    let made = mount.volume.mkdir(place.dir, &name, &owned(NewNode::directory(0o755)));
    made.map(drop).map_err(|error| mount.failure(path, &error))
}

/// Part by part; a link to a directory counts as one.
fn make_all(mount: &Mount, path: &[u8]) -> Done {
    let mut done: Vec<u8> = Vec::new();
    let mut dir = Ino::ROOT;
    for part in parts(path) {
        done.push(b'/');
        done.extend_from_slice(&part);
        let made = if part == b".." {
            mount.resolve(&done)?
        } else {
            match mount.volume.mkdir(dir, &part, &owned(NewNode::directory(0o755))) {
                Err(LvError::Exists { .. }) => mount.resolve(&done)?,
                other => other.map_err(|error| mount.failure(&done, &error))?,
            }
        };
        if made.kind != Kind::Directory {
            return Err(Failure::new(format!("{}: Not a directory", mount.shown(&done))));
        }
        dir = made.ino;
    }
    Ok(())
}
