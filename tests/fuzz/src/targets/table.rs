//! Any value in any column of any row, with right checksums.

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::rows::reseal;
use crate::source::Source;

/// A value for a column that has `old`.
fn value(source: &mut Source<'_>, old: &Value) -> Value {
    match (source.byte() % 8, old) {
        (0, _) => Value::Null,
        (1 | 2, Value::Integer(number)) => Value::Integer(number.wrapping_add(source.number().cast_signed())),
        (3 | 4, Value::Blob(bytes)) => {
            let mut bytes = bytes.clone();
            for _ in 0..=source.byte() % 4 {
                if !bytes.is_empty() {
                    let at = source.below(bytes.len());
                    bytes[at] = source.byte();
                }
            }
            Value::Blob(bytes)
        }
        (5, Value::Blob(bytes)) => Value::Blob(bytes[..source.below(bytes.len() + 1)].to_vec()),
        (_, Value::Blob(_)) => Value::Blob(source.bytes(300).to_vec()),
        (_, Value::Text(_)) => Value::Text(String::from_utf8_lossy(source.bytes(200)).into_owned()),
        _ => Value::Integer(source.number().cast_signed()),
    }
}

/// Changes some rows of these tables, adds some and takes some away.
pub(super) fn change(conn: &Connection, tables: &[&str], source: &mut Source<'_>) {
    for _ in 0..8 {
        if source.is_empty() {
            break;
        }
        // What the table refuses does not get in.
        let _ = one(conn, tables[source.below(tables.len())], source);
    }
    let _ = reseal(conn);
}

fn one(conn: &Connection, table: &str, source: &mut Source<'_>) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
    let names: Vec<String> = statement.column_names().iter().map(ToString::to_string).collect();
    let read = |row: &rusqlite::Row<'_>| (0..names.len()).map(|n| row.get(n)).collect::<rusqlite::Result<Vec<Value>>>();
    let rows = statement.query_map([], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.is_empty() {
        return Ok(());
    }
    let old = &rows[source.below(rows.len())];
    let how = source.byte() % 8;
    let mut new = old.clone();
    for _ in 0..=source.byte() % 3 {
        let at = source.below(names.len());
        new[at] = value(source, &old[at]);
    }
    if how < 6 {
        let same: Vec<String> = names.iter().map(|name| format!("{name} IS ?")).collect();
        let sql = format!("DELETE FROM {table} WHERE {}", same.join(" AND "));
        conn.execute(&sql, rusqlite::params_from_iter(old))?;
    }
    if how > 0 {
        let sql = format!("INSERT OR REPLACE INTO {table} VALUES ({})", vec!["?"; names.len()].join(","));
        conn.execute(&sql, rusqlite::params_from_iter(&new))?;
    }
    Ok(())
}
