//! Compares a whole volume, or a node of it, with the reference.

use anyfs_lvm_lv::{Attr, Ino, Kind, LvError, Seek};

use super::contents::index;
use super::op::Pick;
use super::reference::{ENOENT, Id};
use super::run::Tested;

impl Tested {
    /// Everything about one node.
    fn check_node(&mut self, id: Id) {
        let (volume, ino) = (self.volume().clone(), self.ino(id));
        let node = self.reference().get(id).unwrap().clone();
        let attr = volume.getattr(ino).unwrap();
        assert_eq!(Attr { stored: 0, ..attr }, node.attr(ino));
        assert_eq!(volume.listxattr(ino).unwrap(), node.xattrs.keys().cloned().collect::<Vec<_>>());
        for (name, value) in &node.xattrs {
            assert!(volume.getxattr(ino, name).unwrap() == *value, "an attribute of inode {ino} differs");
        }
        let names = node.nlink > 0;
        let path = volume.path_of(ino).unwrap();
        assert_eq!(path.is_some(), names);
        assert!(path.is_none_or(|path| self.reference().is_path_of(&path, id)));
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
        let contents = self.reference().get(id).unwrap().contents.clone();
        let read = |from: u64, to: u64| {
            let mut bytes = vec![0xEE; index(to - from)];
            assert_eq!(volume.read(ino, from, &mut bytes).unwrap(), bytes.len());
            bytes
        };
        let mut at = 0;
        while at < contents.size {
            let hole = volume.seek(ino, at, Seek::Hole).unwrap();
            let end = volume.seek(ino, hole, Seek::Data).unwrap_or(contents.size);
            assert!(at <= hole && hole <= end && end <= contents.size && at < end, "{at} {hole} {end}");
            assert!(read(at, hole) == contents.read(at, hole - at), "bytes {at}..{hole} of inode {ino} differ");
            assert!(contents.is_zero(hole, end), "bytes in a hole at {hole}..{end} of inode {ino}");
            at = end;
        }
        for (from, to) in contents.runs() {
            assert!(read(from, to) == contents.read(from, to - from), "bytes {from}..{to} of inode {ino} differ");
        }
        if contents.size < 1 << 20 {
            assert!(volume.read_all(ino).unwrap() == contents.read(0, contents.size), "inode {ino} differs");
        }
    }

    /// Everything.
    pub(crate) fn check(&mut self) {
        let ids: Vec<Id> = self.reference().ids().collect();
        for id in &ids {
            self.check_node(*id);
        }
        let space = self.volume().statfs().unwrap();
        assert_eq!(space.files, ids.len() as u64);
        assert!(space.free <= space.total);
    }

    /// One node, also when it is gone.
    pub(crate) fn look(&mut self, pick: Pick) {
        let (id, ino) = self.pick(pick);
        if self.reference().get(id).is_ok() {
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
    pub(crate) fn seek(&mut self, pick: Pick, off: u64) {
        let (id, ino) = self.pick(pick);
        let volume = self.volume().clone();
        let expected = self.reference().seek(id, off);
        let hole = volume.seek(ino, off, Seek::Hole).map_err(|error| error.errno());
        assert_eq!(hole.map(drop), expected);
        let data = volume.seek(ino, off, Seek::Data).map_err(|error| error.errno());
        if expected.is_err() {
            assert_eq!(data.map(drop), expected);
            return;
        }
        let contents = &self.reference().get(id).unwrap().contents;
        let found = data.unwrap_or(contents.size);
        assert!((off..=contents.size).contains(&found));
        assert!(contents.is_zero(off, found), "bytes before what was found from {off} on at {found}");
    }
}
