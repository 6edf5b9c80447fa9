//! A file as one value in one row: what most programs do first.
//!
//! A file is read whole when somebody first reads in it, and kept while it is open. A new file and one that grows is
//! written whole, at the next fsync or when it is closed; within its size it is written in place, with SQLite's
//! incremental blobs, which walk the pages of a value from its start. SQLite's limit for a value is 10^9 bytes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyfs_lvm_tools::bench::measure::{Maker, OpenFile, Result, Side, Wish};
use rusqlite::{Connection, OptionalExtension};

use super::files::{Layout, open};
use super::names::signed;
use super::{Database, wrong};

/// Works that write in place, and how large a file may be for that.
const IN_PLACE: [&str; 5] = ["overwrite", "scattered", "aged", "beside", "space"];
const PATIENT_UP_TO: u64 = 64 << 20;

/// SQLite's limit for one value.
const LIMIT: u64 = 1_000_000_000;

/// Makes databases of whole files.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    made: AtomicU64,
}

impl Blobs {
    /// Below `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, made: AtomicU64::new(0) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Whole;

#[derive(Debug)]
struct BlobFile {
    db: Database,
    ino: u64,
    kept: Mutex<Kept>,
}

/// What an open file has in memory.
#[derive(Debug, Default)]
struct Kept {
    /// All its bytes, once somebody read or the file grew.
    bytes: Option<Vec<u8>>,
    /// Whether the whole file is to be written.
    new: bool,
}

const NAME: &str = "one blob";

impl Maker for Blobs {
    fn name(&self) -> &str {
        NAME
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        open(Whole, &self.folder.join(format!("blob-{}-{number}", wish.name)))
    }

    fn declines(&self, wish: &Wish) -> Option<String> {
        if wish.live >= LIMIT {
            return Some("a value has at most 10^9 bytes".to_owned());
        }
        let walks = PATIENT_UP_TO < wish.live && IN_PLACE.contains(&wish.name);
        walks.then(|| "each write in place walks the value from its start, which would take hours".to_owned())
    }
}

impl Layout for Whole {
    const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS fs_data (ino INTEGER PRIMARY KEY, data BLOB NOT NULL);";

    fn name(&self) -> String {
        NAME.to_owned()
    }

    fn file(&self, db: &Database, ino: u64) -> Box<dyn OpenFile> {
        Box::new(BlobFile { db: db.clone(), ino, kept: Mutex::default() })
    }
}

impl BlobFile {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a file that is new or grew.
    fn put(&self) -> Result {
        let mut kept = self.kept();
        let Some(bytes) = kept.bytes.as_ref().filter(|_| kept.new) else { return Ok(()) };
        self.db.transaction(("write", "a file"), |db| {
            let sql = "INSERT OR REPLACE INTO fs_data (ino, data) VALUES (?, ?)";
            db.prepare_cached(sql)?.execute((signed(self.ino), bytes))?;
            let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            let sql = "UPDATE fs_inode SET size = ?, mtime = unixepoch() WHERE ino = ?";
            db.prepare_cached(sql)?.execute((size, signed(self.ino))).map(drop)
        })?;
        kept.new = false;
        Ok(())
    }

    /// Writes in place; false when the file is not that long.
    fn patch(&self, db: &Connection, off: u64, bytes: &[u8]) -> rusqlite::Result<bool> {
        let at = usize::try_from(off).unwrap_or(usize::MAX);
        let end = signed(off).saturating_add(i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let mut size = db.prepare_cached("SELECT length(data) FROM fs_data WHERE ino = ?")?;
        let size: i64 = size.query_row([signed(self.ino)], |row| row.get(0)).optional()?.unwrap_or(0);
        if end > size {
            return Ok(false);
        }
        let mut blob = db.blob_open("main", "fs_data", "data", signed(self.ino), false)?;
        blob.write_all_at(bytes, at).map(|()| true)
    }

    /// All bytes that are stored.
    fn stored(&self) -> Result<Vec<u8>> {
        self.db.with(("read", "a file"), |db| {
            let mut get = db.prepare_cached("SELECT data FROM fs_data WHERE ino = ?")?;
            Ok(get.query_row([signed(self.ino)], |row| row.get(0)).optional()?.unwrap_or_default())
        })
    }
}

impl OpenFile for BlobFile {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        let mut kept = self.kept();
        if !kept.new && !self.db.with(("write", "a file"), |db| self.patch(db, off, bytes))? {
            kept.bytes = Some(kept.bytes.take().map_or_else(|| self.stored(), Ok)?);
            kept.new = true;
        }
        let begin = usize::try_from(off).unwrap_or(usize::MAX);
        let end = begin.saturating_add(bytes.len());
        if let Some(all) = kept.bytes.as_mut() {
            all.resize(all.len().max(end), 0);
            if let Some(place) = all.get_mut(begin..end) {
                place.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        let mut kept = self.kept();
        if kept.bytes.is_none() {
            kept.bytes = Some(self.stored()?);
        }
        let begin = usize::try_from(off).unwrap_or(usize::MAX);
        let found = kept.bytes.as_ref().and_then(|all| all.get(begin..begin.saturating_add(bytes.len())));
        let ended = || wrong(NAME, "read", "a file", rusqlite::Error::QueryReturnedNoRows);
        bytes.copy_from_slice(found.ok_or_else(ended)?);
        Ok(())
    }

    fn fsync(&self) -> Result {
        self.put()?;
        self.db.sync()
    }
}

impl Drop for BlobFile {
    fn drop(&mut self) {
        // Who wants to know calls fsync.
        let _ = self.put();
    }
}
