//! PV arguments with extent ranges.

use vg::PvArg;

use super::{Target, none};

pub(super) const TARGET: Target = Target {
    name: "pv_range",
    about: "PV arguments with ranges of extents: no range is empty or wraps around",
    longest: 300,
    words: &[b"a.db:0-9", b":20-", b":20+5", b":4294967295", b":-", b":0-4294967295", b"+", b"@tag"],
    seeds: none,
    runs: 3000,
    run,
};

fn run(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let Ok(arg) = PvArg::parse(&text) else { return "refused".to_owned() };
    assert!(!arg.name.is_empty() && text.starts_with(&arg.name), "{text:?} is taken for {:?}", arg.name);
    for range in &arg.ranges {
        let end = range.start.get().checked_add(range.count.get());
        assert!(range.count.get() > 0 && end.is_some(), "{text:?}: {range:?}");
    }
    format!("{} ranges, {}", arg.ranges.len().min(4), arg.name.contains(':'))
}
