//! What must not happen by mistake.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode};

use crate::support::{Place, Ran};

fn pipe(place: &Place, name: &str) {
    rustix::fs::mknodat(CWD, place.path(name), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

/// All files beside the PVs, as names in the place.
fn side_files(place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["a.db-journal", "b.db-journal"] {
        found.push(name.to_owned());
    }
    for dir in ["a.db.d", "b.db.d"] {
        let names = fs::read_dir(place.path(dir)).unwrap().map(|entry| entry.unwrap().file_name());
        found.extend(names.map(|name| format!("{dir}/{}", name.to_str().unwrap())));
        found.extend(["pv.lock", "vg.lock", "reserve"].map(|name| format!("{dir}/{name}")));
    }
    let logs: Vec<_> = found.iter().filter(|name| name.contains(".meta")).cloned().collect();
    found.extend(logs.iter().flat_map(|name| [format!("{name}-wal"), format!("{name}-shm")]));
    found.sort();
    found.dedup();
    found
}

#[test]
fn what_lies_beside_a_pv_leads_nowhere_else_and_makes_nobody_wait() {
    let home = || {
        let place = Place::new();
        place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db").ok();
        place.run("lvcreate -n home -l 100%FREE --metadatacopies 2 vg0").ok();
        place.input("put vg0/home:/f", &vec![1; 300_000]);
        place
    };
    let count = side_files(&home()).len();
    assert!(count >= 12);
    for at in 0..count {
        let place = home();
        let name = &side_files(&place)[at];
        let file = place.path(name);
        let away = |it: &std::path::Path| {
            let _ = fs::remove_file(it);
        };
        fs::write(place.path("victim"), "precious").unwrap();
        away(&file);
        symlink(place.path("victim"), &file).unwrap();
        for line in ["check vg0", "ls vg0/home:/", "lvs", "put vg0/home:/g"] {
            place.input(line, &vec![2; 200_000]);
        }
        assert_eq!(fs::read_to_string(place.path("victim")).unwrap(), "precious", "{name}");
        away(&file);
        pipe(&place, name);
        for line in ["check vg0", "ls vg0/home:/", "lvs", "put vg0/home:/g"] {
            // It ends, whatever it says.
            place.input(line, &vec![2; 200_000]);
        }
        assert!(fs::symlink_metadata(&file).is_ok_and(|kind| kind.file_type().is_fifo()) || name.ends_with("reserve"));
    }
}

/// A volume with two copies of its metadata, which are named.
fn with_two_copies() -> (Place, [PathBuf; 2]) {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -L 4m --metadatacopies 2 vg0").ok();
    place.input("put vg0/home:/f", b"safe");
    let copies = ["a.db.d", "b.db.d"].map(|dir| {
        let mut files = fs::read_dir(place.path(dir)).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|end| end == "meta")).unwrap()
    });
    (place, copies)
}

#[test]
fn a_metadata_volume_behind_a_link_is_left_alone_and_is_no_copy() {
    for first in [true, false] {
        let (place, mut copies) = with_two_copies();
        if first {
            copies.swap(0, 1);
        }
        fs::create_dir(place.path("else")).unwrap();
        let moved = place.path("else/m.meta");
        fs::rename(&copies[1], &moved).unwrap();
        symlink(&moved, &copies[1]).unwrap();
        let before = fs::read(&moved).unwrap();
        let checked = place.run("check vg0");
        assert!(checked.code == 5 && checked.out.contains("it is a symbolic link"), "{checked:?}");
        let ran = place.run("ls vg0/home:/");
        assert_eq!((ran.code, ran.out.as_str()), (0, "f\n"), "{ran:?}");
        let told = "was given up (it is a symbolic link where a file belongs); 1 copy is left";
        assert!(ran.err.contains(told), "{ran:?}");
        assert!(place.input("put vg0/home:/g", b"more").code == 0);
        assert_eq!(fs::read_dir(place.path("else")).unwrap().count(), 1);
        assert!(fs::read(&moved).unwrap() == before);
    }
}

#[test]
fn two_names_of_one_metadata_volume_are_one_copy() {
    let link = |to: &Path, name: &Path| symlink(to, name).unwrap();
    let hard = |to: &Path, name: &Path| fs::hard_link(to, name).unwrap();
    for (again, word) in [(&link as &dyn Fn(&Path, &Path), "a symbolic link"), (&hard, "the same file as ")] {
        let (place, copies) = with_two_copies();
        for file in [".meta", ".meta-wal", ".meta-shm"] {
            let _ = fs::remove_file(copies[1].to_string_lossy().replace(".meta", file));
        }
        again(&copies[0], &copies[1]);
        let checked = place.run("check vg0");
        assert!(checked.code == 5 && checked.out.contains(word), "{checked:?}");
        let ran = place.run("cat vg0/home:/f");
        assert_eq!((ran.code, ran.out.as_str()), (0, "safe"), "{ran:?}");
        assert!(ran.err.contains(word) && ran.err.contains("; 1 copy is left"), "{ran:?}");
        place.run("lvconvert --metadatacopies 2 vg0/home").ok();
        assert!(place.run("check vg0").ok().contains("in 2 copies of the metadata"));
        assert_eq!(place.run("cat vg0/home:/f").ok(), "safe");
    }
}

#[test]
fn a_folder_beside_a_pv_that_is_a_link_is_left_alone() {
    let told = |ran: &Ran, name: &str| {
        let line = format!("{name}.d: cannot use it: it is a symbolic link where a folder belongs");
        assert!(ran.err.contains(&line), "{ran:?}");
    };
    // To somebody else's folder, to where the folder itself was moved, and nowhere.
    for kind in 0..3 {
        let (place, copies) = with_two_copies();
        // So that there is a majority without it.
        place.run("vgextend --setphysicalvolumesize 8m vg0 c.db").ok();
        let away = place.path("else");
        if kind == 1 {
            fs::rename(place.path("b.db.d"), &away).unwrap();
        } else {
            fs::rename(place.path("b.db.d"), place.path("aside")).unwrap();
        }
        if kind == 0 {
            fs::create_dir(&away).unwrap();
            for name in ["pv.lock", "vg.lock", "reserve", copies[1].file_name().unwrap().to_str().unwrap()] {
                fs::write(away.join(name), "precious").unwrap();
            }
        }
        symlink(&away, place.path("b.db.d")).unwrap();
        symlink(&away, place.path("new.db.d")).unwrap();
        let listed = || -> Vec<(PathBuf, Vec<u8>)> {
            let Ok(entries) = fs::read_dir(&away) else { return Vec::new() };
            let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            all.sort();
            all.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
        };
        let before = listed();
        for places in ["", "--pool .", "--devices a.db,b.db,c.db"] {
            for line in [
                "lvs",
                "check vg0",
                "ls vg0/home:/",
                "put vg0/home:/g",
                "lvextend -L +1m vg0/home",
                "lvconvert --metadatacopies 1 vg0/home",
                "lvchange -ay --takeover vg0/home",
                "lvremove -y vg0/home",
                "vgreduce --removemissing --force vg0",
                "vgremove -ff -y vg0",
            ] {
                let ran = place.input(&format!("{line} {places}"), b"more");
                told(&ran, "b.db");
                let reads = ["lvs", "ls vg0/home:/", "lvchange -ay --takeover vg0/home"].contains(&line);
                assert_eq!(ran.code, if reads { 0 } else { 5 }, "{line}: {ran:?}");
                assert!(before == listed(), "{line}: {ran:?}");
            }
        }
        told(&place.run("pvremove -ff -y b.db"), "b.db");
        told(&place.run("pvcreate --setphysicalvolumesize 8m new.db"), "new.db");
        told(&place.run("vgextend --setphysicalvolumesize 8m vg0 new.db"), "new.db");
        told(&place.run("vgcreate --setphysicalvolumesize 8m vg1 new.db"), "new.db");
        assert!(!place.path("new.db").exists() && before == listed());
        fs::remove_file(place.path("b.db.d")).unwrap();
        fs::rename(if kind == 1 { away } else { place.path("aside") }, place.path("b.db.d")).unwrap();
        assert!(place.run("check --data vg0").ok().contains("in 2 copies of the metadata"));
        assert_eq!(place.run("cat vg0/home:/f").ok(), "safe");
    }
}

#[test]
fn test_mode_is_refused_where_it_would_change_files() {
    let place = Place::with_home();
    fs::write(place.path("new"), b"new").unwrap();
    place.input("put vg0/home:/f", b"kept");
    place.run("cp vg0/home:/f out").ok();
    for line in [
        "rm -t vg0/home:/f",
        "rm -t -r vg0/home:/f",
        "cp -t new vg0/home:/f",
        "mkdir -t vg0/home:/d",
        "cp -t vg0/home:/f new",
    ] {
        let ran = place.run(line);
        assert_eq!(ran.code, 3, "{line}: {ran:?}");
        assert!(ran.err.contains("nothing was changed"), "{line}: {ran:?}");
    }
    assert_eq!(place.input("put -t vg0/home:/f", b"").code, 3);
    assert_eq!(place.run("cat vg0/home:/f").ok(), "kept");
    assert_eq!(place.run("ls vg0/home:/").ok(), "f\n");
    assert_eq!(fs::read(place.path("new")).unwrap(), b"new");
}

#[test]
fn copying_out_never_replaces_a_pipe_and_follows_a_link_that_was_named() {
    let place = Place::with_home();
    place.input("put vg0/home:/f", b"new contents");
    pipe(&place, "pipe");
    let ran = place.run("cp vg0/home:/f pipe");
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("pipe: is a pipe, socket or device; left as it is"), "{ran:?}");
    assert!(fs::symlink_metadata(place.path("pipe")).unwrap().file_type().is_fifo());
    fs::write(place.path("real"), b"old").unwrap();
    symlink("real", place.path("link")).unwrap();
    place.run("cp vg0/home:/f link").ok();
    assert!(fs::symlink_metadata(place.path("link")).unwrap().file_type().is_symlink());
    assert_eq!(fs::read(place.path("real")).unwrap(), b"new contents");
}

#[test]
fn a_pipe_is_no_physical_volume_and_nobody_waits_for_it() {
    let place = Place::with_home();
    pipe(&place, "p.db");
    for line in ["pvcreate p.db", "pvcreate -ff -y p.db", "vgcreate vg1 p.db", "vgextend vg0 p.db", "pvremove p.db"] {
        let ran = place.run(line);
        assert_eq!(ran.code, 5, "{line}: {ran:?}");
        assert!(ran.err.contains("pipe, socket or device"), "{line}: {ran:?}");
    }
}

#[test]
fn a_directory_is_not_removed_by_its_dot() {
    let place = Place::with_home();
    place.run("mkdir -p vg0/home:/d/e").ok();
    for path in ["vg0/home:/d/.", "vg0/home:/d/./", "vg0/home:/."] {
        let ran = place.run(&format!("rm -r {path}"));
        assert_eq!(ran.code, 5);
        assert!(ran.err.contains("refusing to remove '.'"), "{ran:?}");
    }
    assert_eq!(place.run("ls vg0/home:/d").ok(), "e\n");
}

#[test]
fn a_pv_is_not_made_anew_or_removed_under_a_volume_in_use() {
    let place = Place::with_home();
    let mut holder = place.start("put vg0/home:/f");
    std::io::Write::write_all(holder.stdin.as_mut().unwrap(), &vec![1; 1 << 20]).unwrap();
    // The volume is open once the command has taken what a pipe does not hold.
    let pid = holder.id();
    for line in ["pvcreate -ff -y a.db", "pvremove -ff -y a.db"] {
        let ran = place.run(line);
        let said = format!("logical volume vg0/home is in use by process {pid}.\n");
        let hint = format!("  hint: close it in that process first: ps -p {pid}\n");
        assert!(ran.code == 5 && ran.err.contains(&said) && ran.err.ends_with(&hint), "{line}: {ran:?}");
    }
    for line in ["lvremove vg0/home", "lvremove -f vg0/home", "lvremove -y vg0", "vgremove vg0", "vgremove -f vg0"] {
        let said = format!(
            "  Logical volume vg0/home in use by process {pid}.\n  hint: close it in that process first: ps -p {pid}\n"
        );
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (5, "", said.as_str()), "{line}");
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(place.run("cat vg0/home:/f").ok().len(), 1 << 20);
}

#[test]
fn a_failed_extension_leaves_no_new_file() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 16m vg0 a.db b.db c.db").ok();
    fs::remove_file(place.path("b.db")).unwrap();
    fs::remove_file(place.path("c.db")).unwrap();
    let ran = place.run("vgextend vg0 new.db");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(!place.path("new.db").exists() && !place.path("new.db.d").exists());
}
