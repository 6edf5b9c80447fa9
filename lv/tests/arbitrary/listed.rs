//! That no public method is left out of the tables.

use std::collections::BTreeSet;
use std::path::Path;

use super::{core, traits};

/// The names of functions whose head begins with `head`, in all files of a folder of the sources.
fn functions(folder: &str, head: &str, inside: Option<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let mut on = inside.is_none();
        for line in text.lines() {
            if let Some(start) = inside
                && !line.starts_with(' ')
                && !line.is_empty()
            {
                on = line.starts_with(start);
            }
            if let Some(rest) = line.strip_prefix(head).filter(|_| on) {
                found.insert(rest.split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
    found
}

fn names<T>(calls: &[(&str, T)]) -> BTreeSet<String> {
    calls.iter().map(|(name, _)| (*name).to_owned()).collect()
}

#[test]
fn every_method_of_a_volume_is_called() {
    let written = functions("volume", "    pub fn ", None);
    assert!(written.len() > 40, "the sources were not found");
    let mut called = names(core::CALLS);
    called.extend(names(core::SURE));
    called.extend(core::LIFE.iter().map(ToString::to_string));
    let missing: Vec<_> = written.symmetric_difference(&called).collect();
    assert!(missing.is_empty(), "methods without a call, or calls without a method: {missing:?}");
}

#[test]
fn every_method_of_the_traits_is_called() {
    let written = functions("fs", "    fn ", Some("impl Fs"));
    assert!(written.len() > 38, "the sources were not found");
    let called = names(traits::CALLS);
    let missing: Vec<_> = written.symmetric_difference(&called).collect();
    assert!(missing.is_empty(), "methods without a call, or calls without a method: {missing:?}");
}
