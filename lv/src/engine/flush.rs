//! Flushing: what files have in memory is sealed, placed in extents, and taken over by their maps, in this order for
//! each file.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};

use super::core::{Core, lock};
use super::layer::{Layer, Piece};
use super::pack::{Origin, Run};
use super::pipeline::{Layers, Pipeline};
use super::place::Need;
use crate::{Ino, Result};

/// Proof that no other flush runs, and what this one works with.
pub(crate) type FlushToken<'a> = MutexGuard<'a, Pipeline>;

impl Core {
    /// Places all data that waits at the time of the call.
    pub(crate) fn flush_all(&self) -> Result<()> {
        let mut token = lock(&self.flush);
        let mut state = self.state()?;
        state.install_dataless()?;
        let files: Vec<Ino> = state.waiting.values().copied().collect();
        drop(state);
        self.send_files(&mut token, &files)?;
        self.drain(&mut token)
    }

    /// Places the data of these files.
    pub(crate) fn flush_files(&self, files: &[Ino]) -> Result<()> {
        let mut token = lock(&self.flush);
        self.send_files(&mut token, files)?;
        self.drain(&mut token)
    }

    /// Sends the data that waits longest, about `limit` bytes, on its way.
    pub(crate) fn flush_some(&self, limit: u64) -> Result<()> {
        let mut token = lock(&self.flush);
        let mut state = self.state()?;
        state.install_dataless()?;
        let mut files = Vec::new();
        let mut bytes = 0u64;
        for ino in state.waiting.values() {
            if bytes >= limit {
                break;
            }
            files.push(*ino);
            bytes = bytes.saturating_add(state.inodes.get(ino).map_or(0, |inode| inode.open.data()));
        }
        drop(state);
        self.send_files(&mut token, &files)
    }

    /// Waits for something that is on its way; `false` when nothing is.
    pub(crate) fn flush_wait(&self) -> Result<bool> {
        let mut token = lock(&self.flush);
        self.wait_one(&mut token)
    }

    fn send_files(&self, token: &mut FlushToken<'_>, files: &[Ino]) -> Result<()> {
        let mut state = self.state()?;
        let layers: Layers = files.iter().filter_map(|ino| state.seal(*ino).map(|layer| (*ino, layer))).collect();
        drop(state);
        if layers.is_empty() {
            return Ok(());
        }
        let mut runs = VecDeque::new();
        for (ino, layer) in &layers {
            for (off, piece) in layer.pieces() {
                if let Piece::Data(bytes) = piece {
                    runs.push_back(Run { ino: *ino, off, bytes: Arc::clone(bytes).into(), origin: Origin::Layer });
                }
            }
        }
        token.begin(layers);
        if let Err(error) = self.place_chunks(token, runs, Need::Data) {
            let layers = self.give_up(token)?;
            self.unseal(&layers);
            return Err(error);
        }
        token.end();
        self.install_done(token)
    }

    /// Puts layers back that could not be placed.
    fn unseal(&self, layers: &[(Ino, Arc<Layer>)]) {
        let mut state = lock(&self.state);
        for (ino, layer) in layers {
            if let Some(inode) = state.inodes.get_mut(ino)
                && inode.sealed.back().is_some_and(|sealed| Arc::ptr_eq(&sealed.layer, layer))
            {
                inode.sealed.pop_back();
                let newer = std::mem::replace(&mut inode.open, Layer::clone(layer));
                let before = inode.open.data().saturating_add(newer.data());
                inode.open.stack(newer);
                let overlap = before.saturating_sub(inode.open.data());
                state.pending = state.pending.saturating_sub(overlap);
                state.sealed = state.sealed.saturating_sub(layer.data());
            }
            state.requeue(*ino);
        }
    }
}
