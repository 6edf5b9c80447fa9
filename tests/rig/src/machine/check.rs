//! Compares a whole volume, or a node of it, with the reference.

use lv::{Attr, Ino, Kind, LvError, Seek};

use super::contents::{Contents, index};
use super::op::Pick;
use super::reference::{ENOENT, Id};
use super::run::Machine;

/// Bytes of a file that are looked for at once while a PV is away.
const PIECE: u64 = 4000;

impl Machine {
    /// Everything about one node.
    fn check_node(&mut self, id: Id) {
        let (volume, ino) = (self.volume().clone(), self.ino(id));
        let node = self.reference.get(id).unwrap().clone();
        let attr = volume.getattr(ino).unwrap();
        assert_eq!(Attr { stored: 0, ..attr }, node.attr(ino));
        assert_eq!(volume.listxattr(ino).unwrap(), node.xattrs.keys().cloned().collect::<Vec<_>>());
        for (name, value) in &node.xattrs {
            assert!(volume.getxattr(ino, name).unwrap() == *value, "an attribute of inode {ino} differs");
        }
        let names = node.nlink > 0;
        let path = volume.path_of(ino).unwrap();
        assert_eq!(path.is_some(), names);
        assert!(path.is_none_or(|path| self.reference.is_path_of(&path, id)));
        match node.kind {
            Kind::File => self.check_file(id, ino),
            Kind::Directory => {
                let mut listed = volume.readdir(ino, 0, usize::MAX).unwrap();
                listed.sort_by(|a, b| a.name.cmp(&b.name));
                let listed: Vec<_> = listed.into_iter().map(|entry| (entry.name, entry.ino)).collect();
                let expected: Vec<_> = node.entries.iter().map(|(name, id)| (name.clone(), self.ino(*id))).collect();
                assert_eq!(listed, expected);
                assert_eq!(volume.parent_of(ino).unwrap(), self.ino(node.parent));
            }
            Kind::Symlink => assert_eq!(volume.readlink(ino).unwrap(), node.target),
            _ => assert_eq!(volume.readlink(ino).unwrap_err().errno(), 22),
        }
    }

    /// Contents: what is data reads as it should, and what is a hole should be zeros.
    fn check_file(&mut self, id: Id, ino: Ino) {
        let volume = self.volume().clone();
        let contents = self.reference.get(id).unwrap().contents.clone();
        let mut at = 0;
        while at < contents.size {
            let hole = volume.seek(ino, at, Seek::Hole).unwrap();
            let end = volume.seek(ino, hole, Seek::Data).unwrap_or(contents.size);
            assert!(at <= hole && hole <= end && end <= contents.size && at < end, "{at} {hole} {end}");
            self.check_bytes((id, ino), &contents, (at, hole));
            assert!(contents.is_zero(hole, end), "bytes in a hole at {hole}..{end} of inode {ino}");
            at = end;
        }
        for run in contents.runs() {
            self.check_bytes((id, ino), &contents, run);
        }
        if contents.size < 1 << 20 && self.away.is_none() {
            assert!(volume.read_all(ino).unwrap() == contents.read(0, contents.size), "inode {ino} differs");
        }
    }

    /// Bytes of a file; while a PV is away in small pieces, some of which may be on it.
    fn check_bytes(&mut self, node: (Id, Ino), contents: &Contents, (from, to): (u64, u64)) {
        let step = if self.away.is_some() { PIECE } else { u64::MAX };
        let mut at = from;
        while at < to {
            let end = to.min(at.saturating_add(step));
            self.check_piece(node, contents, (at, end));
            at = end;
        }
    }

    fn check_piece(&mut self, (id, ino): (Id, Ino), contents: &Contents, (from, to): (u64, u64)) {
        let mut bytes = vec![0xEE; index(to - from)];
        match self.volume().read(ino, from, &mut bytes) {
            Ok(count) => {
                assert_eq!(count, bytes.len(), "bytes of inode {ino} at {from}");
                assert!(bytes == contents.read(from, to - from), "bytes {from}..{to} of inode {ino} differ");
                self.counts.read_partial += u64::from(self.away.is_some());
            }
            Err(error) => self.check_missing((id, ino), (from, to), &error),
        }
    }

    /// Everything.
    pub(super) fn check(&mut self) {
        let ids: Vec<Id> = self.reference.ids().collect();
        for id in &ids {
            self.check_node(*id);
        }
        let space = self.volume().statfs().unwrap();
        assert_eq!(space.files, ids.len() as u64);
        assert!(space.used + space.free <= space.total);
        assert_eq!(space.total, self.usable(), "bytes of the volume");
    }

    /// One node, also when it is gone.
    pub(super) fn look(&mut self, pick: Pick) {
        let (id, ino) = self.pick(pick);
        if self.reference.get(id).is_ok() {
            self.check_node(id);
            return;
        }
        let volume = self.volume();
        let gone = |result: Result<(), LvError>| assert_eq!(result.map_err(|error| error.errno()), Err(ENOENT));
        gone(volume.getattr(ino).map(drop));
        gone(volume.readlink(ino).map(drop));
        gone(volume.path_of(ino).map(drop));
        gone(volume.parent_of(ino).map(drop));
        gone(volume.listxattr(ino).map(drop));
        gone(volume.getxattr(ino, b"user.a").map(drop));
        gone(volume.readdir(ino, 0, 1).map(drop));
        gone(volume.read_all(ino).map(drop));
    }

    /// A search goes to the next byte of its kind and not past it.
    pub(super) fn seek(&mut self, pick: Pick, off: u64) {
        let (id, ino) = self.pick(pick);
        let volume = self.volume().clone();
        let expected = self.reference.seek(id, off);
        let hole = volume.seek(ino, off, Seek::Hole).map_err(|error| error.errno());
        assert_eq!(hole.map(drop), expected);
        let data = volume.seek(ino, off, Seek::Data).map_err(|error| error.errno());
        if expected.is_err() {
            assert_eq!(data.map(drop), expected);
            return;
        }
        let contents = &self.reference.get(id).unwrap().contents;
        let found = data.unwrap_or(contents.size);
        assert!((off..=contents.size).contains(&found));
        assert!(contents.is_zero(off, found), "bytes before what was found from {off} on at {found}");
    }
}
