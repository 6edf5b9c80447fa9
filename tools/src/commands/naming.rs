//! Where `mv` and `ln` put names.

use std::collections::HashSet;
use std::ffi::OsStr;

use anyfs_lvm::lv::{Attr, Ino, Kind, LvError};

use super::filing::{ends_in_dot, inside};
use crate::args::{FilePath, LvName, file_path};
use crate::failure::{Done, Failure};
use crate::files::volume::Mount;

/// How the last argument is understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// More than one thing goes there, so that it must be a directory.
    pub(super) several: bool,
    /// It is a name, even that of a directory.
    pub(super) exact: bool,
    /// A symbolic link to a directory is a name, too.
    pub(super) link: bool,
}

/// What new names go to: a directory, or one name in it.
#[derive(Debug)]
pub(super) struct Goal {
    dir: Ino,
    /// `None`: names are kept.
    name: Option<Vec<u8>>,
    path: Vec<u8>,
}

/// A name in a directory, and its path for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) dir: Ino,
    pub(super) name: Vec<u8>,
    pub(super) path: Vec<u8>,
}

impl Named {
    /// The name as calls of the volume take it.
    pub(super) fn pair(&self) -> (Ino, &[u8]) {
        (self.dir, &self.name)
    }

    /// What has the name.
    pub(super) fn find(&self, mount: &Mount) -> Done<Option<Attr>> {
        mount.find(self.dir, &self.name).map_err(|error| mount.failure(&self.path, &error))
    }

    /// Whether a slash behind it asks for a directory.
    pub(super) fn wants_directory(&self) -> bool {
        self.path.ends_with(b"/") || self.path.ends_with(b"/.")
    }
}

/// The name at the end of a path that must have one; `act` says what is not done without.
pub(super) fn name(mount: &Mount, path: &[u8], act: &str) -> Done<Named> {
    if ends_in_dot(path) {
        return Err(Failure::new(format!("{}: refusing to {act} '.'", mount.shown(path))));
    }
    let place = mount.place(path, false)?;
    match place.name {
        Some(name) => Ok(Named { dir: place.dir, name, path: path.to_vec() }),
        None => Err(Failure::new(format!("{}: refusing to {act} this directory", mount.shown(path)))),
    }
}

impl Goal {
    /// What a path says about where names go.
    pub(super) fn new(mount: &Mount, path: &[u8], reading: Reading) -> Done<Self> {
        if !reading.exact {
            let follow = !reading.link || path.ends_with(b"/");
            match mount.volume.resolve(path, follow) {
                Ok(found) if found.kind == Kind::Directory => {
                    return Ok(Self { dir: found.ino, name: None, path: path.to_vec() });
                }
                Ok(_) if reading.several => {
                    return Err(Failure::new(format!("{}: Not a directory", mount.shown(path))));
                }
                Err(LvError::NotFound { .. }) if reading.several => {
                    return Err(Failure::new(format!("{}: No such directory", mount.shown(path))));
                }
                Err(error) if reading.several => return Err(mount.failure(path, &error)),
                Ok(_) | Err(_) => {}
            }
        }
        let Named { dir, name, path } = name(mount, path, "replace")?;
        Ok(Self { dir, name: Some(name), path })
    }

    /// The name that something called `name` gets.
    pub(super) fn named(&self, name: &[u8]) -> Named {
        if let Some(name) = &self.name {
            return Named { dir: self.dir, name: name.clone(), path: self.path.clone() };
        }
        let above = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        Named { dir: self.dir, name: name.to_vec(), path: [above, name].join(b"/".as_slice()) }
    }
}

/// Names given in this run: two things of one name must not end as one.
#[derive(Debug, Default)]
pub(super) struct Given(HashSet<(Ino, Vec<u8>)>);

impl Given {
    /// Refuses a name that was given a moment ago.
    pub(super) fn check(&self, mount: &Mount, name: &Named) -> Done {
        if self.0.contains(&(name.dir, name.name.clone())) {
            let shown = mount.shown(&name.path);
            return Err(Failure::new(format!("{shown}: was made by this command just now; not replaced")));
        }
        Ok(())
    }

    /// Remembers one.
    pub(super) fn remember(&mut self, name: Named) {
        self.0.insert((name.dir, name.name));
    }
}

/// The path of an argument that must be in the volume `home`; `other` is the way to reach other places.
pub(super) fn same_volume(command: &str, text: &OsStr, home: &LvName, other: &str) -> Done<Vec<u8>> {
    if let FilePath::Volume(name, path) = file_path(text) {
        if name == *home {
            return Ok(path);
        }
        let shown = crate::files::show::name(text.as_encoded_bytes());
        return Err(Failure::new(format!("{shown}: is not in {home}")).hint(other));
    }
    inside(command, text).map(|(_, path)| path).map_err(|failure| failure.hint(other))
}
