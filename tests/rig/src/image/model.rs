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

/// Bytes that a kernel writes together.
const PAGE: u64 = 4096;

/// One file: what survives any crash, what a process sees, and the way from the one to the other.
#[derive(Debug, Clone, Default)]
pub(super) struct FileModel {
    pub(super) durable: Content,
    pub(super) kept: Content,
    pub(super) pending: Vec<Change>,
    /// Pages that a process sees and nobody will ever write, unless they are changed again.
    lost: BTreeSet<u64>,
}

impl FileModel {
    /// Whether a crash may take something.
    pub(super) fn unsettled(&self) -> bool {
        !self.pending.is_empty() || !self.lost.is_empty()
    }

    /// What a sync would make durable.
    pub(super) fn written(&self) -> Content {
        if self.lost.is_empty() {
            return self.kept.clone();
        }
        let mut content = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut content));
        content
    }

    /// Takes the next change.
    fn change(&mut self, change: Change) {
        change.apply(&mut self.kept);
        let touched = match &change {
            Change::Write(at, data) => at / PAGE..(at + data.len() as u64).div_ceil(PAGE),
            Change::Truncate(len) => {
                self.lost.retain(|page| page * PAGE < *len);
                0..0
            }
        };
        self.pending.push(change);
        if self.lost.is_empty() {
            return;
        }
        // A changed page is written as a whole, with what it held.
        for page in touched.filter(|page| self.lost.remove(page)).collect::<Vec<_>>() {
            let mut bytes = vec![0; usize::try_from(PAGE).unwrap_or(0)];
            let there = self.kept.read(page * PAGE, &mut bytes);
            self.pending.push(Change::Write(page * PAGE, bytes[..there].into()));
        }
    }

    /// What was pending will not be written; lengths are no pages.
    fn forget(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write(at, data) => {
                    self.lost.extend(at / PAGE..(at + data.len() as u64).div_ceil(PAGE));
                }
                Change::Truncate(len) => {
                    self.lost.retain(|page| page * PAGE < len);
                    self.pending.push(Change::Truncate(len));
                }
            }
        }
    }
}

/// The durability of a disk, following its log.
///
/// * A sync of a file makes its contents durable, not its name.
/// * A sync of a folder makes the changes of names in it durable, not the contents of files.
/// * What is pending in one file or folder keeps its order; between files and folders there is none.
///
/// * After a failed sync ([`Op::Revert`], [`Op::Forget`]) what was pending is never written, as on Linux.
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
            |content: &Content| FileModel { durable: content.clone(), kept: content.clone(), ..FileModel::default() };
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
                file.durable = file.written();
                file.pending.clear();
            }
            Op::Revert(inode) => {
                let file = self.files.entry(*inode).or_default();
                *file = FileModel { durable: file.durable.clone(), kept: file.durable.clone(), ..FileModel::default() };
            }
            Op::Forget(inode) => self.files.entry(*inode).or_default().forget(),
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
        self.files.iter().filter(|(_, file)| file.unsettled()).map(|(inode, _)| *inode).collect()
    }

    /// Anything that a crash may lose.
    pub(super) fn pending_anything(&self) -> bool {
        !self.pending.is_empty() || self.files.values().any(FileModel::unsettled)
    }

    /// Operations that a crash may lose: contents, names.
    pub fn pending(&self) -> (usize, usize) {
        (self.files.values().map(|file| file.pending.len()).sum(), self.pending.len())
    }

    fn change(&mut self, inode: Inode, change: Change) {
        self.files.entry(inode).or_default().change(change);
    }

    /// What a process sees of a file.
    pub(crate) fn shown(&self, inode: Inode) -> Option<&Content> {
        self.files.get(&inode).map(|file| &file.kept)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mode;

    fn after(ops: &[Op]) -> (Vec<u8>, Vec<u8>) {
        let mut model = Model::default();
        let base = [
            Op::Name(NameOp::Add("/a".into(), Node::File(1))),
            Op::SyncDir("/".into()),
            Op::Write { inode: 1, at: 0, data: vec![1; 8192].into() },
            Op::Sync(1),
        ];
        base.iter().chain(ops).for_each(|op| model.apply(op));
        let bytes = |mode| {
            let image = model.image(mode, 0).unwrap_or_else(|| model.image(Mode::Kill, 0).unwrap());
            image.file("/a").unwrap().to_vec()
        };
        (bytes(Mode::Kill), bytes(Mode::Drop))
    }

    fn write(at: u64, byte: u8) -> Op {
        Op::Write { inode: 1, at, data: vec![byte; 100].into() }
    }

    #[test]
    fn a_sync_after_a_failed_one_makes_nothing_durable_that_was_forgotten() {
        let (kept, durable) = after(&[write(0, 2), write(5000, 3), Op::Forget(1), write(4096, 4), Op::Sync(1)]);
        assert_eq!((kept[0], kept[5000], kept[4096]), (2, 3, 4));
        // The second page was changed again, and is written whole.
        assert_eq!((durable[0], durable[5000], durable[4096]), (1, 3, 4));
    }

    #[test]
    fn a_reverted_file_shows_what_is_durable() {
        let (kept, durable) = after(&[write(0, 2), write(9000, 3), Op::Revert(1), write(10, 4)]);
        assert_eq!((kept.len(), kept[0], kept[10]), (8192, 1, 4));
        assert_eq!((durable.len(), durable[0], durable[10]), (8192, 1, 1));
    }

    #[test]
    fn growth_that_was_forgotten_is_not_there_after_a_crash() {
        let (kept, durable) = after(&[write(8192, 2), Op::Forget(1), Op::Sync(1)]);
        assert_eq!((kept.len(), durable.len()), (8292, 8192));
        let (_, durable) = after(&[write(8192, 2), Op::Forget(1), write(20_000, 3), Op::Sync(1)]);
        assert_eq!((durable.len(), durable[8192], durable[20_000]), (20_100, 0, 3));
    }
}
