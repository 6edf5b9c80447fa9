//! One side in the middle of one work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use crate::cold::sync_filesystem;
use crate::{Dir, Error, OpenFile, Result, Scale, Side, Stop, Wish};

/// A side, and what a work keeps between its turns.
#[derive(Debug)]
pub struct Place {
    name: String,
    side: Option<Box<dyn Side>>,
    folder: PathBuf,
    stop: Stop,
    /// How much to do.
    pub scale: Scale,
    /// What the work asked for.
    pub wish: Wish,
    /// Files that stay open from turn to turn.
    pub files: Vec<Box<dyn OpenFile>>,
    /// Which seed each block of the work's file was written with last, where that is not the file's own.
    pub marks: BTreeMap<u64, u64>,
}

impl Place {
    /// A side that is about to begin; `folder` is on the host's filesystem that it lies on.
    pub fn new(name: &str, side: Box<dyn Side>, wish: Wish, around: (&Scale, &Stop, PathBuf)) -> Self {
        let (scale, stop, folder) = around;
        Self {
            name: name.to_owned(),
            side: Some(side),
            folder,
            stop: stop.clone(),
            scale: scale.clone(),
            wish,
            files: Vec::new(),
            marks: BTreeMap::new(),
        }
    }

    /// Name of the side.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side.
    ///
    /// # Errors
    /// [`Error::Worker`] after [`reopen`](Self::reopen) failed.
    pub fn side(&self) -> Result<&dyn Side> {
        self.side.as_deref().ok_or_else(|| self.gone())
    }

    /// The directory that everything is in.
    ///
    /// # Errors
    /// As [`side`](Self::side).
    pub fn root(&self) -> Result<Dir> {
        Ok(self.side()?.root())
    }

    /// The file that the work keeps open.
    ///
    /// # Errors
    /// [`Error::Worker`] when it keeps none.
    pub fn file(&self) -> Result<&dyn OpenFile> {
        self.files.first().map(|file| &**file).ok_or_else(|| self.gone())
    }

    fn gone(&self) -> Error {
        Error::Worker { program: self.name.clone(), what: "a turn failed before, nothing is open".to_owned() }
    }

    /// What the work found to be other than it was written.
    pub fn wrong(&self, object: &str, at: u64) -> Error {
        Error::Contents { side: self.name.clone(), object: object.to_owned(), at }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub fn check(&self) -> Result {
        self.stop.check()
    }

    /// Lets the side begin anew, as after a start of the program; with `cold`, also of the machine.
    ///
    /// # Errors
    /// As the side says.
    pub fn reopen(&mut self, cold: bool) -> Result {
        self.files.clear();
        let side = self.side.take().ok_or_else(|| self.gone())?;
        self.side = Some(side.reopen(cold)?);
        Ok(())
    }

    /// The same, and opens the work's file again.
    ///
    /// # Errors
    /// As the side says.
    pub fn reopen_file(&mut self, name: &str, cold: bool) -> Result {
        self.reopen(cold)?;
        let file = self.side()?.open(&self.root()?, name)?;
        self.files = vec![file];
        Ok(())
    }

    /// Seconds that `work` takes; what was dirty before does not count.
    ///
    /// # Errors
    /// As `work` says.
    pub fn seconds(&self, work: impl FnOnce() -> Result) -> Result<f64> {
        self.check()?;
        sync_filesystem(&self.folder)?;
        let start = Instant::now();
        work()?;
        // A clock that did not move would make a rate infinite.
        Ok(start.elapsed().as_secs_f64().max(1e-9))
    }

    /// Removes everything.
    ///
    /// # Errors
    /// As the side says.
    pub fn remove(mut self) -> Result {
        self.files.clear();
        self.side.take().map_or(Ok(()), Side::remove)
    }
}
