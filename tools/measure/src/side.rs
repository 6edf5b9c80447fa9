//! What a benchmark needs from a filesystem.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use crate::Result;

/// A directory of a side: which of the two says where it is, is the side's own business.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dir {
    /// Its path.
    pub path: PathBuf,
    /// Its number.
    pub id: u64,
}

/// An open file.
pub trait OpenFile: Send + Sync + Debug {
    /// Writes all of `bytes` at `off`.
    ///
    /// # Errors
    /// As the side says.
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result;
    /// Fills `bytes` from `off` on.
    ///
    /// # Errors
    /// As the side says; also when the file ends before.
    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result;
    /// Makes what was written durable.
    ///
    /// # Errors
    /// As the side says.
    fn fsync(&self) -> Result;
}

/// A filesystem as a benchmark uses it. Everything in it belongs to the benchmark.
///
/// # Concurrency
/// Operations come from several threads at once.
pub trait Side: Send + Sync + Debug {
    /// The directory that everything is in.
    fn root(&self) -> Dir;
    /// Makes a directory.
    ///
    /// # Errors
    /// As the side says.
    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir>;
    /// A directory that is there.
    ///
    /// # Errors
    /// As the side says.
    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// As the side says.
    fn rmdir(&self, dir: &Dir, name: &str) -> Result;
    /// Makes an empty file and opens it.
    ///
    /// # Errors
    /// As the side says.
    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>>;
    /// Opens a file that is there.
    ///
    /// # Errors
    /// As the side says.
    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the side says.
    fn unlink(&self, dir: &Dir, name: &str) -> Result;
    /// Gives a file another name in the same directory.
    ///
    /// # Errors
    /// As the side says.
    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result;
    /// Length of a file, found by its name.
    ///
    /// # Errors
    /// As the side says.
    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64>;
    /// Reads all names of a directory; how many they were.
    ///
    /// # Errors
    /// As the side says.
    fn list(&self, dir: &Dir) -> Result<u64>;
    /// Makes everything durable.
    ///
    /// # Errors
    /// As the side says.
    fn sync_all(&self) -> Result;
    /// Does now what would be done in the background some time.
    ///
    /// # Errors
    /// As the side says.
    fn clean(&self) -> Result {
        Ok(())
    }
    /// Bytes that files can have in all, where there is a bound.
    fn room(&self) -> Option<u64> {
        None
    }
    /// Bytes of the host's disk that it takes.
    ///
    /// # Errors
    /// As the side says.
    fn stored(&self) -> Result<Option<u64>> {
        Ok(None)
    }
    /// Forgets everything that it has in memory, as a new process would start, and, with `cold`, also what the host has.
    /// Files and directories have to be opened again.
    ///
    /// # Errors
    /// As the side says.
    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>>;
    /// Removes everything.
    ///
    /// # Errors
    /// As the side says.
    fn remove(self: Box<Self>) -> Result;
}

/// What a work would like its side to be. Sides without such a thing take no notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Name of the work.
    pub name: &'static str,
    /// Disks; none when it does not matter.
    pub disks: Option<u64>,
    /// Bytes that it can take in all its life.
    pub room: u64,
    /// Bytes that are there at the same time.
    pub live: u64,
    /// Whether `room` is a bound that is wanted.
    pub tight: bool,
    /// How long freed space stays unused; none when it does not matter.
    pub grace: Option<Duration>,
}

impl Wish {
    /// Room for `live` bytes at a time and `room` in all.
    pub fn new(name: &'static str, live: u64, room: u64) -> Self {
        Self { name, disks: None, room, live, tight: false, grace: None }
    }
}

/// Makes sides of one kind.
pub trait Maker: Debug {
    /// Name of the kind.
    fn name(&self) -> &str;
    /// A new, empty side.
    ///
    /// # Errors
    /// As the kind says; [`Error::Room`](crate::Error::Room).
    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>>;
    /// Whether each side is a filesystem of its own, not a folder in one that is there.
    fn fresh(&self) -> bool {
        true
    }
    /// Why it does not take part in a work, when it does not.
    fn declines(&self, wish: &Wish) -> Option<String> {
        let _ = wish;
        None
    }
    /// Whether its sides can be made cold.
    fn cold(&self) -> bool {
        true
    }
}
