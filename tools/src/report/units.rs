//! `--units`: how sizes are written.

/// A parsed `--units` value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    /// What a size is divided by, unless chosen by size.
    fixed: Option<(u64, char)>,
    /// 1000 instead of 1024.
    decimal: bool,
    /// Mark a number that was rounded up with `<`.
    mark: bool,
}

const LETTERS: [char; 6] = ['k', 'm', 'g', 't', 'p', 'e'];

impl Default for Units {
    fn default() -> Self {
        Self { fixed: None, decimal: false, mark: true }
    }
}

impl Units {
    /// Reads `h`, `r`, `b`, `s`, `k`, `m`, `g`, `t`, `p`, `e`, upper case for powers of 1000, or a number and a
    /// letter.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let letter = text.chars().last()?;
        let number = text.strip_suffix(letter)?;
        let decimal = letter.is_ascii_uppercase();
        let lower = letter.to_ascii_lowercase();
        let free = |mark| Self { fixed: None, decimal, mark };
        match (number, lower) {
            ("", 'h') => return Some(free(false)),
            ("", 'r') => return Some(free(true)),
            _ => {}
        }
        let base = match lower {
            'b' => 1,
            's' => 512,
            _ => {
                let power = LETTERS.iter().position(|l| *l == lower)?;
                let step: u64 = if decimal { 1000 } else { 1024 };
                step.checked_pow(u32::try_from(power).ok()?.checked_add(1)?)?
            }
        };
        if number.is_empty() {
            // LVM writes these two in upper case always.
            let shown = if matches!(lower, 'b' | 's') { lower.to_ascii_uppercase() } else { letter };
            return Some(Self { fixed: Some((base, shown)), decimal, mark: false });
        }
        let factor: u64 = number.parse().ok().filter(|n| *n > 0)?;
        Some(Self { fixed: Some((factor.checked_mul(base)?, 'U')), decimal, mark: false })
    }

    /// A size as a report shows it, with its letter unless `suffix` is off.
    pub(crate) fn show(self, bytes: u64, suffix: bool) -> String {
        if bytes == 0 {
            return if suffix { "0 ".to_owned() } else { "0".to_owned() };
        }
        let (divisor, letter) = self.fixed.unwrap_or_else(|| self.fitting(bytes));
        let unit = if suffix { letter.to_string() } else { String::new() };
        if matches!(letter, 'B' | 'S') {
            return format!("{}{unit}", bytes / divisor.max(1));
        }
        let hundredths = hundredths(bytes, divisor);
        let up = hundredths.saturating_mul(u128::from(divisor)) > u128::from(bytes).saturating_mul(100);
        let mark = if self.mark && up { "<" } else { "" };
        format!("{mark}{}.{:02}{unit}", hundredths / 100, hundredths % 100)
    }

    fn fitting(self, bytes: u64) -> (u64, char) {
        let step: u64 = if self.decimal { 1000 } else { 1024 };
        let mut best = (1, if self.decimal { 'B' } else { 'b' });
        let mut divisor: u64 = 1;
        for letter in LETTERS {
            let Some(next) = divisor.checked_mul(step).filter(|d| *d <= bytes) else { break };
            divisor = next;
            best = (divisor, if self.decimal { letter.to_ascii_uppercase() } else { letter });
        }
        best
    }
}

/// Rounded half up, in hundredths of `divisor`.
fn hundredths(bytes: u64, divisor: u64) -> u128 {
    let divisor = u128::from(divisor.max(1));
    (u128::from(bytes) * 100 + divisor / 2) / divisor
}

/// `44.00 MiB`, as messages show sizes.
pub(crate) fn long(bytes: u64) -> String {
    let short = Units { fixed: None, decimal: false, mark: false };
    let (divisor, letter) = short.fitting(bytes);
    let name = match letter {
        'k' => "KiB",
        'm' => "MiB",
        'g' => "GiB",
        't' => "TiB",
        'p' => "PiB",
        'e' => "EiB",
        _ => return format!("{bytes} B"),
    };
    let hundredths = hundredths(bytes, divisor);
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_written_as_lvm_writes_them() {
        let size = 528_482_304;
        for (units, text) in [
            ("h", "504.00m"),
            ("b", "528482304B"),
            ("s", "1032192S"),
            ("k", "516096.00k"),
            ("g", "0.49g"),
            ("t", "0.00t"),
            ("H", "528.48M"),
            ("B", "528482304B"),
            ("S", "1032192S"),
            ("K", "528482.30K"),
            ("M", "528.48M"),
            ("G", "0.53G"),
            ("r", "504.00m"),
            ("R", "528.48M"),
            ("2k", "258048.00U"),
        ] {
            assert_eq!(Units::parse(units).unwrap().show(size, true), text, "--units {units}");
        }
        assert_eq!(Units::parse("R").unwrap().show(356_515_840, true), "<356.52M");
        assert_eq!(Units::default().show(0, true), "0 ");
        assert_eq!(Units::default().show(16 << 30, false), "16.00");
        assert!(Units::parse("q").is_none() && Units::parse("").is_none() && Units::parse("0k").is_none());
        assert_eq!(long(44 << 20), "44.00 MiB");
        assert_eq!(long(u64::MAX), "16.00 EiB");
    }
}
