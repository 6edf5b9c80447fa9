//! Showing sizes as LVM's reports do.

use super::{SizeError, decimal};
use crate::Bytes;

/// Letters and long names from the largest unit down; each is 1024 (or 1000) of the next.
const NAMES: [(char, &str, &str); 6] = [
    ('e', " EiB", " EB"),
    ('p', " PiB", " PB"),
    ('t', " TiB", " TB"),
    ('g', " GiB", " GB"),
    ('m', " MiB", " MB"),
    ('k', " KiB", " kB"),
];

/// How sizes are shown: the value of `--units`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The unit that suits the value; `mark` shows what was rounded up.
    Human { si: bool, mark: bool },
    /// One unit for all.
    Fixed(Shown),
    /// A multiple of a unit, by its bytes.
    Custom(u64),
}

/// One unit of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    bytes: u64,
    letter: char,
    long: &'static str,
    whole: bool,
}

const BYTES: Shown = Shown { bytes: 1, letter: 'B', long: " B", whole: true };
const SECTORS: Shown = Shown { bytes: 512, letter: 'S', long: " Se", whole: true };

impl Default for Units {
    /// `r`.
    fn default() -> Self {
        Self(Kind::Human { si: false, mark: true })
    }
}

fn ladder(si: bool) -> impl Iterator<Item = Shown> {
    let base: u64 = if si { 1000 } else { 1024 };
    NAMES.into_iter().zip((1..=6u32).rev()).map(move |((letter, binary, decimal), power)| Shown {
        bytes: base.saturating_pow(power),
        letter: if si { letter.to_ascii_uppercase() } else { letter },
        long: if si { decimal } else { binary },
        whole: false,
    })
}

fn unit(letter: char) -> Option<Shown> {
    match letter {
        'b' | 'B' => Some(BYTES),
        's' | 'S' => Some(SECTORS),
        _ => ladder(letter.is_ascii_uppercase()).find(|unit| unit.letter == letter),
    }
}

impl Units {
    /// Reads `h`, `r`, `b`, `s`, `k`, `m`, `g`, `t`, `p`, `e` (powers of 1024), the same in upper case (powers of 1000),
    /// or a number with such a unit (`2k`).
    ///
    /// # Errors
    /// [`SizeError::UnknownUnits`].
    pub fn parse(text: &str) -> Result<Self, SizeError> {
        let bad = || SizeError::UnknownUnits(text.to_owned());
        let letter = text.chars().next_back().ok_or_else(bad)?;
        let number = text.strip_suffix(letter).unwrap_or("");
        if number.is_empty() {
            let human = |mark| Kind::Human { si: letter.is_ascii_uppercase(), mark };
            return match letter {
                'h' | 'H' => Ok(Self(human(false))),
                'r' | 'R' => Ok(Self(human(true))),
                _ => unit(letter).map(|unit| Self(Kind::Fixed(unit))).ok_or_else(bad),
            };
        }
        let unit = unit(letter).ok_or_else(bad)?;
        let bytes = decimal::times(number, unit.bytes).ok().filter(|bytes| *bytes > 0).ok_or_else(bad)?;
        Ok(Self(Kind::Custom(bytes)))
    }

    /// As in reports: `504.00m`, `<429.61g`, `0 `.
    pub fn show(&self, size: Bytes) -> String {
        self.format(size, |unit| unit.letter.to_string(), " ")
    }

    /// As in reports with `--nosuffix`. Without a unit only `h` and `r` keep theirs, being unreadable otherwise.
    pub fn show_bare(&self, size: Bytes) -> String {
        match self.0 {
            Kind::Human { .. } if size.0 != 0 => self.show(size),
            _ => self.format(size, |_| String::new(), ""),
        }
    }

    /// As in text displays: `504.00 MiB`, `0   `.
    pub fn show_long(&self, size: Bytes) -> String {
        self.format(size, |unit| unit.long.to_owned(), "   ")
    }

    fn format(&self, size: Bytes, suffix: impl Fn(&Shown) -> String, nothing: &str) -> String {
        let unit = match self.0 {
            Kind::Human { .. } if size.0 == 0 => return format!("0{nothing}"),
            Kind::Human { si, .. } => ladder(si).find(|unit| size.0 >= unit.bytes).unwrap_or(BYTES),
            Kind::Fixed(unit) => unit,
            Kind::Custom(bytes) => Shown { bytes, letter: 'U', long: " Un", whole: false },
        };
        if size.0 == 0 {
            return format!("0{}", suffix(&unit));
        }
        let marked = matches!(self.0, Kind::Human { mark: true, .. });
        let (number, up) = rounded(size.0, &unit);
        format!("{}{number}{}", if marked && up { "<" } else { "" }, suffix(&unit))
    }
}

/// `size` in `unit` with its decimals, rounded half to even; whether that made it larger.
fn rounded(size: u64, unit: &Shown) -> (String, bool) {
    let scale: u128 = if unit.whole { 1 } else { 100 };
    let (value, bytes) = (u128::from(size).saturating_mul(scale), u128::from(unit.bytes.max(1)));
    let (down, rest) = (value.checked_div(bytes).unwrap_or(0), value.checked_rem(bytes).unwrap_or(0));
    let twice = rest.saturating_mul(2);
    let up = twice > bytes || (twice == bytes && down % 2 == 1);
    let shown = down.saturating_add(u128::from(up));
    if unit.whole { (shown.to_string(), up) } else { (format!("{}.{:02}", shown / 100, shown % 100), up) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `vgs --units X` printed for a VG of 504 MiB with 340 MiB free and extents of 4 MiB.
    const GOLDEN: [(&str, &str, &str, &str); 17] = [
        ("h", "504.00m", "340.00m", "4.00m"),
        ("b", "528482304B", "356515840B", "4194304B"),
        ("s", "1032192S", "696320S", "8192S"),
        ("k", "516096.00k", "348160.00k", "4096.00k"),
        ("m", "504.00m", "340.00m", "4.00m"),
        ("g", "0.49g", "0.33g", "0.00g"),
        ("t", "0.00t", "0.00t", "0.00t"),
        ("H", "528.48M", "356.52M", "4.19M"),
        ("B", "528482304B", "356515840B", "4194304B"),
        ("S", "1032192S", "696320S", "8192S"),
        ("K", "528482.30K", "356515.84K", "4194.30K"),
        ("M", "528.48M", "356.52M", "4.19M"),
        ("G", "0.53G", "0.36G", "0.00G"),
        ("T", "0.00T", "0.00T", "0.00T"),
        ("r", "504.00m", "340.00m", "4.00m"),
        ("R", "528.48M", "<356.52M", "4.19M"),
        ("2k", "258048.00U", "174080.00U", "2048.00U"),
    ];

    #[test]
    fn every_unit_prints_what_lvm_prints() {
        for (text, size, free, extent) in GOLDEN {
            let units = Units::parse(text).unwrap();
            let shown = [528_482_304, 356_515_840, 4_194_304].map(|n| units.show(Bytes(n)));
            assert_eq!(shown, [size, free, extent], "--units {text}");
        }
    }

    #[test]
    fn zero_small_and_huge_values_are_readable() {
        let units = Units::default();
        assert_eq!(units.show(Bytes(0)), "0 ");
        assert_eq!(units.show(Bytes(512)), "512B");
        assert_eq!(units.show(Bytes(u64::MAX)), "<16.00e");
        assert_eq!(units.show(Bytes((1 << 31) - (5 << 20))), "<2.00g");
        assert_eq!(units.show_long(Bytes(504 << 20)), "504.00 MiB");
        assert_eq!(Units::parse("0.5M").unwrap().show(Bytes(528_482_304)), "1056.96U");
        assert_eq!(Units::parse("m").unwrap().show(Bytes(0)), "0m");
        assert_eq!(Units::parse("m").unwrap().show_bare(Bytes(1 << 20)), "1.00");
    }

    #[test]
    fn what_is_no_unit_is_refused() {
        for text in ["", "x", "2", "2h", "0k", "-1k", "kk", "2r", "1.2.3k"] {
            assert!(matches!(Units::parse(text), Err(SizeError::UnknownUnits(_))), "{text}");
        }
    }
}
