//! Operations of a workload and how they are run on a volume.

use std::time::Duration;

use lv::{Ino, LvError, NewNode, Rename, SetAttr, SetXattr, Transaction, Volume, Work};

use crate::clock::TestClock;
use crate::prng::Prng;

/// Permission bits of new files and links.
pub(super) const FILE_MODE: u32 = 0o644;
/// Permission bits of new folders.
pub(super) const DIRECTORY_MODE: u32 = 0o755;

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
    /// Up to `len` bytes at a place of one file appear at a place of another, or of the same one.
    Copy {
        /// Whose, and the first.
        from: (Ino, u64),
        /// Where to.
        to: (Ino, u64),
        /// How many, at most.
        len: u64,
    },
    /// A file or folder gets permission bits.
    Chmod(Ino, u32),
    /// A file or folder gets an owner and a group.
    Chown(Ino, u32, u32),
    /// A file or folder gets an extended attribute: its name, the length of its value, what decides the value.
    SetXattr(Ino, Vec<u8>, usize, u64),
    /// An extended attribute goes.
    RemoveXattr(Ino, Vec<u8>),
    /// A nameless file is written (length, what decides its bytes) and then takes a name, from whatever has it.
    Replace(Place, usize, u64),
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
        let made = tx.create(*dir, name, &NewNode::file(FILE_MODE))?.ino;
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

impl FsOp {
    /// The same with other inodes: each that it names becomes what `to` says; `None` when one has become nothing.
    pub(crate) fn with_inodes(&self, to: &dyn Fn(Ino) -> Option<Ino>) -> Option<Self> {
        let at = |place: &Place| Some((to(place.0)?, place.1.clone()));
        Some(match self {
            Self::Create(place) => Self::Create(at(place)?),
            Self::Mkdir(place) => Self::Mkdir(at(place)?),
            Self::Symlink(place, target) => Self::Symlink(at(place)?, target.clone()),
            Self::Link(ino, place) => Self::Link(to(*ino)?, at(place)?),
            Self::Unlink(place) => Self::Unlink(at(place)?),
            Self::Rmdir(place) => Self::Rmdir(at(place)?),
            Self::Rename(from, new) => Self::Rename(at(from)?, at(new)?),
            Self::Write { ino, off, len, seed } => Self::Write { ino: to(*ino)?, off: *off, len: *len, seed: *seed },
            Self::Truncate(ino, size) => Self::Truncate(to(*ino)?, *size),
            Self::Punch(ino, start, end) => Self::Punch(to(*ino)?, *start, *end),
            Self::Copy { from, to: new, len } => {
                Self::Copy { from: (to(from.0)?, from.1), to: (to(new.0)?, new.1), len: *len }
            }
            Self::Chmod(ino, mode) => Self::Chmod(to(*ino)?, *mode),
            Self::Chown(ino, uid, gid) => Self::Chown(to(*ino)?, *uid, *gid),
            Self::SetXattr(ino, name, len, seed) => Self::SetXattr(to(*ino)?, name.clone(), *len, *seed),
            Self::RemoveXattr(ino, name) => Self::RemoveXattr(to(*ino)?, name.clone()),
            Self::Replace(place, len, seed) => Self::Replace(at(place)?, *len, *seed),
            Self::Together(all) => Self::Together(Box::new(all.with_inodes(to)?)),
            Self::Fsync(ino) => Self::Fsync(to(*ino)?),
            Self::Sync | Self::Work(_) | Self::Wait(_) => self.clone(),
        })
    }
}

impl Together {
    fn with_inodes(&self, to: &dyn Fn(Ino) -> Option<Ino>) -> Option<Self> {
        let at = |place: &Place| Some((to(place.0)?, place.1.clone()));
        // What is left out of a transaction makes it smaller, not impossible.
        Some(Self {
            place: at(&self.place)?,
            bytes: self.bytes,
            write: self.write.and_then(|(ino, off, len, seed)| Some((to(ino)?, off, len, seed))),
            over: self.over.as_ref().and_then(at),
            unlink: self.unlink.as_ref().and_then(at),
            fails: self.fails,
        })
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

/// A nameless file that was refused its bytes goes at once.
fn replace(volume: &Volume, (dir, name): &Place, bytes: &[u8]) -> Result<Ino, LvError> {
    let made = volume.create_nameless(*dir, &NewNode::file(FILE_MODE))?.ino;
    let done = volume.write(made, 0, bytes).and_then(|()| volume.give_name(made, *dir, name));
    volume.release(made)?;
    done.map(|()| made)
}

fn run(volume: &Volume, op: &FsOp, clock: Option<&TestClock>) -> Result<Option<Ino>, LvError> {
    let file = NewNode::file(FILE_MODE);
    match op {
        FsOp::Create((dir, name)) => return volume.create(*dir, name, &file).map(|attr| Some(attr.ino)),
        FsOp::Mkdir((dir, name)) => {
            return volume.mkdir(*dir, name, &NewNode::directory(DIRECTORY_MODE)).map(|attr| Some(attr.ino));
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
        FsOp::Copy { from, to, len } => volume.copy_range(*from, *to, *len).map(drop)?,
        FsOp::Chmod(ino, mode) => {
            volume.setattr(*ino, &SetAttr { mode: Some(*mode), ..SetAttr::default() }).map(drop)?;
        }
        FsOp::Chown(ino, uid, gid) => {
            volume.setattr(*ino, &SetAttr { uid: Some(*uid), gid: Some(*gid), ..SetAttr::default() }).map(drop)?;
        }
        FsOp::SetXattr(ino, name, len, seed) => volume.setxattr(*ino, name, &bytes(*seed, *len), SetXattr::Any)?,
        FsOp::RemoveXattr(ino, name) => volume.removexattr(*ino, name)?,
        FsOp::Replace(place, len, seed) => return replace(volume, place, &bytes(*seed, *len)).map(Some),
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
