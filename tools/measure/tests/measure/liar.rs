//! A side that does not give back what it was given.

use anyfs_lvm_measure::{Dir, Host, Maker, OpenFile, Result, Side, Wish};

/// Makes such sides.
#[derive(Debug)]
pub(crate) struct Liars(pub(crate) Host);

#[derive(Debug)]
struct Liar(Box<dyn Side>);

#[derive(Debug)]
struct Lie(Box<dyn OpenFile>);

impl Maker for Liars {
    fn name(&self) -> &'static str {
        "liar"
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        Ok(Box::new(Liar(self.0.make(wish)?)))
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
        Ok(Box::new(Lie(self.0.create(dir, name)?)))
    }
    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        Ok(Box::new(Lie(self.0.open(dir, name)?)))
    }
    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        self.0.unlink(dir, name)
    }
    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        self.0.rename(dir, from, to)
    }
    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        Ok(self.0.size_of(dir, name)? + 1)
    }
    fn list(&self, dir: &Dir) -> Result<u64> {
        Ok(self.0.list(dir)? + 1)
    }
    fn sync_all(&self) -> Result {
        self.0.sync_all()
    }
    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        Ok(Box::new(Self(self.0.reopen(cold)?)))
    }
    fn remove(self: Box<Self>) -> Result {
        self.0.remove()
    }
}

impl OpenFile for Lie {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.0.write_at(off, bytes)
    }
    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        self.0.read_at(off, bytes)?;
        // One bit, somewhere behind the marks of a block.
        bytes[100] ^= 1;
        Ok(())
    }
    fn fsync(&self) -> Result {
        self.0.fsync()
    }
}
