//! From an inode back to a path.

use super::directory::bucket_at;
use super::entry::Climb;
use super::state::{FS, State};
use crate::{Ino, Result};

/// Longest way that is looked at: deeper trees exist, but no message needs them.
const SHOWN_DEPTH: usize = 4096;

impl State {
    /// A name of `ino` in `parent`.
    fn name_in(&mut self, parent: Ino, ino: Ino) -> Result<Option<Vec<u8>>> {
        let dir = self.dirs.entry(parent).or_default();
        let cached = dir.buckets.values().flat_map(|bucket| &bucket.entries).find(|entry| entry.ino == ino);
        if let Some(entry) = cached {
            return Ok(Some(entry.name.to_vec()));
        }
        if dir.complete {
            return Ok(None);
        }
        let rows = self.reader.dirents_of(FS, parent, ino)?;
        let dir = self.dirs.entry(parent).or_default();
        // What is in memory is the truth, whatever the catalogue still says.
        let known = |cookie| dir.buckets.contains_key(&bucket_at(cookie));
        Ok(rows.into_iter().find(|row| !known(row.cookie)).map(|row| row.name.to_vec()))
    }

    /// Any name of `ino`, and the directory it is in.
    fn any_name(&mut self, ino: Ino) -> Result<Option<(Ino, Vec<u8>)>> {
        let cached = self.dirs.iter().find_map(|(parent, dir)| {
            let entry = dir.buckets.values().flat_map(|bucket| &bucket.entries).find(|entry| entry.ino == ino)?;
            Some((*parent, entry.name.to_vec()))
        });
        if cached.is_some() {
            return Ok(cached);
        }
        for (parent, row) in self.reader.dirents_to(FS, ino)? {
            let known = self
                .dirs
                .get(&parent)
                .is_some_and(|dir| dir.complete || dir.buckets.contains_key(&bucket_at(row.cookie)));
            if !known {
                return Ok(Some((parent, row.name.to_vec())));
            }
        }
        Ok(None)
    }

    /// A name of `ino` and the directory it is in: its first one while it has it, else any. O(all entries) for those.
    fn name_of(&mut self, ino: Ino) -> Result<Option<(Ino, Vec<u8>)>> {
        let parent = self.inode(ino)?.parent;
        match self.name_in(parent, ino)? {
            Some(name) => Ok(Some((parent, name))),
            None => self.any_name(ino),
        }
    }

    /// A path that leads to an inode; `None` when none does.
    pub(crate) fn find_path(&mut self, ino: Ino) -> Result<Option<Vec<u8>>> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut at = ino;
        let mut climb = Climb::from(at);
        while at != Ino::ROOT {
            let Some((parent, name)) = self.name_of(at)? else { return Ok(None) };
            parts.push(name);
            if !climb.step(parent) {
                return Err(self.damaged(format!("directory {at} is above itself")));
            }
            at = parent;
        }
        Ok(Some(joined(&parts)))
    }

    /// The path of an inode, as far as it can be found, for messages.
    pub(crate) fn path_of(&mut self, ino: Ino) -> Vec<u8> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        let mut at = ino;
        while at != Ino::ROOT && parts.len() < SHOWN_DEPTH {
            let Ok(Some((parent, name))) = self.name_of(at) else { break };
            parts.push(name);
            at = parent;
        }
        if parts.is_empty() && ino != Ino::ROOT { format!("inode {ino}").into_bytes() } else { joined(&parts) }
    }
}

/// A path of names, the last one first.
fn joined(parts: &[Vec<u8>]) -> Vec<u8> {
    if parts.is_empty() {
        return b"/".to_vec();
    }
    parts.iter().rev().fold(Vec::new(), |mut path, part| {
        path.push(b'/');
        path.extend_from_slice(part);
        path
    })
}
