//! Numbers in header fields.

/// Reads a number: octal digits with blanks around them (none at all is 0), or GNU's binary form for what octal digits
/// cannot say. `None` when it is neither, or too large.
pub(super) fn read(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary(*first, field.get(1..)?),
        _ => octal(field),
    }
}

/// As [`read`], for what cannot be negative.
pub(super) fn read_size(field: &[u8]) -> Option<u64> {
    u64::try_from(read(field)?).ok()
}

/// Two's complement, the highest bit apart, which marks the form.
fn binary(first: u8, rest: &[u8]) -> Option<i64> {
    let negative = first & 0x40 != 0;
    let start = i128::from(first & 0x3f) - if negative { 0x40 } else { 0 };
    let value = rest.iter().try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i128::from(*byte)))?;
    i64::try_from(value).ok()
}

fn octal(field: &[u8]) -> Option<i64> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | 0);
    let begin = field.iter().position(|byte| !is_blank(byte)).unwrap_or(field.len());
    let text = field.get(begin..)?;
    let end = text.iter().position(is_blank).unwrap_or(text.len());
    text.get(..end)?.iter().try_fold(0i64, |value, byte| {
        let digit = char::from(*byte).to_digit(8)?;
        value.checked_mul(8)?.checked_add(i64::from(digit))
    })
}

/// Writes a number as octal digits and a NUL; whether it fits. What does not is written in GNU's binary form as far as
/// that goes.
pub(super) fn write(field: &mut [u8], value: u64) -> bool {
    let digits = format!("{value:o}");
    let width = field.len().saturating_sub(1);
    if digits.len() <= width {
        let text = format!("{digits:0>width$}\0");
        field.copy_from_slice(text.as_bytes());
        return true;
    }
    let bytes = value.to_be_bytes();
    field.fill(0);
    for (slot, byte) in field.iter_mut().rev().zip(bytes.iter().rev()) {
        *slot = *byte;
    }
    if let Some(first) = field.first_mut() {
        *first |= 0x80;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields_are_read_with_blanks_around() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777777\0", Some(0o77_777_777_777)),
            (b"777777777777", Some(0o777_777_777_777)),
            (b"12345678", None),
            (b"-1\0\0\0\0\0\0", None),
            (b"12x\0", None),
        ] {
            assert_eq!(read(field), value, "{field:?}");
        }
    }

    #[test]
    fn binary_fields_hold_large_and_negative_numbers() {
        let mut field = [0; 12];
        assert!(!write(&mut field, 1 << 40));
        assert_eq!(read(&field), Some(1 << 40));
        assert_eq!(read(&[0xff; 12]), Some(-1));
        assert_eq!(read_size(&[0xff; 12]), None);
        let mut huge = [0x7f; 12];
        huge[0] = 0xbf;
        assert_eq!(read(&huge), None);
    }

    #[test]
    fn what_fits_is_written_as_octal_digits() {
        let mut field = [1; 8];
        assert!(write(&mut field, 0o7_777_777));
        assert_eq!(&field, b"7777777\0");
        assert!(!write(&mut field, 0o10_000_000));
        assert_eq!(read(&field), Some(0o10_000_000));
    }
}
