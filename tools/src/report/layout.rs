//! Rows as columns of text, spaced as LVM spaces them.

use super::field::{Field, Type};
use super::row::Row;
use super::spec::{Look, Quotes, Spec};

/// A cell ready to print.
struct Cell {
    text: String,
    right: bool,
}

/// The report as lines, each with LVM's two leading blanks.
pub(super) fn render(rows: &[Row<'_>], spec: &Spec) -> String {
    let look = &spec.look;
    let mut lines: Vec<Vec<Cell>> = Vec::with_capacity(rows.len().saturating_add(1));
    // Headings of sizes stand at the left over values at the right, as in LVM. No rows, no headings: scripts rely on an empty answer.
    if look.headings && !rows.is_empty() {
        lines.push(spec.fields.iter().map(|f| Cell { text: f.heading.to_owned(), right: f.ty == Type::Num }).collect());
    }
    for row in rows {
        lines.push(spec.fields.iter().map(|field| cell(row, spec, field)).collect());
    }
    if look.transposed {
        return transpose(lines).iter().map(|line| join(line, look, &[])).collect();
    }
    let widths = if look.aligned && look.name_prefixes.is_none() { widths(&lines, spec) } else { Vec::new() };
    lines.iter().map(|line| join(line, look, &widths)).collect()
}

fn cell(row: &Row<'_>, spec: &Spec, field: &Field) -> Cell {
    let value = (field.value)(row);
    let text = spec.style.text(&value);
    let text = match spec.look.name_prefixes {
        None => text,
        Some(Quotes::Single) => {
            format!("LVM2_{}='{}'", field.name.to_uppercase(), text.trim_end().replace('\'', "'\\''"))
        }
        Some(Quotes::None) => format!("LVM2_{}={}", field.name.to_uppercase(), text.trim_end()),
    };
    Cell { text, right: spec.style.right(&value, field.right()) }
}

fn widths(lines: &[Vec<Cell>], spec: &Spec) -> Vec<usize> {
    let columns = spec.fields.iter().enumerate();
    let widest = |i: usize| lines.iter().filter_map(|line| line.get(i)).map(|c| width(&c.text)).max().unwrap_or(0);
    columns.map(|(i, field)| widest(i).max(field.width)).collect()
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn join(line: &[Cell], look: &Look, widths: &[usize]) -> String {
    let padded = line.iter().enumerate().map(|(i, cell)| {
        let pad = widths.get(i).copied().unwrap_or(0).saturating_sub(width(&cell.text));
        let pad = " ".repeat(pad);
        if cell.right { format!("{pad}{}", cell.text) } else { format!("{}{pad}", cell.text) }
    });
    format!("  {}\n", padded.collect::<Vec<_>>().join(&look.separator))
}

fn transpose(lines: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    let columns = lines.first().map_or(0, Vec::len);
    let mut out: Vec<Vec<Cell>> = std::iter::repeat_with(Vec::new).take(columns).collect();
    for line in lines {
        for (column, cell) in out.iter_mut().zip(line) {
            column.push(cell);
        }
    }
    out
}
