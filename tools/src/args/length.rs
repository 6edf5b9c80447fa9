//! Lengths as `truncate` takes them.

use crate::failure::{Done, Failure};

/// A length, or what becomes of the one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// `10M`
    Exactly(u64),
    /// `+10M`
    Longer(u64),
    /// `-10M`
    Shorter(u64),
    /// `<10M`
    AtMost(u64),
    /// `>10M`
    AtLeast(u64),
    /// `/10M`
    Down(u64),
    /// `%10M`
    Up(u64),
}

/// A length of so many bytes, as a sign means them.
type Make = fn(u64) -> Length;

/// Reads a length: an optional sign, digits, and an optional unit: `K` or `KiB` is 1024, `KB` is 1000, and so on.
///
/// # Errors
/// Usage, exit code 3.
pub(crate) fn length(text: &str) -> Done<Length> {
    let form = "Write it as 100, 10K (1024 each) or 10KB (1000 each), after + - < > / or % to change what is there.";
    let bad = || Failure::argument("--size", text, form);
    let signs: [(char, Make); 6] = [
        ('+', Length::Longer),
        ('-', Length::Shorter),
        ('<', Length::AtMost),
        ('>', Length::AtLeast),
        ('/', Length::Down),
        ('%', Length::Up),
    ];
    let signed = signs.iter().find_map(|(sign, make)| Some((*make, text.strip_prefix(*sign)?)));
    let (make, number) = signed.unwrap_or((Length::Exactly, text));
    let length = make(bytes(number).ok_or_else(bad)?);
    if matches!(length, Length::Down(0) | Length::Up(0)) {
        return Err(bad());
    }
    Ok(length)
}

fn bytes(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))?;
    let number: u64 = digits.parse().ok()?;
    let mut letters = unit.chars();
    let Some(letter) = letters.next() else { return Some(number) };
    let power = match letter.to_ascii_uppercase() {
        'K' => 1,
        'M' => 2,
        'G' => 3,
        'T' => 4,
        'P' => 5,
        'E' => 6,
        _ => return None,
    };
    let base: u64 = match letters.as_str() {
        "" | "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    number.checked_mul(base.checked_pow(power)?)
}

impl Length {
    /// The new length of something of `old` bytes; `None` beyond all numbers.
    pub(crate) fn of(self, old: u64) -> Option<u64> {
        match self {
            Self::Exactly(bytes) => Some(bytes),
            Self::Longer(bytes) => old.checked_add(bytes),
            Self::Shorter(bytes) => Some(old.saturating_sub(bytes)),
            Self::AtMost(bytes) => Some(old.min(bytes)),
            Self::AtLeast(bytes) => Some(old.max(bytes)),
            Self::Down(unit) => Some(old - old.checked_rem(unit)?),
            Self::Up(unit) => old.checked_next_multiple_of(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_set_changed_and_rounded() {
        let of = |text, old| length(text).unwrap().of(old);
        assert_eq!(of("0", 7), Some(0));
        assert_eq!(of("2k", 7), Some(2048));
        assert_eq!(of("2MiB", 7), Some(2 << 20));
        assert_eq!(of("2MB", 7), Some(2_000_000));
        assert_eq!(of("+3", 7), Some(10));
        assert_eq!(of("-3", 7), Some(4));
        assert_eq!(of("-3K", 7), Some(0));
        assert_eq!(of("<5", 7), Some(5));
        assert_eq!(of(">5", 7), Some(7));
        assert_eq!(of("/4", 7), Some(4));
        assert_eq!(of("%4", 7), Some(8));
        assert_eq!(of("+1", u64::MAX), None);
        assert_eq!(of("%2", u64::MAX), None);
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for bad in ["", "+", "k", "1x", "1kb", "1KBB", "1 k", "--1", "/0", "%0", "16E", "99999999999999999999", "é"] {
            assert_eq!(length(bad).unwrap_err().code, 3, "{bad}");
        }
    }
}
