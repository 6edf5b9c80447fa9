//! Sizes in messages.

use anyfs_lvm::pv::Bytes;
use anyfs_lvm::pv::units::Units;

/// `44.00 MiB`
pub(crate) fn long(bytes: u64) -> String {
    Units::parse("h").unwrap_or_default().show_long(Bytes(bytes)).trim_end().to_owned()
}

/// `44M`, `1.5K`: powers of 1024, rounded up, with a digit behind the point below 10, as `du -h` shows them.
pub(crate) fn short(bytes: u64) -> String {
    if bytes < 1024 {
        return bytes.to_string();
    }
    let bytes = u128::from(bytes);
    let mut unit = 1u128;
    for letter in ["K", "M", "G", "T", "P"] {
        unit = unit.saturating_mul(1024);
        if bytes.div_ceil(unit) < 1024 {
            return rounded(bytes, unit, letter);
        }
    }
    rounded(bytes, unit.saturating_mul(1024), "E")
}

fn rounded(bytes: u128, unit: u128, letter: &str) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(unit);
    if tenths < 100 {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    } else {
        format!("{}{letter}", bytes.div_ceil(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_sizes_are_rounded_up() {
        for (bytes, text) in [
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1025, "1.1K"),
            (10_137, "9.9K"),
            (10_138, "10K"),
            (1_047_552, "1023K"),
            (1_047_553, "1.0M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(short(bytes), text, "{bytes}");
        }
    }
}
