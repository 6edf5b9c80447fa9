//! What a report cell holds before it becomes text.

use std::cmp::Ordering;

/// One cell. The type decides alignment, sorting and how units apply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing to show.
    Blank,
    /// Text.
    Text(String),
    /// Several texts, shown with commas.
    List(Vec<String>),
    /// A count.
    Number(i64),
    /// Bytes.
    Size(u64),
    /// Hundredths of a percent.
    Percent(u32),
    /// A yes/no: the word when set, nothing otherwise; 1 or 0 with `--binary`.
    Flag(bool, &'static str),
    /// Seconds since 1970.
    Time(i64),
}

impl Value {
    /// A count of anything; counts past `i64` cannot occur in a pool.
    pub(crate) fn count(n: impl TryInto<i64>) -> Self {
        n.try_into().map_or(Self::Blank, Self::Number)
    }

    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Order within a sorted column: numbers by size, the rest as text, blanks first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }

    fn key(&self) -> (u8, i128, String) {
        match self {
            Self::Blank => (0, 0, String::new()),
            Self::Text(text) => (1, 0, text.clone()),
            Self::List(items) => (1, 0, items.join(",")),
            Self::Number(n) | Self::Time(n) => (1, i128::from(*n), String::new()),
            Self::Size(n) => (1, i128::from(*n), String::new()),
            Self::Percent(n) => (1, i128::from(*n), String::new()),
            Self::Flag(on, _) => (1, i128::from(*on), String::new()),
        }
    }
}

/// `2026-11-22 12:04:10 +0000`, as LVM shows times (always UTC here: a pool has no home time zone).
pub(crate) fn time_text(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} +0000", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Calendar date of a day counted from 1970-01-01 (proleptic Gregorian; years begin in March to keep leap days last).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_calendar_dates() {
        assert_eq!(time_text(0), "1970-01-01 00:00:00 +0000");
        assert_eq!(time_text(951_827_696), "2000-02-29 12:34:56 +0000");
        assert_eq!(time_text(1_795_349_050), "2026-11-22 12:04:10 +0000");
        assert_eq!(time_text(-1), "1969-12-31 23:59:59 +0000");
    }

    #[test]
    fn numbers_sort_by_size_and_blanks_come_first() {
        assert_eq!(Value::Size(9).order(&Value::Size(10)), Ordering::Less);
        assert_eq!(Value::Blank.order(&Value::Number(-1)), Ordering::Less);
        assert_eq!(Value::text("b").order(&Value::text("a")), Ordering::Greater);
    }
}
