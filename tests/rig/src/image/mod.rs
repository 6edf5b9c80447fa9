//! What a crash leaves on a disk.
//!
//! * [`Image`]: names and contents at rest; a [`Disk`](crate::Disk) can start from one.
//! * [`Model`]: follows a disk's log and knows what is durable and what is still pending.
//! * [`Spec`] and [`Mode`]: which crash, in a form that can be printed and repeated.

mod make;
mod model;
mod spec;

use std::collections::BTreeMap;

pub use model::Model;
pub use spec::{Mode, ParseSpecError, Spec};

use crate::content::{Content, sum};
use crate::log::{Inode, Name, Node, parent};

/// Names and contents of a disk at rest. Cloning costs little per file, whatever its size.
#[derive(Debug, Clone, Default)]
pub struct Image {
    names: BTreeMap<Name, Node>,
    files: BTreeMap<Inode, Content>,
}

impl Image {
    /// `names` with the contents that `content` gives; names in folders that are not there are left out.
    pub(crate) fn new(mut names: BTreeMap<Name, Node>, content: impl Fn(Inode) -> Option<Content>) -> Self {
        // In order of names a folder comes before what it holds.
        let mut lost: Vec<Name> = Vec::new();
        for name in names.keys() {
            let dir = parent(name);
            let there = dir == "/" || (names.get(dir) == Some(&Node::Dir) && !lost.iter().any(|gone| **gone == *dir));
            if !there {
                lost.push(Name::clone(name));
            }
        }
        for name in &lost {
            names.remove(name);
        }
        let inodes = names.values().filter_map(|node| match node {
            Node::Dir => None,
            Node::File(inode) => Some(*inode),
        });
        let files = inodes.map(|inode| (inode, content(inode).unwrap_or_default())).collect();
        Self { names, files }
    }

    pub(crate) const fn names(&self) -> &BTreeMap<Name, Node> {
        &self.names
    }

    pub(crate) const fn files(&self) -> &BTreeMap<Inode, Content> {
        &self.files
    }

    /// What tells this image from others: of all names and contents.
    pub(crate) fn digest(&self) -> u64 {
        let mut all = Vec::with_capacity(32 * self.names.len());
        for (name, node) in &self.names {
            all.extend_from_slice(name.as_bytes());
            all.push(0);
            if let Node::File(inode) = node {
                let content = self.files.get(inode).map_or(0, Content::digest);
                all.extend_from_slice(&content.to_le_bytes());
            }
        }
        sum(&all)
    }

    /// The contents of the file `name` (an absolute path).
    pub fn file(&self, name: &str) -> Option<&Content> {
        match self.names.get(name)? {
            Node::Dir => None,
            Node::File(inode) => self.files.get(inode),
        }
    }

    /// The image without the files of these names.
    #[must_use]
    pub fn without(mut self, names: &[String]) -> Self {
        self.names.retain(|name, _| !names.iter().any(|gone| **gone == **name));
        self
    }

    /// Gives the file `name` these contents; it and the folders above it are made where they are missing, and what
    /// else had its name is gone.
    pub fn set_file(&mut self, name: &str, content: Content) {
        self.remove(name);
        let mut dir = parent(name);
        while dir != "/" {
            self.names.entry(dir.into()).or_insert(Node::Dir);
            dir = parent(dir);
        }
        let inode = self.files.keys().next_back().map_or(1, |last| last + 1);
        self.names.insert(name.into(), Node::File(inode));
        self.files.insert(inode, content);
    }

    /// Makes `name` an empty folder, whatever it was.
    pub fn set_dir(&mut self, name: &str) {
        self.remove(name);
        self.names.insert(name.into(), Node::Dir);
    }

    /// Paths of all folders, sorted.
    pub fn folders(&self) -> Vec<Name> {
        self.names.iter().filter(|(_, node)| **node == Node::Dir).map(|(name, _)| Name::clone(name)).collect()
    }

    /// Removes the file `name`, if there is one.
    pub fn remove(&mut self, name: &str) {
        if let Some(Node::File(inode)) = self.names.remove(name) {
            self.files.remove(&inode);
        }
    }

    /// Paths of all files with their lengths, sorted.
    pub fn list(&self) -> Vec<(Name, u64)> {
        let all = self.names.iter().filter_map(|(name, node)| match node {
            Node::Dir => None,
            Node::File(inode) => Some((Name::clone(name), self.files.get(inode).map_or(0, Content::len))),
        });
        all.collect()
    }
}
