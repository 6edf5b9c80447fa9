//! The catalogue: a family's metadata, one SQLite file a copy.
//!
//! * All in-sync copies run the same transactions; a commit has happened when all of them have it.
//! * Every row carries a checksum over its key and content; sums in the rows above tell that none is missing or old.
//! * `state` fences: a commit changes it only under the epoch it was activated with.

mod copy;
mod reader;
mod recover;
mod row;
mod schema;
mod sums;
mod verify;
mod vouching;

pub(crate) use copy::{Checkpoint, Commit, Copy, CopyState};
pub use copy::{CopyPlace, create_catalogue};
pub(crate) use reader::{CatalogueReader, DirentRow, FsRow, InodeRow, LeRow, MapRow, SliceRow};
pub(crate) use recover::{CopySet, activate_copies};
pub(crate) use row::{RowOp, Table, Value};
pub(crate) use schema::TUNING;
pub(crate) use sums::{Totals, WINDOW, entry_mark, map_mark, xattr_mark};
pub use verify::verify_catalogue;
