//! Reading sizes: `Size[UNIT]`, powers of 1024 whatever the letter's case.

use super::decimal;
use crate::Bytes;

/// A unit of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `b`: bytes.
    Byte,
    /// `s`: sectors of 512 bytes.
    Sector,
    /// `k`: 1024 bytes.
    Kibi,
    /// `m`: 1024 of the former.
    Mebi,
    /// `g`: 1024 of the former.
    Gibi,
    /// `t`: 1024 of the former.
    Tebi,
    /// `p`: 1024 of the former.
    Pebi,
    /// `e`: 1024 of the former.
    Exbi,
}

impl Unit {
    /// The unit of a letter in either case.
    pub fn from_letter(letter: char) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            'b' => Self::Byte,
            's' => Self::Sector,
            'k' => Self::Kibi,
            'm' => Self::Mebi,
            'g' => Self::Gibi,
            't' => Self::Tebi,
            'p' => Self::Pebi,
            'e' => Self::Exbi,
            _ => return None,
        })
    }

    /// Bytes in one.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Byte => 1,
            Self::Sector => 512,
            Self::Kibi => 1 << 10,
            Self::Mebi => 1 << 20,
            Self::Gibi => 1 << 30,
            Self::Tebi => 1 << 40,
            Self::Pebi => 1 << 50,
            Self::Exbi => 1 << 60,
        }
    }
}

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// It does not begin with a number.
    #[error("\"{0}\" is not a size")]
    NotANumber(String),
    /// What follows the number is no unit.
    #[error("\"{text}\": unknown unit \"{unit}\" (units are b, s, k, m, g, t, p and e)")]
    UnknownUnit {
        /// The size as given.
        text: String,
        /// What stands for its unit.
        unit: String,
    },
    /// It is below zero.
    #[error("\"{0}\": a size may not be negative")]
    Negative(String),
    /// It is more than 64 bits hold.
    #[error("\"{0}\" is too large")]
    TooLarge(String),
    /// It is no unit of output.
    #[error("\"{0}\" is not a unit of output (h, r, b, s, k, m, g, t, p, e, in upper case for powers of 1000)")]
    UnknownUnits(String),
}

/// Reads a size such as `512`, `1.5g` or `64K`; `default` is the unit of a bare number. Fractions of a byte are dropped.
///
/// # Errors
/// One variant each for what is no number, no unit, negative or too large.
pub fn parse_size(text: &str, default: Unit) -> Result<Bytes, SizeError> {
    let trimmed = text.trim();
    if let Some(rest) = trimmed.strip_prefix('-') {
        let number = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        return Err(if number { SizeError::Negative(text.into()) } else { SizeError::NotANumber(text.into()) });
    }
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
    if number.is_empty() {
        return Err(SizeError::NotANumber(text.into()));
    }
    let mut letters = unit.chars();
    let unit = match (letters.next(), letters.next()) {
        (None, _) => default,
        (Some(letter), None) if Unit::from_letter(letter).is_some() => Unit::from_letter(letter).unwrap_or(default),
        _ => return Err(SizeError::UnknownUnit { text: text.into(), unit: unit.into() }),
    };
    decimal::times(number, unit.bytes()).map(Bytes).map_err(|error| match error {
        None => SizeError::NotANumber(text.into()),
        Some(()) => SizeError::TooLarge(text.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_powers_of_1024_in_either_case() {
        let of = |text: &str| parse_size(text, Unit::Mebi).unwrap().0;
        assert_eq!(of("1"), 1 << 20);
        assert_eq!((of("7b"), of("7B")), (7, 7));
        assert_eq!((of("3s"), of("3S")), (1536, 1536));
        assert_eq!((of("2k"), of("2K")), (2048, 2048));
        assert_eq!(of("1.5g"), 3 << 29);
        assert_eq!(of(".5k"), 512);
        assert_eq!(of("0.1k"), 102);
        assert_eq!(of("1t") + of("1P") + of("1e"), (1 << 40) + (1 << 50) + (1 << 60));
        assert_eq!(of("15.999999999999999999999e"), u64::MAX - 1);
    }

    #[test]
    fn each_kind_of_nonsense_has_its_error() {
        let of = |text: &str| parse_size(text, Unit::Mebi).unwrap_err();
        for text in ["", " ", "k", "1.2.3", ".", "-", "-x", "+1", "NaN"] {
            assert!(matches!(of(text), SizeError::NotANumber(_)), "{text}");
        }
        for text in ["1x", "1kb", "1 k", "1GiB", "1\u{e9}", "0x10"] {
            assert!(matches!(of(text), SizeError::UnknownUnit { .. }), "{text}");
        }
        assert!(matches!(of("-1g"), SizeError::Negative(_)));
        for text in ["16e", "99999999999999999999999999999999999999999999"] {
            assert!(matches!(of(text), SizeError::TooLarge(_)), "{text}");
        }
    }
}
