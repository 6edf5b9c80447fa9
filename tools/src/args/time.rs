//! Dates and times as `touch` takes them; UTC, unless they say otherwise, as everywhere here.

use crate::failure::{Done, Failure};

const BILLION: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Reads `-d`: `now`, `@SECONDS[.FRACTION]`, or `YYYY-MM-DD` with (after a blank or `T`) `HH:MM[:SS[.FRACTION]]` and a
/// zone, `Z` or `+HH:MM`. Nanoseconds since 1970.
///
/// # Errors
/// Usage, exit code 3.
pub(crate) fn date(text: &str, now: i64) -> Done<i64> {
    let read = match text.trim() {
        "now" => Some(now),
        other => other.strip_prefix('@').map_or_else(|| calendar(other), since_1970),
    };
    let form = "Write it as YYYY-MM-DD [HH:MM[:SS[.FRACTION]]] [+HH:MM], @SECONDS or now.";
    read.ok_or_else(|| Failure::argument("--date", text, form))
}

/// Reads `-t`: `[[CC]YY]MMDDhhmm[.ss]`; without a year that of `now`.
///
/// # Errors
/// Usage, exit code 3.
pub(crate) fn stamp(text: &str, now: i64) -> Done<i64> {
    packed(text, now).ok_or_else(|| Failure::argument("-t", text, "Write it as [[CC]YY]MMDDhhmm[.ss]."))
}

fn since_1970(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    number(digits)?;
    let seconds: i64 = whole.parse().ok()?;
    let nanos = fraction.map_or(Some(0), nanos)?;
    let whole = seconds.checked_mul(BILLION)?;
    if text.starts_with('-') { whole.checked_sub(nanos) } else { whole.checked_add(nanos) }
}

fn calendar(text: &str) -> Option<i64> {
    let (day, rest) = text.split_at_checked(10)?;
    let mut parts = day.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || month.len() != 2 || parts.next().is_some() {
        return None;
    }
    let days = days(number(year)?, number(month)?, number(day)?)?;
    let rest =
        rest.strip_prefix(['T', 't', ' ']).map_or_else(|| rest.is_empty().then_some(""), |rest| Some(rest.trim()))?;
    let (clock, zone) = match rest.find(['+', '-', 'Z', 'z']) {
        Some(at) => rest.split_at_checked(at)?,
        None => (rest, "Z"),
    };
    let (seconds, nanos) = if clock.is_empty() { (0, 0) } else { time_of_day(clock.trim_end())? };
    let all = days.checked_mul(DAY)?.checked_add(seconds)?.checked_sub(offset(zone)?)?;
    all.checked_mul(BILLION)?.checked_add(nanos)
}

/// Seconds of the day and nanoseconds.
fn time_of_day(text: &str) -> Option<(i64, i64)> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut parts = whole.split(':').map(pair);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().map_or(fraction.is_none().then_some(0), |second| second)?;
    if parts.next().is_some() {
        return None;
    }
    Some((clock(hour, minute, second)?, fraction.map_or(Some(0), nanos)?))
}

fn clock(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds to the east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (pair(&digits)?, 0),
        4 => (pair(digits.get(..2)?)?, pair(digits.get(2..)?)?),
        _ => return None,
    };
    Some(sign * clock(hours, minutes, 0)?)
}

fn packed(text: &str, now: i64) -> Option<i64> {
    let (digits, second) = match text.split_once('.') {
        Some((digits, second)) => (digits, pair(second)?),
        None => (text, 0),
    };
    let (year, rest) = digits.split_at_checked(digits.len().checked_sub(8)?)?;
    let year = match year.len() {
        0 => year_of(now),
        // The two-digit years of POSIX: from 1969 to 2068.
        2 => number(year).map(|short| if short < 69 { short + 2000 } else { short + 1900 })?,
        4 => number(year)?,
        _ => return None,
    };
    let at = |from: usize| pair(rest.get(from..from.checked_add(2)?)?);
    let days = days(year, at(0)?, at(2)?)?;
    days.checked_mul(DAY)?.checked_add(clock(at(4)?, at(6)?, second)?)?.checked_mul(BILLION)
}

fn year_of(now: i64) -> i64 {
    let text = crate::report::time_text(now.div_euclid(BILLION));
    text.split('-').next().and_then(number).unwrap_or(1970)
}

/// Digits only: `parse` takes signs, too.
fn number(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn pair(text: &str) -> Option<i64> {
    number(text).filter(|_| text.len() == 2)
}

/// A fraction of a second; what is finer than a nanosecond is cut off.
fn nanos(text: &str) -> Option<i64> {
    number(text.get(..18).unwrap_or(text))?;
    let digits: String = text.chars().chain("000000000".chars()).take(9).collect();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| number(&digits))?
}

/// Days from 1970-01-01 to a date (proleptic Gregorian; years begin in March to keep leap days last).
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_nanosecond() {
        let of = |text| date(text, 5).unwrap();
        assert_eq!(of("now"), 5);
        assert_eq!(of("@0"), 0);
        assert_eq!(of("@-1.5"), -1_500_000_000);
        assert_eq!(of("@-0.25"), -250_000_000);
        assert_eq!(of("1970-01-01"), 0);
        assert_eq!(of("2000-02-29 12:34:56"), 951_827_696 * BILLION);
        assert_eq!(of("2000-02-29T12:34:56.123456789Z"), 951_827_696_123_456_789);
        assert_eq!(of("2000-02-29 12:34:56.5 +0230"), (951_827_696 - 9000) * BILLION + 500_000_000);
        assert_eq!(of("2000-02-29 12:34 -01"), (951_827_640 + 3600) * BILLION);
        assert_eq!(of("1969-12-31 23:59:59"), -BILLION);
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "yesterday",
            "2001-02-29",
            "2000-13-01",
            "2000-00-01",
            "2000-01-00",
            "2000-1-01",
            "2000-01-01x",
            "2000-01-01 24:00",
            "2000-01-01 12",
            "2000-01-01 12:00:00.",
            "2000-01-01 12:00.5",
            "2000-01-01 12:00 +1",
            "@",
            "@1.x",
            "@+1",
            "9999-01-01",
            "@99999999999999999999",
            "é000-01-01",
        ] {
            assert_eq!(date(bad, 0).unwrap_err().code, 3, "{bad}");
        }
    }

    #[test]
    fn stamps_are_those_of_posix() {
        let now = 1_795_349_050 * BILLION;
        let of = |text| stamp(text, now).unwrap();
        assert_eq!(of("200002291234.56"), 951_827_696 * BILLION);
        assert_eq!(of("0002291234.56"), 951_827_696 * BILLION);
        assert_eq!(of("6901010000"), -365 * DAY * BILLION);
        assert_eq!(of("11221204.10"), now);
        for bad in ["", "1122120", "112212041", "x1221204", "11221260", "1122120é", "vg0/home:/f"] {
            assert_eq!(stamp(bad, now).unwrap_err().code, 3, "{bad}");
        }
    }
}
