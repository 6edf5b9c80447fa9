//! A program that writes to a mount, and notes what it was told.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::book::{Book, May, PAGE, PAGES, log_name, page, whole, whole_name};
use crate::prng::Prng;

/// Most pages of one write.
const MOST: u64 = 8;
/// A write returns when its bytes are durable. What rustix calls so is `O_SYNC`, which asks for more.
const DSYNC: i32 = libc::O_DSYNC;

/// Works in a folder, as its book says.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    book: &'a mut Book,
    dir: PathBuf,
    rng: Prng,
    returned: u64,
    acknowledged: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(book: &'a mut Book, dir: PathBuf, seed: u64) -> Self {
        Self { book, dir, rng: Prng::new(seed), returned: 0, acknowledged: 0 }
    }

    /// Works until it is told to stop; how many operations have returned, and how many of them were syncs. What fails from
    /// then on fails because the mount is gone.
    pub(super) fn work(mut self, stop: &AtomicBool) -> Result<(u64, u64), String> {
        let done = self.go_on(stop);
        match done {
            Err(error) if !stop.load(Ordering::SeqCst) => Err(format!("{}: {error}", self.dir.display())),
            _ => Ok((self.returned, self.acknowledged)),
        }
    }

    fn go_on(&mut self, stop: &AtomicBool) -> io::Result<()> {
        if !self.dir.exists() {
            fs::create_dir(&self.dir)?;
        }
        while !stop.load(Ordering::SeqCst) {
            match self.rng.below(100) {
                0..45 => self.write()?,
                45..57 => self.sync()?,
                57..65 => self.write_through()?,
                65..70 => self.cut()?,
                70..86 => self.replace()?,
                86..92 => self.remove()?,
                _ => self.sync_names()?,
            }
            self.returned += 1;
        }
        Ok(())
    }

    fn log(&mut self) -> (usize, PathBuf) {
        let log = self.rng.index(self.book.logs.len());
        (log, self.dir.join(log_name(log)))
    }

    fn open(path: &PathBuf, flags: i32) -> io::Result<File> {
        File::options().write(true).create(true).truncate(false).custom_flags(flags).open(path)
    }

    /// New versions of some pages, written; which.
    fn put(&mut self, file: &File, log: usize, most: u64) -> io::Result<std::ops::Range<usize>> {
        let first = self.rng.index(PAGES);
        let end = (first + 1 + self.rng.index(usize::try_from(most).unwrap_or(1))).min(PAGES);
        let mut bytes = Vec::new();
        for number in first..end {
            let version = self.book.next();
            self.book.logs[log][number].push(version);
            bytes.extend(page(version));
        }
        file.write_all_at(&bytes, (first * PAGE) as u64).map(|()| first..end)
    }

    fn write(&mut self) -> io::Result<()> {
        let (log, path) = self.log();
        let file = Self::open(&path, 0)?;
        self.put(&file, log, MOST).map(drop)
    }

    /// A write that returns when it is durable, but for what else was written to the file.
    fn write_through(&mut self) -> io::Result<()> {
        let (log, path) = self.log();
        let file = Self::open(&path, DSYNC)?;
        let pages = self.put(&file, log, 2)?;
        self.book.logs[log][pages].iter_mut().for_each(May::settle);
        self.acknowledge();
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let (log, path) = self.log();
        let file = Self::open(&path, 0)?;
        if self.rng.one_in(2) { file.sync_all() } else { file.sync_data() }?;
        self.book.logs[log].iter_mut().for_each(May::settle);
        self.acknowledge();
        Ok(())
    }

    fn cut(&mut self) -> io::Result<()> {
        let (log, path) = self.log();
        let file = Self::open(&path, 0)?;
        let len = self.rng.index(PAGES + 1);
        // Where the file is shorter, what comes between is nothing, too.
        self.book.logs[log][len..].iter_mut().for_each(|page| page.push(0));
        file.set_len((len * PAGE) as u64)
    }

    /// Puts a new file in the place of another; it need not be durable itself, unless there may be no other.
    fn replace(&mut self) -> io::Result<()> {
        let name = self.rng.index(self.book.names.len());
        let (version, new) = (self.book.next(), self.dir.join("new"));
        let mut file = File::create(&new)?;
        file.write_all(&whole(version))?;
        if !self.book.names[name].always() || self.rng.one_in(2) {
            file.sync_all()?;
            self.acknowledge();
        }
        self.book.names[name].push(version);
        fs::rename(&new, self.dir.join(whole_name(name)))
    }

    fn remove(&mut self) -> io::Result<()> {
        let name = self.rng.index(self.book.names.len());
        if self.book.names[name].now() == 0 {
            return Ok(());
        }
        self.book.names[name].push(0);
        fs::remove_file(self.dir.join(whole_name(name)))
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()?;
        self.acknowledge();
        Ok(())
    }

    /// A sync has returned: whatever it was of, all names made before are durable.
    fn acknowledge(&mut self) {
        self.acknowledged += 1;
        self.book.settle_names();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_through_asks_for_its_bytes_and_no_more() {
        let path = std::env::temp_dir().join(format!("rig-dsync-{}", std::process::id()));
        let file = Writer::open(&path, DSYNC).unwrap();
        fs::remove_file(&path).unwrap();
        let flags = i32::try_from(rustix::fs::fcntl_getfl(&file).unwrap().bits()).unwrap();
        assert_eq!(flags & libc::O_SYNC, libc::O_DSYNC);
        assert_ne!(libc::O_DSYNC, libc::O_SYNC);
    }
}
