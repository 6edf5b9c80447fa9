//! A layout's database as a side: names and inodes are the same in all of them.

use std::fmt::Debug;
use std::path::Path;

use anyfs_lvm_tools::bench::measure::{Dir, OpenFile, Result, Side};

use super::names::{self, root};
use super::{Database, SYNCED};

/// How files lie in the table `fs_data`, whose column `ino` says whose each row is.
pub(crate) trait Layout: Debug + Send + Sync + 'static {
    /// Makes that table.
    const SCHEMA: &str;
    /// Its name.
    fn name(&self) -> String;
    /// An open file.
    fn file(&self, db: &Database, ino: u64) -> Box<dyn OpenFile>;
}

#[derive(Debug)]
struct Files<L> {
    db: Database,
    layout: L,
}

const DELETE: &str = "DELETE FROM fs_data WHERE ino = ?";

/// Makes a side in that folder, or opens it.
pub(crate) fn open<L: Layout>(layout: L, folder: &Path) -> Result<Box<dyn Side>> {
    let schema = format!("{}{}{SYNCED}", names::SCHEMA, L::SCHEMA);
    let db = Database::open(&layout.name(), folder, &schema)?;
    Ok(Box::new(Files { db, layout }))
}

impl<L: Layout> Files<L> {
    fn file(&self, ino: u64) -> Box<dyn OpenFile> {
        self.layout.file(&self.db, ino)
    }
}

impl<L: Layout> Side for Files<L> {
    fn root(&self) -> Dir {
        root()
    }

    fn mkdir(&self, dir: &Dir, name: &str) -> Result<Dir> {
        Ok(Dir { id: self.db.make(dir, name, 0o040_755)?, ..Dir::default() })
    }

    fn enter(&self, dir: &Dir, name: &str) -> Result<Dir> {
        Ok(Dir { id: self.db.find(dir, name)?, ..Dir::default() })
    }

    fn rmdir(&self, dir: &Dir, name: &str) -> Result {
        self.db.unlink(dir, name, DELETE)
    }

    fn create(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        Ok(self.file(self.db.make(dir, name, 0o100_644)?))
    }

    fn open(&self, dir: &Dir, name: &str) -> Result<Box<dyn OpenFile>> {
        Ok(self.file(self.db.find(dir, name)?))
    }

    fn unlink(&self, dir: &Dir, name: &str) -> Result {
        self.db.unlink(dir, name, DELETE)
    }

    fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        self.db.rename(dir, from, to)
    }

    fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        self.db.size_of(dir, name)
    }

    fn list(&self, dir: &Dir) -> Result<u64> {
        self.db.list(dir)
    }

    fn sync_all(&self) -> Result {
        self.db.sync()
    }

    fn stored(&self) -> Result<Option<u64>> {
        self.db.stored()
    }

    fn reopen(self: Box<Self>, cold: bool) -> Result<Box<dyn Side>> {
        let Self { db, layout } = *self;
        open(layout, &db.close(cold)?)
    }

    fn remove(self: Box<Self>) -> Result {
        self.db.remove()
    }
}
