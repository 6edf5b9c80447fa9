//! Records of extended headers: `LENGTH KEY=VALUE` and a newline, where LENGTH counts all of it.

/// A record: key and value, both of any bytes.
pub(super) type Record = (Vec<u8>, Vec<u8>);

/// The prefix of keys of extended attributes.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";

/// All records in order; `None` when they are not well formed.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Vec<Record>> {
    let mut all = Vec::new();
    // Some writers fill the end up with NULs.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let blank = bytes.iter().take(20).position(|byte| *byte == b' ')?;
        let len = usize::try_from(decimal(bytes.get(..blank)?)?).ok()?;
        let (record, rest) = bytes.split_at_checked(len)?;
        let text = record.get(blank.checked_add(1)?..)?.strip_suffix(b"\n")?;
        let equals = text.iter().position(|byte| *byte == b'=')?;
        all.push((text.get(..equals)?.to_vec(), text.get(equals.checked_add(1)?..)?.to_vec()));
        bytes = rest;
    }
    Some(all)
}

/// Adds a record.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // Blank, equals sign, newline.
    let rest = key.len().saturating_add(value.len()).saturating_add(3);
    let mut len = rest;
    // The length counts its own digits.
    while len != rest.saturating_add(len.to_string().len()) {
        len = rest.saturating_add(len.to_string().len());
    }
    out.extend_from_slice(format!("{len} ").as_bytes());
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A number of decimal digits.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let all_digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if all_digits { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A time in nanoseconds since 1970, from seconds with any number of decimals; what no clock can show becomes the
/// nearest that can.
pub(super) fn time(text: &[u8]) -> Option<i64> {
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |text| (true, text));
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let whole = text.get(..point)?;
    let decimals = text.get(point.checked_add(1)?..).unwrap_or_default();
    if whole.is_empty() || !whole.iter().chain(decimals).all(u8::is_ascii_digit) {
        return None;
    }
    let digit = |byte: &u8| i64::from(byte.wrapping_sub(b'0'));
    let seconds = whole.iter().fold(0i64, |value, byte| value.saturating_mul(10).saturating_add(digit(byte)));
    let nanos = decimals.iter().chain([b'0'; 9].iter()).take(9).fold(0i64, |value, byte| value * 10 + digit(byte));
    let all = seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
    Some(if negative { -all } else { all })
}

/// The text that [`time`] reads, without decimals where there are none.
pub(super) fn time_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, decimals) = (nanos.unsigned_abs() / 1_000_000_000, nanos.unsigned_abs() % 1_000_000_000);
    if decimals == 0 {
        return format!("{sign}{seconds}");
    }
    let decimals = format!("{decimals:09}");
    format!("{sign}{seconds}.{}", decimals.trim_end_matches('0'))
}

/// The name of an extended attribute as part of a key, which cannot contain an equals sign: as GNU tar writes it.
pub(super) fn xattr_key(name: &[u8]) -> Vec<u8> {
    let mut key = XATTR.to_vec();
    for byte in name {
        match byte {
            b'%' => key.extend_from_slice(b"%25"),
            b'=' => key.extend_from_slice(b"%3D"),
            _ => key.push(*byte),
        }
    }
    key
}

/// The name of the extended attribute that a key stands for; `None` when it stands for something else.
pub(super) fn xattr_name(key: &[u8]) -> Option<Vec<u8>> {
    let mut rest = key.strip_prefix(XATTR)?;
    let mut name = Vec::with_capacity(rest.len());
    while let Some((first, more)) = rest.split_first() {
        let (byte, more) = match (rest.strip_prefix(b"%25"), rest.strip_prefix(b"%3D")) {
            (Some(more), _) => (b'%', more),
            (_, Some(more)) => (b'=', more),
            _ => (*first, more),
        };
        name.push(byte);
        rest = more;
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_hold_any_bytes_and_count_their_own_length() {
        let mut bytes = Vec::new();
        let values: [&[u8]; 4] = [b"", b"a\nb=c\0\xff", &[b'x'; 89], &[b'y'; 991]];
        for value in values {
            push(&mut bytes, b"key", value);
        }
        let all = parse(&bytes).unwrap();
        assert_eq!(all.iter().map(|(_, value)| value.as_slice()).collect::<Vec<_>>(), values);
        let mut one = Vec::new();
        push(&mut one, b"mtime", b"1350244992.023960108");
        assert_eq!(one, b"30 mtime=1350244992.023960108\n");
    }

    #[test]
    fn records_that_are_not_well_formed_are_refused() {
        for bad in ["x", "5 a=b", "6 a=b", "99 a=b\n", "6 aab\n", "-6 a=b\n", "3 \n", "99999999999999999999 a=b\n"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(parse(b"6 a=b\n\0\0\0").unwrap().len(), 1);
    }

    #[test]
    fn times_are_exact_to_the_nanosecond_on_both_sides_of_1970() {
        for nanos in [0, 1, -1, 1_500_000_000, -1_500_000_000, 1_350_244_992_023_960_108, i64::MAX, -i64::MAX] {
            assert_eq!(time(time_text(nanos).as_bytes()), Some(nanos), "{nanos}");
        }
        assert_eq!(time(b"12.0123456789999"), Some(12_012_345_678));
        assert_eq!(time(b"99999999999999999999"), Some(i64::MAX));
        for bad in ["", ".5", "1e5", "1.2.3", "--1", "1,5"] {
            assert_eq!(time(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn attribute_names_survive_as_keys() {
        for name in [&b"user.a=b"[..], b"user.100%", b"user.%3D", b"user.\xff"] {
            let key = xattr_key(name);
            assert!(!key.contains(&b'='));
            assert_eq!(xattr_name(&key).unwrap(), name);
        }
        assert_eq!(xattr_name(b"mtime"), None);
    }
}
