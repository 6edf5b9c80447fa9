//! No room: in the volume, on the host.

use lv::{Ino, Kind, LvError, NewNode, SetAttr, Volume, Work};

use super::contents::index;
use super::op::{Pick, Place};
use super::reference::Id;
use super::run::{Machine, pattern};
use crate::prng::Prng;

/// Writes that a file may take to fill a volume.
const MOST: u64 = 300;
/// Bytes of a file that is overwritten again and again.
const LONGEST: u64 = 120_000;

impl Machine {
    /// Bytes that files can have, by the extents that were there when the volume was opened.
    pub(super) fn usable(&self) -> u64 {
        let extents = self.opened_with;
        self.ground.setup().extent() * u64::from(extents - lv::hidden_reserve(extents))
    }

    /// A write was refused: with everything that files hold there would really be no room for it.
    pub(super) fn check_refusal(&self, needed: u64) {
        if self.together || self.away.is_some() {
            return;
        }
        let held: u64 =
            self.reference.ids().map(|id| self.reference.get(id).map_or(0, |node| node.contents.weight())).sum();
        let intents = self.volume().usage().map_or(0, |usage| usage.intent_bytes);
        assert!(held + intents + needed > self.usable(), "{needed} bytes refused where {held} and {intents} are held");
    }

    /// A new file grows until nothing fits in. What it gives back can be written again.
    pub(super) fn fill(&mut self, at: Place, chunk: u16) {
        let ((dir, ino), name) = self.place(at);
        let made = self.volume().create(ino, &name, &NewNode::file(0o600));
        let file = made.as_ref().map(|attr| attr.ino).ok();
        self.same_attr(made, |fs| fs.make(dir, &name, &NewNode::file(0o600), b""));
        let (Some(file), Ok(id)) = (file, self.reference.lookup(dir, &name)) else { return };
        self.counts.full += 1;
        let chunk = u64::from(chunk) * self.ground.setup().extent() / 4096;
        let Some(size) = self.append_until_refused((id, file), chunk, MOST * chunk) else { return };
        let half = size / 2;
        let set = SetAttr { size: Some(half), ..SetAttr::default() };
        let settled = self
            .then(|machine| machine.same_attr(machine.volume().setattr(file, &set), |fs| fs.set_attr(id, &set)))
            && self.then(|machine| machine.same(machine.volume().sync(), |_| Ok(())))
            && self.then(|machine| machine.same(machine.volume().step(Work::Intents).map(drop), |_| Ok(())))
            && self.then(|machine| machine.same(machine.volume().sync(), |_| Ok(())));
        if settled && !self.squeezed {
            let refused = self.counts.refused;
            // But for a chunk: the smallest pieces took no extent as long as they lay with the rows.
            let most = ((size - half) / chunk.max(1)).saturating_sub(1) * chunk;
            let again = self.append_until_refused((id, file), chunk, most);
            assert!(again.is_none() || self.counts.refused == refused, "{half} bytes were given back, and are no room");
        }
    }

    /// One more step of an operation; `false` when the volume stopped in it.
    fn then(&mut self, step: impl FnOnce(&mut Self)) -> bool {
        self.note();
        self.reference.now = self.ground.clock.tick();
        let stops = self.counts.stopped;
        step(self);
        self.note();
        self.counts.stopped == stops
    }

    /// Appends `chunk` bytes at a time until one is refused, or `most` are there; how many then, unless it stopped.
    fn append_until_refused(&mut self, (id, file): (Id, Ino), chunk: u64, most: u64) -> Option<u64> {
        let (mut size, refused) = (0, self.counts.refused);
        while size < most && self.counts.refused == refused {
            let bytes = pattern(size ^ id as u64, index(chunk));
            let went = self.then(|machine| {
                machine.may_refuse = true;
                let got = machine.volume().append(file, &bytes);
                size += if got.is_ok() { chunk } else { 0 };
                machine.same(got, |machine| machine.reference.write(id, None, &bytes));
                machine.may_refuse = false;
            });
            if !went {
                return None;
            }
        }
        Some(size)
    }

    /// A file is overwritten again and again, its data placed at once, what it frees reclaimed as soon as may be.
    pub(super) fn churn(&mut self, node: Pick, rounds: u8, seed: u64) {
        let is_file = |id: &Id| self.reference.get(*id).is_ok_and(|node| node.kind == Kind::File);
        let files: Vec<Id> = self.reference.ids().filter(is_file).collect();
        let Some(id) = files.get(usize::from(node) % files.len().max(1)).copied() else { return };
        let (file, mut rng) = (self.ino(id), Prng::new(seed));
        for _ in 0..rounds {
            let size = self.reference.get(id).map_or(0, |node| node.contents.size).min(LONGEST);
            let (off, len) = (rng.below(size + 1), 1 + rng.below(4 * self.ground.setup().extent()));
            let bytes = pattern(rng.draw(), index(len));
            let write = |machine: &mut Self| {
                machine.may_refuse = true;
                let got = machine.volume().write(file, off, &bytes);
                machine.same(got, |machine| machine.reference.write(id, Some(off), &bytes).map(drop));
                machine.may_refuse = false;
            };
            let work = [Work::Delete, Work::Compact, Work::Clean { idle: true }][rng.index(3)];
            let went = self.then(write)
                && self.then(|machine| machine.same(machine.volume().step(Work::Flush).map(drop), |_| Ok(())))
                && self.then(|machine| machine.same(machine.volume().step(work).map(drop), |_| Ok(())));
            if !went {
                return;
            }
        }
    }

    /// Others take the host's disk, but for `free` bytes.
    pub(super) fn squeeze(&mut self, free: u32) {
        if self.away.is_none() {
            self.ground.set_free(Some(free.into()));
            self.squeezed = true;
            self.counts.squeezed += 1;
        }
    }

    /// There is room on the host's disk again.
    pub(super) fn relax(&mut self) {
        self.ground.set_free(None);
        self.squeezed = false;
    }

    /// Takes everything away and looks whether all space is back.
    pub(super) fn empty(&mut self) {
        let volume = self.volume().clone();
        remove_all(&volume, Ino::ROOT).unwrap_or_else(|error| panic!("removing everything: {error}"));
        volume.sync().unwrap();
        while volume.step(Work::Clean { idle: true }).unwrap() {}
        let space = volume.statfs().unwrap();
        assert_eq!((space.free, space.files), (space.total, 1), "free bytes and files of an empty volume");
    }
}

/// Removes all that is in a directory.
fn remove_all(volume: &Volume, dir: Ino) -> Result<(), LvError> {
    for entry in volume.readdir(dir, 0, usize::MAX)? {
        if entry.kind == Kind::Directory {
            remove_all(volume, entry.ino)?;
            volume.rmdir(dir, &entry.name)?;
        } else {
            volume.unlink(dir, &entry.name)?;
        }
    }
    Ok(())
}
