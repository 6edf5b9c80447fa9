//! `-L SIZE` and `-l EXTENTS`.

use anyfs_lvm::pv::units::{SizeError, Unit, parse_size};

use crate::failure::{Done, Failure};

/// Whether a size is absolute or relative to the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// `10g`
    Absolute,
    /// `+10g`
    Plus,
}

/// A size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeArg {
    /// Absolute or to be added.
    pub(crate) sign: Sign,
    /// Bytes.
    pub(crate) bytes: u64,
}

/// A number of extents or a share of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extents {
    /// Absolute or to be added.
    pub(crate) sign: Sign,
    /// The number, or the percentage.
    pub(crate) number: u32,
    /// What it counts.
    pub(crate) of: ExtentsOf,
}

/// What `-l` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExtentsOf {
    /// Extents.
    Count,
    /// Percent of the volume group.
    Vg,
    /// Percent of its free space.
    Free,
    /// Percent of the free space on the PVs given.
    Pvs,
}

/// Reads a size: digits, an optional fraction, an optional unit letter (any case, powers of 1024; `unit` without one).
///
/// # Errors
/// In LVM's words, exit code 3.
pub(crate) fn size(option: &str, text: &str, unit: Unit, plus: bool) -> Done<SizeArg> {
    let bad = |reason: &str| Failure::argument(option, text, reason);
    let (sign, rest) = sign(text, plus).map_err(bad)?;
    // "10GiB" and "10GB" are what people type.
    let lower = rest.to_ascii_lowercase();
    let short =
        lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b').filter(|s| s.ends_with(char::is_alphabetic)));
    let bytes = parse_size(short.unwrap_or(&lower), unit).map_err(|error| match error {
        SizeError::TooLarge(_) => bad("Size is too large."),
        SizeError::Negative(_) => bad("Size may not be negative."),
        _ => bad("Can't parse size argument."),
    })?;
    Ok(SizeArg { sign, bytes: bytes.get() })
}

fn sign(text: &str, plus: bool) -> Result<(Sign, &str), &'static str> {
    if text.starts_with('-') {
        return Err("Size may not be negative.");
    }
    match text.strip_prefix('+') {
        Some(rest) if plus => Ok((Sign::Plus, rest)),
        Some(_) => Err("A + makes no sense here."),
        None => Ok((Sign::Absolute, text)),
    }
}

/// Reads `-l`: `N`, `N%VG`, `N%FREE`, `N%PVS`, with `+` where allowed.
///
/// # Errors
/// In LVM's words, exit code 3.
pub(crate) fn extents(command: &str, text: &str, plus: bool) -> Done<Extents> {
    let bad = |reason: &str| Failure::argument("--extents", text, reason);
    let (sign, rest) = sign(text, plus).map_err(bad)?;
    let (number, of) = match rest.split_once('%') {
        None => (rest, ExtentsOf::Count),
        Some((number, share)) => match share.to_ascii_uppercase().as_str() {
            "VG" | "V" => (number, ExtentsOf::Vg),
            "FREE" | "F" => (number, ExtentsOf::Free),
            "PVS" | "P" => (number, ExtentsOf::Pvs),
            _ => return Err(bad(&format!("Specified %{share} is unknown."))),
        },
    };
    let number: u32 = number.parse().map_err(|_| bad("Can't parse number of extents."))?;
    if number == 0 {
        return Err(Failure::usage(command, "--extents may not be zero."));
    }
    Ok(Extents { sign, number, of })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> u64 {
        size("--size", text, Unit::Mebi, true).unwrap().bytes
    }

    #[test]
    fn sizes_are_powers_of_1024_in_any_case() {
        assert_eq!(bytes("1"), 1 << 20);
        assert_eq!(bytes("64k"), 65536);
        assert_eq!(bytes("1.5G"), 3 << 29);
        assert_eq!(bytes("+2GiB"), 2 << 30);
        assert_eq!(bytes("7s"), 3584);
        assert_eq!(bytes(".5k"), 512);
        assert_eq!(bytes("3b"), 3);
    }

    #[test]
    fn bad_sizes_get_lvms_words() {
        let lines = |text| size("--size", text, Unit::Mebi, false).unwrap_err().lines;
        assert_eq!(
            lines("1x"),
            ["Can't parse size argument.", "Invalid argument for --size: 1x", "Error during parsing of command line."]
        );
        assert_eq!(lines("-1m")[0], "Size may not be negative.");
        assert_eq!(lines("99999999999e")[0], "Size is too large.");
        assert_eq!(lines("17e")[0], "Size is too large.");
        for bad in ["", "m", "1.2.3m", "1mm", "0x10", "++1", "é", "."] {
            assert_eq!(size("--size", bad, Unit::Mebi, true).unwrap_err().code, 3, "{bad}");
        }
    }

    #[test]
    fn extents_are_counts_or_shares() {
        let of = |text| extents("lvcreate", text, true).unwrap();
        assert_eq!(of("10"), Extents { sign: Sign::Absolute, number: 10, of: ExtentsOf::Count });
        assert_eq!(of("+50%free"), Extents { sign: Sign::Plus, number: 50, of: ExtentsOf::Free });
        assert_eq!(of("30%VG").of, ExtentsOf::Vg);
        assert_eq!(of("100%PVS").of, ExtentsOf::Pvs);
        let error = |text| extents("lvcreate", text, false).unwrap_err().lines;
        assert_eq!(error("10%BAD")[0], "Specified %BAD is unknown.");
        assert_eq!(error("0"), ["--extents may not be zero.", "Run `lvcreate --help' for more information."]);
        assert_eq!(error("x")[1], "Invalid argument for --extents: x");
    }
}
