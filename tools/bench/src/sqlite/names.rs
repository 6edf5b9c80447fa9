//! Inodes and names in the layout of AgentFS, whichever way the bytes are kept.

use anyfs_lvm_tools::bench::measure::{Dir, Result};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior};

use super::Database;

/// Inodes with the columns of the AgentFS specification, and names by parent and name with its second index.
pub(crate) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS fs_inode (
         ino INTEGER PRIMARY KEY AUTOINCREMENT, mode INTEGER NOT NULL, nlink INTEGER NOT NULL DEFAULT 0,
         uid INTEGER NOT NULL DEFAULT 0, gid INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0,
         atime INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL);
     CREATE TABLE IF NOT EXISTS fs_dentry (
         id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, parent_ino INTEGER NOT NULL,
         ino INTEGER NOT NULL, UNIQUE (parent_ino, name));
     CREATE INDEX IF NOT EXISTS idx_fs_dentry_parent ON fs_dentry (parent_ino, name);
     INSERT OR IGNORE INTO fs_inode (ino, mode, nlink, atime, mtime, ctime)
         VALUES (1, 16877, 1, unixepoch(), unixepoch(), unixepoch());";

/// The root.
pub(crate) fn root() -> Dir {
    Dir { id: 1, ..Dir::default() }
}

/// SQLite has signed numbers.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl Database {
    /// One transaction, as those layouts take one for each operation.
    pub(crate) fn transaction<T>(
        &self,
        about: (&'static str, &str),
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        self.with(about, |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = act(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// Makes an inode with a name.
    pub(crate) fn make(&self, dir: &Dir, name: &str, mode: i64) -> Result<u64> {
        self.transaction(("make", name), |db| {
            let sql = "INSERT INTO fs_inode (mode, nlink, atime, mtime, ctime)
                       VALUES (?, 1, unixepoch(), unixepoch(), unixepoch()) RETURNING ino";
            let ino: i64 = db.prepare_cached(sql)?.query_row([mode], |row| row.get(0))?;
            let sql = "INSERT INTO fs_dentry (name, parent_ino, ino) VALUES (?, ?, ?)";
            db.prepare_cached(sql)?.execute((name, signed(dir.id), ino))?;
            Ok(unsigned(ino))
        })
    }

    /// The inode of a name.
    pub(crate) fn find(&self, dir: &Dir, name: &str) -> Result<u64> {
        self.with(("find", name), |db| {
            let sql = "SELECT ino FROM fs_dentry WHERE parent_ino = ? AND name = ?";
            db.prepare_cached(sql)?.query_row((signed(dir.id), name), |row| row.get(0)).map(unsigned)
        })
    }

    /// Length of the file of a name: two statements, as a walk and a stat are two.
    pub(crate) fn size_of(&self, dir: &Dir, name: &str) -> Result<u64> {
        let ino = self.find(dir, name)?;
        self.with(("look at", name), |db| {
            let sql = "SELECT mode, nlink, uid, gid, size, atime, mtime, ctime FROM fs_inode WHERE ino = ?";
            db.prepare_cached(sql)?.query_row([signed(ino)], |row| row.get(4)).map(unsigned)
        })
    }

    /// Number of names in a directory.
    pub(crate) fn list(&self, dir: &Dir) -> Result<u64> {
        self.with(("list", "a directory"), |db| {
            let mut names = db.prepare_cached("SELECT name FROM fs_dentry WHERE parent_ino = ? ORDER BY name")?;
            let mut rows = names.query([signed(dir.id)])?;
            let mut count = 0u64;
            while let Some(row) = rows.next()? {
                count = count.saturating_add(u64::from(!row.get_ref(0)?.as_str()?.is_empty()));
            }
            Ok(count)
        })
    }

    /// Gives a name to another in place of that.
    pub(crate) fn rename(&self, dir: &Dir, from: &str, to: &str) -> Result {
        self.transaction(("rename", from), |db| {
            let found: Option<i64> = db
                .prepare_cached("SELECT ino FROM fs_dentry WHERE parent_ino = ? AND name = ?")?
                .query_row((signed(dir.id), to), |row| row.get(0))
                .optional()?;
            if let Some(old) = found {
                db.prepare_cached("DELETE FROM fs_dentry WHERE parent_ino = ? AND name = ?")?
                    .execute((signed(dir.id), to))?;
                db.prepare_cached("DELETE FROM fs_inode WHERE ino = ?")?.execute([old])?;
            }
            let sql = "UPDATE fs_dentry SET name = ? WHERE parent_ino = ? AND name = ?";
            db.prepare_cached(sql)?.execute((to, signed(dir.id), from)).map(drop)
        })
    }

    /// Removes a name, its inode, and with `data` (a statement on the inode) the bytes.
    pub(crate) fn unlink(&self, dir: &Dir, name: &str, data: &str) -> Result {
        let ino = self.find(dir, name)?;
        self.transaction(("remove", name), |db| {
            db.prepare_cached("DELETE FROM fs_dentry WHERE parent_ino = ? AND name = ?")?
                .execute((signed(dir.id), name))?;
            db.prepare_cached("UPDATE fs_inode SET nlink = nlink - 1 WHERE ino = ?")?.execute([signed(ino)])?;
            db.prepare_cached("DELETE FROM fs_inode WHERE ino = ? AND nlink = 0")?.execute([signed(ino)])?;
            db.prepare_cached(data)?.execute([signed(ino)]).map(drop)
        })
    }
}
