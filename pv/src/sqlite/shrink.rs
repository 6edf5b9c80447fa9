//! Giving free pages of a file back to the host.

use std::path::Path;

use rusqlite::Connection;

use super::error;
use crate::{Bytes, Result};

/// Moves the last pages of a file into free ones, and cuts it: up to `bytes` of free pages go back to the host. It is one
/// transaction, or part of the one that is open. In a file that was not made for this nothing happens.
///
/// # Errors
/// Those of a commit.
pub fn shrink(conn: &Connection, path: &Path, bytes: Bytes) -> Result<()> {
    let fail = |e| error(path, "give space back", e);
    let page: i64 = conn.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(fail)?;
    let pages = bytes.get() / u64::try_from(page).unwrap_or(0).max(1);
    let mut vacuum = conn.prepare(&format!("PRAGMA incremental_vacuum({pages})")).map_err(fail)?;
    let mut steps = vacuum.query([]).map_err(fail)?;
    // It moves one page at a step.
    while steps.next().map_err(fail)?.is_some() {}
    Ok(())
}
