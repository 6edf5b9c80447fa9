//! Chunks of one size as rows: the layout of AgentFS.
//!
//! Used as its own library uses it: WAL, prepared statements, a transaction for each operation, nothing synced until an
//! fsync, which switches `synchronous` to FULL for one commit. Between fsyncs that library has it OFF; here it is NORMAL,
//! so that what a checkpoint moved is on the disk before the log is used again. SQLite's cache is as large as ours.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use anyfs_lvm_tools::bench::measure::{Maker, OpenFile, Result, Side, Wish};
use rusqlite::{OptionalExtension, Transaction};

use super::Database;
use super::files::{Layout, open};
use super::names::{signed, unsigned};

/// Makes databases of chunks.
#[derive(Debug)]
pub(crate) struct Chunks {
    name: String,
    folder: PathBuf,
    layout: Rows,
    made: AtomicU64,
}

impl Chunks {
    /// Of `chunk` bytes, below `folder`.
    pub(crate) fn new(folder: PathBuf, chunk: u64) -> Self {
        let layout = Rows { chunk };
        Self { name: layout.name(), folder, layout, made: AtomicU64::new(0) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Rows {
    chunk: u64,
}

#[derive(Debug)]
struct ChunkFile {
    db: Database,
    ino: u64,
    chunk: u64,
}

impl Maker for Chunks {
    fn name(&self) -> &str {
        &self.name
    }

    fn make(&self, wish: &Wish) -> Result<Box<dyn Side>> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        open(self.layout, &self.folder.join(format!("rows-{}-{}-{number}", self.layout.chunk, wish.name)))
    }
}

impl Layout for Rows {
    const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS fs_data (
        ino INTEGER NOT NULL, chunk_index INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (ino, chunk_index));";

    fn name(&self) -> String {
        format!("{} KiB rows", self.chunk / 1024)
    }

    fn file(&self, db: &Database, ino: u64) -> Box<dyn OpenFile> {
        Box::new(ChunkFile { db: db.clone(), ino, chunk: self.chunk })
    }
}

impl ChunkFile {
    /// The chunks that a range touches: number, where in it, and how much.
    fn pieces(&self, off: u64, len: u64) -> impl Iterator<Item = (u64, u64, u64)> {
        let (chunk, end) = (self.chunk, off.saturating_add(len));
        (off / chunk..end.div_ceil(chunk)).map(move |number| {
            let begin = number.saturating_mul(chunk);
            let from = off.max(begin);
            (number, from.saturating_sub(begin), end.min(begin.saturating_add(chunk)).saturating_sub(from))
        })
    }

    fn write_chunk(&self, db: &Transaction<'_>, (number, at, bytes): (u64, u64, &[u8])) -> rusqlite::Result<()> {
        let key = (signed(self.ino), signed(number));
        let mut put = db.prepare_cached("INSERT OR REPLACE INTO fs_data (ino, chunk_index, data) VALUES (?, ?, ?)")?;
        if at == 0 && size(bytes) == self.chunk {
            return put.execute((key.0, key.1, bytes)).map(drop);
        }
        let mut get = db.prepare_cached("SELECT data FROM fs_data WHERE ino = ? AND chunk_index = ?")?;
        let mut data: Vec<u8> = get.query_row(key, |row| row.get(0)).optional()?.unwrap_or_default();
        let (begin, end) = (index(at), index(at).saturating_add(bytes.len()));
        data.resize(data.len().max(end), 0);
        if let Some(place) = data.get_mut(begin..end) {
            place.copy_from_slice(bytes);
        }
        put.execute((key.0, key.1, data)).map(drop)
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl OpenFile for ChunkFile {
    fn write_at(&self, off: u64, bytes: &[u8]) -> Result {
        self.db.transaction(("write", "a file"), |db| {
            let sql = "SELECT size FROM fs_inode WHERE ino = ?";
            let old: i64 = db.prepare_cached(sql)?.query_row([signed(self.ino)], |row| row.get(0))?;
            let mut rest = bytes;
            for (number, at, len) in self.pieces(off, size(bytes)) {
                let (piece, more) = rest.split_at_checked(index(len)).unwrap_or((rest, &[]));
                self.write_chunk(db, (number, at, piece))?;
                rest = more;
            }
            let new = off.saturating_add(size(bytes)).max(unsigned(old));
            let sql = "UPDATE fs_inode SET size = ?, mtime = unixepoch() WHERE ino = ?";
            db.prepare_cached(sql)?.execute((signed(new), signed(self.ino))).map(drop)
        })
    }

    fn read_at(&self, off: u64, bytes: &mut [u8]) -> Result {
        let mut pieces = self.pieces(off, size(bytes));
        let last = off.saturating_add(size(bytes)).saturating_sub(1) / self.chunk;
        self.db.with(("read", "a file"), |db| {
            let sql = "SELECT chunk_index, data FROM fs_data
                       WHERE ino = ? AND chunk_index >= ? AND chunk_index <= ? ORDER BY chunk_index";
            let mut chunks = db.prepare_cached(sql)?;
            let mut rows = chunks.query((signed(self.ino), signed(off / self.chunk), signed(last)))?;
            let mut rest = &mut *bytes;
            while let Some(row) = rows.next()? {
                let Some((number, at, len)) = pieces.next() else { break };
                let found = row.get_ref(1)?.as_blob()?.get(index(at)..index(at.saturating_add(len)));
                let (Some(found), true) = (found, row.get::<_, i64>(0)? == signed(number)) else {
                    return Err(rusqlite::Error::QueryReturnedNoRows);
                };
                let (place, more) = rest.split_at_mut_checked(found.len()).unwrap_or_default();
                place.copy_from_slice(found);
                rest = more;
            }
            if rest.is_empty() { Ok(()) } else { Err(rusqlite::Error::QueryReturnedNoRows) }
        })
    }

    fn fsync(&self) -> Result {
        self.db.sync()
    }
}
