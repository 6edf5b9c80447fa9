//! Whether an operation is possible: what a volume with a history must do, and what it must refuse.

use lv::Ino;

use super::History;
use super::op::{FsOp, Place, Together};
use super::snapshot::{Code, DIRECTORY, FILE};

impl History {
    /// Whether an operation is one that must be done, space allowing; otherwise it names something that is not there
    /// or not of the right kind, and must be refused.
    pub fn fits(&self, op: &FsOp) -> bool {
        match op {
            FsOp::Create(place) | FsOp::Mkdir(place) | FsOp::Symlink(place, _) => self.vacant(place),
            FsOp::Link(ino, place) => self.names_of(*ino, FILE) && self.vacant(place),
            FsOp::Unlink(place) => self.plain(place),
            FsOp::Rmdir(place) => self.empty_directory(place),
            FsOp::Rename(from, to) => self.renames(from, to),
            FsOp::Write { ino, .. } | FsOp::Truncate(ino, _) | FsOp::Punch(ino, ..) => self.names_of(*ino, FILE),
            FsOp::Copy { from, to, len } => {
                let apart = from.0 != to.0 || from.1.abs_diff(to.1) >= *len;
                apart && self.names_of(from.0, FILE) && self.names_of(to.0, FILE)
            }
            FsOp::Fsync(ino) | FsOp::Chmod(ino, _) | FsOp::Chown(ino, ..) => self.known(*ino),
            FsOp::SetXattr(ino, ..) => self.names_of(*ino, FILE) || self.directory(*ino),
            FsOp::RemoveXattr(ino, name) => {
                self.known(*ino) && self.marks().get(ino).is_some_and(|marks| marks.xattrs.contains_key(name))
            }
            FsOp::Replace(place, ..) => self.directory(place.0) && (self.vacant(place) || self.plain(place)),
            FsOp::Together(all) => self.does_together(all),
            FsOp::Sync | FsOp::Work(_) | FsOp::Wait(_) => true,
        }
    }

    fn kind(&self, place: &Place) -> Option<Code> {
        self.names().get(place).map(|(_, kind)| *kind)
    }

    fn names_of(&self, ino: Ino, kind: Code) -> bool {
        self.names().values().any(|node| *node == (ino, kind))
    }

    fn known(&self, ino: Ino) -> bool {
        ino == Ino::ROOT || self.names().values().any(|(known, _)| *known == ino)
    }

    fn directory(&self, ino: Ino) -> bool {
        ino == Ino::ROOT || self.names_of(ino, DIRECTORY)
    }

    fn vacant(&self, place: &Place) -> bool {
        self.directory(place.0) && self.kind(place).is_none()
    }

    /// Something that is no directory.
    fn plain(&self, place: &Place) -> bool {
        self.kind(place).is_some_and(|kind| kind != DIRECTORY)
    }

    pub(super) fn empty_directory(&self, place: &Place) -> bool {
        let Some((dir, DIRECTORY)) = self.names().get(place) else { return false };
        !self.names().keys().any(|(parent, _)| parent == dir)
    }

    /// Whether `dir` is `above` or lies in it.
    fn within(&self, mut dir: Ino, above: Ino) -> bool {
        while dir != above {
            let place = self.names().iter().find(|(_, node)| **node == (dir, DIRECTORY));
            match place {
                Some(((parent, _), _)) => dir = *parent,
                None => return false,
            }
        }
        true
    }

    fn renames(&self, from: &Place, to: &Place) -> bool {
        let Some((ino, kind)) = self.names().get(from).copied() else { return false };
        if !self.directory(to.0) || (kind == DIRECTORY && self.within(to.0, ino)) {
            return false;
        }
        match (kind, self.kind(to)) {
            (_, None) => true,
            (DIRECTORY, Some(DIRECTORY)) => from == to || self.empty_directory(to),
            (_, Some(over)) => (kind == DIRECTORY) == (over == DIRECTORY),
        }
    }

    fn does_together(&self, all: &Together) -> bool {
        let there = |place: &Option<Place>| place.as_ref().is_none_or(|place| self.plain(place));
        let writes = all.write.is_none_or(|(ino, ..)| self.names_of(ino, FILE));
        let once = all.over.is_none() || all.over != all.unlink;
        self.vacant(&all.place) && writes && there(&all.over) && there(&all.unlink) && once
    }
}
