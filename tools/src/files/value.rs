//! Values of extended attributes as text, in the manner of `getfattr` and `setfattr`.

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Encoding {
    /// In quotes, with what is no plain text as `\ooo`
    Text,
    /// `0x` and hexadecimal digits
    Hex,
    /// `0s` and base64
    Base64,
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A value as it is written; without an encoding, as text when most of it is that.
pub(crate) fn encode(value: &[u8], encoding: Option<Encoding>) -> String {
    match encoding.unwrap_or(if is_text(value) { Encoding::Text } else { Encoding::Base64 }) {
        Encoding::Text => quoted(value),
        Encoding::Hex => format!("0x{}", value.iter().flat_map(|byte| digits::<2>(*byte, 4)).collect::<String>()),
        Encoding::Base64 => format!("0s{}", value.chunks(3).flat_map(group).collect::<String>()),
    }
}

/// Whether at most one character in eight would have to be escaped. A NUL at the end counts as none.
fn is_text(value: &[u8]) -> bool {
    let value = value.strip_suffix(b"\0").unwrap_or(value);
    let odd: usize = value
        .utf8_chunks()
        .map(|chunk| {
            let control = chunk.valid().chars().filter(|c| c.is_control() && !c.is_ascii_whitespace()).count();
            control.saturating_add(chunk.invalid().len())
        })
        .sum();
    odd.saturating_mul(8) <= value.len()
}

fn quoted(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len().saturating_add(2));
    out.push('"');
    for chunk in value.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c.is_control() || super::show::is_invisible(c) => {
                    out.push_str(&octal(c.encode_utf8(&mut [0; 4]).as_bytes()));
                }
                c => out.push(c),
            }
        }
        out.push_str(&octal(chunk.invalid()));
    }
    out.push('"');
    out
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| ['\\'].into_iter().chain(digits::<3>(*byte, 3))).collect()
}

/// `N` digits of so many bits each.
fn digits<const N: usize>(byte: u8, bits: u32) -> [char; N] {
    let mut rest = u32::from(byte);
    let mut out = ['0'; N];
    for place in out.iter_mut().rev() {
        *place = char::from_digit(rest & ((1 << bits) - 1), 1 << bits).unwrap_or('0');
        rest >>= bits;
    }
    out
}

/// Up to three bytes as four characters.
fn group(bytes: &[u8]) -> Vec<char> {
    let at = |place: usize| u32::from(bytes.get(place).copied().unwrap_or(0));
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    let digit = |place: usize, shift: u32| {
        let index = usize::try_from(bits >> shift & 63).unwrap_or(0);
        let digit = BASE64.get(index).copied().map_or('=', char::from);
        if place > bytes.len() { '=' } else { digit }
    };
    vec![digit(0, 18), digit(1, 12), digit(2, 6), digit(3, 0)]
}

/// Reads a value: `0x` hexadecimal, `0s` base64, `"text"` with escapes, or the bytes as they are. The error says why not.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, &'static str> {
    if let Some(digits) = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")) {
        return hex(digits).ok_or("0x must be followed by pairs of hexadecimal digits.");
    }
    if let Some(digits) = text.strip_prefix(b"0s").or_else(|| text.strip_prefix(b"0S")) {
        return base64(digits).ok_or("0s must be followed by base64.");
    }
    let inner = text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    inner.map_or_else(|| Ok(text.to_vec()), |inner| Ok(plain(inner)))
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

fn base64(digits: &[u8]) -> Option<Vec<u8>> {
    let body = digits.strip_suffix(b"==").or_else(|| digits.strip_suffix(b"=")).unwrap_or(digits);
    // Padding, where there is any, fills the last group up.
    if digits.len() != body.len() && !digits.len().is_multiple_of(4) {
        return None;
    }
    let mut out = Vec::with_capacity(body.len());
    for group in body.chunks(4) {
        let mut bits = 0u32;
        for byte in group {
            let index = BASE64.iter().position(|digit| digit == byte)?;
            bits = bits << 6 | u32::try_from(index).ok()?;
        }
        let count = match group.len() {
            4 => 3,
            3 => 2,
            2 => 1,
            _ => return None,
        };
        let missing = u32::try_from(4 - group.len()).ok()?;
        let [_, bytes @ ..] = (bits << (6 * missing)).to_be_bytes();
        out.extend(bytes.into_iter().take(count));
    }
    Some(out)
}

/// Text without its escapes: `\ooo` is a byte, a backslash before anything else goes.
fn plain(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let digits = after.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
        let number = after.iter().take(digits).fold(0u32, |all, byte| all * 8 + u32::from(byte - b'0'));
        let skip = match u8::try_from(number) {
            Ok(byte) if digits > 0 => {
                out.push(byte);
                digits
            }
            _ => {
                out.extend(after.first());
                1
            }
        };
        rest = after.get(skip..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_text_where_most_of_them_is() {
        let auto = |value: &[u8]| encode(value, None);
        assert_eq!(auto(b"a \"b\" \\"), r#""a \"b\" \\""#);
        assert_eq!(auto(b"12345678\n"), r#""12345678\012""#);
        assert_eq!(auto("grün".as_bytes()), "\"grün\"");
        assert_eq!(auto(b"text\0"), r#""text\000""#);
        assert_eq!(auto(b""), "\"\"");
        assert_eq!(auto(b"1234567\x01"), r#""1234567\001""#);
        assert_eq!(auto(b"123456\x01"), "0sMTIzNDU2AQ==");
        assert_eq!(auto(&[0, 255]), "0sAP8=");
    }

    #[test]
    fn every_encoding_leads_back() {
        let all: Vec<u8> = (0..=255).collect();
        for len in [0, 1, 2, 3, 4, 5, 255, 256] {
            for encoding in [None, Some(Encoding::Text), Some(Encoding::Hex), Some(Encoding::Base64)] {
                let value = &all[all.len() - len..];
                assert_eq!(decode(encode(value, encoding).as_bytes()), Ok(value.to_vec()), "{len} {encoding:?}");
                let value = &all[..len];
                assert_eq!(decode(encode(value, encoding).as_bytes()), Ok(value.to_vec()), "{len} {encoding:?}");
            }
        }
    }

    #[test]
    fn values_are_read_as_setfattr_reads_them() {
        assert_eq!(decode(b"plain \\ text"), Ok(b"plain \\ text".to_vec()));
        assert_eq!(decode(b"\"a\\tb\\101\\\\\""), Ok(b"atbA\\".to_vec()));
        assert_eq!(decode(b"\"\\777\""), Ok(b"777".to_vec()));
        assert_eq!(decode(b"0xFFa0"), Ok(vec![255, 160]));
        assert_eq!(decode(b"0sAP8"), Ok(vec![0, 255]));
        for bad in [&b"0x1"[..], b"0xzz", b"0sA", b"0sA===", b"0s?", b"0sAAA=="] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
