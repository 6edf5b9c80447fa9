//! `--reportformat json`: every value is a string, laid out as LVM lays it out.

use super::row::Row;
use super::spec::Spec;

/// The report as JSON.
pub(super) fn render(rows: &[Row<'_>], spec: &Spec, list: &str) -> String {
    let lines: Vec<String> = rows.iter().map(|row| object(row, spec)).collect();
    let inner = if lines.is_empty() { String::new() } else { format!("{}\n", lines.join(",\n")) };
    format!(
        "  {{\n      \"report\": [\n          {{\n              \"{list}\": [\n{inner}              ]\n          }}\n      \
         ]\n  }}\n"
    )
}

fn object(row: &Row<'_>, spec: &Spec) -> String {
    let pairs = spec.fields.iter().map(|field| {
        let text = spec.style.text(&(field.value)(row));
        format!("\"{}\":{}", field.name, quote(&text))
    });
    format!("                  {{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// A JSON string.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
