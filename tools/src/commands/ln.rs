//! `ln`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use anyfs_lvm::lv::{Kind, NewNode};

use super::Entry;
use super::filing::{Mounts, inside};
use super::naming::{Given, Goal, Named, Reading, name, same_volume};
use crate::args::{Common, FilePath, file_path};
use crate::cli::Verb;
use crate::failure::{Done, Failure};
use crate::files::Side;
use crate::files::volume::{Mount, owned, parts};
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Ln>("Make links in a logical volume");

/// Why a link cannot leave its volume.
const ELSEWHERE: &str = "links lead to files of their own volume only; copy with cp";

/// Make links in a logical volume
///
/// Without -s, one more name of a file that is there. With -s, a symbolic link: TARGET is any text, resolved in the
/// link's directory when it does not begin with /; VG/LV:/PATH of the same volume stands for /PATH.
#[derive(Debug, clap::Parser)]
#[command(name = "ln", version, disable_version_flag = true)]
pub(crate) struct Ln {
    /// What to link to, then the link's name or the directory to put links into
    #[arg(required = true, num_args = 2.., value_name = "TARGET.. VG/LV:/PATH")]
    paths: Vec<OsString>,
    /// Symbolic links
    #[arg(short, long)]
    symbolic: bool,
    /// A symbolic link to a directory, as the last path, is a name
    #[arg(short, long)]
    no_dereference: bool,
    /// The last path is a new name, even where a directory has it
    #[arg(short = 'T', long)]
    no_target_directory: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Ln {
    const NAME: &'static str = "ln";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let session = Session::new(&self.common)?;
        let mut mounts = Mounts::new(&session, true)?;
        let done = self.link_all(ui, &mut mounts);
        done.and(mounts.close())
    }
}

impl Ln {
    fn link_all(&self, ui: &mut Ui<'_>, mounts: &mut Mounts<'_>) -> Done {
        let Some((link, targets)) = self.paths.split_last() else {
            return Err(Failure::usage(Self::NAME, "Say what to link to, and the link's name."));
        };
        let several = targets.len() > 1;
        if several && self.no_target_directory {
            return Err(Failure::usage(Self::NAME, "Give two paths with --no-target-directory."));
        }
        let (volume, path) = inside(Self::NAME, link)?;
        let mount = mounts.get(ui, &volume)?;
        let reading = Reading { several, exact: self.no_target_directory, link: self.no_dereference };
        let goal = Goal::new(&mount, &path, reading)?;
        let mut given = Given::default();
        ui.each(targets, |ui, target| {
            let made = if self.symbolic {
                self.symbolic(&mount, target, &goal, &given)?
            } else {
                self.hard(&mount, target, &goal, &given)?
            };
            let to = crate::files::show::name(target.as_bytes());
            ui.detail(&format!("{} -> {to}", mount.shown(&made.path)));
            given.remember(made);
            Ok(())
        })
    }

    fn symbolic(&self, mount: &Mount, target: &OsStr, goal: &Goal, given: &Given) -> Done<Named> {
        let text = match file_path(target) {
            FilePath::Host(_) => target.as_bytes().to_vec(),
            FilePath::Volume(..) => same_volume(Self::NAME, target, &mount.name, ELSEWHERE)?,
        };
        let last = parts(&text).pop().unwrap_or_default();
        let link = goal.named(&last);
        check(mount, &link, given)?;
        if self.replaces(mount, &link)? {
            let shown = mount.shown(&link.path);
            mount.make_link(&link.dir, &link.name, &text, None).map_err(|trouble| trouble.about(&shown))?;
        } else {
            let made = mount.volume.symlink(link.dir, &link.name, &text, &owned(NewNode::file(0o777)));
            made.map_err(|error| mount.failure(&link.path, &error))?;
        }
        Ok(link)
    }

    fn hard(&self, mount: &Mount, target: &OsStr, goal: &Goal, given: &Given) -> Done<Named> {
        let path = same_volume(Self::NAME, target, &mount.name, ELSEWHERE)?;
        let shown = mount.shown(&path);
        let from = name(mount, &path, "link to")?;
        let found = from.find(mount)?.ok_or_else(|| Failure::new(format!("{shown}: No such file or directory")))?;
        if found.kind == Kind::Directory {
            return Err(Failure::new(format!("{shown}: a directory cannot have a second name")).hint("use ln -s"));
        }
        if from.wants_directory() {
            return Err(Failure::new(format!("{shown}: Not a directory")));
        }
        let link = goal.named(&from.name);
        check(mount, &link, given)?;
        if from.pair() == link.pair() && self.common.force > 0 {
            return Err(Failure::new(format!("{shown} and {} are the same file", mount.shown(&link.path))));
        }
        if self.replaces(mount, &link)? {
            let made = mount.make_hard_link((&from.dir, &from.name), (&link.dir, &link.name));
            made.map_err(|trouble| trouble.about(&mount.shown(&link.path)))?;
        } else {
            let made = mount.volume.link(found.ino, link.dir, &link.name);
            made.map_err(|error| mount.failure(&link.path, &error))?;
        }
        Ok(link)
    }

    /// Whether something has the name and may go.
    fn replaces(&self, mount: &Mount, link: &Named) -> Done<bool> {
        if self.common.force == 0 {
            return Ok(false);
        }
        match link.find(mount)? {
            Some(old) if old.kind == Kind::Directory => {
                Err(Failure::new(format!("{}: Is a directory", mount.shown(&link.path))))
            }
            old => Ok(old.is_some()),
        }
    }
}

/// Refuses what is no name for a link, or was made a moment ago.
fn check(mount: &Mount, link: &Named, given: &Given) -> Done {
    given.check(mount, link)?;
    // Nothing that ln makes is a directory.
    if link.wants_directory() || link.name.is_empty() || link.name == b".." {
        return Err(Failure::new(format!("{}: not a name for a link", mount.shown(&link.path))));
    }
    Ok(())
}
