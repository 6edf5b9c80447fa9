//! PVs that are there and cannot be used: they pass for missing, and nothing that is on them is given up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::interrupted::interrupt;
use crate::read_only::{Reader, each};
use crate::support::{Place, Ran};

/// A volume on all of three PVs, in two folders.
fn filled() -> Place {
    let place = Place::new();
    for dir in ["one", "two"] {
        fs::create_dir(place.path(dir)).unwrap();
    }
    place.run("vgcreate --setphysicalvolumesize 8m vg0 one/a.db one/b.db two/c.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/f", &vec![7; 9 << 20]);
    place.run("vgextend --setphysicalvolumesize 8m vg0 two/d.db").ok();
    place
}

fn mode(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

/// The uuid of a PV.
fn uuid(place: &Place, name: &str) -> String {
    let pvs = place.run("pvs --noheadings -o pv_name,pv_uuid").out;
    let line = pvs.lines().find(|line| line.contains(name)).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

/// Refused with the file's name, whatever is said of the reason.
#[track_caller]
fn refused(ran: &Ran, name: &str) {
    assert_eq!(ran.code, 5, "{ran:?}");
    let line = ran.err.lines().find(|line| line.contains("Cannot give up PVs of VG vg0 that are not lost: "));
    assert!(line.is_some_and(|line| line.contains(name)), "{name}: {ran:?}");
    assert!(ran.err.contains("  hint: make these files usable"), "{name}: {ran:?}");
}

/// Ways to spoil a file for who is not root, and what is named then.
type Way<'a> = (&'a dyn Fn(&Place), &'a str, &'a dyn Fn(&Place));

#[test]
fn a_pv_that_cannot_be_opened_is_not_removed_as_missing() {
    let ways: [Way<'_>; 5] = [
        (&|place| mode(&place.path("two/c.db"), 0), "two/c.db", &|place| mode(&place.path("two/c.db"), 0o644)),
        (&|place| mode(&place.path("two/c.db-journal"), 0), "two/c.db-journal", &|place| {
            mode(&place.path("two/c.db-journal"), 0o644);
        }),
        (&|place| mode(&place.path("two"), 0), "two/c.db", &|place| mode(&place.path("two"), 0o755)),
        (
            &|place| {
                interrupt(place, "two/c.db", true);
                mode(&place.path("two/c.db"), 0o444);
            },
            "two/c.db",
            &|place| mode(&place.path("two/c.db"), 0o644),
        ),
        // Where nobody expects it.
        (
            &|place| {
                fs::rename(place.path("two/c.db"), place.path("one/z.db")).unwrap();
                mode(&place.path("one/z.db"), 0);
            },
            "one/z.db",
            &|place| {
                fs::rename(place.path("one/z.db"), place.path("two/c.db")).unwrap();
                mode(&place.path("two/c.db"), 0o644);
            },
        ),
    ];
    for (at, (spoil, name, mend)) in ways.into_iter().enumerate() {
        let place = filled();
        let (used, unused) = (uuid(&place, "c.db"), uuid(&place, "d.db"));
        let reader = Reader::new(&place);
        each(place.dir(), &mut |path| mode(path, 0o755));
        spoil(&place);
        for line in ["--removemissing vg0", "--removemissing --force vg0", "--test --removemissing --force vg0"] {
            refused(&reader.run(&format!("vgreduce {line}")), name);
            refused(&reader.run(&format!("vgreduce {line} --devices one/a.db,one/b.db,{name},two/d.db")), name);
        }
        refused(&reader.run(&format!("vgreduce vg0 {used}")), name);
        let changed = reader.run("lvcreate -l 1 -n x vg0");
        let hint = changed.err.lines().find(|line| line.starts_with("  hint: they are not lost: "));
        assert!(changed.code == 5 && hint.is_some_and(|line| line.contains(name)), "{name}: {changed:?}");
        if at == 2 {
            refused(&reader.run(&format!("vgreduce vg0 {unused}")), "two/d.db");
        }
        mend(&place);
        let mended = reader.run("df");
        assert_eq!(mended.code, 0, "{mended:?}");
        assert!(reader.run("check --data vg0").out.contains("clean"), "{name}");
        assert_eq!(reader.run("cat vg0/home:/f").out.len(), 9 << 20, "{name}");
    }
}

/// The list of known PVs leads to it, and to nothing else.
#[test]
fn a_pv_that_moved_far_is_known_there_and_not_lost_where_nobody_may_go() {
    let place = filled();
    fs::create_dir(place.path("far")).unwrap();
    for name in ["c.db", "c.db.d"] {
        fs::rename(place.path("two").join(name), place.path("far").join(name)).unwrap();
    }
    place.run("pvs --devices one/a.db,one/b.db,far/c.db,two/d.db").ok();
    assert_eq!(place.run("cat vg0/home:/f").ok().len(), 9 << 20);
    let reader = Reader::new(&place);
    each(place.dir(), &mut |path| mode(path, 0o755));
    mode(&place.path("far"), 0);
    refused(&reader.run("vgreduce --removemissing --force vg0"), "far/c.db");
    mode(&place.path("far"), 0o755);
    assert_eq!(reader.run("cat vg0/home:/f").out.len(), 9 << 20);
}

#[test]
fn a_pv_with_a_twin_is_not_removed_as_missing() {
    let place = filled();
    fs::copy(place.path("two/c.db"), place.path("one/x.db")).unwrap();
    fs::rename(place.path("two/c.db"), place.path("one/y.db")).unwrap();
    let ran = place.run("vgreduce --removemissing --force vg0");
    refused(&ran, "one/x.db");
    refused(&ran, "one/y.db");
    fs::remove_file(place.path("one/x.db")).unwrap();
    fs::rename(place.path("one/y.db"), place.path("two/c.db")).unwrap();
    assert!(place.run("check --data vg0").ok().contains("clean"));
}

#[test]
fn what_is_lost_is_removed_beside_what_cannot_be_opened_elsewhere() {
    let place = filled();
    fs::remove_file(place.path("two/c.db")).unwrap();
    // Files of other programs, and folders, are no PVs.
    fs::write(place.path("two/notes.db"), "not a database at all").unwrap();
    fs::create_dir(place.path("two/folder.db")).unwrap();
    let reader = Reader::new(&place);
    each(place.dir(), &mut |path| mode(path, 0o755));
    fs::write(place.path("two/shut.db"), "").unwrap();
    mode(&place.path("two/shut.db"), 0);
    refused(&reader.run("vgreduce --removemissing --force vg0"), "two/shut.db");
    fs::remove_file(place.path("two/shut.db")).unwrap();
    let ran = reader.run("vgreduce --removemissing --force vg0");
    assert!(ran.code == 0 && ran.out.contains("Wrote out consistent volume group vg0."), "{ran:?}");
}

/// Its label is gone; what else it holds may be whole.
#[test]
fn a_pv_that_is_damaged_in_its_place_is_removed_only_when_it_was_moved_away() {
    for damage in [&[0x5a; 4096][..], &[0; 100][..]] {
        let place = filled();
        let path = place.path("two/c.db");
        let mut bytes = fs::read(&path).unwrap();
        bytes[..damage.len()].copy_from_slice(damage);
        fs::write(&path, bytes).unwrap();
        for line in ["--removemissing vg0", "--removemissing --force vg0", "--test --removemissing --force vg0"] {
            refused(&place.run(&format!("vgreduce {line}")), "two/c.db");
        }
        let refused = place.run("cat vg0/home:/f");
        assert!(refused.code == 5 && refused.err.contains("c.db"), "{refused:?}");
        fs::rename(&path, place.path("kept")).unwrap();
        let ran = place.run("vgreduce --removemissing --force vg0");
        assert!(ran.code == 0 && ran.out.contains("Wrote out consistent volume group vg0."), "{ran:?}");
    }
}

#[test]
fn who_may_open_too_few_files_is_told_so_and_gives_nothing_up() {
    let place = filled();
    // It is lost, and holds nothing.
    fs::remove_file(place.path("two/d.db")).unwrap();
    let command = env!("CARGO_BIN_EXE_anyfs-lvm");
    let devices = "--devices one/a.db,one/b.db,two/c.db,two/d.db";
    let mut told = 0;
    for most in 4..40 {
        let line = format!("ulimit -n {most}; exec {command} vgreduce --removemissing --force vg0 {devices}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(place.dir()).env("ANYFS_LVM_SYSTEM_DIR", place.path("sys"));
        let output = shell.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.to_lowercase().contains("permission denied"), "{most}: {err}");
        told += usize::from(err.contains("Too many open files"));
        let count = place.run("vgs --noheadings -o pv_count vg0").out;
        assert_eq!(count.trim(), if output.status.success() { "3" } else { "4" }, "{most}: {err}");
        assert_eq!(place.run("cat vg0/home:/f").out.len(), 9 << 20, "{most}: {err}");
        if output.status.success() {
            assert!(told > 0);
            return;
        }
    }
    panic!("40 files are not enough");
}
