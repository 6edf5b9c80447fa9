//! `cp`.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyfs_lvm::lv::Ino;

use super::Entry;
use super::filing::Mounts;
use crate::args::{Common, FilePath, LvName, file_path};
use crate::cli::Verb;
use crate::failure::{Done, Failure, code};
use crate::files::copy::{Item, Options, copy};
use crate::files::host::{Host, meta_of};
use crate::files::progress::Progress;
use crate::files::stop::Stop;
use crate::files::volume::Mount;
use crate::files::{Kind, Side, Trouble};
use crate::mounting::Use;
use crate::session::Session;
use crate::ui::Ui;

/// Table entry.
pub(crate) const ENTRY: Entry = Entry::of::<Cp>("Copy files into, out of and between logical volumes");

/// Copy files into, out of and between logical volumes
///
/// Returns when everything is durable. Interrupted, it leaves whole files only.
#[derive(Debug, clap::Parser)]
#[command(name = "cp", version, disable_version_flag = true)]
pub(crate) struct Cp {
    /// What to copy, then where to: host paths and VG/LV:/PATH
    #[arg(required = true, num_args = 2.., value_name = "PATH")]
    paths: Vec<OsString>,
    /// Directories with all they contain
    #[arg(short, short_alias = 'R', long)]
    recursive: bool,
    /// As -r, and keep owner, mode, times, extended attributes, hard links, pipes and devices
    #[arg(short, long)]
    archive: bool,
    /// Leave out files that are there with the same size and time (goes on with a copy made by -a)
    #[arg(short, long)]
    update: bool,
    #[command(flatten)]
    common: Common,
}

impl Verb for Cp {
    const NAME: &'static str = "cp";

    fn common(&self) -> &Common {
        &self.common
    }

    fn run(self, ui: &mut Ui<'_>) -> Done {
        let Some((target, sources)) = self.paths.split_last() else {
            return Err(Failure::usage(Self::NAME, "Say what to copy, and where to."));
        };
        let session = Session::new(&self.common)?;
        let mut mounts = Mounts::new(&session, true)?;
        let result = self.copy_all(ui, &mut mounts, sources, target);
        let closed = mounts.close();
        result.and(closed)
    }
}

/// The destination: a directory to copy into, or a new name in one.
struct Into<D> {
    dir: D,
    /// `None`: names are kept.
    name: Option<Vec<u8>>,
}

impl Cp {
    fn tree(&self) -> bool {
        self.recursive || self.archive
    }

    fn copy_all(&self, ui: &mut Ui<'_>, mounts: &mut Mounts<'_>, sources: &[OsString], target: &OsStr) -> Done {
        let several = sources.len() > 1;
        let mut found = Sources { host: Vec::new(), volumes: Vec::new(), worst: code::OK };
        let goal = match file_path(target) {
            FilePath::Volume(name, _) => Some(name),
            FilePath::Host(_) => None,
        };
        // What cannot be copied to is told once, whatever is to be copied.
        goal.as_ref().map(|name| mounts.get(ui, name)).transpose()?;
        for source in sources {
            if let Err(failure) = self.find(ui, mounts, (source, goal.as_ref()), &mut found) {
                ui.failure(&failure);
                found.worst = found.worst.max(failure.code);
            }
        }
        if found.host.is_empty() && found.volumes.is_empty() {
            // Nothing is left to be copied: what is wrong with the target besides need not be told.
            return Err(Failure::silent(found.worst));
        }
        let stop = Stop::watch()?;
        let mut worst = found.worst;
        match file_path(target) {
            FilePath::Volume(name, path) => {
                let mount = mounts.get(ui, &name)?;
                let into = inside(&mount, &path, several)?;
                worst = worst.max(self.run(ui, &stop, (&Host, &mount), found.host, &into)?);
                for (from, mut sources) in found.volumes {
                    let never = (from.name == name).then_some(into.dir);
                    for source in &mut sources {
                        source.never = never;
                    }
                    worst = worst.max(self.run(ui, &stop, (&from, &mount), sources, &into)?);
                }
            }
            FilePath::Host(path) => {
                if !found.host.is_empty() {
                    let failure = Failure::usage(Self::NAME, "Neither path is inside a logical volume.");
                    return Err(failure.hint("write paths inside one as VG/LV:/path"));
                }
                let into = outside(&path, several)?;
                for (from, sources) in found.volumes {
                    worst = worst.max(self.run(ui, &stop, (&from, &Host), sources, &into)?);
                }
            }
        }
        stop.check()?;
        if worst == code::OK { Ok(()) } else { Err(Failure::silent(worst)) }
    }

    /// Finds a source; what lies in the volume that is copied to is opened for writing at once.
    fn find(
        &self,
        ui: &mut Ui<'_>,
        mounts: &mut Mounts<'_>,
        (source, goal): (&OsStr, Option<&LvName>),
        found: &mut Sources,
    ) -> Done {
        match file_path(source) {
            FilePath::Host(path) => found.host.push(host_source(&path, self.tree())?),
            FilePath::Volume(name, path) => {
                let wanted = if goal == Some(&name) { Use::Write } else { Use::Read };
                let mount = mounts.get_to(ui, &name, wanted)?;
                let source = volume_source(&mount, &path, self.tree())?;
                match found.volumes.iter_mut().find(|(known, _)| known.name == name) {
                    Some((_, sources)) => sources.push(source),
                    None => found.volumes.push((mount, vec![source])),
                }
            }
        }
        Ok(())
    }

    /// Copies from one side to another; the highest exit code of what was reported.
    fn run<S: Side, D: Side>(
        &self,
        ui: &mut Ui<'_>,
        stop: &Stop,
        (source, target): (&S, &D),
        sources: Vec<Source<S::Dir>>,
        into: &Into<D::Dir>,
    ) -> Done<u8> {
        let mut worst = code::OK;
        let mut items = Vec::new();
        let mut names = HashSet::new();
        for what in sources {
            // Files are copied at the same time: of two with one name, chance would decide. Directories flow together.
            let again = !what.directory && what.name.as_ref().is_some_and(|name| !names.insert(name.clone()));
            let shown = what.shown.clone();
            let item = self.item(target, what, into).and_then(|item| {
                let twice = || Failure::new(format!("{shown}: an earlier source has the same name; left out"));
                if again { Err(twice()) } else { Ok(item) }
            });
            match item {
                Ok(item) => items.push(item),
                Err(failure) => {
                    ui.failure(&failure);
                    worst = worst.max(failure.code);
                }
            }
        }
        if items.is_empty() {
            return Ok(worst);
        }
        let progress = Progress::new(ui.manner.quiet == 0);
        let options = Options { archive: self.archive, update: self.update, workers: workers() };
        let failures = copy(source, target, items, options, (&progress, stop));
        let synced = target.sync(std::slice::from_ref(&into.dir)).map_err(|trouble: Trouble| trouble.about("sync"));
        let total = progress.finish();
        for failure in &failures {
            ui.failure(failure);
            worst = worst.max(failure.code);
        }
        synced?;
        ui.detail(&total.text());
        Ok(worst)
    }

    fn item<S: Side, D: Side>(&self, target: &D, what: Source<S::Dir>, into: &Into<D::Dir>) -> Done<Item<S, D>> {
        if what.directory && !self.tree() {
            let failure = Failure::new(format!("{}: is a directory; left out", what.shown));
            return Err(failure.hint("copy it with all it contains: cp -r"));
        }
        let dir = into.dir.clone();
        let (to, new_name) = match (&into.name, &what.name) {
            (Some(name), Some(_)) | (None, Some(name)) => (dir, name.clone()),
            // What a root contains goes below a new directory of that name.
            (Some(name), None) => (target.make_dir(&dir, name, 0o755).map_err(|t| t.about(&what.shown))?, Vec::new()),
            (None, None) => (dir, Vec::new()),
        };
        Ok(Item { from: what.dir, name: what.name, to, new_name, never: what.never })
    }
}

/// Everything to copy, by side.
struct Sources {
    host: Vec<Source<Arc<Path>>>,
    volumes: Vec<(Mount, Vec<Source<Ino>>)>,
    worst: u8,
}

/// Reading and writing wait for different things, so there are more workers than processors.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(4, |n| n.get().saturating_mul(2)).clamp(2, 16)
}

/// What is copied.
struct Source<D> {
    dir: D,
    name: Option<Vec<u8>>,
    directory: bool,
    shown: String,
    never: Option<D>,
}

fn host_source(path: &Path, tree: bool) -> Done<Source<Arc<Path>>> {
    let shown = crate::picture::shown(path);
    let failed = |error: std::io::Error| Trouble::from(error).about(&shown);
    // A copied tree keeps links as they are; a single file is what the link leads to.
    let found = if tree { std::fs::symlink_metadata(path) } else { std::fs::metadata(path) }.map_err(failed)?;
    let directory = meta_of(&found).kind == Kind::Directory;
    let real = if tree { path.to_owned() } else { std::fs::canonicalize(path).map_err(failed)? };
    let named = real.file_name().map(|name| name.as_bytes().to_vec());
    // "DIR/." means what DIR contains; a path in Rust has lost the dot.
    let contents = path.as_os_str().as_bytes().ends_with(b"/.");
    match (named, real.parent()) {
        (Some(name), Some(parent)) if !contents => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok(Source { dir: parent.into(), name: Some(name), directory, shown, never: None })
        }
        _ => Ok(Source { dir: real.into(), name: None, directory: true, shown, never: None }),
    }
}

fn volume_source(mount: &Mount, path: &[u8], tree: bool) -> Done<Source<Ino>> {
    let shown = mount.shown(path);
    let place = mount.place(path, !tree)?;
    let Some(name) = place.name else {
        return Ok(Source { dir: place.dir, name: None, directory: true, shown, never: None });
    };
    let found = mount.entry(&place.dir, &name).map_err(|trouble| trouble.about(&shown))?;
    let found = found.ok_or_else(|| Failure::new(format!("{shown}: No such file or directory")))?;
    let directory = found.kind == Kind::Directory;
    if directory && path.ends_with(b"/.") {
        let dir = mount.enter(&place.dir, &name).map_err(|trouble| trouble.about(&shown))?;
        return Ok(Source { dir, name: None, directory, shown, never: None });
    }
    Ok(Source { dir: place.dir, name: Some(name), directory, shown, never: None })
}

/// A destination in a volume.
fn inside(mount: &Mount, path: &[u8], several: bool) -> Done<Into<Ino>> {
    match mount.volume.resolve(path, true) {
        Ok(found) if found.kind == anyfs_lvm::lv::Kind::Directory => Ok(Into { dir: found.ino, name: None }),
        Ok(_) if several || path.ends_with(b"/") => {
            Err(Failure::new(format!("{}: Not a directory", mount.shown(path))))
        }
        Err(_) if several => Err(Failure::new(format!("{}: No such directory", mount.shown(path)))),
        _ => {
            let place = mount.place(path, true)?;
            Ok(Into { dir: place.dir, name: place.name })
        }
    }
}

/// A destination on the host.
fn outside(path: &Path, several: bool) -> Done<Into<Arc<Path>>> {
    let shown = crate::picture::shown(path);
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => return Ok(Into { dir: path.into(), name: None }),
        Ok(_) if several => return Err(Failure::new(format!("{shown}: Not a directory"))),
        Err(_) if several => return Err(Failure::new(format!("{shown}: No such directory"))),
        _ => {}
    }
    // What a link given by the user leads to is written, as cp does; links inside a tree are never followed.
    let real = std::fs::canonicalize(path);
    let path = real.as_deref().unwrap_or(path);
    let name = path.file_name().ok_or_else(|| Failure::new(format!("{shown}: Is a directory")))?;
    let parent =
        path.parent().filter(|dir| !dir.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    match std::fs::metadata(&parent) {
        Ok(found) if found.is_dir() => Ok(Into { dir: parent.into(), name: Some(name.as_bytes().to_vec()) }),
        Ok(_) => Err(Failure::new(format!("{}: Not a directory", crate::picture::shown(&parent)))),
        Err(error) => Err(Trouble::from(error).about(&crate::picture::shown(&parent))),
    }
}
