//! `rm`.

use std::ffi::OsString;

use anyfs_lvm::lv::{Ino, Kind};

use super::{Entry, filing};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::stop::Stop;
use crate::files::volume::Mount;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Rm>("Remove files of a logical volume");

/// Remove files of a logical volume
#[derive(Debug, clap::Parser)]
#[command(name = "rm", version, disable_version_flag = true)]
pub(crate) struct Rm {
    /// The files
    #[arg(required = true, value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Directories with all they contain
    #[arg(short, short_alias = 'R', long)]
    recursive: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Rm {
    const NAME: &'static str = "rm";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let stop = Stop::watch()?;
        filing::each(ui, (Self::NAME, true), &self.paths, &self.common, |_, mount, path| {
            self.remove(mount, path, &stop)
        })
    }
}

/// A directory on the way out: its place and what is left of its entries.
struct Level {
    parent: Ino,
    name: Vec<u8>,
    ino: Ino,
    left: Vec<(Vec<u8>, Ino, Kind)>,
}

impl Rm {
    fn remove(&self, mount: &Mount, path: &[u8], stop: &Stop) -> Done {
        let failed = |error| mount.failure(path, &error);
        if filing::ends_in_dot(path) {
            return Err(Failure::new(format!("{}: refusing to remove '.'", mount.shown(path))));
        }
        let place = mount.place(path, false)?;
        let Some(name) = place.name else {
            return Err(Failure::new(format!("{}: refusing to remove this directory", mount.shown(path))));
        };
        let Some(found) = mount.find(place.dir, &name).map_err(failed)? else {
            let missing = Failure::new(format!("{}: No such file or directory", mount.shown(path)));
            return if self.common.force > 0 { Ok(()) } else { Err(missing) };
        };
        if found.kind != Kind::Directory {
            return mount.volume.unlink(place.dir, &name).map_err(failed);
        }
        if !self.recursive {
            let failure = Failure::new(format!("{}: Is a directory", mount.shown(path)));
            return Err(failure.hint("remove it with all it contains: rm -r"));
        }
        tree(mount, Level { parent: place.dir, name, ino: found.ino, left: Vec::new() }, stop, path)
    }
}

/// Depth first without recursion: trees may be of any depth.
fn tree(mount: &Mount, root: Level, stop: &Stop, path: &[u8]) -> Done {
    let failed = |error| mount.failure(path, &error);
    let open = |parent, name, ino| -> Done<Level> {
        let entries = mount.entries(ino).map_err(failed)?;
        let left = entries.into_iter().map(|entry| (entry.name, entry.ino, entry.kind)).collect();
        Ok(Level { parent, name, ino, left })
    };
    let mut levels = vec![open(root.parent, root.name, root.ino)?];
    while let Some(level) = levels.last_mut() {
        stop.check()?;
        let here = level.ino;
        match level.left.pop() {
            // The volume refuses a directory that is not below this one: in a circle nothing is ever empty.
            Some((name, _, Kind::Directory)) => {
                let ino = mount.volume.lookup(here, &name).map_err(failed)?.ino;
                levels.push(open(here, name, ino)?);
            }
            Some((name, ..)) => mount.volume.unlink(here, &name).map_err(failed)?,
            None => {
                mount.volume.rmdir(level.parent, &level.name).map_err(failed)?;
                levels.pop();
            }
        }
    }
    Ok(())
}
