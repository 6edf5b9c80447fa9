//! One inode in memory: what callers see, what the map describes, and what lies between.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use pv::Txg;

use super::layer::Layer;
use crate::catalogue::{InodeRow, MapRow};
use crate::{Attr, Ino, Nanos};

pub(crate) use crate::catalogue::WINDOW;

/// The part of an inode that changes only together with its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataAttr {
    pub(crate) size: u64,
    pub(crate) mtime: Nanos,
}

/// A layer on its way to the PVs, with the size and time that belong to it.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) layer: Arc<Layer>,
    pub(crate) attr: DataAttr,
}

/// What the entries of one window add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct WindowSum {
    pub(crate) below: u64,
    /// Checksum of the row as the last frozen commit has it; 0 for none.
    pub(crate) row_sum: u64,
}

/// An inode in memory.
///
/// Reads see `open` over the `sealed` layers, newest first, over the map. The catalogue gets `named` and the map, which always describe one state
/// that the file really had.
#[derive(Debug)]
pub(crate) struct Inode {
    pub(crate) attr: Attr,
    pub(crate) generation: u64,
    pub(crate) flags: u64,
    pub(crate) project: u64,
    pub(crate) parent: Ino,
    pub(crate) target: Option<Arc<[u8]>>,
    /// What the map describes.
    pub(crate) named: DataAttr,
    /// Bytes that the map names.
    pub(crate) mapped: u64,
    /// What a directory's entries, or the entries of the first window of a file's map, add up to.
    pub(crate) below: u64,
    /// The same of the later windows that are in memory.
    pub(crate) window_sums: BTreeMap<u64, WindowSum>,
    /// What the extended attributes add up to.
    pub(crate) xattr_sum: u64,
    /// Checksum of the row as the last frozen commit has it; 0 for none.
    pub(crate) row_sum: u64,
    pub(crate) open: Layer,
    /// Oldest first.
    pub(crate) sealed: VecDeque<Sealed>,
    /// All extended attributes, when they are in memory.
    pub(crate) xattrs: Option<super::xattr::Xattrs>,
    pub(crate) windows: BTreeMap<u64, BTreeMap<u64, MapRow>>,
    /// Made since activation and never dropped from memory: a window that is not here is empty.
    pub(crate) fresh: bool,
    pub(crate) stamp: Txg,
    pub(crate) opens: u32,
    /// Used since the last eviction pass.
    pub(crate) used: bool,
    /// Deleted; kept until the deletion is committed.
    pub(crate) gone: bool,
}

impl Inode {
    pub(crate) fn new(row: InodeRow, fresh: bool, stamp: Txg) -> Self {
        Self {
            named: DataAttr { size: row.attr.size, mtime: row.attr.mtime },
            mapped: row.attr.stored,
            below: row.below,
            window_sums: BTreeMap::new(),
            xattr_sum: row.xattr_sum,
            row_sum: row.sum,
            attr: row.attr,
            generation: row.generation,
            flags: row.flags,
            project: row.project,
            parent: row.parent,
            target: row.target,
            open: Layer::default(),
            sealed: VecDeque::new(),
            xattrs: None,
            windows: BTreeMap::new(),
            fresh,
            stamp,
            opens: 0,
            used: true,
            gone: false,
        }
    }

    /// Nothing leads here: deleted, even while its map is still taken apart.
    pub(crate) fn deleted(&self) -> bool {
        self.attr.nlink == 0 && self.opens == 0
    }

    /// What callers see.
    pub(crate) fn shown(&self) -> Attr {
        Attr { stored: self.mapped.saturating_add(self.pending_bytes()), ..self.attr }
    }

    /// Bytes of data not yet placed.
    pub(crate) fn pending_bytes(&self) -> u64 {
        self.open.data().saturating_add(self.sealed_bytes())
    }

    /// Bytes of data on their way to the PVs.
    pub(crate) fn sealed_bytes(&self) -> u64 {
        self.sealed.iter().map(|sealed| sealed.layer.data()).sum()
    }

    pub(crate) fn data_attr(&self) -> DataAttr {
        DataAttr { size: self.attr.size, mtime: self.attr.mtime }
    }

    /// Whether bytes or holes wait to be placed.
    pub(crate) fn has_layers(&self) -> bool {
        !self.sealed.is_empty() || !self.open.is_empty()
    }

    /// Whether anything waits to be placed.
    pub(crate) fn pending(&self) -> bool {
        !self.sealed.is_empty() || self.unsealed()
    }

    /// Whether anything waits to be sealed.
    pub(crate) fn unsealed(&self) -> bool {
        let last = self.sealed.back().map_or(self.named, |sealed| sealed.attr);
        !self.open.is_empty() || self.data_attr() != last
    }
}
