//! What is durable and what is pending, operation by operation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Image;
use crate::content::Content;
use crate::disk::apply_name_op;
use crate::log::{Inode, Name, NameOp, Node, Op};

/// A change of a file's contents that no sync has made durable.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Bytes written.
    Write(u64, Arc<[u8]>),
    /// Length set.
    Truncate(u64),
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        match self {
            Self::Write(at, data) => content.write(*at, data),
            Self::Truncate(len) => content.set_len(*len),
        }
    }
}

/// One file: what survives any crash, what survives the best, and the way from the one to the other.
#[derive(Debug, Clone, Default)]
pub(super) struct FileModel {
    pub(super) durable: Content,
    pub(super) kept: Content,
    pub(super) pending: Vec<Change>,
}

/// The durability of a disk, following its log.
///
/// * A sync of a file makes its contents durable, not its name.
/// * A sync of a folder makes the changes of names in it durable, not the contents of files.
/// * What is pending in one file or folder keeps its order; between files and folders there is none.
///
/// Stricter than ext4 or xfs, where a sync of one file usually carries earlier changes of names with it.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub(super) files: BTreeMap<Inode, FileModel>,
    pub(super) durable: BTreeMap<Name, Node>,
    pub(super) kept: BTreeMap<Name, Node>,
    /// Pending changes of names, with their order among all folders.
    pub(super) pending: Vec<NameOp>,
}

impl Model {
    /// All of `image` is durable.
    pub fn new(image: &Image) -> Self {
        let file =
            |content: &Content| FileModel { durable: content.clone(), kept: content.clone(), pending: Vec::new() };
        Self {
            files: image.files().iter().map(|(inode, content)| (*inode, file(content))).collect(),
            durable: image.names().clone(),
            kept: image.names().clone(),
            pending: Vec::new(),
        }
    }

    /// Takes the next operation of the log.
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Write { inode, at, data } => self.change(*inode, Change::Write(*at, Arc::clone(data))),
            Op::Truncate { inode, len } => self.change(*inode, Change::Truncate(*len)),
            Op::Sync(inode) => {
                let file = self.files.entry(*inode).or_default();
                file.durable = file.kept.clone();
                file.pending.clear();
            }
            Op::Name(change) => {
                if let NameOp::Add(_, Node::File(inode)) = change {
                    self.files.entry(*inode).or_default();
                }
                apply_name_op(&mut self.kept, change);
                self.pending.push(change.clone());
            }
            Op::SyncDir(dir) => self.sync_dir(dir),
            Op::Mark(_) => {}
        }
    }

    /// The files with pending contents.
    pub(super) fn pending_files(&self) -> Vec<Inode> {
        self.files.iter().filter(|(_, file)| !file.pending.is_empty()).map(|(inode, _)| *inode).collect()
    }

    /// Anything that a crash may lose.
    pub(super) fn pending_anything(&self) -> bool {
        !self.pending.is_empty() || self.files.values().any(|file| !file.pending.is_empty())
    }

    /// Operations that a crash may lose: contents, names.
    pub fn pending(&self) -> (usize, usize) {
        (self.files.values().map(|file| file.pending.len()).sum(), self.pending.len())
    }

    fn change(&mut self, inode: Inode, change: Change) {
        let file = self.files.entry(inode).or_default();
        change.apply(&mut file.kept);
        file.pending.push(change);
    }

    fn sync_dir(&mut self, dir: &str) {
        let durable = &mut self.durable;
        self.pending.retain(|change| {
            let here = change.dir() == dir;
            if here {
                apply_name_op(durable, change);
            }
            !here
        });
        self.forget_nameless();
    }

    /// Forgets files that no crash can bring back.
    fn forget_nameless(&mut self) {
        let inode = |node: &Node| match node {
            Node::Dir => None,
            Node::File(inode) => Some(*inode),
        };
        let pending = self.pending.iter().filter_map(|change| match change {
            NameOp::Add(_, node) => inode(node),
            NameOp::Remove(_) | NameOp::Rename(..) => None,
        });
        let named: BTreeSet<Inode> =
            self.durable.values().chain(self.kept.values()).filter_map(inode).chain(pending).collect();
        self.files.retain(|inode, _| named.contains(inode));
    }
}
