//! Copies of the metadata: lost ones are told and made again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Place;

fn filled() -> Place {
    let place = Place::new();
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 16m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -L 8m vg0 a.db").ok();
    place.input("put vg0/home:/f", b"safe");
    place
}

/// The metadata file beside a PV.
fn metadata(place: &Place, pv: &str) -> PathBuf {
    let mut files = fs::read_dir(place.path(&format!("{pv}.d"))).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.extension().is_some_and(|end| end == "meta")).unwrap()
}

fn emptied(file: &Path) {
    fs::write(file, b"").unwrap();
}

fn cut(file: &Path) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(5000).unwrap();
}

fn foreign(file: &Path) {
    fs::copy(metadata(&filled(), "b.db"), file).unwrap();
}

fn aside(file: &Path) {
    let folder = file.parent().unwrap();
    fs::rename(folder, folder.with_extension("aside")).unwrap();
}

#[test]
fn a_copy_that_was_given_up_is_told_once_checked_for_and_made_again() {
    for spoil in [emptied, cut, foreign, aside] {
        let place = filled();
        place.run("check vg0").ok();
        spoil(&metadata(&place, "a.db"));
        let ran = place.run("cat vg0/home:/f --pool .");
        assert_eq!((ran.code, ran.out.as_str()), (0, "safe"), "{ran:?}");
        let lines: Vec<_> = ran.err.lines().collect();
        let [warning, hint] = lines.as_slice() else { panic!("{ran:?}") };
        assert!(warning.starts_with("  WARNING: DIR/a.db.d/") && warning.ends_with("; 1 copy is left"), "{ran:?}");
        let remedy = hint.strip_prefix("  hint: make another copy with: anyfs-lvm ").unwrap();
        assert_eq!(remedy, "lvconvert --metadatacopies 2 vg0/home --pool .");
        assert_eq!(place.run("cat vg0/home:/f --pool .").ok(), "safe");

        let ran = place.run("check vg0/home --pool .");
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.out.contains("its metadata has 1 of the 2 copies that were asked for"), "{ran:?}");
        assert!(ran.err.ends_with(&format!("{hint}\n")), "{ran:?}");
        let left_over = place.path("a.db.d").exists() && ran.out.contains("a.db.d/");
        assert_eq!(left_over, ran.out.contains("it is no copy of the volume's metadata any more"), "{ran:?}");

        let ran = place.run(remedy);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
        assert_eq!(ran.out, "  Logical volume vg0/home converted: its metadata has 2 copies.\n");
        let clean = place.run("check --data vg0 --pool .").ok();
        assert!(clean.contains("in 2 copies of the metadata") && !clean.contains("not a problem"), "{clean}");
        // The new copy serves alone.
        place.input("put vg0/home:/later --pool .", b"both");
        fs::remove_file(metadata(&place, "b.db")).unwrap();
        assert_eq!(place.run("cat vg0/home:/later --pool .").out, "both");
        assert_eq!(place.run("cat vg0/home:/f --pool .").ok(), "safe");
    }
}

#[test]
fn the_number_of_copies_is_changed_both_ways_and_impossible_ones_are_refused() {
    let place = filled();
    let before = place.contents();
    let ran = place.run("lvconvert --metadatacopies 3 vg0/home");
    assert!(ran.code == 5 && ran.err.contains("fewer usable PVs than metadata copies"), "{ran:?}");
    let ran = place.run("lvconvert --metadatacopies 0 vg0/home");
    assert!(ran.code == 5 && ran.err.contains("one copy of its metadata at least"), "{ran:?}");
    place.run("lvconvert vg0/home").refused("  Nothing to change: ");
    place.run("lvconvert --metadatacopies 2 vg0").refused("  \"vg0\": please give the volume as VG/LV.");
    place.run("lvconvert --metadatacopies 2 vg0/none").fails(5, "  Failed to find logical volume \"vg0/none\"\n");
    place.run("lvconvert -t --metadatacopies 1 vg0/home");
    assert_eq!(place.contents().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    let kept = metadata(&place, "a.db");
    place.run("lvconvert --metadatacopies 1 vg0/home").ok();
    assert!(kept.exists() && !place.path("b.db.d").join(kept.file_name().unwrap()).exists());
    assert!(place.run("check vg0").ok().contains("in one copy of the metadata"));
    place.run("vgextend --setphysicalvolumesize 16m vg0 c.db").ok();
    place.run("lvconvert --metadatacopies 3 vg0/home").ok();
    assert!(place.run("check vg0").ok().contains("in 3 copies of the metadata"));
    assert_eq!(place.run("cat vg0/home:/f").ok(), "safe");
}

#[test]
fn the_copies_of_a_new_volume_are_equal() {
    let place = Place::new();
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 16m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -L 8m vg0").ok();
    place.run("check vg0/home").ok();
    place.run("ls vg0/home:/").ok();
    place.run("check vg0/home").ok();
}
