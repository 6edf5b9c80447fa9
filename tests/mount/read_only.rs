//! Mounts of what is only to be read, or can only be read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Ground, has, is_root, skipped};

/// The contents of every database in a folder and those below.
fn databases(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "db" || end == "meta") {
                found.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    found
}

/// A volume with a file, not mounted.
fn filled() -> Option<Ground> {
    let ground = Ground::new()?;
    fs::write(ground.at("file"), vec![5; 700_000]).unwrap();
    ground.umount();
    Some(ground)
}

/// That the file can be read and nothing can be changed.
fn only_read(ground: &Ground) {
    assert!(fs::read(ground.at("file")).unwrap() == vec![5; 700_000]);
    for line in ["touch file", "rm file", "mkdir new", "mv file new", "chmod 600 file", "echo x >> file", "ln file new"]
    {
        let ran = ground.shell(line);
        assert!(ran.code != 0 && ran.err.contains("Read-only file system"), "{line}: {ran:?}");
    }
    let listed = ground.run("mount").out;
    let here = format!(" on {} (ro,", ground.beside("mnt").display());
    assert!(listed.lines().any(|line| line.contains(&here)), "{listed}");
}

#[test]
fn what_is_only_to_be_read_is_left_as_it_is() {
    let Some(ground) = filled() else { return };
    let before = databases(&ground.beside("pool"));
    assert_eq!(before.len(), 2);
    ground.mount("ro");
    only_read(&ground);
    ground.run("ls v/home:/").ok();
    ground.umount();
    assert!(databases(&ground.beside("pool")) == before, "reading changed something");
    ground.mount("rw");
    fs::write(ground.at("file"), "y").unwrap();
}

#[test]
fn what_can_only_be_read_is_mounted_so_with_the_reason() {
    let Some(ground) = filled() else { return };
    ground.run("pvcreate --setphysicalvolumesize 64m pool/b.db").ok();
    ground.run("vgextend v pool/b.db").ok();
    ground.run("lvconvert --metadatacopies 2 v/home").ok();
    // Half of the PVs is no majority, so the group cannot forget the copy beside the other one.
    for name in ["b.db", "b.db.d"] {
        fs::rename(ground.beside("pool").join(name), ground.beside(name)).unwrap();
    }
    let mounted = ground.run("mount v/home mnt");
    assert_eq!(mounted.code, 0, "{mounted:?}");
    for words in ["WARNING: v/home can only be read: ", "hint: ", "vgreduce --removemissing --force v"] {
        assert_eq!(mounted.err.matches(words).count(), 1, "{mounted:?}");
    }
    only_read(&ground);
    ground.umount();
    let asked = ground.run("mount -o ro v/home mnt");
    assert!(asked.code == 0 && asked.err.contains("this copy of the volume's metadata is not read"), "{asked:?}");
    assert!(!asked.err.contains("can only be read"), "{asked:?}");
    only_read(&ground);
    ground.umount();
    for name in ["b.db", "b.db.d"] {
        fs::rename(ground.beside(name), ground.beside("pool").join(name)).unwrap();
    }
    ground.mount("rw");
    fs::write(ground.at("file"), "y").unwrap();
}

/// A folder that nobody can write to, not even root, until this is dropped.
struct Sealed(PathBuf);

impl Sealed {
    fn new(dir: PathBuf) -> Option<Self> {
        if !is_root() {
            skipped("only root can make a folder read-only for itself");
            return None;
        }
        if !has("mount") || !run("mount", &["--bind"], &[&dir, &dir]) {
            skipped("folders cannot be mounted on folders here");
            return None;
        }
        let sealed = Self(dir);
        assert!(run("mount", &["-o", "remount,bind,ro"], &[&sealed.0]));
        Some(sealed)
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        run("umount", &["-l"], &[&self.0]);
    }
}

fn run(program: &str, words: &[&str], paths: &[&Path]) -> bool {
    Command::new(program).args(words).args(paths).status().is_ok_and(|status| status.success())
}

#[test]
fn a_pool_that_cannot_be_written_is_mounted_to_be_read() {
    let Some(ground) = filled() else { return };
    let Some(sealed) = Sealed::new(ground.beside("pool")) else { return };
    let mounted = ground.run("mount v/home mnt");
    assert!(mounted.code == 0 && mounted.err.contains("WARNING: v/home can only be read: "), "{mounted:?}");
    only_read(&ground);
    ground.umount();
    ground.run("mount -o ro v/home mnt").ok();
    only_read(&ground);
    ground.umount();
    drop(sealed);
    ground.mount("rw");
    fs::write(ground.at("file"), "y").unwrap();
}

#[test]
fn what_is_mounted_is_made_read_only_and_writable_again() {
    let Some(ground) = filled() else { return };
    ground.run("mount -o remount,ro v/home mnt").fails(5, "mnt: not mounted");
    if !is_root() {
        return skipped("only root can change what is mounted");
    }
    ground.mount("rw");
    let remount = |options: &str| ground.run(&format!("mount -o rw,user_id=0,group_id=0,remount,{options} v/home mnt"));
    remount("ro").ok();
    only_read(&ground);
    remount("rw").ok();
    let file = fs::File::create(ground.at("more")).unwrap();
    remount("ro").fails(5, "target is busy");
    drop(file);
    remount("rw,noexec").ok();
    assert_ne!(ground.shell("cp /bin/true . && ./true").code, 0);
    ground.umount();
    // What was opened only to be read stays so.
    ground.mount("ro");
    remount("rw").fails(5, "the volume was opened only to be read");
    only_read(&ground);
}

#[test]
fn the_list_of_mounts_says_what_is_so_after_a_remount() {
    if !is_root() {
        return skipped("only root can change what is mounted");
    }
    let options = |ground: &Ground| {
        let here = ground.beside("mnt").display().to_string();
        let listed = ground.run("mount").ok();
        let line = listed.lines().find(|line| line.contains(&here)).unwrap();
        let words = line.split_once('(').unwrap().1.split_once(')').unwrap().0;
        words.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    let has = |ground: &Ground, word: &str| options(ground).iter().any(|other| other == word);
    let Some(ground) = Ground::with("noatime,sync,noexec") else { return };
    assert!(has(&ground, "noatime") && has(&ground, "sync") && has(&ground, "noexec"));
    // When reads change times, the process that serves it has decided.
    ground.run("mount -o remount,relatime,sync v/home mnt").ok();
    assert!(has(&ground, "noatime") && has(&ground, "sync") && !has(&ground, "noexec"), "{:?}", options(&ground));
    ground.run("mount -o remount v/home mnt").ok();
    assert!(has(&ground, "noatime") && !has(&ground, "sync"), "{:?}", options(&ground));
    let Some(ground) = Ground::with("relatime") else { return };
    ground.run("mount -o remount,noatime v/home mnt").ok();
    assert!(!has(&ground, "noatime"), "{:?}", options(&ground));
}
