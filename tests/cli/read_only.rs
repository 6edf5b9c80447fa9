//! Volumes that can only be read: PVs are away, or files cannot be written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Ran};

/// Commands that only read, and what they print.
const READERS: [(&str, &str); 9] = [
    ("ls vg0/home:/", "d\nf\n"),
    ("cat vg0/home:/f", "safe"),
    ("stat -c %s vg0/home:/f", "4\n"),
    ("find vg0/home:/ -name f", "/f\n"),
    ("du vg0/home:/f", "vg0/home:/f\n"),
    ("tree vg0/home:/", "f\n"),
    ("sha256sum vg0/home:/d/big", "vg0/home:/d/big\n"),
    ("getfattr -d vg0/home:/f", "user.a=\"b\"\n"),
    ("df", "vg0/home"),
];

/// Commands that change something.
const WRITERS: [&str; 9] = [
    "rm vg0/home:/f",
    "mkdir vg0/home:/new",
    "mv vg0/home:/f vg0/home:/new",
    "ln vg0/home:/f vg0/home:/new",
    "touch vg0/home:/f",
    "chmod 600 vg0/home:/f",
    "truncate -s 1 vg0/home:/f",
    "setfattr -n user.a -v c vg0/home:/f",
    "cp vg0/home:/f vg0/home:/new",
];

/// Two PVs, each with a copy of the metadata; all extents on a.db.
fn filled() -> Place {
    let place = Place::new();
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 16m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -L 12m vg0 a.db").ok();
    place.run("mkdir vg0/home:/d").ok();
    place.input("put vg0/home:/f", b"safe");
    place.input("put vg0/home:/d/big", &vec![7u8; 3 << 20]);
    place.run("setfattr -n user.a -v b vg0/home:/f").ok();
    place
}

#[test]
fn without_a_majority_an_intact_volume_is_read_and_nothing_else() {
    let place = filled();
    fs::create_dir(place.path("away")).unwrap();
    for name in ["b.db", "b.db.d", "b.db-journal"] {
        fs::rename(place.path(name), place.path(&format!("away/{name}"))).unwrap();
    }
    let before = place.contents();
    for (command, wanted) in READERS {
        let ran = place.run(command);
        assert!(ran.code == 0 && ran.out.contains(wanted), "{command}: {ran:?}");
        assert!(ran.err.contains("  WARNING: vg0/home can only be read: DIR/b.db.d/"), "{command}: {ran:?}");
        assert!(ran.err.contains("hint: ") && ran.err.contains("vgreduce --removemissing --force vg0\n"), "{ran:?}");
    }
    let hinted = place.run("ls vg0/home:/ --pool .");
    assert!(hinted.err.ends_with("vgreduce --removemissing --force vg0 --pool .\n"), "{hinted:?}");
    let out = place.run("cp vg0/home:/d/big back");
    assert_eq!((out.code, fs::read(place.path("back")).unwrap()), (0, vec![7u8; 3 << 20]), "{out:?}");
    assert_eq!(place.run("export vg0/home copy.tar").code, 0);
    for command in WRITERS {
        let ran = place.run(command);
        assert!(ran.code == 5 && ran.out.is_empty(), "{command}: {ran:?}");
        assert!(ran.err.contains("\n  vg0/home can only be read: DIR/b.db.d/"), "{command}: {ran:?}");
        assert!(ran.err.contains("hint: ") && ran.err.contains("vgreduce --removemissing --force vg0\n"), "{ran:?}");
    }
    for name in ["back", "copy.tar"] {
        fs::remove_file(place.path(name)).unwrap();
    }
    let same = |(path, bytes): (&PathBuf, &Vec<u8>)| {
        // Reading a log makes files that hold nothing.
        path.extension().is_some_and(|end| end == "meta-shm") || place.contents().get(path) == Some(bytes)
    };
    assert!(before.iter().all(same), "reading changed something");
    // With the PV back nothing has happened.
    for name in ["b.db", "b.db.d", "b.db-journal"] {
        fs::rename(place.path(&format!("away/{name}")), place.path(name)).unwrap();
    }
    place.run("touch vg0/home:/f").ok();
    assert!(place.run("check --data vg0").ok().contains("in 2 copies of the metadata"));
}

/// Somebody who may read the files of a place and write none.
pub(crate) struct Reader<'a> {
    place: &'a Place,
    command: PathBuf,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(place: &'a Place) -> Self {
        // Who is root may write everything; somebody else needs a way to the command.
        let command = place.path("command");
        // By another process: what this one has open for writing another test's child may hold for a moment, and no file
        // that is written can be run.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_anyfs-lvm")).arg(&command).status().unwrap();
        assert!(copied.success());
        each(place.dir(), &mut |path| {
            let found = fs::metadata(path).unwrap();
            if found.uid() == 0 {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
            let mode = if found.is_dir() || path == command { 0o555 } else { 0o444 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        });
        Self { place, command }
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        let mut command = Command::new(&self.command);
        command.current_dir(self.place.dir()).args(line.split_whitespace());
        command.env("ANYFS_LVM_SYSTEM_DIR", self.place.path("sys"));
        if fs::metadata(&self.command).unwrap().uid() == NOBODY {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        let text =
            |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(self.place.dir().to_str().unwrap(), "DIR");
        Ran { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // So that the folder can be removed.
        each(self.place.dir(), &mut |path| {
            if path.is_dir() {
                let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
            }
        });
    }
}

const NOBODY: u32 = 65534;

/// Everything in a folder, itself last.
pub(crate) fn each(path: &Path, act: &mut dyn FnMut(&Path)) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            each(&entry.unwrap().path(), act);
        }
    }
    act(path);
}

#[test]
fn where_nothing_can_be_written_everything_is_read_and_checked() {
    let place = filled();
    let reader = Reader::new(&place);
    let before = place.contents();
    for (command, wanted) in READERS {
        let ran = reader.run(command);
        assert!(ran.code == 0 && ran.err.is_empty() && ran.out.contains(wanted), "{command}: {ran:?}");
    }
    let checked = reader.run("check --data vg0");
    assert!(checked.code == 0 && checked.out.contains("in 2 copies of the metadata"), "{checked:?}");
    assert_eq!(reader.run("lvs --noheadings -o lv_attr").out.trim(), "-wi-------");
    let told = reader.run("ls -v vg0/home:/");
    assert!(told.out.contains("vg0/home is only read: DIR/a.db: Permission denied"), "{told:?}");
    for command in WRITERS {
        let ran = reader.run(command);
        ran.fails(5, "  vg0/home can only be read: DIR/a.db: Permission denied\n");
        assert!(ran.err.contains("hint: make the files writable"), "{ran:?}");
    }
    assert!(before == place.contents());
}

#[test]
fn what_only_a_writer_can_settle_is_named() {
    let place = filled();
    let mut owner = place.start("put vg0/home:/slow");
    // Killed with the volume open, once it has begun to read its input.
    let mut input = owner.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &vec![1; 4 << 20]).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let logs: Vec<PathBuf> =
        place.contents().into_keys().filter(|path| path.to_string_lossy().ends_with("-wal")).collect();
    assert!(logs.iter().any(|path| fs::metadata(path).unwrap().len() > 0), "{logs:?}");
    for log in &logs {
        let _ = fs::remove_file(log.to_string_lossy().replace("-wal", "-shm"));
    }
    let reader = Reader::new(&place);
    let ran = reader.run("cat vg0/home:/f");
    assert_eq!(ran.code, 5, "{ran:?}");
    // The kill may have come in the middle of a PV commit.
    let known = [".meta-wal: cannot read it: it holds commits that are not in the", "must be rolled back first"];
    assert!(known.iter().any(|text| ran.err.contains(text)), "{ran:?}");
    drop(reader);
}

#[test]
fn a_copy_that_may_not_be_read_is_not_given_up() {
    let place = filled();
    let mut copies = place.contents().into_keys().filter(|path| path.extension().is_some_and(|end| end == "meta"));
    let hidden = copies.next().unwrap();
    // Everything may be written but one copy, which may not even be read.
    let reader = Reader::new(&place);
    each(place.dir(), &mut |path| {
        let mode = if path.is_dir() || path == reader.command { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    });
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o0)).unwrap();
    let ran = reader.run("cat vg0/home:/f");
    assert_eq!((ran.code, ran.out.as_str()), (0, "safe"), "{ran:?}");
    assert!(ran.err.contains("can only be read: ") && ran.err.contains("is not given up"), "{ran:?}");
    let ran = reader.run("touch vg0/home:/f");
    assert!(ran.code == 5 && ran.err.starts_with("  vg0/home can only be read: "), "{ran:?}");
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = reader.run("touch vg0/home:/f");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(reader.run("check vg0").out.contains("in 2 copies of the metadata"));
}

/// As [`a_copy_that_may_not_be_read_is_not_given_up`], for the lock files.
#[test]
fn a_lock_that_may_not_be_taken_leaves_a_volume_that_can_be_read() {
    let place = filled();
    let locks = |end: &str| -> Vec<PathBuf> {
        let inside =
            |path: &PathBuf| path.to_string_lossy().contains("a.db.d/") && path.to_string_lossy().ends_with(end);
        let mut files = Vec::new();
        each(place.dir(), &mut |path| files.extend(Some(path.to_owned()).filter(inside)));
        files
    };
    let reader = Reader::new(&place);
    each(place.dir(), &mut |path| {
        let mode = if path.is_dir() || path == reader.command { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    });
    let own = locks(".lock").into_iter().filter(|path| !path.ends_with("pv.lock") && !path.ends_with("vg.lock"));
    let own: Vec<PathBuf> = own.collect();
    for locked in [locks("pv.lock"), own] {
        assert_eq!(locked.len(), 1, "{locked:?}");
        fs::set_permissions(&locked[0], fs::Permissions::from_mode(0o0)).unwrap();
        let ran = reader.run("cat vg0/home:/d/big");
        assert!(ran.code == 0 && ran.out.len() == 3 << 20 && !ran.err.contains("missing"), "{:?}", ran.err);
        assert!(reader.run("check --data vg0").out.contains("clean"));
        let ran = reader.run("touch vg0/home:/f");
        assert!(ran.code == 5 && ran.err.starts_with("  vg0/home can only be read: DIR/a.db.d/"), "{ran:?}");
        assert!(
            ran.err.contains(".lock") && ran.err.contains(": Permission denied\n  hint: make the files"),
            "{ran:?}"
        );
        fs::set_permissions(&locked[0], fs::Permissions::from_mode(0o644)).unwrap();
    }
    assert_eq!(reader.run("touch vg0/home:/f").code, 0);
}

#[test]
fn who_may_not_read_the_files_is_told_so() {
    let place = filled();
    let reader = Reader::new(&place);
    for name in ["a.db", "b.db"] {
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o0)).unwrap();
    }
    let told = reader.run("ls vg0/home:/ --pool .");
    assert!(told.code == 5 && told.err.contains("Volume group \"vg0\" not found\n"), "{told:?}");
    assert!(told.err.contains("DIR/a.db: cannot open it: Permission denied\n"), "{told:?}");
}

#[test]
fn a_journal_that_may_not_be_read_is_named_and_no_interrupted_write() {
    for mode in [0o444, 0o644] {
        let place = filled();
        let reader = Reader::new(&place);
        each(place.dir(), &mut |path| {
            let more = if path.is_dir() || path == reader.command { mode | 0o111 } else { mode };
            fs::set_permissions(path, fs::Permissions::from_mode(more)).unwrap();
        });
        fs::set_permissions(place.path("a.db-journal"), fs::Permissions::from_mode(0o0)).unwrap();
        for devices in ["", "--pool .", "--devices a.db,b.db"] {
            for line in ["cat vg0/home:/f", "sha256sum vg0/home:/d/big", "check vg0", "lvs", "lvextend -L +1m vg0/home"]
            {
                let ran = reader.run(&format!("{line} {devices}"));
                let told = format!("mode {mode:o}: {line} {devices}: {ran:?}");
                assert!(!ran.err.contains("interrupted") && !ran.err.contains("rolled back"), "{told}");
                // Where nothing can be written, any of the files may be the first to be named.
                let named = ran.err.contains("a.db-journal: cannot ") && ran.err.contains(": Permission denied");
                assert!(named || mode == 0o444 && line.starts_with("lvextend"), "{told}");
            }
        }
        fs::set_permissions(place.path("a.db-journal"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(reader.run("check --data vg0").code, 0);
    }
}

#[test]
fn who_may_not_write_the_files_is_told_so_by_whatever_changes_the_group() {
    let place = Place::new();
    let names: Vec<String> = (0..9).map(|n| format!("p{n}.db")).collect();
    place.run(&format!("vgcreate --setphysicalvolumesize 8m vg0 {}", names.join(" "))).ok();
    place.run("lvcreate -n home -L 4m vg0").ok();
    let reader = Reader::new(&place);
    let denied = [": cannot open it for writing: it can only be read\n", ": Permission denied\n"];
    // None of the files may be written, or one that has no copy of the descriptor.
    for rest in ["", "p8.db"] {
        if !rest.is_empty() {
            for file in ["p8.db", "p8.db-journal", "p8.db.d", "p8.db.d/pv.lock", "p8.db.d/vg.lock", "."] {
                let _ = fs::set_permissions(place.path(file), fs::Permissions::from_mode(0o755));
            }
        }
        for devices in [String::new(), "--pool .".to_owned(), format!("--devices {}", names.join(","))] {
            for line in [
                "lvextend -L +1m vg0/home",
                "lvconvert --metadatacopies 2 vg0/home",
                "lvchange -ay --takeover vg0/home",
                "lvrename vg0/home vg0/new",
                "lvremove -y vg0/home",
                "lvcreate -n x -L 1m vg0",
                "vgreduce vg0 p7.db",
                "vgreduce --removemissing vg0",
                "vgremove -y vg0",
            ] {
                let ran = reader.run(&format!("{line} {devices}"));
                let told = format!("{rest}: {line} {devices}: {ran:?}");
                assert!(ran.code == 5 && denied.iter().any(|words| ran.err.contains(words)), "{told}");
                assert!(ran.err.contains("  hint: make the files readable and writable for this user\n"), "{told}");
            }
        }
    }
    assert_eq!(place.run("check vg0").code, 0);
}

/// Does something to a file.
type Act<'a> = &'a dyn Fn(&Path);

/// Three PVs in two folders; the metadata has a copy in each folder, all extents are in `two`.
fn in_two_folders() -> Place {
    let place = Place::new();
    for dir in ["one", "two"] {
        fs::create_dir(place.path(dir)).unwrap();
    }
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 8m vg0 one/a.db two/b.db two/c.db").ok();
    place.run("lvcreate -n home -L 4m vg0 two/b.db").ok();
    place.input("put vg0/home:/f", b"safe");
    place
}

#[test]
fn a_copy_whose_pv_cannot_be_opened_is_not_given_up() {
    let shut = |file: &Path| fs::set_permissions(file, fs::Permissions::from_mode(0o0)).unwrap();
    let opened = |file: &Path| fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    let linked = |file: &Path| {
        fs::rename(file, file.with_extension("aside")).unwrap();
        symlink(file.with_extension("aside"), file).unwrap();
    };
    let moved_back = |file: &Path| fs::rename(file.with_extension("aside"), file).unwrap();
    let cases: [(&str, Act<'_>, Act<'_>); 4] = [
        ("one/a.db-journal", &shut, &opened),
        ("one/a.db-journal", &linked, &moved_back),
        ("one/a.db", &shut, &opened),
        ("one", &shut, &opened),
    ];
    for (name, spoil, mend) in cases {
        let place = in_two_folders();
        let reader = Reader::new(&place);
        each(place.dir(), &mut |path| opened(path));
        for devices in ["--devices one/a.db,two/b.db,two/c.db", ""] {
            let run = |line: &str| reader.run(&format!("{line} {devices}"));
            spoil(&place.path(name));
            let ran = run("cat vg0/home:/f");
            assert_eq!((ran.code, ran.out.as_str()), (0, "safe"), "{name}: {ran:?}");
            assert!(!ran.err.contains("was given up") && !ran.err.contains("two/a.db"), "{name}: {ran:?}");
            for line in ["touch vg0/home:/f", "lvconvert --metadatacopies 2 vg0/home"] {
                let ran = run(line);
                assert_eq!(ran.code, 5, "{name}: {line}: {ran:?}");
                assert!(ran.err.contains("one/a.db") && !ran.err.contains("two/a.db"), "{name}: {line}: {ran:?}");
            }
            mend(&place.path(name));
            let checked = run("check vg0");
            assert!(checked.code == 0 && checked.out.contains("in 2 copies of the metadata"), "{name}: {checked:?}");
            assert_eq!(run("touch vg0/home:/f").code, 0, "{name}");
        }
    }
}

#[test]
fn a_copy_that_went_with_its_pv_is_given_up_where_it_was() {
    let place = in_two_folders();
    fs::rename(place.path("one"), place.path("away")).unwrap();
    let ran = place.run("cat vg0/home:/f");
    assert_eq!((ran.code, ran.out.as_str()), (0, "safe"), "{ran:?}");
    let told = ran.err.lines().find(|line| line.contains("was given up")).unwrap_or_else(|| panic!("{ran:?}"));
    assert!(told.starts_with("  WARNING: DIR/one/a.db.d/") && told.ends_with("; 1 copy is left"), "{told}");
}
