//! The table of report fields: one row per field, and how fields are named on the command line.

use super::fields;
use super::row::Row;
use super::value::Value;

/// What a field describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pv,
    Vg,
    Lv,
    Seg,
    PvSeg,
}

/// Type of a field, as LVM names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// Text.
    Str,
    /// Count, right-aligned.
    Num,
    /// Size in units, right-aligned.
    Siz,
    /// Percentage.
    Pct,
    /// Yes or no, as a word (1 or 0 with `--binary`).
    Bin,
    /// Point in time.
    Tim,
    /// List of texts.
    List,
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// What it describes.
    pub(crate) kind: Kind,
    /// Full name.
    pub(crate) name: &'static str,
    /// Column heading.
    pub(crate) heading: &'static str,
    /// Smallest width of the column.
    pub(crate) width: usize,
    /// Type.
    pub(crate) ty: Type,
    /// Its value in a row.
    pub(crate) value: fn(&Row<'_>) -> Value,
    /// One line of help.
    pub(crate) help: &'static str,
}

impl Field {
    /// Whether values stand at the right edge.
    pub(crate) fn right(&self) -> bool {
        matches!(self.ty, Type::Num | Type::Siz)
    }
}

/// Every field, in the order of `-o all`.
pub(crate) fn all() -> impl Iterator<Item = &'static Field> {
    fields::LV.iter().chain(fields::PV).chain(fields::VG).chain(fields::SEG).chain(fields::PVSEG)
}

/// The prefix that may be left out, and the kinds of `-o all`, per report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// `lv_` and the like.
    pub(crate) prefixes: &'static [&'static str],
    /// Kinds of `-o all`.
    pub(crate) kinds: &'static [Kind],
}

/// The fields that a name stands for: one field, or several for `all` and `KIND_all`.
pub(crate) fn find(name: &str, scope: Scope) -> Vec<&'static Field> {
    let of = |kinds: &[Kind]| all().filter(|field| kinds.contains(&field.kind)).collect::<Vec<_>>();
    match name {
        "all" => return of(scope.kinds),
        "pv_all" => return of(&[Kind::Pv]),
        "vg_all" => return of(&[Kind::Vg]),
        "lv_all" => return of(&[Kind::Lv]),
        "seg_all" => return of(&[Kind::Seg]),
        "pvseg_all" => return of(&[Kind::PvSeg]),
        _ => {}
    }
    let plain = plain(name);
    let exact = all().find(|field| self::plain(field.name) == plain);
    let prefixed = || {
        let with =
            |prefix: &&str| all().find(|field| self::plain(field.name) == self::plain(&format!("{prefix}{name}")));
        scope.prefixes.iter().find_map(with)
    };
    exact.or_else(prefixed).into_iter().collect()
}

/// LVM ignores underscores in field names.
fn plain(name: &str) -> String {
    name.chars().filter(|c| *c != '_').collect()
}
