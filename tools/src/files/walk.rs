//! Going through a tree of a volume.
//!
//! Without recursion, because trees may be of any depth; symbolic links are met, never followed. One path is kept for
//! the whole walk and grows and shrinks by a name, so that a deep tree does not cost the square of its depth.
//!
//! A directory is gone into by one name only: the volume says that it is below the one that names it, and among the names
//! there the first counts. So a walk ends, whatever a volume says.

use std::collections::HashSet;

use anyfs_lvm::lv::{Attr, DirEntry, Ino, Kind};

use super::volume::Mount;
use crate::failure::Failure;

/// An entry of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) ino: Ino,
    pub(crate) kind: Kind,
    /// Directories between it and the root of the walk; the root has 0.
    pub(crate) depth: usize,
    /// Nothing comes after it in its directory.
    pub(crate) last: bool,
}

/// What a walk meets next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// An entry; a directory is gone into next, unless it is skipped.
    Entry(Node),
    /// Nothing is left in a directory that was gone into, at this depth.
    Left(usize),
}

/// A walk: entries by name, a directory before what it contains.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    mount: &'a Mount,
    path: Vec<u8>,
    root: Option<Node>,
    enter: Option<Ino>,
    levels: Vec<Level>,
    shown: fn(&DirEntry) -> bool,
}

/// A directory that was gone into.
#[derive(Debug)]
struct Level {
    ino: Ino,
    /// Directories in it that were gone into.
    entered: HashSet<Ino>,
    /// What is left of it, the first name last.
    left: Vec<DirEntry>,
    /// Length of its path.
    path: usize,
}

impl<'a> Walk<'a> {
    /// A walk from `root`, which `path` names.
    pub(crate) fn new(mount: &'a Mount, path: &[u8], root: &Attr) -> Self {
        let root = Node { ino: root.ino, kind: root.kind, depth: 0, last: true };
        Self { mount, path: path.to_vec(), root: Some(root), enter: None, levels: Vec::new(), shown: |_| true }
    }

    /// The same with these entries only.
    pub(crate) fn only(mut self, shown: fn(&DirEntry) -> bool) -> Self {
        self.shown = shown;
        self
    }

    /// The volume.
    pub(crate) fn mount(&self) -> &'a Mount {
        self.mount
    }

    /// The path of the entry met last, or of the directory left last.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// The name at the end of that path.
    pub(crate) fn name(&self) -> &[u8] {
        let path = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
    }

    /// Does not go into the directory met last; it is not left, either.
    pub(crate) fn skip(&mut self) {
        self.enter = None;
    }

    /// The next step. A directory that cannot be read is an error first and then left as an empty one.
    pub(crate) fn next(&mut self) -> Option<Result<Step, Failure>> {
        if let Some(root) = self.root.take() {
            return Some(Ok(self.met(root)));
        }
        if let Some(dir) = self.enter.take() {
            let entries = self.entries(dir);
            let (mut left, failure) = match entries {
                Ok(entries) => (entries, None),
                Err(failure) => (Vec::new(), Some(failure)),
            };
            left.retain(self.shown);
            left.sort_unstable_by(|a, b| b.name.cmp(&a.name));
            self.levels.push(Level { ino: dir, entered: HashSet::new(), left, path: self.path.len() });
            if let Some(failure) = failure {
                return Some(Err(failure));
            }
        }
        let depth = self.levels.len();
        let level = self.levels.last_mut()?;
        self.path.truncate(level.path);
        let Some(entry) = level.left.pop() else {
            self.levels.pop();
            return Some(Ok(Step::Left(depth.saturating_sub(1))));
        };
        let last = level.left.is_empty();
        if !self.path.ends_with(b"/") {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(&entry.name);
        Some(Ok(self.met(Node { ino: entry.ino, kind: entry.kind, depth, last })))
    }

    /// The entries of the directory met last.
    fn entries(&mut self, dir: Ino) -> Result<Vec<DirEntry>, Failure> {
        let name = self.name().to_vec();
        if let Some(above) = self.levels.last_mut() {
            let found = self.mount.volume.lookup(above.ino, &name);
            found.map_err(|error| self.mount.failure(&self.path, &error))?;
            if !above.entered.insert(dir) {
                return Err(self.mount.second_name(&self.path));
            }
        }
        self.mount.entries(dir).map_err(|error| self.mount.failure(&self.path, &error))
    }

    fn met(&mut self, node: Node) -> Step {
        self.enter = (node.kind == Kind::Directory).then_some(node.ino);
        Step::Entry(node)
    }
}
