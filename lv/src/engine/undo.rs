//! A transaction: several changes that are committed together or not at all.
//!
//! * The state stays locked from the first change to the last, so no commit falls between them.
//! * What is to be changed is noted before its first change; a transaction that fails puts it back.
//! * Everything it touches is pinned: an inode that loses its last name is taken apart only after the end.
//! * The next commit must contain the data it wrote: then no commit contains a part of it.

use std::collections::{BTreeMap, BTreeSet};

use super::inode::DataAttr;
use super::layer::Layer;
use super::rules::Rule;
use super::state::State;
use super::xattr::Xattrs;
use crate::catalogue::{DirentRow, FsRow};
use crate::{Attr, Ino};

/// An inode before its first change.
struct Before {
    attr: Attr,
    flags: u64,
    parent: Ino,
    below: u64,
    xattr_sum: u64,
    named: DataAttr,
    open: Layer,
}

/// What a transaction has changed so far, as it was before.
pub(crate) struct Undo {
    /// `None`: the transaction made it.
    inodes: BTreeMap<Ino, Option<Before>>,
    xattrs: BTreeMap<Ino, Xattrs>,
    buckets: BTreeMap<(Ino, u64), Vec<DirentRow>>,
    fs: FsRow,
    required: BTreeSet<Ino>,
    pending: u64,
    /// Files whose data it changed.
    data: BTreeSet<Ino>,
}

impl Undo {
    /// Objects noted.
    pub(crate) fn len(&self) -> usize {
        self.inodes.len().saturating_add(self.buckets.len()).saturating_add(self.xattrs.len())
    }

    /// Bytes of data that waited when the transaction began.
    pub(crate) fn pending(&self) -> u64 {
        self.pending
    }
}

impl State {
    /// Begins to note changes.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Box::new(Undo {
            inodes: BTreeMap::new(),
            xattrs: BTreeMap::new(),
            buckets: BTreeMap::new(),
            fs: self.fs.clone(),
            required: self.required.clone(),
            pending: self.pending,
            data: BTreeSet::new(),
        }));
    }

    /// Notes an inode that is about to change.
    pub(crate) fn note_inode(&mut self, ino: Ino) {
        let Some(undo) = self.undo.as_mut().filter(|undo| !undo.inodes.contains_key(&ino)) else { return };
        let Some(inode) = self.inodes.get_mut(&ino) else { return };
        inode.opens = inode.opens.saturating_add(1);
        let before = Before {
            attr: inode.attr,
            flags: inode.flags,
            parent: inode.parent,
            below: inode.below,
            xattr_sum: inode.xattr_sum,
            named: inode.named,
            open: inode.open.clone(),
        };
        undo.inodes.insert(ino, Some(before));
    }

    /// Notes an inode that did not exist before.
    pub(crate) fn note_new(&mut self, ino: Ino) {
        let Some(undo) = &mut self.undo else { return };
        if let Some(inode) = self.inodes.get_mut(&ino) {
            inode.opens = inode.opens.saturating_add(1);
            undo.inodes.insert(ino, None);
        }
    }

    /// Notes that data of a file changes, or what is committed with it.
    pub(crate) fn note_data(&mut self, ino: Ino) {
        if let Some(undo) = &mut self.undo {
            undo.data.insert(ino);
        }
    }

    /// Notes an inode's extended attributes, which must be in memory.
    pub(crate) fn note_xattrs(&mut self, ino: Ino) {
        let Some(undo) = &mut self.undo else { return };
        if let Some(xattrs) = self.inodes.get(&ino).and_then(|inode| inode.xattrs.as_ref()) {
            undo.xattrs.entry(ino).or_insert_with(|| xattrs.clone());
        }
    }

    /// Notes the names of one bucket, which must be in memory.
    pub(crate) fn note_bucket(&mut self, parent: Ino, base: u64) {
        let Some(undo) = &mut self.undo else { return };
        if let Some(bucket) = self.dirs.get(&parent).and_then(|dir| dir.buckets.get(&base)) {
            undo.buckets.entry((parent, base)).or_insert_with(|| bucket.entries.clone());
        }
    }

    /// Ends a transaction: all of it stays.
    pub(crate) fn keep(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        if self.rules.keep(Rule::WholeTransactions) {
            self.required.extend(undo.data);
        }
        for ino in undo.inodes.into_keys() {
            let Some(inode) = self.inodes.get_mut(&ino) else { continue };
            inode.opens = inode.opens.saturating_sub(1);
            if inode.opens == 0 && inode.attr.nlink == 0 && !inode.gone && self.bury(ino).is_err() {
                // It is an orphan: the background goes on with it, and says so if it cannot.
                self.orphans.insert(ino);
            }
        }
    }

    /// Ends a transaction: nothing of it stays.
    pub(crate) fn put_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        self.reader.mend();
        for ((parent, base), entries) in undo.buckets {
            let Some(bucket) = self.dirs.get_mut(&parent).and_then(|dir| dir.buckets.get_mut(&base)) else { continue };
            // The next commit may write what has not changed, but nothing that is no longer so.
            self.dirty.dirents.extend(bucket.entries.iter().map(|entry| ((parent, entry.cookie), false)));
            self.dirty.dirents.extend(entries.iter().map(|entry| ((parent, entry.cookie), true)));
            bucket.entries = entries;
        }
        for (ino, xattrs) in undo.xattrs {
            if let Some(inode) = self.inodes.get_mut(&ino) {
                inode.xattrs = Some(xattrs);
            }
        }
        for (ino, before) in undo.inodes {
            match before {
                None => {
                    self.inodes.remove(&ino);
                    self.dirs.remove(&ino);
                    self.dirty.inodes.remove(&ino);
                }
                Some(before) => {
                    let Some(inode) = self.inodes.get_mut(&ino) else { continue };
                    inode.opens = inode.opens.saturating_sub(1);
                    inode.attr = before.attr;
                    inode.flags = before.flags;
                    inode.parent = before.parent;
                    inode.below = before.below;
                    inode.xattr_sum = before.xattr_sum;
                    inode.named = before.named;
                    inode.open = before.open;
                }
            }
            self.requeue(ino);
        }
        // Numbers are never reused, not even those that nobody has seen.
        self.fs = FsRow { next_ino: self.fs.next_ino, ..undo.fs };
        self.required = undo.required;
        self.pending = undo.pending;
    }
}
