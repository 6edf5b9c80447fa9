//! A report with one row of each kind.

use measure::{Cold, Machine, Row, Samples, Scale};

use super::*;
use crate::bench::Settings;

fn outcome(item: &'static str, unit: Unit, target: Target, host: Option<f64>, ours: f64) -> Outcome {
    let mut sides = Vec::new();
    sides.extend(host.map(|value| Samples { side: "host".to_owned(), values: vec![value] }));
    sides.push(Samples { side: OURS.to_owned(), values: vec![ours] });
    let again = host.map(|value| value * 0.9).into_iter().collect();
    Outcome {
        work: "w".to_owned(),
        row: Row { key: "k", item, unit, target },
        sides,
        again,
        absent: Vec::new(),
        skipped: None,
    }
}

fn report() -> Report {
    let machine = Machine {
        cores: 2,
        processor: "P".to_owned(),
        memory: "M".to_owned(),
        system: "S".to_owned(),
        filesystem: "F".to_owned(),
        load: "0.1".to_owned(),
    };
    let row = Row { key: "c", item: "cold", unit: Unit::PerSecond, target: Target::Ratio(0.6) };
    Report {
        version: "1".to_owned(),
        date: "D".to_owned(),
        machine,
        cold: Cold::All,
        settings: Settings { scale: Scale::usual(), pvs: 2, extent: 256 * 1024, volume: None },
        outcomes: vec![
            outcome("write", Unit::MibPerSecond, Target::Ratio(0.5), Some(1000.0), 512.0),
            outcome("small", Unit::PerSecond, Target::Ratio(0.5), Some(50_000.0), 21_000.0),
            outcome("p99", Unit::Millis, Target::AtMost(5.0), Some(2.0), 20.0),
            outcome("open", Unit::Seconds, Target::AtMost(0.1), None, 0.05),
            Outcome::skipped("w", row, "not here"),
        ],
    }
}

#[test]
fn the_table_has_value_cost_host_ratio_and_target() {
    let text = table(&report(), Paint::Plain);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[1], "| ITEM  |     VALUE |       COST |       HOST | RATIO |   TARGET | AGAIN |");
    assert_eq!(lines[3], "| write | 512 MiB/s | 2.00 s/GiB | 1000 MiB/s |  0.51 |      0.5 |  0.90 |");
    assert_eq!(lines[4], "| small |  21000 /s | 47.6 us/op |   50000 /s |  0.42 |      0.5 |  0.90 |");
    assert_eq!(lines[5], "| p99   |   20.0 ms |            |    2.00 ms |  0.10 |  <= 5 ms |  1.11 |");
    assert_eq!(lines[6], "| open  |  0.0500 s |            |            |       | <= 0.1 s |       |");
    assert_eq!(lines[7], "| cold  |         - |            |            |       |      0.6 |       |");
    assert!(text.contains("cold: left out, not here\n") && text.contains("from 0.90 to 1.11"), "{text}");
    assert!(!text.contains('\x1b'));
}

#[test]
fn what_the_target_is_about_is_painted() {
    let text = table(&report(), Paint::Colours);
    for painted in ["\x1b[32m0.51\x1b[0m", "\x1b[33m0.42\x1b[0m", "\x1b[31m20.0 ms\x1b[0m", "\x1b[32m0.0500 s\x1b[0m"] {
        assert!(text.contains(painted), "{painted:?} in {text}");
    }
    // Colours take no room.
    let plain = text.replace("\x1b[32m", "").replace("\x1b[33m", "").replace("\x1b[31m", "").replace("\x1b[0m", "");
    assert_eq!(plain, table(&report(), Paint::Plain));
}

#[test]
fn numbers_have_three_digits() {
    for (value, text) in [(123_456.7, "123457"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.0123")]
    {
        assert_eq!(number(value), text);
    }
}
