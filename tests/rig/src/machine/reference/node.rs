//! One node of the reference: what a file, directory or link is.

use std::collections::BTreeMap;

use lv::{Attr, Ino, Kind, Nanos, NewNode};

use super::Id;
use crate::machine::contents::Contents;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) rdev: u64,
    pub(crate) nlink: u32,
    pub(crate) contents: Contents,
    pub(crate) target: Vec<u8>,
    pub(crate) entries: BTreeMap<Vec<u8>, Id>,
    pub(crate) parent: Id,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) opens: u32,
    pub(super) atime: Nanos,
    pub(crate) mtime: Nanos,
    pub(super) ctime: Nanos,
    pub(super) btime: Nanos,
}

impl Node {
    pub(super) fn new(node: &NewNode, parent: Id, now: Nanos) -> Self {
        Self {
            kind: node.kind,
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            rdev: if matches!(node.kind, Kind::CharDevice | Kind::BlockDevice) { node.rdev } else { 0 },
            nlink: if node.kind == Kind::Directory { 2 } else { 1 },
            contents: Contents::default(),
            target: Vec::new(),
            entries: BTreeMap::new(),
            parent,
            xattrs: BTreeMap::new(),
            opens: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }

    pub(super) fn changed(&mut self, now: Nanos) {
        self.mtime = now;
        self.ctime = now;
    }

    /// Attributes; how much is stored is not the reference's to know.
    pub(crate) fn attr(&self, ino: Ino) -> Attr {
        let size = match self.kind {
            Kind::Directory => self.entries.len() as u64,
            Kind::Symlink => self.target.len() as u64,
            _ => self.contents.size,
        };
        let Self { kind, mode, uid, gid, nlink, atime, mtime, ctime, btime, rdev, .. } = *self;
        Attr { ino, kind, mode, uid, gid, nlink, size, stored: 0, atime, mtime, ctime, btime, rdev }
    }
}
