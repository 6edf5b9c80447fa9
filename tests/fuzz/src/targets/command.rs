//! The parsers of the command.

use anyfs_lvm_tools::doors::PARSERS;

use super::{Target, none};
use crate::source::Source;

pub(super) const TARGET: Target = Target {
    name: "command",
    about: "sizes, lengths, modes, dates, owners, patterns, tests and values of the command",
    longest: 400,
    words: &[
        b"u+rwX,go=u",
        b"-size\n+5k",
        b"-maxdepth\n3",
        b"!\n-name\n*",
        b"-o",
        b"2026-11-23T01:02:03.5+01:00",
        b"202611230102.03",
        b"%5",
        b"100%FREE",
        b"50%PVS",
        b"0x",
        b"0s",
        b"\"",
        b"\\000",
        b"[!a-z]",
        b"**",
        b"vg0/home:/",
        b"root:root",
        b"@1700000000",
    ],
    seeds: none,
    runs: 3000,
    run,
};

fn run(bytes: &[u8]) -> String {
    let mut source = Source(bytes);
    let (name, parse) = PARSERS[source.below(PARSERS.len())];
    match parse(source.0) {
        Ok(shown) => {
            // What names look like on a terminal steers nothing.
            assert!(name != "show" || !shown.chars().any(char::is_control), "{shown:?}");
            assert!(name != "value" || parse(shown.as_bytes()) == Ok(shown.clone()), "a value reads back as another");
            let kind: String = shown.chars().filter(char::is_ascii_uppercase).take(4).collect();
            format!("{name} {kind}")
        }
        Err(lines) => {
            assert!(!lines.is_empty() && lines.iter().all(|line| !line.is_empty()), "{name}: refused without a word");
            format!("{name} refused {}", super::one_line(name, &lines[0].escape_debug().to_string()))
        }
    }
}
