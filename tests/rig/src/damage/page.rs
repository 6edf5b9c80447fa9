//! What a page of a SQLite file is for, to say what was damaged.

use std::collections::BTreeMap;

use crate::Content;

/// Names of the pages of a file, by number from 1.
#[derive(Debug, Default)]
pub(super) struct Pages {
    pub(super) size: u64,
    uses: BTreeMap<u64, String>,
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes.get(at..at + len).map_or(0, |part| part.iter().fold(0, |all, byte| (all << 8) | u64::from(*byte)))
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for _ in 0..9 {
        let byte = bytes.get(*at).copied().unwrap_or(0);
        *at += 1;
        value = (value << 7) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The table (or index) and the root page of each row of the schema on a leaf.
fn schema_rows(page: &[u8], header: usize) -> Vec<(String, u64)> {
    let mut rows = Vec::new();
    for cell in 0..usize::try_from(number(page, header + 3, 2)).unwrap_or(0) {
        let mut at = usize::try_from(number(page, header + 8 + 2 * cell, 2)).unwrap_or(0);
        varint(page, &mut at);
        varint(page, &mut at);
        let record = at;
        let end = record + usize::try_from(varint(page, &mut at)).unwrap_or(0);
        let mut kinds = Vec::new();
        while at < end {
            kinds.push(varint(page, &mut at));
        }
        let width = |kind: u64| match kind {
            0 | 8 | 9 => 0,
            5 => 6,
            6 | 7 => 8,
            n if n >= 12 => usize::try_from((n - 12) / 2).unwrap_or(0),
            n => usize::try_from(n).unwrap_or(0),
        };
        let start = |column: usize| end + kinds.iter().take(column).map(|kind| width(*kind)).sum::<usize>();
        let (Some(name), Some(root)) = (kinds.get(1), kinds.get(3)) else { continue };
        let name = page.get(start(1)..start(1) + width(*name)).map(|name| String::from_utf8_lossy(name).into_owned());
        rows.push((name.unwrap_or_default(), if *root == 9 { 1 } else { number(page, start(3), width(*root)) }));
    }
    rows
}

impl Pages {
    /// Looks at a whole (undamaged) file.
    pub(super) fn of(file: &Content) -> Self {
        let bytes = file.to_vec();
        let size = match number(&bytes, 16, 2) {
            1 => 65_536,
            size => size,
        };
        if !bytes.starts_with(b"SQLite format 3\0") || size < 512 {
            return Self { size: 4096, uses: BTreeMap::new() };
        }
        let mut pages = Self { size, uses: BTreeMap::new() };
        let mut roots = vec![("schema".to_owned(), 1)];
        let mut at = 0;
        while let Some((name, root)) = roots.get(at).cloned() {
            at += 1;
            let leaves = pages.walk(&bytes, &name, root);
            if root == 1 {
                for leaf in leaves {
                    let page = pages.page(&bytes, leaf);
                    roots.extend(schema_rows(page, if leaf == 1 { 100 } else { 0 }));
                }
            }
        }
        pages.uses.insert(1, "header and schema".to_owned());
        pages
    }

    fn page<'b>(&self, bytes: &'b [u8], page: u64) -> &'b [u8] {
        let size = usize::try_from(self.size).unwrap_or(0);
        let from = usize::try_from(page.saturating_sub(1)).unwrap_or(0) * size;
        bytes.get(from..from + size).unwrap_or_default()
    }

    /// Names the pages of one tree; its leaves.
    fn walk(&mut self, bytes: &[u8], name: &str, root: u64) -> Vec<u64> {
        let (mut todo, mut leaves) = (vec![root], Vec::new());
        while let Some(at) = todo.pop() {
            if at == 0 || self.uses.contains_key(&at) {
                continue;
            }
            let page = self.page(bytes, at);
            let header = if at == 1 { 100 } else { 0 };
            let inner = matches!(page.get(header), Some(2 | 5));
            self.uses.insert(at, format!("{} of {name}", if inner { "inner page" } else { "leaf" }));
            if !inner {
                leaves.push(at);
                continue;
            }
            todo.push(number(page, header + 8, 4));
            for cell in 0..usize::try_from(number(page, header + 3, 2)).unwrap_or(0) {
                let cell = usize::try_from(number(page, header + 12 + 2 * cell, 2)).unwrap_or(0);
                todo.push(number(page, cell, 4));
            }
        }
        leaves
    }

    /// What the page at byte `offset` is for.
    pub(super) fn at(&self, offset: u64) -> String {
        let page = offset / self.size + 1;
        let used = self.uses.get(&page).map_or("free, overflow or pointer map", String::as_str);
        format!("byte {offset}, page {page}: {used}")
    }

    /// The pages of trees, for those who want to hit one.
    pub(super) fn known(&self) -> Vec<u64> {
        self.uses.keys().copied().collect()
    }
}
