//! Order of the rows.

use std::cmp::Ordering;

use super::field::Field;
use super::row::Row;

/// A sort key: a field, ascending or not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SortKey {
    pub(crate) field: &'static Field,
    pub(crate) descending: bool,
}

/// Sorts by the keys in turn; equal rows keep their order.
pub(crate) fn sort(rows: &mut [Row<'_>], keys: &[SortKey]) {
    rows.sort_by(|a, b| {
        keys.iter().map(|key| compare(a, b, key)).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    });
}

fn compare(a: &Row<'_>, b: &Row<'_>, key: &SortKey) -> Ordering {
    // An internal LV sorts by its name, not by its bracket.
    let order = if key.field.name == "lv_name" {
        a.lv.map(|lv| &lv.name).cmp(&b.lv.map(|lv| &lv.name))
    } else {
        (key.field.value)(a).order(&(key.field.value)(b))
    };
    if key.descending { order.reverse() } else { order }
}
