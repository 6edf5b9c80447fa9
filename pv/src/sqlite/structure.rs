//! Whether a file's own structure holds together.

use std::path::Path;

use rusqlite::Connection;

use super::error;
use crate::Result;

/// SQLite's own check of trees, indexes and free pages, up to so many findings. It looks at all of a file only where no
/// view comes first in its list of tables (see [`Schema::statements`](super::Schema::statements)).
const SOUND: &str = "PRAGMA integrity_check(10)";

/// In how many places (up to 10) the pages of a file contradict each other: trees, indexes, the list of free pages. Reads
/// the whole file.
///
/// # Errors
/// Those of reading.
pub fn contradictions(conn: &Connection, path: &Path) -> Result<usize> {
    let fail = |e| error(path, "read", e);
    let mut statement = conn.prepare(SOUND).map_err(fail)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
    let answers = rows.collect::<rusqlite::Result<Vec<_>>>().map_err(fail)?;
    Ok(if answers == ["ok"] { 0 } else { answers.len() })
}
