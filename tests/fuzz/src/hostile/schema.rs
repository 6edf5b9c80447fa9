//! Schemas and settings that are not ours.

use rusqlite::Connection;

use super::{Case, File, act, rows, sql};

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";

/// Changes the text of the schema itself.
macro_rules! schema {
    ($sql:literal) => {
        concat!("PRAGMA writable_schema = ON; ", $sql, "; PRAGMA writable_schema = RESET;")
    };
}

pub(super) const CASES: &[Case] = &[
    sql(
        "view in place of label",
        File::Pv,
        "CREATE TABLE other AS SELECT * FROM label; DROP VIEW v_label; DROP TABLE label; CREATE VIEW label AS SELECT * FROM other",
        "schema was changed",
    ),
    act("endless view in place of label", File::Pv, |_, place| endless(&place.pv, "label", 14), "schema was changed"),
    act("endless view in place of extent", File::Pv, |_, place| endless(&place.pv, "extent", 9), "schema was changed"),
    act("endless view in place of inode", File::Meta, |_, place| endless(&place.meta, "inode", 21), "schema"),
    act("endless view in place of state", File::Meta, |_, place| endless(&place.meta, "state", 7), "schema"),
    sql(
        "a further endless view",
        File::Pv,
        "CREATE VIEW x AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n",
        "schema was changed",
    ),
    sql(
        "trigger on insert",
        File::Pv,
        "CREATE TRIGGER t AFTER INSERT ON extent BEGIN DELETE FROM extent; END",
        "schema was changed",
    ),
    sql(
        "trigger on delete",
        File::Pv,
        "CREATE TRIGGER t AFTER DELETE ON extent BEGIN DELETE FROM label; END",
        "schema was changed",
    ),
    sql(
        "trigger on update",
        File::Pv,
        "CREATE TRIGGER t BEFORE UPDATE ON owner BEGIN SELECT RAISE(IGNORE); END",
        "schema was changed",
    ),
    sql(
        "trigger on insert of metadata",
        File::Meta,
        "CREATE TRIGGER t AFTER INSERT ON inode BEGIN DELETE FROM map; END",
        "schema was changed",
    ),
    sql(
        "trigger on delete of metadata",
        File::Meta,
        "CREATE TRIGGER t AFTER DELETE ON dirent BEGIN DELETE FROM slice; END",
        "schema was changed",
    ),
    sql(
        "trigger on update of metadata",
        File::Meta,
        "CREATE TRIGGER t INSTEAD OF INSERT ON v_space BEGIN SELECT 1; END",
        "schema was changed",
    ),
    sql(
        "generated column",
        File::Pv,
        "ALTER TABLE extent ADD COLUMN g INTEGER AS (pe * 2) VIRTUAL",
        "schema was changed",
    ),
    sql(
        "generated column of metadata",
        File::Meta,
        "ALTER TABLE inode ADD COLUMN g INTEGER AS (size * 2) VIRTUAL",
        "schema was changed",
    ),
    sql("expression index", File::Pv, "CREATE INDEX e ON extent (length(hex(data)))", "schema was changed"),
    sql(
        "expression index of metadata",
        File::Meta,
        "CREATE INDEX e ON dirent (lower(hex(name)))",
        "schema was changed",
    ),
    sql(
        "partial index that lies",
        File::Meta,
        schema!(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX inode_orphan ON inode(fs, ino) WHERE nlink <> 0' WHERE name = 'inode_orphan'"
        ),
        "schema was changed",
    ),
    sql("virtual table", File::Pv, "CREATE VIRTUAL TABLE v USING fts5(x)", "schema was changed"),
    sql("r-tree", File::Meta, "CREATE VIRTUAL TABLE v USING rtree(id, a, b)", "schema was changed"),
    sql(
        "virtual table of no module",
        File::Pv,
        schema!("INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING nothing(x)')"),
        "a.db",
    ),
    sql("a further table", File::Pv, "CREATE TABLE x (y)", "schema was changed"),
    sql(
        "a thousand further views",
        File::Meta,
        schema!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO sqlite_schema SELECT 'view', 'v' || i, 'v' || i, 0, 'CREATE VIEW v' || i || ' AS SELECT 1' FROM n"
        ),
        "schema was changed",
    ),
    sql("a table less", File::Pv, "DROP TABLE promise", "schema is incomplete"),
    sql("a table of metadata less", File::Meta, "DROP TABLE delta", "schema is incomplete"),
    sql("a column more", File::Pv, "ALTER TABLE label ADD COLUMN more TEXT", "schema was changed"),
    sql("a column less", File::Meta, "DROP VIEW v_files; ALTER TABLE inode DROP COLUMN project", "schema was changed"),
    sql(
        "no strict tables",
        File::Meta,
        schema!("UPDATE sqlite_schema SET sql = replace(sql, ' STRICT,', '') WHERE name = 'xattr'"),
        "schema was changed",
    ),
    sql("escape sequence in the name of a table", File::Pv, "CREATE TABLE \"\x1b[2J\x07\" (y)", "schema was changed"),
    sql("line break in the name of a table", File::Meta, "CREATE TABLE \"x\nWARNING: y\" (y)", "schema was changed"),
    sql(
        "schema that cannot be read",
        File::Pv,
        schema!("UPDATE sqlite_schema SET sql = 'CREATE TABLE label(((((' WHERE name = 'label'"),
        "a.db",
    ),
    sql(
        "schema that cannot be read, of metadata",
        File::Meta,
        schema!("UPDATE sqlite_schema SET sql = x'ff00ff' WHERE name = 'inode'"),
        ".meta",
    ),
    sql(
        "two tables on one page",
        File::Meta,
        schema!(
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'map') WHERE name = 'dirent'"
        ),
        "",
    ),
    sql(
        "table on a page that is not there",
        File::Pv,
        schema!("UPDATE sqlite_schema SET rootpage = 99999999 WHERE name = 'extent'"),
        "a.db",
    ),
    sql(
        "table on the first page",
        File::Meta,
        schema!("UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'dirent'"),
        ".meta",
    ),
    sql(
        "index in place of a table",
        File::Pv,
        schema!(
            "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'extent_written') WHERE name = 'extent'"
        ),
        "a.db",
    ),
    sql("version of another format", File::Pv, "PRAGMA user_version = 0", "old format"),
    sql("version of the future", File::Meta, "PRAGMA user_version = 2147483647", "newer"),
    sql("negative version", File::Pv, "PRAGMA user_version = -1", "old format"),
    sql("application of somebody else", File::Meta, "PRAGMA application_id = 1", "another application"),
    sql("a PV taken for metadata", File::Meta, "PRAGMA application_id = 1632391254", "not a metadata volume"),
    sql(
        "write-ahead log where a journal is expected",
        File::Pv,
        "PRAGMA journal_mode = WAL; CREATE TABLE x (y); DROP TABLE x",
        "journal mode",
    ),
    sql("journal where a write-ahead log is expected", File::Meta, "PRAGMA journal_mode = DELETE", "journal mode"),
    sql("other page size", File::Pv, "PRAGMA page_size = 512; VACUUM", ""),
    sql(
        "other page size of metadata",
        File::Meta,
        "PRAGMA journal_mode = DELETE; PRAGMA page_size = 65536; VACUUM; PRAGMA journal_mode = WAL",
        "",
    ),
    sql("no auto_vacuum", File::Pv, "PRAGMA auto_vacuum = 0; VACUUM", ""),
    sql("full auto_vacuum", File::Pv, "PRAGMA auto_vacuum = 1; VACUUM", ""),
    sql(
        "full auto_vacuum of metadata",
        File::Meta,
        "PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = 1; VACUUM; PRAGMA journal_mode = WAL",
        "",
    ),
    act("UTF-16", File::Pv, |_, place| utf16(&place.pv, false), ""),
    act("UTF-16 metadata", File::Meta, |_, place| utf16(&place.meta, true), ""),
    rows(
        "statistics that mislead",
        File::Meta,
        "ANALYZE; UPDATE sqlite_stat1 SET stat = '99999999999999999999 x y z'",
        "schema was changed",
    ),
];

/// Puts a view that never ends in the place of a table.
fn endless(path: &std::path::Path, table: &str, columns: usize) {
    let conn = Connection::open(path).expect("a connection");
    let list = vec!["i"; columns].join(", ");
    let text = format!("CREATE VIEW {table} AS {ENDLESS} SELECT {list} FROM n");
    conn.execute_batch("PRAGMA writable_schema = ON").expect("a setting");
    let sql = "DELETE FROM sqlite_schema WHERE tbl_name = ?1 AND type <> 'table'";
    conn.execute(sql, [table]).expect("a change");
    let sql = "UPDATE sqlite_schema SET type = 'view', rootpage = 0, sql = ?2 WHERE name = ?1";
    conn.execute(sql, [table, &text]).expect("a change");
}

/// The same file in another encoding.
fn utf16(path: &std::path::Path, wal: bool) {
    let old = Connection::open(path).expect("a connection");
    let other = path.with_extension("other");
    let new = Connection::open(&other).expect("a connection");
    new.execute_batch("PRAGMA encoding = 'UTF-16le'; PRAGMA page_size = 4096").expect("a setting");
    let mut statement = old
        .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type = 'view', type = 'index'")
        .expect("a schema");
    let list = statement.query_map([], |row| row.get::<_, String>(0)).expect("a schema");
    for sql in list {
        new.execute_batch(&sql.expect("a statement")).expect("a table");
    }
    drop(statement);
    for pragma in ["application_id", "user_version"] {
        let value: i64 = old.pragma_query_value(None, pragma, |row| row.get(0)).expect("a setting");
        new.pragma_update(None, pragma, value).expect("a setting");
    }
    drop(new);
    old.execute("ATTACH ?1 AS new", [other.to_str()]).expect_err("encodings cannot be mixed");
    drop(old);
    // An empty one: rows of another encoding say the same, and there are none.
    if wal {
        Connection::open(&other).and_then(|c| c.execute_batch("PRAGMA journal_mode = WAL")).expect("a log");
    }
    std::fs::rename(other, path).expect("a name");
}
