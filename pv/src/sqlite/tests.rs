use std::fs;
use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use super::*;
use crate::{Env, PV_SCHEMA, PV_TUNING, PvError};

const NOTES: Schema = Schema {
    application_id: 77,
    user_version: 3,
    statements: &["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT) STRICT"],
    what: "notebook",
};
const WAL: Tuning = Tuning { page_size: 4096, wal: true, incremental_vacuum: false, cache_kib: 1024 };

fn number(conn: &Connection, pragma: &str) -> i64 {
    conn.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
}

#[test]
fn a_wal_file_is_made_private_and_opened_as_tuned() {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
    let path = dir.path().join("a.meta");
    let fill = |conn: &Connection| {
        conn.execute("INSERT INTO note (text) VALUES ('x')", []).map(drop).map_err(|e| error(&path, "fill it", e))
    };
    create(&env, &path, &NOTES, &WAL, fill).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let conn = open(&env, &path, &NOTES, &WAL, Access::ReadWrite).unwrap();
    assert_eq!((number(&conn, "page_size"), number(&conn, "auto_vacuum")), (4096, 0));
    assert_eq!((number(&conn, "synchronous"), number(&conn, "wal_autocheckpoint")), (2, 0));
    assert_eq!((number(&conn, "mmap_size"), number(&conn, "cell_size_check")), (0, 1));
    let again = create(&env, &path, &NOTES, &WAL, |_| Ok(())).unwrap_err();
    assert!(matches!(again, PvError::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists));
    let reader = open(&env, &path, &NOTES, &WAL, Access::ReadOnly).unwrap();
    assert!(reader.execute("DELETE FROM note", []).is_err());
}

#[test]
fn a_writer_of_a_rollback_file_has_the_settings_that_commits_rest_on() {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
    let path = dir.path().join("a.db");
    create(&env, &path, &PV_SCHEMA, &PV_TUNING, |_| Ok(())).unwrap();
    let conn = open(&env, &path, &PV_SCHEMA, &PV_TUNING, Access::ReadWrite).unwrap();
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "persist");
    assert_eq!((number(&conn, "synchronous"), number(&conn, "secure_delete")), (2, 0));
    assert_eq!((number(&conn, "cache_size"), number(&conn, "cache_spill")), (-16384, 0));
    assert_eq!(number(&conn, "journal_size_limit"), 1 << 20);
    assert!(conn.prepare("SELECT * FROM v_label").is_err(), "views are for people");
}

#[test]
fn a_foreign_file_is_not_touched_by_opening_it() {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
    let path = dir.path().join("a.db");
    create(&env, &path, &NOTES, &WAL, |_| Ok(())).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = open(&env, &path, &PV_SCHEMA, &PV_TUNING, Access::ReadWrite).unwrap_err();
    assert!(matches!(refused, PvError::Foreign { .. }));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let missing = open(&env, &dir.path().join("b"), &NOTES, &WAL, Access::ReadWrite).unwrap_err();
    assert!(matches!(missing, PvError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound));
}

#[test]
fn a_failed_fill_leaves_nothing() {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env::system());
    let path = dir.path().join("a.db");
    let fill = |_: &Connection| Err(PvError::Busy { path: path.clone() });
    assert!(create(&env, &path, &PV_SCHEMA, &PV_TUNING, fill).is_err());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
