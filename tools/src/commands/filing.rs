//! What the file commands have in common.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};

use anyfs_lvm::lv::{Attr, Ino, Kind, NewNode};

use crate::args::{Common, FilePath, LvName, file_path, lv_name};
use crate::failure::{Done, Failure, code};
use crate::files::stop::Stop;
use crate::files::volume::{self, Mount};
use crate::files::walk::{Step, Walk};
use crate::files::{Meta, Trouble, host};
use crate::mounting::Use;
use crate::session::Session;
use crate::ui::Ui;

/// Does `run` with each path inside a volume that the arguments name; then volumes opened to `write` are made durable, and
/// all are closed.
pub(crate) fn each(
    ui: &mut Ui<'_>,
    about: (&str, bool),
    paths: &[OsString],
    common: &Common,
    mut run: impl FnMut(&mut Ui<'_>, &Mount, &[u8]) -> Done,
) -> Done {
    each_after(ui, about, paths, common, |_, _| Ok(()), |ui, mount, path, ()| run(ui, mount, path))
}

/// The same, with something that other files than those have to say first: those that options name.
pub(crate) fn each_after<T>(
    ui: &mut Ui<'_>,
    (command, write): (&str, bool),
    paths: &[OsString],
    common: &Common,
    first: impl FnOnce(&mut Ui<'_>, &mut Mounts<'_>) -> Done<T>,
    mut run: impl FnMut(&mut Ui<'_>, &Mount, &[u8], &T) -> Done,
) -> Done {
    let session = Session::new(common)?;
    let mut mounts = Mounts::new(&session, write)?;
    let done = first(ui, &mut mounts).and_then(|known| {
        ui.each(paths, |ui, path| {
            let (name, path) = inside(command, path)?;
            let mount = mounts.get(ui, &name)?;
            run(ui, &mount, &path, &known)
        })
    });
    done.and(mounts.close())
}

/// What is known of the file that an option names, on the host or in a volume; a last symbolic link is followed when
/// `follow`.
pub(crate) fn reference(ui: &mut Ui<'_>, mounts: &mut Mounts<'_>, text: &OsStr, follow: bool) -> Done<Meta> {
    match file_path(text) {
        FilePath::Volume(name, path) => {
            let mount = mounts.get(ui, &name)?;
            let found = mount.volume.resolve(&path, follow).map_err(|error| mount.failure(&path, &error))?;
            Ok(volume::meta_of(&found))
        }
        FilePath::Host(path) => {
            let found = if follow { std::fs::metadata(&path) } else { std::fs::symlink_metadata(&path) };
            let found = found.map_err(|error| Trouble::from(error).about(&crate::picture::shown(&path)))?;
            Ok(host::meta_of(&found))
        }
    }
}

/// Failures of one walk told one by one: where everything fails, more lines help nobody.
const TOLD: usize = 100;

/// Does `act` at each step of a walk, goes on after failures, and ends when nobody reads any more or `stop` says so.
pub(super) fn walk(
    ui: &mut Ui<'_>,
    mut walk: Walk<'_>,
    stop: Option<&Stop>,
    mut act: impl FnMut(&mut Ui<'_>, &mut Walk<'_>, Step) -> Done,
) -> Done {
    let mut worst = code::OK;
    let mut told = 0usize;
    while let Some(step) = walk.next().filter(|_| !ui.closed()) {
        if let Some(stop) = stop {
            stop.check()?;
        }
        if let Err(failure) = step.and_then(|step| act(ui, &mut walk, step)) {
            worst = worst.max(failure.code);
            told = told.saturating_add(1);
            match told.cmp(&TOLD) {
                Ordering::Less => ui.failure(&failure),
                Ordering::Equal => ui.complain("... and more like these"),
                Ordering::Greater => {}
            }
        }
    }
    if worst == code::OK { Ok(()) } else { Err(Failure::silent(worst)) }
}

/// Whether a path ends in `.`, which names a directory without saying where it hangs.
pub(super) fn ends_in_dot(path: &[u8]) -> bool {
    path.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty()) == Some(b".")
}

/// The volume and path of an argument that must be inside a volume.
pub(crate) fn inside(command: &str, text: &OsStr) -> Done<(LvName, Vec<u8>)> {
    match file_path(text) {
        FilePath::Volume(name, path) => Ok((name, path)),
        FilePath::Host(path) => {
            let shown = crate::picture::shown(&path);
            let failure = Failure::usage(command, format!("{shown}: not a path inside a logical volume."));
            Err(failure.hint("write it as VG/LV:/path"))
        }
    }
}

/// The volume and path of an argument that is a volume or a path inside one.
pub(super) fn volume(command: &str, text: &OsStr) -> Done<(LvName, Vec<u8>)> {
    match text.to_str().and_then(lv_name) {
        Some(name) if !name.lv.ends_with(':') => Ok((name, b"/".to_vec())),
        _ => inside(command, text),
    }
}

/// Refuses test mode, for commands that change files: what they would do cannot be tried out.
pub(super) fn for_real(session: &Session) -> Done {
    if !session.test {
        return Ok(());
    }
    let line = "Test mode is not possible for commands that change files; nothing was changed.";
    Err(Failure { code: code::USAGE, lines: vec![line.to_owned()], hint: Some("leave out -t".to_owned()) })
}

/// Volumes opened once each, however many arguments name them.
#[derive(Debug)]
pub(crate) struct Mounts<'a> {
    session: &'a Session,
    write: bool,
    open: Vec<Mount>,
}

impl<'a> Mounts<'a> {
    /// None yet. `write`: volumes are opened for writing, which nobody can try out.
    pub(crate) fn new(session: &'a Session, write: bool) -> Done<Self> {
        if write {
            for_real(session)?;
        }
        Ok(Self { session, write, open: Vec::new() })
    }

    /// The volume of that name.
    pub(crate) fn get(&mut self, ui: &mut Ui<'_>, name: &LvName) -> Done<Mount> {
        self.get_to(ui, name, if self.write { Use::Write } else { Use::Read })
    }

    /// The volume of that name, for what its first use asks for.
    pub(crate) fn get_to(&mut self, ui: &mut Ui<'_>, name: &LvName, wanted: Use) -> Done<Mount> {
        if let Some(mount) = self.open.iter().find(|mount| mount.name == *name) {
            return Ok(mount.clone());
        }
        let mount = self.session.mount(ui, name, wanted)?;
        self.open.push(mount.clone());
        Ok(mount)
    }

    /// Makes everything durable and closes the volumes.
    pub(crate) fn close(self) -> Done {
        let mut result = Ok(());
        for mount in self.open {
            if self.write {
                result = result.and(mount.sync());
            }
            result = result.and(mount.close());
        }
        result
    }
}

/// The regular file that a path leads to.
pub(crate) fn regular(mount: &Mount, path: &[u8]) -> Done<Attr> {
    let attr = mount.resolve(path)?;
    match attr.kind {
        Kind::File => Ok(attr),
        Kind::Directory => Err(Failure::new(format!("{}: Is a directory", mount.shown(path)))),
        _ => Err(Failure::new(format!("{}: Not a regular file", mount.shown(path)))),
    }
}

/// Makes an empty file where a path leads; of a symbolic link to nothing that is its target.
pub(super) fn make_file(mount: &Mount, path: &[u8]) -> Done<Attr> {
    let place = mount.place(path, true)?;
    let Some(name) = place.name else { return Err(Failure::new(format!("{}: Is a directory", mount.shown(path)))) };
    let made = mount.volume.create(place.dir, &name, &volume::owned(NewNode::file(0o644)));
    made.map_err(|error| mount.failure(path, &error))
}

/// Reads a file from start to end in pieces.
pub(crate) fn pieces(mount: &Mount, path: &[u8], ino: Ino, mut take: impl FnMut(&[u8]) -> bool) -> Done {
    let mut buffer = vec![0; 256 * 1024];
    let mut at = 0;
    loop {
        let count = mount.volume.read(ino, at, &mut buffer).map_err(|error| mount.failure(path, &error))?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        if !take(bytes) {
            return Ok(());
        }
        at = at.saturating_add(u64::try_from(count).unwrap_or(0));
    }
}
