//! A side that does not give back what it was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyfs_lvm_measure::{Dir, Host, Maker, OpenFile, Result, Side, Wish};

/// What sides lie about, and whether they do so now.
#[derive(Debug, Clone)]
pub(crate) struct Lies {
    /// Files whose names begin so; [`LISTS`] for how many names a directory has.
    pub(crate) about: &'static str,
    /// Only about bytes that were written through a file that was not synced since.
    pub(crate) unsynced: bool,
    /// Set when they begin.
    pub(crate) now: Arc<AtomicBool>,
}

/// Begins no name of a file.
pub(crate) const LISTS: &str = "/";

impl Lies {
    fn told(&self, name: &str) -> bool {
        self.now.load(Ordering::Relaxed) && name.starts_with(self.about)
    }
}

/// Makes such sides.
#[derive(Debug)]
pub(crate) struct Liars(pub(crate) Host, pub(crate) Lies);

#[derive(Debug)]
struct Liar(Box<dyn Side>, Lies);

#[derive(Debug)]
struct Lie {
    file: Box<dyn OpenFile>,
    name: String,
    lies: Lies,
    dirty: AtomicBool,
}

impl Liar {
    fn file(&self, file: Box<dyn OpenFile>, name: &str) -> Box<dyn OpenFile> {
        Box::new(Lie { file, name: name.to_owned(), lies: self.1.clone(), dirty: AtomicBool::new(false) })
    }

    fn miscounts(&self, name: &str) -> u64 {
        u64::from(!self.1.unsynced && self.1.told(name))
    }
}

impl Maker for Liars {
    fn name(&self) -> &'static str {
        "liar"
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        Ok(Box::new(Liar(self.0.make(wish)?, self.1.clone())))
    }
}

impl Side for Liar {
    fn root(&self) -> Dir {
        self.0.root()
    }
    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir> {
        self.0.mkdir(dir, name)
    }
    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir> {
        self.0.enter(dir, name)
    }
    fn rmdir(&self, dir: &Dir, name: &str) -> Result {
        self.0.rmdir(dir, name)
    }
    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        Ok(self.file(self.0.create(dir, name)?, name))
    }
    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        Ok(self.file(self.0.open(dir, name)?, name))
    }
    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        self.0.unlink(dir, name)
    }
    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        self.0.rename(dir, from, to)
    }
    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        Ok(self.0.size_of(dir, name)? + self.miscounts(name))
    }
    fn list(&self, dir: &Dir) -> Result<u64> {
        Ok(self.0.list(dir)? + self.miscounts(LISTS))
    }
    fn sync_all(&self) -> Result {
        self.0.sync_all()
    }
    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        Ok(Box::new(Self(self.0.reopen(cold)?, self.1)))
    }
    fn remove(self: Box<Self>) -> Result {
        self.0.remove()
    }
}

impl OpenFile for Lie {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.dirty.store(true, Ordering::Relaxed);
        self.file.write_at(off, bytes)
    }
    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        self.file.read_at(off, bytes)?;
        // One bit, somewhere behind the marks of a block.
        let about_it = !self.lies.unsynced || self.dirty.load(Ordering::Relaxed);
        bytes[100] ^= u8::from(about_it && self.lies.told(&self.name));
        Ok(())
    }
    fn fsync(&self) -> Result {
        self.dirty.store(false, Ordering::Relaxed);
        self.file.fsync()
    }
}
