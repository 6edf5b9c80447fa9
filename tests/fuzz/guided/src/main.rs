//! One target, named by `TARGET`, under libFuzzer.

#![no_main]

use std::sync::OnceLock;

use anyfs_lvm_fuzz::targets::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

fn target() -> &'static Target {
    static CHOSEN: OnceLock<&Target> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let name = std::env::var("TARGET").unwrap_or_default();
        TARGETS.iter().find(|target| target.name == name).expect("TARGET names one of the targets")
    })
}

fuzz_target!(|bytes: &[u8]| drop((target().run)(bytes)));
