//! The SQLite VFS over a [`Disk`](crate::Disk): the only module of the workspace with `unsafe` in it.
//!
//! It translates between C and [`State`](crate::disk::State) and decides nothing: locks, files, names and the log are
//! safe code in `disk`. What the `unsafe` here relies on:
//!
//! * SQLite calls the methods of a file only between a successful `xOpen` and `xClose`, one call at a time per file
//!   (a file belongs to one connection), with pointers and lengths that are valid for the call.
//! * A `sqlite3_vfs` once registered is never freed or moved ([`slot`] leaks and reuses them): a connection may look
//!   at its VFS until it is closed.
//! * Memory of a wal-index is atomics behind an `Arc` that lives until the last connection has unmapped it.
//!
//! A panic in a callback aborts the process, which is right for a rig.

mod file;
mod slot;
mod system;

pub(crate) use slot::Registration;
pub use system::seed_sqlite;
