//! The catalogue: a family's metadata, one SQLite file a copy.
//!
//! * All in-sync copies run the same transactions; a commit has happened when all of them have it.
//! * Every row carries a checksum over its key and content; sums in the rows above tell that none is missing or old.
//! * A file and its log belong together, which is checked when they are opened.
//! * `state` fences: a commit changes it only under the epoch it was activated with.

mod copy;
mod decode;
mod generation;
mod index_room;
mod lost;
mod reader;
mod recover;
mod row;
mod schema;
mod sums;
mod to_read;
mod view;
mod vouching;

pub(crate) use copy::{Checkpoint, Commit, Copy, CopyState};
pub use copy::{CopyPlace, create_catalogue};
pub(crate) use decode::{
    Columns, DirentRow, FsRow, InodeRow, LeRow, MapRow, SliceRow, dirent_from, fs_from, inode_from, le_from, map_from,
    map_is_borrowed, pv_from, slice_from, xattr_from,
};
pub(crate) use lost::{same_file, told};
pub(crate) use reader::CatalogueReader;
pub(crate) use recover::{CopySet, activate_copies};
pub(crate) use row::{RowOp, Table, Value};
pub(crate) use schema::TUNING;
pub(crate) use sums::{Totals, WINDOW, entry_mark, map_mark, xattr_mark};
pub(crate) use to_read::{Newest, log_of, newest_to_read};
pub(crate) use view::{CopyView, key_of};
pub(crate) use vouching::window_from;
