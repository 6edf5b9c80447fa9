//! PVs that are away, pools that moved, files that look like PVs.

use std::fs;

use crate::support::Place;

/// Everything of a PV to another folder and back.
fn carry(place: &Place, from: &str, to: &str) {
    for end in ["", ".d"] {
        fs::rename(place.path(&format!("{from}{end}")), place.path(&format!("{to}{end}"))).unwrap();
    }
}

#[test]
fn a_missing_pv_is_named_once_and_intact_files_read() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db c.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/small", b"inline");
    fs::write(place.path("big"), vec![3u8; 12 << 20]).unwrap();
    place.run("cp big vg0/home:/big").ok();
    fs::create_dir(place.path("away")).unwrap();
    carry(&place, "b.db", "away/b.db");
    for report in ["pvs", "vgs", "lvs"] {
        let ran = place.run(report);
        assert_eq!((ran.code, ran.err.lines().count()), (0, 1), "{ran:?}");
        assert!(ran.err.starts_with("  WARNING: VG vg0 is missing PV ") && ran.err.contains("b.db"), "{}", ran.err);
    }
    let pvs = place.run("pvs --separator : --noheadings");
    assert!(pvs.out.contains("  [unknown]:vg0:asq1:a-m:8.00m:0 \n"), "{}", pvs.out);
    assert!(place.run("vgs").out.contains("wz-pn-"));
    assert!(place.run("lvs").out.contains("-wi-----p-"));
    assert_eq!(place.run("cat vg0/home:/small").out, "inline");
    let broken = place.run("sha256sum vg0/home:/big");
    assert_eq!(broken.code, 5);
    assert!(
        broken.err.contains("/big: its data at byte") && broken.err.contains("missing physical volume b.db"),
        "{}",
        broken.err
    );
    let refused = place.run("lvcreate -n x -L 1m vg0");
    assert!(refused.err.contains("  Cannot change VG vg0 while PVs are missing.\n"), "{}", refused.err);
    carry(&place, "away/b.db", "b.db");
    assert!(place.run("sha256sum vg0/home:/big").ok().ends_with("vg0/home:/big\n"));
}

#[test]
fn a_copy_beside_a_pv_is_told_and_neither_is_used() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db c.db").ok();
    place.run("lvcreate -n home -L 4m vg0").ok();
    place.input("put vg0/home:/small", b"inline");
    fs::copy(place.path("b.db"), place.path("copy.db")).unwrap();
    for command in ["lvs", "cat vg0/home:/small", "df"] {
        let ran = place.run(&format!("{command} --pool ."));
        let twins: Vec<_> = ran.err.lines().filter(|line| line.contains("Not using")).collect();
        assert!(twins.len() == 1 && ran.code == 0, "{ran:?}");
        assert!(twins.iter().all(|line| line.contains("b.db and") && line.contains("copy.db: both are PV")), "{ran:?}");
    }
    let refused = place.run("lvcreate -n x -L 1m vg0 --pool .");
    assert!(
        refused.code == 5 && refused.err.contains("  Cannot change VG vg0 while PVs are missing.\n"),
        "{refused:?}"
    );
    fs::remove_file(place.path("copy.db")).unwrap();
    place.run("lvcreate -n x -L 4m vg0 --pool .").ok();
    for pv in ["a", "b", "c"] {
        fs::copy(place.path(&format!("{pv}.db")), place.path(&format!("{pv}2.db"))).unwrap();
    }
    let ran = place.run("cat vg0/home:/small --pool .");
    assert!(ran.code == 5 && ran.err.contains("\"vg0\" not found") && ran.err.contains("a2.db"), "{ran:?}");
}

#[test]
fn a_moved_pool_opens_and_heals_the_list() {
    let place = Place::new();
    fs::create_dir(place.path("one")).unwrap();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 one/a.db one/b.db").ok();
    place.run("lvcreate -n home -L 4m vg0").ok();
    place.input("put vg0/home:/f", b"here");
    fs::rename(place.path("one"), place.path("two")).unwrap();
    let lost = place.run("vgs");
    assert_eq!((lost.code, lost.out.as_str()), (0, ""));
    assert!(lost.err.contains("None of the 2 known physical volumes was found"), "{}", lost.err);
    // Whatever looks for a volume says so, once.
    for line in ["ls vg0/home:/", "cat vg0/home:/f", "lvextend -l +1 vg0/home", "check vg0", "df vg0"] {
        let lost = place.run(line);
        let told = ["None of the 2 known physical volumes", "hint: say where they are now", "\"vg0\" not found"];
        let once = told.iter().all(|text| lost.err.matches(text).count() == 1);
        assert!(lost.code == 5 && once, "{line}: {lost:?}");
    }
    assert_eq!(place.run("--pool two cat vg0/home:/f").ok(), "here");
    assert_eq!(place.run("vgs --noheadings -o name").ok(), "  vg0\n");
    // One file alone that moved is found beside the others.
    fs::rename(place.path("two/a.db"), place.path("two/z.db")).unwrap();
    fs::rename(place.path("two/a.db.d"), place.path("two/z.db.d")).unwrap();
    assert_eq!(place.run("cat vg0/home:/f").ok(), "here");
}

#[test]
fn the_only_metadata_copy_away_is_named() {
    let place = Place::with_home();
    fs::rename(place.path("a.db.d"), place.path("gone")).unwrap();
    let ran = place.run("ls vg0/home:/");
    let (line, hint) = ran.err.split_once('\n').unwrap();
    assert!(ran.code == 5 && line.contains("no copy of the volume's metadata can be read"), "{ran:?}");
    assert!(line.contains("a.db.d/"), "{line}");
    assert_eq!(
        hint,
        "  hint: bring one of these files back, with its log (-wal) if it had one, or open the volume where they can be written\n"
    );
}

#[test]
fn other_databases_in_the_folder_are_left_alone() {
    let place = Place::with_home();
    fs::write(place.path("notes.db"), "not a database at all").unwrap();
    let before = place.contents();
    let ran = place.run("--pool . pvs -a");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.contains("notes.db"), "{}", ran.out);
    assert!(before == place.contents());
}

#[test]
fn space_on_a_missing_pv_is_not_free_and_what_does_not_fit_leaves_nothing() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 16m vg0 a.db b.db c.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/old", b"old");
    fs::create_dir(place.path("away")).unwrap();
    fs::rename(place.path("c.db"), place.path("away/c.db")).unwrap();
    let big = vec![5u8; 6_000_000];
    let mut kept = 0;
    let full = loop {
        let ran = place.input(&format!("put vg0/home:/n{kept}"), &big);
        if ran.code != 0 {
            break ran;
        }
        kept += 1;
    };
    assert!(full.err.contains("no space left on the logical volume"), "{full:?}");
    assert!((3..=4).contains(&kept), "two thirds of 48 MiB hold {kept} files");
    assert_eq!(place.input("put vg0/home:/old", &big).code, 5);
    assert_eq!(place.run("cat vg0/home:/old").out, "old");
    let listed = place.run("ls vg0/home:/").out;
    assert!(!listed.contains(&format!("n{kept}")), "{listed}");
    for n in 0..kept {
        place.run(&format!("cp vg0/home:/n{n} back"));
        assert_eq!(fs::read(place.path("back")).unwrap(), big);
    }
}

#[test]
fn a_lost_pv_can_be_given_up_with_what_it_held() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 16m vg0 a.db b.db c.db").ok();
    place.run("lvcreate -n whole -L 8m vg0 a.db").ok();
    place.run("lvcreate -n partial -l 100%FREE vg0").ok();
    place.input("put vg0/whole:/f", b"safe");
    place.input("put vg0/partial:/f", b"lost");
    fs::remove_file(place.path("c.db")).unwrap();
    let refused = place.run("vgreduce --removemissing vg0");
    assert_eq!(refused.code, 5);
    assert!(
        refused.err.contains("hint: ") && refused.err.contains("vgreduce --removemissing --force vg0"),
        "{refused:?}"
    );
    assert!(place.run("lvs").out.contains("partial"), "nothing was changed");
    let ran = place.run("vgreduce --removemissing --force vg0");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("Wrote out consistent volume group vg0."), "{ran:?}");
    let vgs = place.run("vgs --noheadings -o pv_count,lv_count vg0").ok();
    assert_eq!(vgs.split_whitespace().collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(place.run("cat vg0/whole:/f").ok(), "safe");
    place.run("lvcreate -n new -l 100%FREE vg0").ok();
    place.input("put vg0/new:/f", b"again");
    assert_eq!(place.run("cat vg0/new:/f").ok(), "again");
}

#[test]
fn a_pv_that_was_never_given_up_cannot_be_taken_back() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 16m vg0 a.db b.db c.db").ok();
    let never = place.run("vgextend --restoremissing vg0 c.db");
    assert_eq!(never.code, 5, "{never:?}");
    assert!(never.err.contains("c.db"), "{never:?}");
}

#[test]
fn giving_up_a_pv_that_held_one_of_two_metadata_copies_keeps_the_volume() {
    let place = Place::new();
    place.run("vgcreate --metadatacopies 2 --setphysicalvolumesize 16m vg0 a.db b.db c.db").ok();
    place.run("lvcreate -n whole -L 8m vg0 a.db").ok();
    place.input("put vg0/whole:/f", b"safe");
    let has_copy = |pv: &str| {
        let entries = fs::read_dir(place.path(&format!("{pv}.d"))).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "meta")).count() > 0
    };
    assert!(has_copy("a.db"));
    let other = ["b.db", "c.db"].into_iter().find(|pv| has_copy(pv)).unwrap();
    fs::remove_file(place.path(other)).unwrap();
    let lvs = place.run("lvs --noheadings -o lv_attr");
    assert!(lvs.out.contains('p'), "a lost metadata copy is shown: {lvs:?}");
    let ran = place.run("vgreduce --removemissing --force vg0");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!ran.out.contains("successfully removed"), "{ran:?}");
    assert_eq!(place.run("cat vg0/whole:/f").ok(), "safe");
    assert_eq!(place.run("vgs --noheadings -o pv_count vg0").ok().trim(), "2");
}

#[test]
fn a_volume_too_small_for_any_data_is_made_with_a_warning() {
    let place = Place::with_home();
    let ran = place.run("lvcreate -n tiny -L 1m vg0");
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("\"tiny\" can hold no data"), "{ran:?}");
}

#[test]
fn a_pv_restored_from_a_backup_is_refused() {
    let place = Place::new();
    place.run("vgcreate --setphysicalvolumesize 8m vg0 a.db b.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/f", &vec![1; 2_000_000]);
    let old = ["b.db", "b.db-journal"].map(|name| fs::read(place.path(name)).unwrap());
    place.input("put vg0/home:/g", &vec![2; 2_000_000]);
    for (name, old) in ["b.db", "b.db-journal"].into_iter().zip(old) {
        fs::write(place.path(name), old).unwrap();
    }
    let refused = place.run("ls vg0/home:/");
    assert!(refused.code == 5 && refused.err.contains("b.db") && refused.err.contains("is an old copy"), "{refused:?}");
}

/// All that is known of its group is in it.
#[test]
fn a_damaged_pv_is_named_where_its_group_is_not_found() {
    let place = Place::new();
    place.run("pvcreate a.db").ok();
    place.run("vgcreate vg0 a.db").ok();
    place.run("lvcreate -n home -L 4m vg0").ok();
    let mut bytes = std::fs::read(place.path("a.db")).unwrap();
    bytes[32_768..36_000].fill(0x5a);
    std::fs::write(place.path("a.db"), bytes).unwrap();
    for line in ["ls vg0/home:/", "cat vg0/home:/x", "lvextend -L +1m vg0/home"] {
        let ran = place.run(line);
        assert!(ran.code != 0 && ran.err.contains("a.db: damaged: "), "{line}: {ran:?}");
    }
}
