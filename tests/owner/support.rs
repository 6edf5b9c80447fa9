//! A pool with a volume that this process has, and commands beside it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyfs_lvm::lv::Volume;
use anyfs_lvm::owner::Server;
use anyfs_lvm::{MIB, Pool};

/// A pool in a folder of its own with the volume `home`, open here and served.
pub(crate) struct Ground {
    pub(crate) temp: tempfile::TempDir,
    pub(crate) pool: Pool,
    pub(crate) volume: Volume,
    pub(crate) server: Server,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let pool = Pool::create(temp.path().join("pool")).unwrap();
        pool.create_volume("home", 64 * MIB).unwrap();
        let volume = pool.volume("home").unwrap();
        let server = pool.serve("home", &volume).unwrap();
        Self { temp, pool, volume, server }
    }

    /// Runs a command line of `anyfs-lvm`; code, output and complaints.
    pub(crate) fn run(&self, line: &str) -> (Option<i32>, String, String) {
        run(self.temp.path(), line)
    }
}

/// Runs a command line of `anyfs-lvm` in a folder with a pool.
pub(crate) fn run(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyfs-lvm"));
    command.args([verb, "--pool", "pool"]).args(rest.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    let ran = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (ran.status.code(), text(ran.stdout), text(ran.stderr))
}
