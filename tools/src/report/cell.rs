//! A value as text.

use anyfs_lvm::pv::Bytes;
use anyfs_lvm::pv::units::Units;

use super::value::{Value, time_text};

/// How values become text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CellStyle {
    /// `--units`.
    pub(crate) units: Units,
    /// `--nosuffix`.
    pub(crate) no_suffix: bool,
    /// `--binary`.
    pub(crate) binary: bool,
}

impl CellStyle {
    /// The text of a value.
    pub(super) fn text(self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            Value::List(items) => items.join(","),
            Value::Number(n) => n.to_string(),
            Value::Size(bytes) if self.no_suffix => self.units.show_bare(Bytes(*bytes)),
            Value::Size(bytes) => self.units.show(Bytes(*bytes)),
            Value::Percent(hundredths) => format!("{}.{:02}", hundredths / 100, hundredths % 100),
            Value::Flag(on, _) if self.binary => u8::from(*on).to_string(),
            Value::Flag(true, word) => (*word).to_owned(),
            Value::Blank | Value::Flag(false, _) => String::new(),
            Value::Time(seconds) => time_text(*seconds),
        }
    }

    /// Whether this value stands at the right edge of its column.
    pub(super) fn right(self, value: &Value, field_right: bool) -> bool {
        field_right || (self.binary && matches!(value, Value::Flag(..)))
    }
}
