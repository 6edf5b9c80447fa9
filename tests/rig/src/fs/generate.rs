//! Random operations that fit a history.

use std::time::Duration;

use lv::{Ino, Work};

use super::History;
use super::op::{FsOp, Place, Together};
use super::snapshot::{Code, DIRECTORY, FILE};
use crate::prng::Prng;

/// What a workload is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// Bytes that all files may have together; above, files are cut or removed.
    pub live: u64,
    /// Bytes that one file may have.
    pub file: u64,
    /// Bytes of one write at most.
    pub write: u64,
    /// Steps of background work and waiting, of 100 operations.
    pub work: u64,
    /// Fsyncs and syncs, of 100 operations.
    pub sync: u64,
    /// Most writes are small and go over what files have, and the cleaner runs often.
    pub overwrites: bool,
}

/// Draws operations.
#[derive(Debug, Clone)]
pub struct Generator {
    rng: Prng,
    mix: Mix,
}

impl Generator {
    /// The same seed and history give the same operations.
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self { rng: Prng::derived(seed, &[0x6f70]), mix }
    }

    /// The next operation for a volume with this history.
    pub fn draw(&mut self, history: &History) -> FsOp {
        let files = inodes(history, FILE);
        let (work, sync) = (self.mix.work, self.mix.work + self.mix.sync);
        match self.rng.below(100) {
            n if n < work => self.background(),
            n if n < sync => match self.one(&files) {
                Some(ino) if !self.rng.one_in(4) => FsOp::Fsync(ino),
                _ => FsOp::Sync,
            },
            _ if files.iter().map(|ino| history.len(*ino)).sum::<u64>() > self.mix.live => self.shrink(history, &files),
            n if n % 11 == 0 => self.marks(history),
            _ if files.is_empty() || self.rng.one_in(3) => self.names(history),
            _ => self.contents(history, &files),
        }
    }

    fn background(&mut self) -> FsOp {
        match self.rng.below(if self.mix.overwrites { 14 } else { 9 }) {
            0..=2 => FsOp::Work(Work::Flush),
            3 | 9.. => FsOp::Work(Work::Compact),
            4 => FsOp::Work(Work::Intents),
            5 => FsOp::Work(Work::Delete),
            6 => FsOp::Work(Work::Clean { idle: true }),
            7 => FsOp::Work(Work::Clean { idle: false }),
            _ => FsOp::Wait(Duration::from_millis(self.rng.below(1500))),
        }
    }

    fn contents(&mut self, history: &History, files: &[Ino]) -> FsOp {
        let Some(ino) = self.one(files) else { return FsOp::Sync };
        let len = history.len(ino);
        if self.mix.overwrites && len > 0 && self.rng.one_in(8) {
            return self.copy(history, ino, files);
        }
        if self.mix.overwrites && len > 0 && !self.rng.one_in(3) {
            let off = self.rng.below(len);
            let len = usize::try_from((1 + self.rng.below(1500)).min(len - off)).unwrap_or(1);
            return FsOp::Write { ino, off, len, seed: self.rng.draw() };
        }
        match self.rng.below(10) {
            0 => FsOp::Truncate(ino, self.rng.below(len + len / 4 + 2)),
            1 => {
                let start = self.rng.below(len + 1);
                FsOp::Punch(ino, start, start + 1 + self.rng.below(8192))
            }
            n => {
                // Appended, overwritten at a block, overwritten anywhere.
                let off = match n {
                    2..=4 => len,
                    5..=7 => self.rng.below(len / 4096 + 1) * 4096,
                    _ => self.rng.below(len + 1),
                };
                let small = self.rng.one_in(3);
                let most = if small { 600 } else { self.mix.write };
                let room = self.mix.file.saturating_sub(off).max(1);
                let len = usize::try_from((1 + self.rng.below(most)).min(room)).unwrap_or(1);
                FsOp::Write { ino, off, len, seed: self.rng.draw() }
            }
        }
    }

    /// Bytes of `to` become those of some file, of itself as well.
    fn copy(&mut self, history: &History, to: Ino, files: &[Ino]) -> FsOp {
        let from = self.one(files).unwrap_or(to);
        let (start, off) = (self.rng.below(history.len(from) + 1), self.rng.below(history.len(to) + 1));
        let mut len = 1 + self.rng.below(self.mix.write);
        if from == to {
            len = len.min(start.abs_diff(off));
        }
        FsOp::Copy { from: (from, start), to: (to, off), len }
    }

    /// Something that makes room.
    fn shrink(&mut self, history: &History, files: &[Ino]) -> FsOp {
        let largest = files.iter().copied().max_by_key(|ino| history.len(*ino)).unwrap_or(Ino::ROOT);
        if self.rng.one_in(2) {
            return FsOp::Truncate(largest, self.rng.below(history.len(largest) / 2 + 1));
        }
        let place = history.names().iter().find(|(_, (ino, _))| *ino == largest).map(|(place, _)| place.clone());
        place.map_or(FsOp::Sync, FsOp::Unlink)
    }

    /// Permissions, owners, extended attributes: small values and some that fill pages.
    fn marks(&mut self, history: &History) -> FsOp {
        let inodes: Vec<Ino> = [Ino::ROOT].into_iter().chain(inodes(history, FILE)).collect();
        let ino = inodes[self.rng.index(inodes.len())];
        let name = [b"user.a", b"user.b"][self.rng.index(2)].to_vec();
        let has = history.marks().get(&ino).is_some_and(|marks| marks.xattrs.contains_key(&name));
        let number = |rng: &mut Prng| u32::try_from(rng.below(5)).unwrap_or(0);
        match self.rng.below(6) {
            0 => FsOp::Chmod(ino, 0o600 + number(&mut self.rng)),
            1 => FsOp::Chown(ino, number(&mut self.rng), number(&mut self.rng)),
            2 if has => FsOp::RemoveXattr(ino, name),
            n => {
                let most = if n == 3 { 5000 } else { 40 };
                let len = usize::try_from(self.rng.below(most)).unwrap_or(0);
                FsOp::SetXattr(ino, name, len, self.rng.draw())
            }
        }
    }

    fn names(&mut self, history: &History) -> FsOp {
        let place = self.place(history);
        let here = history.names().get(&place).map(|(_, kind)| *kind);
        let files = inodes(history, FILE);
        match (self.rng.below(14), here) {
            (11, None) => self.replace(place),
            (11, Some(kind)) if kind != DIRECTORY => self.replace(place),
            (12.., None) => self.together(history, place, &files),
            (0..=4, None) => FsOp::Create(place),
            (5, None) => FsOp::Mkdir(place),
            (6, None) => FsOp::Symlink(place, b"some/target".to_vec()),
            (7, None) => self.one(&files).map_or(FsOp::Sync, |ino| FsOp::Link(ino, place)),
            (0..=2, Some(kind)) if kind != DIRECTORY => FsOp::Unlink(place),
            (0..=2, Some(_)) if history.empty_directory(&place) => FsOp::Rmdir(place),
            _ => self.rename(history, place),
        }
    }

    fn replace(&mut self, place: Place) -> FsOp {
        let most = if self.rng.one_in(2) { 500 } else { self.mix.write };
        FsOp::Replace(place, usize::try_from(self.rng.below(most)).unwrap_or(0), self.rng.draw())
    }

    /// A transaction: little enough for the smallest memory of a workload.
    fn together(&mut self, history: &History, place: Place, files: &[Ino]) -> FsOp {
        let others: Vec<&Place> =
            history.names().iter().filter(|(_, (_, kind))| *kind != DIRECTORY).map(|(place, _)| place).collect();
        let over = others.get(self.rng.index(others.len() * 3)).map(|place| (*place).clone());
        let unlink = others.get(self.rng.index(others.len() * 3)).filter(|place| over.as_ref() != Some(**place));
        let unlink = unlink.map(|place| (*place).clone());
        let (len, most) = (1 + self.rng.below(6000), self.rng.below(6000) + 1);
        let length = |n: u64| usize::try_from(n).unwrap_or(1);
        let write = self.one(files).filter(|_| self.rng.one_in(2)).map(|ino| {
            let off = self.rng.below(history.len(ino) + 1);
            (ino, off, length(most), self.rng.draw())
        });
        let fails = self.rng.one_in(5);
        FsOp::Together(Box::new(Together { place, bytes: (length(len), self.rng.draw()), write, over, unlink, fails }))
    }

    /// A rename of a file or link, often over another.
    fn rename(&mut self, history: &History, to: Place) -> FsOp {
        let from: Vec<&Place> =
            history.names().iter().filter(|(_, (_, kind))| *kind != DIRECTORY).map(|(place, _)| place).collect();
        let over_directory = history.names().get(&to).is_some_and(|(_, kind)| *kind == DIRECTORY);
        if from.is_empty() || over_directory {
            return FsOp::Sync;
        }
        FsOp::Rename(from[self.rng.index(from.len())].clone(), to)
    }

    /// A name in some directory: taken or free.
    fn place(&mut self, history: &History) -> Place {
        let mut dirs = inodes(history, DIRECTORY);
        dirs.push(Ino::ROOT);
        dirs.push(Ino::ROOT);
        let dir = dirs[self.rng.index(dirs.len())];
        let mut name = vec![b'a' + u8::try_from(self.rng.below(9)).unwrap_or(0)];
        if self.rng.one_in(9) {
            name = name.repeat(200);
        }
        (dir, name)
    }

    fn one(&mut self, inodes: &[Ino]) -> Option<Ino> {
        inodes.get(self.rng.index(inodes.len())).copied()
    }
}

/// The inodes of a kind, each once, in order.
fn inodes(history: &History, kind: Code) -> Vec<Ino> {
    let mut all: Vec<Ino> = history.names().values().filter(|(_, of)| *of == kind).map(|(ino, _)| *ino).collect();
    all.sort_unstable();
    all.dedup();
    all
}
