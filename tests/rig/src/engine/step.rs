//! The steps of a workload, fresh or told again.

use std::collections::HashMap;

use lv::Ino;

use crate::fs::{FsOp, Generator, History};
use crate::prng::Prng;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Something is done to the volume.
    Fs(FsOp),
    /// It is closed and activated again.
    Reopen,
    /// The copy of the metadata with this number can no longer be read or written.
    Lose(u8),
    /// It can again, as it was when it was lost.
    Return(u8),
}

/// A step that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What was done.
    pub step: Step,
    /// The inode that it made.
    pub made: Option<Ino>,
}

/// Which metadata copies there are.
#[derive(Debug, Clone, Default)]
pub(super) struct Copies {
    /// In the descriptor.
    pub(super) in_sync: Vec<u8>,
    /// Not to be read or written now.
    pub(super) lost: Vec<u8>,
}

impl Copies {
    /// One may be lost and the volume still goes on.
    fn spare(&self) -> Option<u8> {
        let there: Vec<u8> = self.in_sync.iter().copied().filter(|copy| !self.lost.contains(copy)).collect();
        if there.len() > 1 { there.first().copied() } else { None }
    }

    fn fits(&self, step: &Step) -> bool {
        match step {
            Step::Lose(copy) => {
                let there = self.in_sync.iter().filter(|one| !self.lost.contains(one)).count();
                self.in_sync.contains(copy) && !self.lost.contains(copy) && there > 1
            }
            Step::Return(copy) => self.lost.contains(copy),
            Step::Fs(_) | Step::Reopen => true,
        }
    }
}

/// Where steps come from.
#[derive(Debug)]
pub(super) enum Source<'a> {
    /// Drawn.
    Fresh {
        /// Decides.
        generator: Box<Generator>,
        /// How many more.
        left: u32,
        /// A copy is lost or returns in one of so many steps; 0: never.
        lose_one_in: u64,
    },
    /// A list, with what its inodes are called now.
    Again {
        /// The steps.
        list: std::slice::Iter<'a, Told>,
        /// Numbers of inodes then and now.
        inodes: HashMap<Ino, Ino>,
    },
}

impl Source<'_> {
    /// The next step, as it was told and as it is to be done (`None`: no longer possible); at the end nothing.
    pub(super) fn next(&mut self, rng: &mut Prng, history: &History, copies: &Copies) -> Option<(Told, Option<Step>)> {
        match self {
            Self::Fresh { generator, left, lose_one_in } => {
                *left = left.checked_sub(1)?;
                let step = match copies.lost.first() {
                    _ if rng.one_in(40) => Step::Reopen,
                    Some(lost) if *lose_one_in > 0 && rng.one_in(5) => Step::Return(*lost),
                    None if *lose_one_in > 0 && rng.one_in(*lose_one_in) => {
                        let copy = copies.spare().map(|first| {
                            let there = copies.in_sync.len();
                            copies.in_sync.get(rng.index(there)).copied().unwrap_or(first)
                        });
                        copy.map_or(Step::Reopen, Step::Lose)
                    }
                    _ => Step::Fs(generator.draw(history)),
                };
                Some((Told { step: step.clone(), made: None }, Some(step)))
            }
            Self::Again { list, inodes } => {
                let told = list.next()?.clone();
                let now = |ino: Ino| if ino == Ino::ROOT { Some(ino) } else { inodes.get(&ino).copied() };
                let step = match &told.step {
                    Step::Fs(op) => op.with_inodes(&now).filter(|op| history.fits(op)).map(Step::Fs),
                    other => Some(other.clone()).filter(|step| copies.fits(step)),
                };
                Some((told, step))
            }
        }
    }

    /// What the step made is called `now`.
    pub(super) fn made(&mut self, told: Option<Ino>, now: Option<Ino>) {
        if let (Self::Again { inodes, .. }, Some(told), Some(now)) = (self, told, now) {
            inodes.insert(told, now);
        }
    }
}
