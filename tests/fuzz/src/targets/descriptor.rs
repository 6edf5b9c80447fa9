//! Descriptors of volume groups.

use vg::{Descriptor, FreeMap};

use super::{Target, one_line};
use crate::base::Base;

pub(super) const TARGET: Target = Target {
    name: "descriptor",
    about: "descriptors: what is read is valid and writes the same bytes again",
    longest: 8192,
    words: &[
        b"\"version\":0",
        b"\"hint\":\"",
        b"../",
        b"\\u0000",
        b"\\u001b",
        b"null",
        b"true",
        b"false",
        b"[]",
        b"{}",
        b"[[0,0],[0,64]]",
        b"\"striped\"",
        b"\"raid1\"",
        b"\"inherit\"",
        b"010101-0101-0101-0101-0101-0101-010101",
    ],
    seeds,
    runs: 3000,
    run,
};

fn seeds() -> Vec<Vec<u8>> {
    let base = Base::shared();
    let mut found = base.descriptors();
    found.sort();
    found
}

fn run(bytes: &[u8]) -> String {
    match Descriptor::decode(bytes) {
        Ok(descriptor) => {
            descriptor.validate().expect("what was read is valid");
            assert_eq!(descriptor.encode().expect("what was read can be written"), bytes);
            let free = FreeMap::of(&descriptor);
            let all: u64 = descriptor.pvs.iter().map(|pv| u64::from(pv.pe_count.get())).sum();
            assert!(free.free() <= all && free.usable() <= free.free(), "more is free than there is");
            format!("{} volumes", descriptor.lvs.len())
        }
        Err(error) => one_line("descriptor", &error.to_string()),
    }
}
