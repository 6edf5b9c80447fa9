//! Operations of a workload and how they are run on a volume.

use std::time::Duration;

use lv::{Ino, LvError, NewNode, Rename, SetAttr, Transaction, Volume, Work};

use crate::clock::TestClock;
use crate::prng::Prng;

/// A directory and a name in it.
pub type Place = (Ino, Vec<u8>);

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FsOp {
    /// A new empty file.
    Create(Place),
    /// A new directory.
    Mkdir(Place),
    /// A symbolic link with this target.
    Symlink(Place, Vec<u8>),
    /// One more name for a file.
    Link(Ino, Place),
    /// A name of a file or link goes.
    Unlink(Place),
    /// An empty directory goes.
    Rmdir(Place),
    /// A name changes, replacing what has the new one.
    Rename(Place, Place),
    /// `len` bytes that follow from `seed`, at `off`.
    Write {
        /// File.
        ino: Ino,
        /// First byte.
        off: u64,
        /// How many.
        len: usize,
        /// Decides which.
        seed: u64,
    },
    /// A file is cut or extended.
    Truncate(Ino, u64),
    /// A range becomes zeros.
    Punch(Ino, u64, u64),
    /// Several changes as one.
    Together(Box<Together>),
    /// A file becomes durable, and all earlier names.
    Fsync(Ino),
    /// Everything becomes durable.
    Sync,
    /// A step of background work.
    Work(Work),
    /// Time passes.
    Wait(Duration),
}

/// A transaction: a new file with contents, and what else happens with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// The new file.
    pub place: Place,
    /// Its length, and what decides its bytes.
    pub bytes: (usize, u64),
    /// Another file gets bytes: offset, length, what decides them.
    pub write: Option<(Ino, u64, usize, u64)>,
    /// The new file takes this name from another.
    pub over: Option<Place>,
    /// A name of a file goes.
    pub unlink: Option<Place>,
    /// It ends with an error.
    pub fails: bool,
}

impl Together {
    fn run(&self, tx: &mut Transaction<'_>) -> Result<Ino, LvError> {
        let (dir, name) = &self.place;
        let made = tx.create(*dir, name, &NewNode::file(0o644))?.ino;
        tx.write(made, 0, &bytes(self.bytes.1, self.bytes.0))?;
        if let Some((ino, off, len, seed)) = self.write {
            tx.write(ino, off, &bytes(seed, len))?;
        }
        if let Some((to, new)) = &self.over {
            tx.rename((*dir, name), (*to, new), Rename::Replace)?;
        }
        if let Some((dir, name)) = &self.unlink {
            tx.unlink(*dir, name)?;
        }
        if self.fails { Err(LvError::Interrupted) } else { Ok(made) }
    }
}

/// What came of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the inode that it made.
    Done(Option<Ino>),
    /// Refused for want of space, or because it was to fail: nothing happened.
    Refused,
}

/// The bytes of a write.
pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Prng::new(seed).fill(&mut bytes);
    bytes
}

/// Runs one operation. `clock` is what waiting moves.
///
/// # Errors
/// What the engine says, unless it is that a change finds no space.
pub fn apply(volume: &Volume, op: &FsOp, clock: Option<&TestClock>) -> Result<Outcome, LvError> {
    let changes = !matches!(op, FsOp::Fsync(_) | FsOp::Sync | FsOp::Work(_));
    match run(volume, op, clock) {
        Ok(made) => Ok(Outcome::Done(made)),
        Err(LvError::NoSpace { .. } | LvError::HostFull { .. }) if changes => Ok(Outcome::Refused),
        Err(LvError::Interrupted | LvError::TooBig { .. }) if matches!(op, FsOp::Together(_)) => Ok(Outcome::Refused),
        Err(error) => Err(error),
    }
}

fn run(volume: &Volume, op: &FsOp, clock: Option<&TestClock>) -> Result<Option<Ino>, LvError> {
    let file = NewNode::file(0o644);
    match op {
        FsOp::Create((dir, name)) => return volume.create(*dir, name, &file).map(|attr| Some(attr.ino)),
        FsOp::Mkdir((dir, name)) => {
            return volume.mkdir(*dir, name, &NewNode::directory(0o755)).map(|attr| Some(attr.ino));
        }
        FsOp::Symlink((dir, name), target) => {
            return volume.symlink(*dir, name, target, &file).map(|attr| Some(attr.ino));
        }
        FsOp::Link(ino, (dir, name)) => volume.link(*ino, *dir, name).map(drop)?,
        FsOp::Unlink((dir, name)) => volume.unlink(*dir, name)?,
        FsOp::Rmdir((dir, name)) => volume.rmdir(*dir, name)?,
        FsOp::Rename(from, to) => volume.rename((from.0, &from.1), (to.0, &to.1), Rename::Replace)?,
        FsOp::Write { ino, off, len, seed } => volume.write(*ino, *off, &bytes(*seed, *len))?,
        FsOp::Truncate(ino, size) => {
            volume.setattr(*ino, &SetAttr { size: Some(*size), ..SetAttr::default() }).map(drop)?;
        }
        FsOp::Punch(ino, start, end) => volume.punch(*ino, *start, *end)?,
        FsOp::Together(all) => return volume.transaction(|tx| all.run(tx)).map(Some),
        FsOp::Fsync(ino) => volume.fsync(*ino)?,
        FsOp::Sync => volume.sync()?,
        FsOp::Work(work) => volume.step(*work).map(drop)?,
        FsOp::Wait(time) => {
            if let Some(clock) = clock {
                clock.advance(*time);
            }
        }
    }
    Ok(None)
}
