//! Names, tags and identifiers.

use std::fmt::Display;
use std::str::FromStr;

use pv::{FamilyUuid, LvUuid, PvUuid, VgUuid};
use vg::{LvName, Tag, VgName};

use super::{Target, none};

pub(super) const TARGET: Target = Target {
    name: "names",
    about: "names, tags and identifiers: what is taken is plain and reads back as the same",
    longest: 1200,
    words: &[
        b"snapshot",
        b"pvmove",
        b"_rimage",
        b"_tmeta",
        b"..",
        b"@",
        b"-",
        b"0a1b2c-3d4e-5f60-7182-93a4-b5c6-d7e8f9",
    ],
    seeds: none,
    runs: 3000,
    run,
};

fn taken<T: FromStr + Display + Eq + std::fmt::Debug>(text: &str) -> Option<String> {
    let value: T = text.parse().ok()?;
    let shown = value.to_string();
    assert_eq!(shown.parse::<T>().ok(), Some(value), "{text:?} does not read back");
    assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{text:?} is taken as {shown:?}");
    Some(shown)
}

fn run(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let names = [taken::<VgName>(&text), taken::<LvName>(&text)];
    for name in names.iter().flatten() {
        assert!(
            !name.contains('/') && !name.starts_with('-') && name != ".." && name != ".",
            "{name:?} is no file name"
        );
    }
    let others = [taken::<Tag>(&text), taken::<LvUuid>(&text), taken::<VgUuid>(&text), taken::<FamilyUuid>(&text)];
    let uuid = taken::<PvUuid>(&text);
    if let Some(shown) = &uuid {
        let digits = |text: &str| text.replace('-', "").to_ascii_lowercase();
        assert_eq!(digits(shown), digits(&text));
    }
    let refused =
        LvName::new(&text).err().map(|error| super::one_line("name", &error.to_string().escape_debug().to_string()));
    let all = names.iter().chain(&others).chain([&uuid]).map(Option::is_some).collect::<Vec<_>>();
    format!("{all:?} {refused:?}")
}
