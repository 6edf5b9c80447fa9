//! Freezing the open transaction group: the rows of the next commit.
//!
//! * Namespace changes of all inodes go in, always.
//! * An inode's data changes go in together or not at all: those installed in its map since the last commit. What is
//!   still in a layer stays out, size and time included.
//! * A file whose data the commit must contain (fsync, rename over another file) has its small remains put into the
//!   catalogue itself, as inline slices.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pv::{SliceId, Txg, block_sums};

use super::inode::Sealed;
use super::layer::{Layer, Piece};
use super::rules::Rule;
use super::space::LeState;
use super::state::{Dirty, FS, State, TINY};
use crate::catalogue::{Commit, MapRow, RowOp, SliceRow, Table, Totals, Value};
use crate::{Ino, Result};

/// Largest run of bytes a commit takes inline for one file.
pub(crate) const INTENT_MAX: u64 = 128 * 1024;

fn int(value: u64) -> Value {
    Value::unsigned(value)
}

/// The total of a table takes over a row that the commit writes, whose checksum was `known` so far.
fn take_over(totals: &mut Totals, op: &RowOp, known: &mut u64) {
    let now = op.sum.cast_unsigned();
    totals.change(op.table, *known, now);
    *known = now;
}

fn little(sums: &[u32]) -> Arc<[u8]> {
    sums.iter().flat_map(|sum| sum.to_le_bytes()).collect()
}

impl State {
    /// Takes over what needs no PV: sizes, times and holes of files whose layers hold no data, and tiny files.
    pub(crate) fn install_dataless(&mut self) -> Result<()> {
        let waiting: Vec<Ino> = self.waiting.values().copied().collect();
        for ino in waiting {
            let Some(inode) = self.inodes.get(&ino) else { continue };
            let tiny = inode.attr.size <= u64::from(TINY) && inode.open.data() <= u64::from(TINY);
            if inode.sealed.is_empty() && (inode.open.data() == 0 || tiny) {
                self.install_inline(ino)?;
            } else if !self.rules.keep(Rule::WholeFiles) {
                self.install_holes(ino)?;
            }
        }
        Ok(())
    }

    /// Puts everything pending of a file into its map, data as inline slices.
    pub(crate) fn install_inline(&mut self, ino: Ino) -> Result<()> {
        let Some(inode) = self.inodes.get_mut(&ino) else { return Ok(()) };
        // From here on the data is on its way from the layers to the map, and in neither as a whole.
        self.reader.changing();
        self.sealed = self.sealed.saturating_sub(inode.sealed_bytes());
        let mut layers: Vec<_> = inode.sealed.drain(..).map(|sealed| sealed.layer).collect();
        layers.push(Arc::new(std::mem::take(&mut inode.open)));
        let attr = inode.data_attr();
        if inode.gone {
            let freed: u64 = layers.iter().map(|layer| layer.data()).sum();
            self.pending = self.pending.saturating_sub(freed);
            self.requeue(ino);
            return Ok(());
        }
        for layer in layers {
            self.pending = self.pending.saturating_sub(layer.data());
            for (off, piece) in layer.pieces() {
                match piece {
                    Piece::Hole(len) => self.map_clear(ino, off, off.saturating_add(*len))?,
                    Piece::Data(bytes) => {
                        // No longer than an extent: a slice moves whole.
                        let mut at = off;
                        for part in bytes.chunks(self.space.extent()) {
                            self.put_inline(ino, at, part)?;
                            at = at.saturating_add(u64::try_from(part.len()).unwrap_or(0));
                        }
                    }
                }
            }
        }
        self.inode_mut(ino)?.named = attr;
        self.requeue(ino);
        Ok(())
    }

    fn put_inline(&mut self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        let id = self.new_slice_id();
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.add_slice(SliceRow {
            id,
            epoch: self.epoch,
            le: None,
            pos: 0,
            stored: len,
            raw: len,
            codec: 0,
            refs: 0,
            live: 0,
            ino,
            off,
            blocks: little(&block_sums(&self.family, self.epoch, id, bytes)),
            data: Some(bytes.into()),
            data_txg: self.txg.0,
            sum: 0,
        });
        self.map_put(ino, MapRow { off, len, slice: id, skip: 0 })
    }

    /// Takes the layer that a file's data waits in, on its way to the PVs.
    pub(crate) fn seal(&mut self, ino: Ino) -> Option<Arc<Layer>> {
        let inode = self.inodes.get_mut(&ino).filter(|inode| inode.unsealed())?;
        let layer = Arc::new(std::mem::take(&mut inode.open));
        inode.sealed.push_back(Sealed { layer: Arc::clone(&layer), attr: inode.data_attr() });
        self.sealed = self.sealed.saturating_add(layer.data());
        self.requeue(ino);
        Some(layer)
    }

    /// The rows of the open transaction group, which becomes the next commit; a new one is opened.
    pub(crate) fn freeze(&mut self) -> Commit {
        let txg = self.txg;
        let mut ops = Vec::with_capacity(self.dirty.rows().saturating_add(1));
        let mut dirty = std::mem::take(&mut self.dirty);
        self.hold_back(&mut dirty);
        self.freeze_inodes(&dirty, txg, &mut ops);
        for ((parent, cookie), present) in &dirty.dirents {
            ops.extend(self.dirent_op(*parent, *cookie, *present, txg));
        }
        for (ino, off) in &dirty.maps {
            ops.push(self.map_op(*ino, *off, txg));
        }
        for (ino, name) in &dirty.xattrs {
            ops.push(self.xattr_op(*ino, name, txg));
        }
        self.freeze_space(&dirty, &mut ops);
        if dirty.fs {
            let op = self.fs_op(txg);
            take_over(&mut self.totals, &op, &mut self.fs.sum);
            ops.push(op);
        }
        self.reader.expect_until(txg);
        self.txg = Txg(txg.0.saturating_add(1));
        let mut commit = Commit {
            family: self.family,
            epoch: self.epoch,
            txg,
            next_slice: SliceId(self.next_slice.load(Ordering::Relaxed)),
            running: self.now,
            totals: self.totals,
            ops,
        };
        commit.seal();
        commit
    }

    fn freeze_inodes(&mut self, dirty: &Dirty, txg: Txg, ops: &mut Vec<RowOp>) {
        for ino in &dirty.inodes {
            let Some(op) = self.inode_op(*ino, txg) else { continue };
            if let Some(inode) = self.inodes.get_mut(ino) {
                take_over(&mut self.totals, &op, &mut inode.row_sum);
            }
            ops.push(op);
        }
        for (ino, window) in &dirty.windows {
            let Some(sum) = self.inodes.get_mut(ino).and_then(|inode| inode.window_sums.get_mut(window)) else {
                continue;
            };
            let mut values = vec![Value::Int(FS), int(ino.0), int(*window)];
            let op = if sum.below == 0 {
                RowOp::delete(Table::Window, values)
            } else {
                values.extend([int(sum.below), int(txg.0)]);
                RowOp::put(Table::Window, values)
            };
            take_over(&mut self.totals, &op, &mut sum.row_sum);
            ops.push(op);
        }
    }

    fn freeze_space(&mut self, dirty: &Dirty, ops: &mut Vec<RowOp>) {
        for id in &dirty.slices {
            let Some(op) = self.slice_op(*id) else { continue };
            if let Some(slice) = self.slices.get_mut(id) {
                take_over(&mut self.totals, &op, &mut slice.row.sum);
            }
            ops.push(op);
        }
        for le in &dirty.les {
            let Some(op) = self.le_op(*le) else { continue };
            if let Some(entry) = self.space.get_mut(*le) {
                take_over(&mut self.totals, &op, &mut entry.row_sum);
            }
            ops.push(op);
        }
        for pv in &dirty.pvs {
            if let Some((epoch, flush)) = self.pvs.get(pv) {
                let key = Value::Blob(pv.as_bytes().as_slice().into());
                let bound = self.unnamed.first().filter(|_| *epoch == self.epoch);
                let mark = bound.map_or(flush.0, |unnamed| flush.0.min(unnamed.0.saturating_sub(1)));
                let op = RowOp::put(Table::Pv, vec![key, int(epoch.0), int(mark)]);
                take_over(&mut self.totals, &op, self.pv_sums.entry(*pv).or_default());
                ops.push(op);
            }
        }
    }

    fn inode_op(&self, ino: Ino, txg: Txg) -> Option<RowOp> {
        let inode = self.inodes.get(&ino)?;
        if inode.gone {
            return Some(RowOp::delete(Table::Inode, vec![Value::Int(FS), int(ino.0)]));
        }
        let a = &inode.attr;
        let directory = a.kind == crate::Kind::Directory;
        let named = !directory && self.rules.keep(Rule::SizeWithData);
        let (size, mtime) = if named { (inode.named.size, inode.named.mtime) } else { (a.size, a.mtime) };
        let values = vec![
            Value::Int(FS),
            int(ino.0),
            Value::Int(a.kind.code()),
            int(a.mode.into()),
            int(a.uid.into()),
            int(a.gid.into()),
            int(a.nlink.into()),
            int(size),
            int(inode.mapped),
            Value::Int(a.atime),
            Value::Int(mtime),
            Value::Int(a.ctime),
            Value::Int(a.btime),
            int(a.rdev),
            int(inode.generation),
            int(inode.flags),
            int(inode.project),
            int(inode.parent.0),
            inode.target.clone().map_or(Value::Null, Value::Blob),
            int(inode.below),
            int(inode.xattr_sum),
            int(txg.0),
        ];
        Some(RowOp::put(Table::Inode, values))
    }

    fn dirent_op(&self, parent: Ino, cookie: u64, present: bool, txg: Txg) -> Option<RowOp> {
        if !present {
            return Some(RowOp::delete(Table::Dirent, vec![Value::Int(FS), int(parent.0), int(cookie)]));
        }
        let bucket = self.dirs.get(&parent)?.buckets.get(&super::directory::bucket_at(cookie))?;
        let entry = bucket.entries.iter().find(|entry| entry.cookie == cookie)?;
        let values = vec![
            Value::Int(FS),
            int(parent.0),
            int(cookie),
            Value::Blob(Arc::clone(&entry.name)),
            int(entry.ino.0),
            Value::Int(entry.kind.code()),
            int(txg.0),
        ];
        Some(RowOp::put(Table::Dirent, values))
    }

    fn map_op(&self, ino: Ino, off: u64, txg: Txg) -> RowOp {
        let window = self.inodes.get(&ino).and_then(|inode| inode.windows.get(&(off / super::inode::WINDOW)));
        let key = vec![Value::Int(FS), int(ino.0), int(off)];
        match window.and_then(|rows| rows.get(&off)) {
            Some(row) => {
                let home = self.slices.get(&row.slice).is_some_and(|slice| slice.row.is_home_of(ino, row));
                let mut values = key;
                let entry = [int(row.len.into()), int(row.slice.0), int(row.skip.into())];
                values.extend(entry.into_iter().chain([int((!home).into()), int(txg.0)]));
                RowOp::put(Table::Map, values)
            }
            None => RowOp::delete(Table::Map, key),
        }
    }

    fn xattr_op(&self, ino: Ino, name: &Arc<[u8]>, txg: Txg) -> RowOp {
        let mut values = vec![Value::Int(FS), int(ino.0), Value::Blob(Arc::clone(name))];
        let value = self.inodes.get(&ino).and_then(|inode| inode.xattrs.as_ref()).and_then(|xattrs| xattrs.get(name));
        match value {
            Some(value) => {
                values.extend([Value::Blob(Arc::clone(value)), int(txg.0)]);
                RowOp::put(Table::Xattr, values)
            }
            None => RowOp::delete(Table::Xattr, values),
        }
    }

    fn slice_op(&self, id: SliceId) -> Option<RowOp> {
        let row = &self.slices.get(&id)?.row;
        if row.refs == 0 {
            return Some(RowOp::delete(Table::Slice, vec![int(id.0)]));
        }
        let values = vec![
            int(id.0),
            int(row.epoch.0),
            row.le.map_or(Value::Null, |le| int(le.0.into())),
            int(row.pos.into()),
            int(row.stored.into()),
            int(row.raw.into()),
            int(row.codec.into()),
            int(row.refs.into()),
            int(row.live),
            Value::Int(FS),
            int(row.ino.0),
            int(row.off),
            Value::Blob(Arc::clone(&row.blocks)),
            row.data.clone().map_or(Value::Null, Value::Blob),
            Value::Null,
            int(row.data_txg),
        ];
        Some(RowOp::put(Table::Slice, values))
    }

    fn le_op(&self, index: pv::LeIndex) -> Option<RowOp> {
        let le = self.space.get(index)?;
        let since = match le.state {
            LeState::Free => return Some(RowOp::delete(Table::Le, vec![int(index.0.into())])),
            _ if le.state == LeState::Live || (le.state == LeState::Away && le.live > 0) => Value::Null,
            LeState::Dead { .. } | LeState::Deleting | LeState::Away => int(le.since),
            LeState::Live | LeState::Filling => return None,
        };
        let values =
            vec![int(index.0.into()), int(le.epoch.0), int(le.flush.0), int(le.live), int(le.fill.into()), since];
        Some(RowOp::put(Table::Le, values))
    }

    fn fs_op(&self, txg: Txg) -> RowOp {
        let values = vec![
            Value::Int(FS),
            Value::Blob(Arc::clone(&self.fs.lv)),
            Value::Null,
            Value::Int(0),
            int(self.fs.name_key),
            int(self.fs.next_ino),
            int(self.fs.files),
            int(txg.0),
        ];
        RowOp::put(Table::Fs, values)
    }
}
