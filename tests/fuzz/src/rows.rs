//! Right checksums for wrong rows.
//!
//! The sum of a row is no secret: whoever writes a hostile file computes it. This is the format's text
//! (`pv/FORMAT.md`, and the catalogue's rows as tag and value) put into code a second time, without the engine's help.

use rusqlite::types::Value;
use rusqlite::{Connection, Result};

use crate::vouch;

/// Tables of a metadata volume whose last column is a sum, with their numbers.
const CATALOGUE: [(&str, u8); 10] = [
    ("pv", 2),
    ("fs", 3),
    ("inode", 4),
    ("dirent", 5),
    ("map", 6),
    ("slice", 7),
    ("le", 8),
    ("xattr", 9),
    ("window", 11),
    // Last: it vouches for the others.
    ("state", 1),
];

/// Tables of a PV with sums, with their numbers.
const PV: [(&str, u8); 5] = [("label", 1), ("promise", 2), ("descriptor", 3), ("owner", 4), ("extent", 5)];

/// A row: its columns' names and values.
type Row = (Vec<String>, Vec<Value>);

/// Gives every row of a file the sum of what it says, whatever that is. Files whose tables were replaced are left alone.
///
/// # Errors
/// As SQLite says.
pub fn reseal(conn: &Connection) -> Result<()> {
    let is_pv = conn.prepare("SELECT 1 FROM extent LIMIT 1").is_ok();
    let tables: &[(&str, u8)] = if is_pv { &PV } else { &CATALOGUE };
    if !is_pv {
        // Files whose tables were replaced are left alone.
        let _ = vouch::below(conn);
    }
    for (table, number) in tables {
        if *table == "state" {
            let _ = vouch::totals(conn);
        }
        let Ok(rows) = rows(conn, table) else { continue };
        for row in rows {
            seal(conn, table, *number, is_pv, &row)?;
        }
    }
    if !is_pv {
        for (names, values) in rows(conn, "delta").unwrap_or_default() {
            if let Some(Value::Blob(body)) = column(&(names.clone(), values.clone()), "body") {
                put(conn, "delta", "sum", &Value::Integer(pv::row_sum(10, &body)), &(names, values))?;
            }
        }
    }
    Ok(())
}

fn rows(conn: &Connection, table: &str) -> Result<Vec<Row>> {
    let mut statement = conn.prepare(&format!("SELECT * FROM {table}"))?;
    let names: Vec<String> = statement.column_names().iter().map(ToString::to_string).collect();
    let rows = statement.query_map([], |row| (0..names.len()).map(|n| row.get(n)).collect::<Result<Vec<Value>>>())?;
    rows.map(|values| values.map(|values| (names.clone(), values))).collect()
}

fn seal(conn: &Connection, table: &str, number: u8, is_pv: bool, row: &Row) -> Result<()> {
    if table == "owner" {
        return seal_owner(conn, row);
    }
    let bytes = if is_pv { pv_bytes(table, row) } else { catalogue_bytes(row) };
    put(conn, table, "sum", &Value::Integer(pv::row_sum(number, &bytes)), row)
}

/// Sets one column of the row that has these values.
fn put(conn: &Connection, table: &str, name: &str, value: &Value, row: &Row) -> Result<()> {
    if column(row, name).as_ref() == Some(value) {
        return Ok(());
    }
    let mut bound = vec![value.clone()];
    let mut same = Vec::new();
    for (name, value) in row.0.iter().zip(&row.1) {
        // Payloads are long and no part of a key.
        if !(table == "extent" && name == "data") {
            same.push(format!("{name} IS ?"));
            bound.push(value.clone());
        }
    }
    conn.execute(
        &format!("UPDATE {table} SET {name} = ? WHERE {}", same.join(" AND ")),
        rusqlite::params_from_iter(bound),
    )?;
    Ok(())
}

fn column(row: &Row, name: &str) -> Option<Value> {
    row.0.iter().position(|found| found == name).map(|at| row.1[at].clone())
}

fn catalogue_bytes(row: &Row) -> Vec<u8> {
    let mut out = Vec::new();
    for value in row.1.iter().take(row.1.len().saturating_sub(1)) {
        match value {
            Value::Integer(number) => {
                out.push(1);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Value::Blob(bytes) => {
                out.push(2);
                out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                out.extend_from_slice(bytes);
            }
            _ => out.push(0),
        }
    }
    out
}

fn text(out: &mut Vec<u8>, value: Option<Value>) {
    let text = if let Some(Value::Text(text)) = value { text } else { String::new() };
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn number(value: Option<&Value>) -> i64 {
    if let Some(Value::Integer(number)) = value { *number } else { 0 }
}

fn blob(value: Option<Value>) -> Vec<u8> {
    if let Some(Value::Blob(bytes)) = value { bytes } else { Vec::new() }
}

fn there(value: Option<&Value>) -> u8 {
    u8::from(!matches!(value, None | Some(Value::Null)))
}

/// The low half of a number, as four bytes.
fn four(value: Option<&Value>) -> [u8; 4] {
    let [a, b, c, d, ..] = number(value).to_le_bytes();
    [a, b, c, d]
}

fn pv_bytes(table: &str, row: &Row) -> Vec<u8> {
    let get = |name: &str| column(row, name);
    let mut out = Vec::new();
    match table {
        "label" => {
            text(&mut out, get("pv_uuid"));
            for name in ["vg_uuid", "vg_name"] {
                out.push(there(get(name).as_ref()));
                text(&mut out, get(name));
            }
            for name in ["extent_size", "extent_count"] {
                out.push(there(get(name).as_ref()));
                out.extend_from_slice(&number(get(name).as_ref()).to_le_bytes());
            }
            for name in ["capacity", "created", "compat", "ro_compat", "incompat"] {
                out.extend_from_slice(&number(get(name).as_ref()).to_le_bytes());
            }
            text(&mut out, get("class"));
            text(&mut out, get("holders"));
        }
        "promise" => out.extend_from_slice(&number(get("epoch").as_ref()).to_le_bytes()),
        "descriptor" => {
            for name in ["epoch", "seqno"] {
                out.extend_from_slice(&number(get(name).as_ref()).to_le_bytes());
            }
            for name in ["change_id", "parent", "body"] {
                out.extend(blob(get(name)));
            }
        }
        _ => {
            out.extend(four(get("pe").as_ref()));
            for name in ["lv", "family"] {
                out.extend(blob(get(name)));
            }
            out.extend(four(get("le").as_ref()));
            for name in ["epoch", "flush"] {
                out.extend_from_slice(&number(get(name).as_ref()).to_le_bytes());
            }
            out.extend_from_slice(&(blob(get("data")).len() as u64).to_le_bytes());
            out.extend(blob(get("toc")));
        }
    }
    out
}

fn seal_owner(conn: &Connection, row: &Row) -> Result<()> {
    let (family, body) = (blob(column(row, "family")), blob(column(row, "body")));
    if body.len() != 32 {
        return Ok(());
    }
    let sum = pv::row_sum(4, &[family.as_slice(), &body[..24]].concat());
    let sealed = [&body[..24], &sum.to_be_bytes()].concat();
    put(conn, "owner", "body", &Value::Blob(sealed), row)
}
