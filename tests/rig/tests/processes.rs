//! Real processes in short form: owners that are stopped and taken over, two owners, commands that race.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[cfg(test)]
mod support {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Stdio};

    use anyfs_lvm_rig::{Pool, Shape, Weakness};
    use lv::VolumeOptions;
    use pv::Env;

    use super::*;

    pub(crate) fn run(program: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
        (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }

    /// The number before some words of a summary.
    pub(crate) fn count(text: &str, words: &str) -> u64 {
        let before = text.lines().last().unwrap().split(words).next().unwrap();
        before.split([' ', ',', '(']).rfind(|word| !word.is_empty()).unwrap().parse().unwrap()
    }

    /// A pool, and a process that is stopped with a lock file (and a database's lock) in its hands.
    pub(crate) struct Stopped {
        dir: PathBuf,
        pub(crate) pool: Pool,
        child: Child,
    }

    impl Stopped {
        pub(crate) fn new(name: &str, lock_file: &str, database: Option<&str>) -> Self {
            let dir = std::env::temp_dir().join(format!("anyfs-lvm-{name}-{}", std::process::id()));
            std::fs::create_dir(&dir).unwrap();
            let dir = dir.canonicalize().unwrap();
            let shape = Shape { pvs: 2, extent: 65536, extents: 16, copies: 2 };
            let pool = Pool::create(&Env::system(), &dir, shape).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_zombies"));
            command.arg("--hold").arg(dir.join(lock_file)).args(database.map(|file| dir.join(file)));
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut said = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
            assert_eq!(said, "held\n");
            Self { dir, pool, child }
        }

        pub(crate) fn pid(&self) -> u32 {
            self.child.id()
        }

        /// Taking the volume over says this.
        pub(crate) fn refusal(&self) -> String {
            let options = VolumeOptions { takeover: true, ..VolumeOptions::default() };
            self.pool.activate(&Env::system(), options, Weakness::None).unwrap_err().to_string()
        }

        pub(crate) fn path(&self, file: &str) -> String {
            self.dir.join(file).display().to_string()
        }

        /// When the process is gone there is nothing to take over.
        pub(crate) fn end(mut self) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
            self.pool.activate(&Env::system(), VolumeOptions::default(), Weakness::None).unwrap().close().unwrap();
            std::fs::remove_dir_all(&self.dir).unwrap();
        }
    }

    /// The `anyfs-lvm` command, built as this test was.
    pub(crate) fn anyfs_lvm() -> PathBuf {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "anyfs-lvm-tools"]);
        let folder = Path::new(env!("CARGO_BIN_EXE_races")).parent().unwrap();
        // The folder of the dev profile is the one that has another name.
        let profile = folder.file_name().filter(|name| *name != "debug").unwrap_or("dev".as_ref());
        build.arg("--profile").arg(profile);
        build.arg("--target-dir").arg(folder.parent().unwrap());
        assert!(build.status().unwrap().success());
        folder.join("anyfs-lvm")
    }
}

use support::{Stopped, anyfs_lvm, count, run};

#[test]
fn an_owner_stopped_inside_a_pv_commit_is_named_and_not_waited_for() {
    let stopped = Stopped::new("in-pv", "p1.db.d/pv.lock", None);
    let (path, pid) = (stopped.path("p1.db"), stopped.pid());
    let expected = format!("{path}: locked by process {pid}, which is stopped: continue or kill that process first");
    assert_eq!(stopped.refusal(), expected);
    stopped.end();
}

#[test]
fn a_pv_that_a_stopped_process_has_locked_does_not_pass_for_missing() {
    let stopped = Stopped::new("locked-pv", "p1.db.d/pv.lock", None);
    let env = pv::Env::system();
    let paths = ["v0.db", "v1.db"].map(|name| PathBuf::from(stopped.path(name)));
    for path in &paths {
        pv::Pv::create(&env, path, &pv::PvOptions::default()).unwrap();
    }
    let name = vg::VgName::new("vg").unwrap();
    vg::VolumeGroup::create(&env, &name, &paths, &vg::VgOptions::default()).unwrap();
    // The same holder for the second PV of the group: its lock file leads to the one that is held.
    let lock = pv::side_folder(&paths[1]).join("pv.lock");
    std::fs::remove_file(&lock).unwrap();
    std::fs::hard_link(stopped.path("p1.db.d/pv.lock"), &lock).unwrap();
    let opened = vg::VolumeGroup::open(&env, &vg::PoolFiles::Pv(paths[0].clone()), &vg::OpenOptions::default());
    let error = opened.unwrap_err().to_string();
    assert!(error.contains("v1.db: locked by process") && error.contains(&stopped.pid().to_string()), "{error}");
    stopped.end();
}

#[test]
fn an_owner_stopped_inside_a_metadata_commit_is_named_and_not_waited_for() {
    let stopped = Stopped::new("in-metadata", "p0.db.d/family.lock", Some("p1.db.d/family.meta"));
    let (path, pid) = (stopped.path("p1.db.d/family.meta"), stopped.pid());
    let expected = format!("{path}: locked by process {pid}, which is stopped: continue or kill that process first");
    assert_eq!(stopped.refusal(), expected);
    // A takeover that fails leaves the owner its lock.
    let refused =
        stopped.pool.activate(&pv::Env::system(), lv::VolumeOptions::default(), anyfs_lvm_rig::Weakness::None);
    let refused = refused.unwrap_err().to_string();
    assert_eq!(refused, format!("the logical volume is in use by process {pid}, which is stopped"));
    stopped.end();
}

#[test]
fn two_owners_on_the_same_pvs_lose_nothing_when_both_are_killed() {
    let (code, text) = run(env!("CARGO_BIN_EXE_killloop"), &["--seconds", "4", "--seed", "1", "--owners", "2"]);
    assert!(code == Some(0) && text.contains("nothing lost"), "{text}");
    assert!(count(&text, " acknowledged syncs") > 0, "{text}");
}

#[test]
fn owners_that_are_asked_to_end_close_their_volumes() {
    let arguments = ["--seconds", "1", "--seed", "2", "--at-least", "12"];
    let (code, text) = run(env!("CARGO_BIN_EXE_killloop"), &arguments);
    assert_eq!(code, Some(0), "{text}");
    assert!(count(&text, " kills") >= 12 && count(&text, " closed") > 0, "{text}");
}

#[test]
fn stopped_owners_are_taken_over_and_refused_when_they_go_on() {
    let (code, text) = run(env!("CARGO_BIN_EXE_zombies"), &["--seconds", "8", "--seed", "1", "--at-least", "4"]);
    assert!(code == Some(0) && text.contains("nothing lost"), "{text}");
    assert!(count(&text, " takeovers") > 0 && count(&text, " former owners refused") > 0, "{text}");
}

#[test]
fn commands_that_race_do_what_they_say() {
    let command = anyfs_lvm();
    let arguments = ["--seconds", "4", "--seed", "1", "--at-least", "40", "--command", command.to_str().unwrap()];
    let (code, text) = run(env!("CARGO_BIN_EXE_races"), &arguments);
    assert_eq!(code, Some(0), "{text}");
    assert!(count(&text, " commands") >= 40, "{text}");
}

#[test]
fn what_was_acknowledged_on_a_mount_survives_the_end_of_its_owner() {
    let command = anyfs_lvm();
    let arguments = ["--seconds", "2", "--seed", "1", "--at-least", "4", "--command", command.to_str().unwrap()];
    let (code, text) = run(env!("CARGO_BIN_EXE_mountkills"), &arguments);
    assert_eq!(code, Some(0), "{text}");
    if let Some(last) = text.lines().last().filter(|last| last.starts_with("SKIPPED: ")) {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{last}\n").as_bytes());
        return;
    }
    assert!(count(&text, " kills") >= 4 && count(&text, " acknowledged syncs") > 0, "{text}");
}

#[test]
fn wrong_arguments_are_named() {
    let programs = [
        env!("CARGO_BIN_EXE_zombies"),
        env!("CARGO_BIN_EXE_races"),
        env!("CARGO_BIN_EXE_killloop"),
        env!("CARGO_BIN_EXE_mountkills"),
    ];
    for program in programs {
        let (code, text) = run(program, &["--seconds", "x"]);
        assert!(code == Some(2) && text.contains("--seconds: x is no number (--help"), "{text}");
        let (code, text) = run(program, &["--owners", "3"]);
        assert!(code == Some(2) && text.contains("--owners: 3 is not 1 or 2 (--help"), "{text}");
    }
}
