//! The tables of a metadata volume.
//!
//! `fs` (which filesystem of the family) leads every key; `row_txg` and `data_txg` say in which transaction group a
//! row or a slice was last written; `sum` is a checksum over key and content; `below`, `xattrs` and the four sums of
//! `state` vouch for groups of rows (see `sums.rs`).

use pv::sqlite::{Schema, Tuning};

/// Settings of a metadata volume: small pages, write-ahead log, and free pages that can go back to the host.
pub(crate) const TUNING: Tuning = Tuning { page_size: 4096, wal: true, incremental_vacuum: true, cache_kib: 16 * 1024 };

/// "aLMV": marks a metadata volume.
pub(crate) const APPLICATION_ID: i32 = 0x614c_4d56;

/// The white list: a metadata volume contains exactly this.
pub(crate) const SCHEMA: Schema = Schema {
    application_id: APPLICATION_ID,
    user_version: 3,
    what: "metadata volume",
    statements: &[
        // For people with a SQLite shell; the engine never reads them. First, because of `Schema::statements`.
        "CREATE VIEW v_files AS SELECT d.fs, d.parent, CAST(d.name AS TEXT) AS name, i.ino, i.kind, \
         printf('%o', i.mode) AS mode, i.uid, i.gid, i.nlink, i.size, i.stored, \
         datetime(i.mtime / 1000000000, 'unixepoch') AS modified FROM dirent d JOIN inode i ON i.fs = d.fs AND i.ino = d.ino",
        "CREATE VIEW v_slices AS SELECT m.fs, m.ino, m.off, m.len, m.skip, s.id AS slice, s.le, s.pos, s.raw, s.live, \
         s.refs FROM map m JOIN slice s ON s.id = m.slice",
        "CREATE VIEW v_space AS SELECT count(*) AS extents, sum(live) AS live_bytes, sum(fill) AS filled_bytes, \
         sum(live = 0) AS quarantined FROM le",
        "CREATE TABLE state(id INTEGER PRIMARY KEY, family BLOB NOT NULL, epoch INTEGER NOT NULL, txg INTEGER NOT NULL, \
         next_slice INTEGER NOT NULL, running INTEGER NOT NULL, inodes INTEGER NOT NULL, slices INTEGER NOT NULL, \
         les INTEGER NOT NULL, others INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT",
        // Which log the file belongs to; see `generation.rs`. A low page, which moves into the file before others.
        "CREATE TABLE log(id INTEGER PRIMARY KEY, number INTEGER NOT NULL, before INTEGER NOT NULL, \
         replaced INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT",
        "CREATE TABLE pv(pv BLOB PRIMARY KEY, epoch INTEGER NOT NULL, flush INTEGER NOT NULL, sum INTEGER NOT NULL) \
         STRICT, WITHOUT ROWID",
        "CREATE TABLE fs(fs INTEGER PRIMARY KEY, lv BLOB NOT NULL, parent INTEGER, born INTEGER NOT NULL, \
         name_key INTEGER NOT NULL, next_ino INTEGER NOT NULL, files INTEGER NOT NULL, row_txg INTEGER NOT NULL, \
         sum INTEGER NOT NULL) STRICT",
        "CREATE TABLE inode(fs INTEGER NOT NULL, ino INTEGER NOT NULL, kind INTEGER NOT NULL, mode INTEGER NOT NULL, \
         uid INTEGER NOT NULL, gid INTEGER NOT NULL, nlink INTEGER NOT NULL, size INTEGER NOT NULL, \
         stored INTEGER NOT NULL, atime INTEGER NOT NULL, mtime INTEGER NOT NULL, ctime INTEGER NOT NULL, \
         btime INTEGER NOT NULL, rdev INTEGER NOT NULL, generation INTEGER NOT NULL, flags INTEGER NOT NULL, \
         project INTEGER NOT NULL, parent INTEGER NOT NULL, target BLOB, below INTEGER NOT NULL, \
         xattrs INTEGER NOT NULL, row_txg INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(fs, ino)) STRICT, WITHOUT ROWID",
        "CREATE INDEX inode_orphan ON inode(fs, ino) WHERE nlink = 0",
        "CREATE TABLE dirent(fs INTEGER NOT NULL, parent INTEGER NOT NULL, cookie INTEGER NOT NULL, \
         name BLOB NOT NULL, ino INTEGER NOT NULL, kind INTEGER NOT NULL, row_txg INTEGER NOT NULL, \
         sum INTEGER NOT NULL, PRIMARY KEY(fs, parent, cookie)) STRICT, WITHOUT ROWID",
        "CREATE TABLE map(fs INTEGER NOT NULL, ino INTEGER NOT NULL, off INTEGER NOT NULL, len INTEGER NOT NULL, \
         slice INTEGER NOT NULL, skip INTEGER NOT NULL, borrowed INTEGER NOT NULL, row_txg INTEGER NOT NULL, \
         sum INTEGER NOT NULL, PRIMARY KEY(fs, ino, off)) STRICT, WITHOUT ROWID",
        // Who else names a slice: whoever moves its bytes finds its own file by the slice's row.
        "CREATE INDEX map_borrowed ON map(slice) WHERE borrowed = 1",
        // What the entries of a window of a map after the first add up to.
        "CREATE TABLE window(fs INTEGER NOT NULL, ino INTEGER NOT NULL, win INTEGER NOT NULL, below INTEGER NOT NULL, \
         row_txg INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(fs, ino, win)) STRICT, WITHOUT ROWID",
        "CREATE TABLE slice(id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, le INTEGER, pos INTEGER NOT NULL, \
         stored INTEGER NOT NULL, raw INTEGER NOT NULL, codec INTEGER NOT NULL, refs INTEGER NOT NULL, \
         live INTEGER NOT NULL, fs INTEGER NOT NULL, ino INTEGER NOT NULL, off INTEGER NOT NULL, blocks BLOB NOT NULL, \
         data BLOB, hash BLOB, data_txg INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT",
        "CREATE INDEX slice_le ON slice(le)",
        "CREATE TABLE le(le INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, flush INTEGER NOT NULL, live INTEGER NOT NULL, \
         fill INTEGER NOT NULL, since INTEGER, sum INTEGER NOT NULL) STRICT",
        "CREATE TABLE xattr(fs INTEGER NOT NULL, ino INTEGER NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL, \
         row_txg INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(fs, ino, name)) STRICT, WITHOUT ROWID",
        "CREATE TABLE delta(txg INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL) \
         STRICT",
        // What a snapshot still sees: a row as it was from txg `born` until txg `died`.
        "CREATE TABLE inode_past(fs INTEGER NOT NULL, ino INTEGER NOT NULL, born INTEGER NOT NULL, \
         died INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(fs, ino, born)) \
         STRICT, WITHOUT ROWID",
        "CREATE INDEX inode_past_died ON inode_past(fs, died, born)",
        "CREATE TABLE dirent_past(fs INTEGER NOT NULL, parent INTEGER NOT NULL, cookie INTEGER NOT NULL, \
         born INTEGER NOT NULL, died INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, \
         PRIMARY KEY(fs, parent, cookie, born)) STRICT, WITHOUT ROWID",
        "CREATE INDEX dirent_past_died ON dirent_past(fs, died, born)",
        "CREATE TABLE map_past(fs INTEGER NOT NULL, ino INTEGER NOT NULL, off INTEGER NOT NULL, born INTEGER NOT NULL, \
         died INTEGER NOT NULL, slice INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, \
         PRIMARY KEY(fs, ino, off, born)) STRICT, WITHOUT ROWID",
        "CREATE INDEX map_past_died ON map_past(fs, died, born)",
        "CREATE TABLE xattr_past(fs INTEGER NOT NULL, ino INTEGER NOT NULL, name BLOB NOT NULL, born INTEGER NOT NULL, \
         died INTEGER NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(fs, ino, name, born)) \
         STRICT, WITHOUT ROWID",
        "CREATE INDEX xattr_past_died ON xattr_past(fs, died, born)",
    ],
};
