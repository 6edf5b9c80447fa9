//! What a PV file looks like inside: `FORMAT.md` in code.

use crate::sqlite::{Schema, Tuning};

/// The schema of a PV file, format 0.
pub const PV_SCHEMA: Schema = Schema {
    // "aLPV"
    application_id: 0x614c_5056,
    user_version: 1,
    statements: &[
        "CREATE VIEW v_label AS
SELECT pv_uuid, vg_uuid, vg_name, capacity, extent_size, extent_count, class,
       datetime(created, 'unixepoch') AS created
FROM label",
        "CREATE VIEW v_extents AS
SELECT pe, lower(hex(lv)) AS lv, lower(hex(family)) AS family, le, epoch, flush,
       length(toc) / 57 AS slices, length(data) AS bytes
FROM extent",
        "CREATE TABLE label (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pv_uuid TEXT NOT NULL,
    vg_uuid TEXT,
    vg_name TEXT,
    capacity INTEGER NOT NULL,
    extent_size INTEGER,
    extent_count INTEGER,
    class TEXT NOT NULL,
    compat INTEGER NOT NULL,
    ro_compat INTEGER NOT NULL,
    incompat INTEGER NOT NULL,
    created INTEGER NOT NULL,
    holders TEXT NOT NULL,
    sum INTEGER NOT NULL
) STRICT",
        "CREATE TABLE promise (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    sum INTEGER NOT NULL
) STRICT",
        "CREATE TABLE descriptor (
    epoch INTEGER NOT NULL,
    seqno INTEGER NOT NULL,
    change_id BLOB NOT NULL,
    parent BLOB NOT NULL,
    sum INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (epoch, seqno)
) STRICT",
        "CREATE TABLE owner (
    family BLOB NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID",
        "CREATE TABLE extent (
    pe INTEGER PRIMARY KEY,
    lv BLOB NOT NULL,
    family BLOB NOT NULL,
    le INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    flush INTEGER NOT NULL,
    sum INTEGER NOT NULL,
    toc BLOB NOT NULL,
    data BLOB NOT NULL
) STRICT",
        "CREATE INDEX extent_written ON extent (family, epoch, flush)",
    ],
    what: "physical volume",
};

/// Settings of a PV file. The writer's cache holds more than the largest batch (12 MiB); nothing spills.
pub const PV_TUNING: Tuning =
    Tuning { page_size: 16 * 1024, wal: false, incremental_vacuum: true, cache_kib: 16 * 1024 };

/// Page cache of a reader: caching lives above SQLite.
pub(crate) const READER_TUNING: Tuning = Tuning { cache_kib: 512, ..PV_TUNING };

/// Feature bits this version knows.
pub(crate) const KNOWN_RO_COMPAT: u64 = 0;
/// Feature bits this version knows.
pub(crate) const KNOWN_INCOMPAT: u64 = 0;

/// Tags that keep equal bytes of different tables apart in [`row_sum`](crate::row_sum).
pub(crate) mod table {
    pub(crate) const LABEL: u8 = 1;
    pub(crate) const PROMISE: u8 = 2;
    pub(crate) const DESCRIPTOR: u8 = 3;
    pub(crate) const OWNER: u8 = 4;
    pub(crate) const EXTENT: u8 = 5;
}
