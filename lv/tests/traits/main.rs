//! The conformance list of the trait crate, as plain functions over trait objects, and what it owes beyond.
//!
//! Every check runs on a volume in memory stores and on one whose PVs are files.

#![cfg(test)]

mod borrowed;
mod concurrent;
mod fs;
mod full;
mod paths;
mod posix;
mod reopen;
mod security;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../engine/support.rs"]
mod support;
mod threads;

use std::path::Path;
use std::sync::Arc;

use pv::{Bytes, Env, ExtentStore, Pv, PvOptions};
use support::Rig;

fn p(path: &str) -> &Path {
    Path::new(path)
}

/// Runs each check on a fresh volume of either kind, and on a backend that borrows one.
macro_rules! checks {
    ($($name:ident)*) => { crate::checks! { |rig| rig; $($name)* } };
    (|$rig:ident| $changed:expr; $($name:ident)*) => {
        mod in_memory { $(
            #[test]
            fn $name() {
                let $rig = crate::in_memory();
                let rig = $changed;
                super::check::$name(&rig.open().filesystem());
            }
        )* }
        mod on_pv_files { $(
            #[test]
            fn $name() {
                let $rig = crate::on_pv_files();
                let rig = $changed;
                super::check::$name(&rig.open().filesystem());
            }
        )* }
        mod borrowed { $(
            #[test]
            fn $name() {
                let $rig = crate::in_memory();
                let rig = $changed;
                let fs = rig.open().filesystem();
                super::check::$name(&crate::borrowed::Borrowed(&fs));
            }
        )* }
    };
}
pub(crate) use checks;

fn in_memory() -> Rig {
    Rig::new(2, 200, 65536)
}

fn on_pv_files() -> Rig {
    let (dir, env) = (tempfile::tempdir().unwrap(), Env { threads: false, ..Env::system() });
    let options = PvOptions { capacity: Bytes(200 * 65536), ..PvOptions::default() };
    let pv = |n: u8| Pv::create(&env, &dir.path().join(format!("p{n}.db")), &options).unwrap();
    let stores = (0..2).map(|n| pv(n).store().unwrap() as Arc<dyn ExtentStore>).collect();
    Rig::on(dir, env, stores, 200, 65536, 1)
}

/// The same with threads of its own.
fn busy(mut rig: Rig) -> Rig {
    rig.env.threads = true;
    rig
}
