//! Sizes and units.

use pv::units::{Unit, parse_size};

use super::{Target, none};

pub(super) const TARGET: Target = Target {
    name: "sizes",
    about: "sizes with units: a whole number of a unit is exactly that, a unit scales",
    longest: 200,
    words: &[
        b"1.5g",
        b"k",
        b"M",
        b"E",
        b"s",
        b"0.",
        b"00000000",
        b"18446744073709551615",
        b"16e",
        b"15.9999999999999999999e",
    ],
    seeds: none,
    runs: 3000,
    run,
};

const UNITS: [Unit; 8] =
    [Unit::Byte, Unit::Sector, Unit::Kibi, Unit::Mebi, Unit::Gibi, Unit::Tebi, Unit::Pebi, Unit::Exbi];

fn run(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = text.trim();
    let whole = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
    let mut last = 0;
    let mut way = std::collections::BTreeSet::new();
    for unit in UNITS.into_iter().filter(|unit| *unit != Unit::Sector) {
        let result = parse_size(&text, unit);
        if whole {
            let expected = plain.parse::<u64>().ok().and_then(|n| n.checked_mul(unit.bytes()));
            assert_eq!(result.as_ref().ok().map(|bytes| bytes.get()), expected, "{plain} {unit:?}");
        }
        match result {
            Ok(bytes) => {
                assert!(bytes.get() >= last, "a larger unit makes {plain:?} smaller");
                last = bytes.get();
                let again = parse_size(&format!("{}b", bytes.get()), unit).expect("bytes");
                assert_eq!(again, bytes);
            }
            Err(error) => {
                let kind = format!("{error:?}");
                way.insert(kind.split(['(', ' ']).next().unwrap_or_default().to_owned());
            }
        }
    }
    let _ = parse_size(&text, Unit::Sector);
    format!("{way:?} {whole} {}", last.checked_ilog2().unwrap_or(0) / 16)
}
