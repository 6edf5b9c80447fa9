//! The conformance list of the trait crate, as plain functions over any backend, and what it owes beyond.

#![cfg(test)]

mod concurrent;
mod fs;
mod full;
mod paths;
mod posix;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../engine/support.rs"]
mod support;

use std::path::Path;

use anyfs_lvm_lv::Filesystem;

fn p(path: &str) -> &Path {
    Path::new(path)
}

/// Runs each check on a volume in memory stores.
macro_rules! checks {
    ($($name:ident)*) => { $(
        #[test]
        fn $name() {
            let rig = crate::support::Rig::new(2, 200, 65536);
            check::$name(&rig.open().filesystem());
        }
    )* };
}
pub(crate) use checks;

/// A backend of its own for tests that need the volume too.
fn fresh() -> (support::Rig, Filesystem) {
    let rig = support::Rig::new(2, 200, 65536);
    let fs = rig.open().filesystem();
    (rig, fs)
}
