//! What a name leads to, when the rows may contradict each other.
//!
//! A directory has one parent, and only the entry there leads to it. So no walk from the root, by whatever names, comes
//! to a directory twice on one way, and `..` leads back.

use super::inode::Inode;
use super::state::State;
use crate::{Ino, Kind, LvError, Result};

/// A way up through the parents. Rows that form a circle would make it endless: every now and then it remembers where it
/// is, twice as long each time, and coming there again is the proof of a circle.
#[derive(Debug)]
pub(crate) struct Climb {
    seen: Ino,
    steps: u64,
    until: u64,
}

impl Climb {
    /// A way that begins at `at`.
    pub(crate) fn from(at: Ino) -> Self {
        Self { seen: at, steps: 0, until: 1 }
    }

    /// One step, to `at`; `false` when the way is a circle.
    pub(crate) fn step(&mut self, at: Ino) -> bool {
        if at == self.seen {
            return false;
        }
        self.steps = self.steps.saturating_add(1);
        if self.steps == self.until {
            *self = Self { seen: at, steps: 0, until: self.until.saturating_mul(2) };
        }
        true
    }
}

impl State {
    /// The inode that an entry of `parent` names, if both agree about it.
    pub(crate) fn entered(&mut self, parent: Ino, (ino, kind): (Ino, Kind)) -> Result<&mut Inode> {
        let (found, above) = match self.inode(ino) {
            Ok(inode) => (inode.attr.kind, inode.parent),
            Err(LvError::NoInode { .. }) => {
                return Err(self.damaged(format!("directory {parent} names inode {ino}, which is missing")));
            }
            Err(error) => return Err(error),
        };
        if found != kind {
            return Err(self.damaged(format!("directory {parent} names inode {ino} as something that it is not")));
        }
        if kind == Kind::Directory && (above != parent || ino == Ino::ROOT) {
            return Err(self.damaged(format!("directory {parent} names directory {ino}, which is not below it")));
        }
        self.inode(ino)
    }

    /// The directory above, on a way up.
    pub(crate) fn climb(&mut self, climb: &mut Climb, at: Ino) -> Result<Ino> {
        let parent = self.inode(at)?.parent;
        if climb.step(parent) { Ok(parent) } else { Err(self.damaged(format!("directory {at} is above itself"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_circle_is_found_and_no_way_up_is_one() {
        for (tail, circle) in [(0, 1), (0, 2), (1, 1), (5, 7), (1000, 3), (3, 1000)] {
            // 0, 1, .. tail - 1, then round and round.
            let next = |at: u64| if at + 1 < tail + circle { at + 1 } else { tail };
            let mut climb = Climb::from(Ino(0));
            let (mut at, mut steps) = (0, 0);
            loop {
                at = next(at);
                steps += 1;
                if !climb.step(Ino(at)) {
                    break;
                }
                assert!(steps < 4 * (tail + circle) + 8, "{tail} and {circle}");
            }
        }
        let mut climb = Climb::from(Ino(100_000));
        assert!((0..100_000).rev().all(|at| climb.step(Ino(at))));
    }
}
