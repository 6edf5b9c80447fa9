//! Files in one SQLite database, as programs keep them there by themselves.

mod blob;
mod chunks;
mod files;
mod names;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyfs_lvm_tools::bench::measure::{Cold, Error, Result, disk_bytes, remove_folder};
use rusqlite::Connection;

pub(crate) use blob::Blobs;
pub(crate) use chunks::Chunks;

/// KiB of pages that a connection keeps: as much as a volume of ours keeps of its data.
const CACHE_KIB: i64 = 64 * 1024;

/// A database in a folder of its own.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    side: String,
    folder: PathBuf,
    connection: Arc<Mutex<Connection>>,
}

impl Database {
    /// Makes it, with this schema, or opens it.
    pub(crate) fn open(side: &str, folder: &Path, schema: &str) -> Result<Self> {
        let failed = |error| wrong(side, "open", &folder.display().to_string(), error);
        std::fs::create_dir_all(folder).map_err(|source| Error::Host {
            operation: "make the folder",
            path: folder.to_owned(),
            source,
        })?;
        let open = || {
            let connection = Connection::open(folder.join("files.db"))?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            connection.set_prepared_statement_cache_capacity(64);
            connection.execute_batch(schema)?;
            Ok(connection)
        };
        let connection = Arc::new(Mutex::new(open().map_err(failed)?));
        Ok(Self { side: side.to_owned(), folder: folder.to_owned(), connection })
    }

    /// Does something with the one connection that all threads share.
    pub(crate) fn with<T>(
        &self,
        (operation, object): (&'static str, &str),
        act: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        act(&mut self.lock()).map_err(|error| wrong(&self.side, operation, object, error))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything before durable: with `synchronous` at NORMAL a commit is not, with FULL it syncs the log.
    pub(crate) fn sync(&self) -> Result {
        self.with(("sync", "the database"), |connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let done = connection.prepare_cached("UPDATE synced SET times = times + 1")?.execute([]).map(drop);
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            done
        })
    }

    /// Bytes of the disk.
    pub(crate) fn stored(&self) -> Result<Option<u64>> {
        Ok(Some(disk_bytes(&self.folder)?))
    }

    /// Closes it, which nobody else may have open, and makes the host forget it when `cold`.
    pub(crate) fn close(self, cold: bool) -> Result<PathBuf> {
        drop(self.connection);
        if cold {
            Cold::here().empty(std::slice::from_ref(&self.folder))?;
        }
        Ok(self.folder)
    }

    /// Closes and removes it.
    pub(crate) fn remove(self) -> Result {
        drop(self.connection);
        remove_folder(&self.folder)
    }
}

/// A failure of SQLite as one of the side.
pub(crate) fn wrong(side: &str, operation: &'static str, object: &str, error: rusqlite::Error) -> Error {
    Error::Side { side: side.to_owned(), operation, object: object.to_owned(), source: Box::new(error) }
}

/// The table that a sync writes to.
pub(crate) const SYNCED: &str = "CREATE TABLE IF NOT EXISTS synced (times INTEGER NOT NULL);
     INSERT INTO synced SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM synced);";
