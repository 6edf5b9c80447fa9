//! Making and opening this project's SQLite files, hardened against hostile ones.
//!
//! # Invariants
//! * Every connection is opened by a URI filename, so that the VFS and the access are part of the name.
//! * No query touches a user table before the file's identity and its whole schema were compared with the white list.
//! * A file appears under its name complete and durable, or not at all.
//! * A foreign file is never written, not even to roll back its hot journal.
//! * No journal makes SQLite touch a file that it names.

mod create;
mod error;
mod identity;
mod journal;
mod open;
mod settings;
mod shrink;
mod structure;
mod uri;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub(crate) mod writeback;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[path = "no_writeback.rs"]
pub(crate) mod writeback;

pub use create::{create, replace};
pub use error::error;
pub(crate) use journal::unmark;
pub use open::open;
pub(crate) use open::{probe, reader_flags, reader_init};
pub use settings::SHORT_JOURNAL;
pub(crate) use settings::shorten_journal;
pub use shrink::shrink;
pub use structure::contradictions;
pub(crate) use uri::{mode, uri};

/// What a kind of file looks like inside.
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// `application_id` in the file's header.
    pub application_id: i32,
    /// `user_version` in the file's header: the format.
    pub user_version: i32,
    /// The statements that make all tables, indexes and views: also the white list. Views come first: where SQLite finds
    /// one at the head of its list of tables, which begins with one of the last, `PRAGMA integrity_check` takes the view's
    /// root page, 0, for the mark of a partial check, and looks at neither free pages nor pointer maps nor pages in two
    /// places.
    pub statements: &'static [&'static str],
    /// What such a file is, for messages: "physical volume".
    pub what: &'static str,
}

/// Settings of a kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Page size in bytes, fixed when the file is made.
    pub page_size: u32,
    /// A write-ahead log instead of a rollback journal.
    pub wal: bool,
    /// Whether free pages can be given back later; fixed when the file is made.
    pub incremental_vacuum: bool,
    /// Page cache of one connection in KiB. For a file with a rollback journal larger than any transaction.
    pub cache_kib: u32,
}

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads and writes; rolls back a hot journal.
    ReadWrite,
    /// Reads with SQLite's locks; writes nothing. Fails while a hot journal waits.
    ReadOnly,
    /// Reads without locks and without looking at journals: a snapshot of unknown age, perhaps torn.
    Immutable,
}

impl Access {
    /// Whether this access may change the file.
    pub fn writes(self) -> bool {
        self == Self::ReadWrite
    }
}

#[cfg(test)]
mod tests;
