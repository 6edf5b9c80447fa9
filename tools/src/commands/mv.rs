//! `mv`.

use std::ffi::{OsStr, OsString};

use anyfs_lvm::lv::{Kind, Rename};

use super::Entry;
use super::filing::{Mounts, inside};
use super::naming::{Given, Goal, Named, Reading, name, same_volume};
use crate::args::Common;
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::volume::{Mount, about_arguments};
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Mv>("Rename and move files of a logical volume");

/// What leads to other volumes and to the host.
const ELSEWHERE: &str = "mv renames within one logical volume; elsewhere: cp -a, and then rm -r";

/// Rename and move files of a logical volume
///
/// A file is replaced in one step: after a crash its name leads to the old one or the new one. Within one volume only;
/// to other volumes and the host, copy with cp -a and then remove with rm -r.
#[derive(Debug, clap::Parser)]
#[command(name = "mv", version, disable_version_flag = true)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the command line")]
pub(crate) struct Mv {
    /// What to move, then a new name or the directory to move into
    #[arg(required = true, num_args = 2.., value_name = "VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Replace nothing; what would is left where it is
    #[arg(short, long)]
    no_clobber: bool,
    /// Ask before something is replaced
    #[arg(short, long, conflicts_with = "no_clobber")]
    interactive: bool,
    /// The last path is a new name, even where a directory has it
    #[arg(short = 'T', long)]
    no_target_directory: bool,
    /// Let the two paths change places
    #[arg(long, conflicts_with_all = ["no_clobber", "interactive"])]
    exchange: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Mv {
    const NAME: &'static str = "mv";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let mut mounts = Mounts::new(&session, true)?;
        let done = self.move_all(ui, &mut mounts);
        done.and(mounts.close())
    }
}

impl Mv {
    fn move_all(&self, ui: &mut Ui<'_>, mounts: &mut Mounts<'_>) -> Done {
        let Some((target, sources)) = self.paths.split_last() else {
            return Err(Failure::usage(Self::NAME, "Say what to move, and where to."));
        };
        let several = sources.len() > 1;
        if several && (self.no_target_directory || self.exchange) {
            return Err(Failure::usage(Self::NAME, "Give two paths with --no-target-directory and --exchange."));
        }
        let (volume, path) = inside(Self::NAME, target).map_err(|failure| failure.hint(ELSEWHERE))?;
        let mount = mounts.get(ui, &volume)?;
        let reading = Reading { several, exact: self.no_target_directory || self.exchange, link: false };
        let goal = Goal::new(&mount, &path, reading)?;
        let mut given = Given::default();
        ui.each(sources, |ui, source| self.move_one(ui, &mount, source, &goal, &mut given))
    }

    fn move_one(&self, ui: &mut Ui<'_>, mount: &Mount, source: &OsStr, goal: &Goal, given: &mut Given) -> Done {
        let path = same_volume(Self::NAME, source, &mount.name, ELSEWHERE)?;
        let from = name(mount, &path, "move")?;
        let to = goal.named(&from.name);
        let found = from.find(mount)?;
        let found = found.ok_or_else(|| Failure::new(format!("{}: No such file or directory", mount.shown(&path))))?;
        let wanting = [&from, &to].into_iter().find(|name| name.wants_directory());
        if let Some(name) = wanting.filter(|_| found.kind != Kind::Directory) {
            return Err(Failure::new(format!("{}: Not a directory", mount.shown(&name.path))));
        }
        given.check(mount, &to)?;
        let old = to.find(mount)?;
        if old.is_some_and(|old| old.ino == found.ino) && !self.exchange {
            return self.same(ui, mount, &from, &to);
        }
        if old.is_some() && !self.exchange && !self.replaces(ui, &mount.shown(&to.path)) {
            return Ok(());
        }
        self.rename(mount, &from, &to)?;
        ui.detail(&format!("{} -> {}", mount.shown(&from.path), mount.shown(&to.path)));
        given.remember(to);
        Ok(())
    }

    fn rename(&self, mount: &Mount, from: &Named, to: &Named) -> Done {
        let how = match (self.exchange, self.no_clobber) {
            (true, _) => Rename::Exchange,
            (_, true) => Rename::Keep,
            _ => Rename::Replace,
        };
        mount.volume.rename(from.pair(), to.pair(), how).map_err(|error| match about_arguments(&error) {
            Some(what) => Failure::new(format!("{}: {what}", mount.shown(&from.path))),
            None => mount.failure(&to.path, &error),
        })
    }

    /// Two names of one file: the old one goes, as if its file had replaced the other.
    fn same(&self, ui: &mut Ui<'_>, mount: &Mount, from: &Named, to: &Named) -> Done {
        let (old, new) = (mount.shown(&from.path), mount.shown(&to.path));
        if from.pair() == to.pair() {
            return Err(Failure::new(format!("{old} and {new} are the same file")));
        }
        if !self.replaces(ui, &new) {
            return Ok(());
        }
        mount.volume.unlink(from.dir, &from.name).map_err(|error| mount.failure(&from.path, &error))
    }

    /// Whether something that is there may go.
    fn replaces(&self, ui: &mut Ui<'_>, shown: &str) -> bool {
        let ask = self.interactive && self.common.force == 0;
        !self.no_clobber && (!ask || ui.confirm(&format!("Replace {shown}? [y/n]: ")))
    }
}
