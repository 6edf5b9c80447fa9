//! Requests that list directories.
//!
//! The place after `.` is 1, after `..` 2; after any other entry it is the entry's cookie, which is always larger.

use lv::{Attr, Ino};

use super::errno::Answer;
use super::server::Server;

/// Where a listing goes on after `.`.
const AFTER_DOT: u64 = 1;
/// Where it goes on after `..`.
const AFTER_DOTS: u64 = 2;
/// Most bytes of one entry beside its name, so that not many more entries are looked up than fit.
const ENTRY_BYTES: usize = 24 + 16;
/// The same with attributes.
const PLUS_BYTES: usize = 152 + 16;

impl Server {
    /// The entries that are in no directory's list: those before place 0, 1 and 2.
    fn dots(&self, ino: Ino, after: u64) -> Vec<(u64, &'static [u8], Ino)> {
        let mut dots = Vec::new();
        if after < AFTER_DOT {
            dots.push((AFTER_DOT, &b"."[..], ino));
        }
        if after < AFTER_DOTS {
            // A directory that was removed has no parent that could be shown.
            dots.push((AFTER_DOTS, &b".."[..], self.volume.parent_of(ino).unwrap_or(ino)));
        }
        dots
    }

    /// Gives `add` the entries after place `after` until it says that there is no more room, each with the place after it.
    pub(super) fn list(
        &self,
        ino: Ino,
        after: u64,
        bytes: usize,
        mut add: impl FnMut(u64, &[u8], Ino, lv::Kind) -> bool,
    ) -> Answer<()> {
        for (place, name, ino) in self.dots(ino, after) {
            if add(place, name, ino, lv::Kind::Directory) {
                return Ok(());
            }
        }
        if after == 0 {
            self.note_access(ino)?;
        }
        let mut cookie = if after <= AFTER_DOTS { 0 } else { after };
        let limit = (bytes / ENTRY_BYTES).max(1);
        loop {
            let entries = self.done(self.volume.readdir(ino, cookie, limit))?;
            for entry in &entries {
                if add(entry.cookie, &entry.name, entry.ino, entry.kind) {
                    return Ok(());
                }
                cookie = entry.cookie;
            }
            if entries.len() < limit {
                return Ok(());
            }
        }
    }

    /// As [`list`](Self::list), with the attributes of what the entries name. Whatever is added is handed over to the
    /// kernel.
    pub(super) fn list_plus(
        &self,
        ino: Ino,
        after: u64,
        bytes: usize,
        mut add: impl FnMut(u64, &[u8], &Attr) -> bool,
    ) -> Answer<()> {
        for (place, name, ino) in self.dots(ino, after) {
            // The kernel takes nothing from these but their number.
            let attr = self.getattr(ino)?;
            if add(place, name, &attr) {
                return Ok(());
            }
        }
        if after == 0 {
            self.note_access(ino)?;
        }
        let mut cookie = if after <= AFTER_DOTS { 0 } else { after };
        let limit = (bytes / PLUS_BYTES).max(1);
        loop {
            let entries = self.done(self.volume.readdir_plus(ino, cookie, limit))?;
            for (entry, attr) in &entries {
                // Before the kernel can know it, and taken back when there was no room.
                let shown = self.hand_over(*attr);
                if add(entry.cookie, &entry.name, &shown) {
                    self.forget(attr.ino, 1);
                    return Ok(());
                }
                cookie = entry.cookie;
            }
            if entries.len() < limit {
                return Ok(());
            }
        }
    }
}
