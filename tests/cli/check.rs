//! `check`: what is wrong is named, and only what is clean ends with 0.

use std::fs;

use crate::support::Place;

/// A pool with files in extents and in the metadata.
fn filled() -> Place {
    let place = Place::with_home();
    place.run("mkdir vg0/home:/dir").ok();
    fs::write(place.path("big"), vec![3u8; 1 << 20]).unwrap();
    place.run("cp big vg0/home:/dir/big").ok();
    place.input("put vg0/home:/small", b"inline");
    place
}

/// The metadata file of the one volume.
fn metadata(place: &Place) -> std::path::PathBuf {
    let folders = ["a.db.d", "b.db.d"].map(|name| place.path(name));
    let files = folders.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten().map(|entry| entry.path());
    files.into_iter().find(|path| path.extension().is_some_and(|end| end == "meta")).unwrap()
}

#[test]
fn a_sound_volume_is_clean_by_its_own_name_and_by_its_groups() {
    let place = filled();
    let out = place.run("check vg0/home").ok();
    assert!(out.starts_with("  vg0/home: clean (4 inodes, ") && out.contains(", 6 bytes of files read)"), "{out}");
    let out = place.run("check --data vg0").ok();
    assert!(out.contains(", 1048582 bytes of files read)"), "{out}");
    let out = place.run("check vg0/home vg0 vg0/home").ok();
    assert_eq!(out.matches("vg0/home: clean").count(), 1, "{out}");
    let json: serde_json::Value = serde_json::from_str(&place.run("check --json vg0").ok()).unwrap();
    assert_eq!(json["check"][0]["clean"], true);
    assert_eq!(json["check"][0]["checked"]["inodes"], 4);
    assert_eq!(json["group_problems"]["vg0"], serde_json::json!([]));
}

#[test]
fn damage_is_named_by_path_and_ends_with_5_and_nothing_is_changed() {
    let place = filled();
    let file = metadata(&place);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.windows(6).position(|part| part == b"inline").unwrap();
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let ran = place.run("check vg0/home");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.out.starts_with("  vg0/home: ") && ran.out.contains("a row of slice "), "{ran:?}");
    assert!(ran.err.starts_with("  vg0/home: ") && ran.err.ends_with(" problems found.\n"), "{ran:?}");
    assert!(fs::read(&file).unwrap() == bytes, "a check repaired something");
    let ran = place.run("check --json vg0/home");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &json["check"][0]["clean"]), (5, &serde_json::json!(false)));
    assert!(json["check"][0]["problems"][0]["what"].as_str().unwrap().contains("checksum"), "{json}");
}

#[test]
fn a_missing_pv_is_a_problem_of_the_group_and_of_the_files_on_it() {
    let place = filled();
    place.run("vgextend --setphysicalvolumesize 8m vg0 c.db").ok();
    let fails = |name: &str| {
        let aside = place.path("aside");
        fs::rename(place.path(name), &aside).unwrap();
        let ran = place.run("check vg0");
        fs::rename(&aside, place.path(name)).unwrap();
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.starts_with("  WARNING: VG vg0 is missing PV "), "{ran:?}");
        let last = ran.err.lines().last().unwrap();
        let told = last.strip_prefix("  vg0: a problem of the volume group was found; not checked: physical volume ");
        assert!(told.is_some_and(|told| told.ends_with(&format!(" ({name}): it is missing."))), "{ran:?}");
        ran
    };
    let unused = fails("c.db");
    assert!(unused.out.contains("vg0/home: clean"), "{unused:?}");
    fs::rename(place.path("c.db"), place.path("aside")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&place.run("check --json vg0").out).unwrap();
    fs::rename(place.path("aside"), place.path("c.db")).unwrap();
    let unseen = json["not_checked"]["vg0"].as_array().unwrap();
    assert!(unseen.len() == 1 && unseen[0].as_str().unwrap().ends_with(" (c.db): it is missing"), "{json}");
    assert_eq!(json["group_problems"]["vg0"].as_array().unwrap().len(), 1, "{json}");
    let used = fails("a.db");
    assert!(used.out.contains("vg0/home: /dir/big: some of its bytes lie in "), "{used:?}");
    place.run("check vg0").ok();
    place.run("lvremove -y vg0/home").ok();
    place.run("check vg0").ok();
    fails("a.db");
}

#[test]
fn names_of_pvs_do_not_steer_the_terminal() {
    let place = Place::new();
    let odd = "q\u{1b}[2J\n x.db";
    let args = ["vgcreate", "--setphysicalvolumesize", "8m", "vg0", odd];
    assert!(place.command().args(args).status().unwrap().success());
    place.run("vgextend --setphysicalvolumesize 8m vg0 b.db c.db").ok();
    place.run("lvcreate -n home -l 100%FREE vg0").ok();
    place.input("put vg0/home:/big", &vec![7; 12 << 20]);
    fs::rename(place.path(odd), place.path("aside")).unwrap();
    let ran = place.run("check vg0");
    assert!(ran.out.contains("/big: some of its bytes lie in ") && ran.out.contains("q\\u{1b}[2J\\n x.db"), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn a_check_writes_to_no_file_of_a_pool() {
    let place = filled();
    // The first makes what all who read leave: the index of a log.
    place.run("check vg0").ok();
    place.ensure_untouched("check --data vg0").ok();
}

#[test]
fn a_name_that_is_none_is_refused() {
    let place = filled();
    place.run("check vg0/none").fails(5, "  Failed to find logical volume \"vg0/none\"\n");
    place.run("check none").fails(5, "  Volume group \"none\" not found\n  Cannot process volume group none\n");
    assert_eq!(place.run("check").code, 3);
    let of_a_file = place.run("check vg0/home:/small");
    of_a_file.refused("  vg0/home:/small: a check is of whole volumes: give VG or VG/LV.\n");
}

#[test]
fn what_could_not_be_checked_is_in_the_json_too() {
    let place = filled();
    fs::remove_file(metadata(&place)).unwrap();
    let ran = place.run("check --json vg0/home vg0/none none");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let volumes = json["check"].as_array().unwrap();
    let told: Vec<_> = volumes.iter().map(|one| (one["volume"].as_str().unwrap(), one["failed"].as_str())).collect();
    assert_eq!((ran.code, told.len()), (5, 3), "{json}");
    let why = |name: &str| told.iter().find(|(volume, _)| *volume == name).unwrap().1.unwrap();
    assert!(why("vg0/home").contains("no copy of the volume's metadata can be read"), "{json}");
    assert!(why("vg0/none").starts_with("Failed to find logical volume"), "{json}");
    assert!(!why("vg0/home").starts_with("vg0"), "the volume is named once: {json}");
    assert!(why("none").starts_with("Volume group \"none\" not found"), "{json}");
    assert!(volumes.iter().all(|one| one["clean"] == false));
}

#[test]
fn a_pool_that_is_not_there_is_json_too() {
    let place = filled();
    let ran = place.run("check --json --pool nowhere vg0/home");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, json["check"][0]["clean"].as_bool()), (5, Some(false)), "{ran:?}");
    assert!(json["check"][0]["failed"].as_str().is_some_and(|why| why.contains("nowhere")), "{ran:?}");
}

#[test]
fn a_thing_in_the_place_of_a_lock_is_named_and_nothing_passes_for_lost() {
    let place = filled();
    let lock = place.path("a.db.d/pv.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let why = "DIR/a.db.d/pv.lock: cannot lock it: Is a directory\n";
    let ran = place.run("check --data vg0");
    assert_eq!((ran.code, ran.out.as_str()), (5, format!("  vg0/home: DIR/a.db: {why}").as_str()), "{ran:?}");
    let ran = place.run("mkdir vg0/home:/new --pool .");
    assert!(ran.err.contains(why), "the PV passes for missing, and this is why: {ran:?}");
    fs::remove_dir(&lock).unwrap();
    place.run("check --data vg0").ok();
}

/// Lets a PV that has no free pages say that this one is free: a list of one page, whose start would be the list's next part
/// and length.
fn free_a_used_page(pv: &std::path::Path, page: Option<u32>) -> Vec<u8> {
    let mut bytes = fs::read(pv).unwrap();
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (last, free) = (word(28), (word(32), word(36)));
    assert_eq!(free, (0, 0), "a PV that was only written has no free pages");
    bytes[32..36].copy_from_slice(&page.unwrap_or(last).to_be_bytes());
    bytes[36..40].copy_from_slice(&1u32.to_be_bytes());
    fs::write(pv, &bytes).unwrap();
    bytes
}

/// The bytes of files are all right, and the next write would take a page of theirs.
#[test]
fn a_page_of_a_pv_that_is_free_and_in_use_is_found_with_data() {
    let place = filled();
    place.run("lvcreate -L 2m -n other vg0").ok();
    place.run("vgextend --setphysicalvolumesize 8m vg0 c.db").ok();
    let told = |ran: &crate::support::Ran, pv: &str| {
        let wanted = format!("{pv}: its pages contradict each other");
        ran.out.lines().filter(|line| line.contains(&wanted)).count()
    };
    let bytes = free_a_used_page(&place.path("a.db"), None);
    place.run("check vg0").ok();
    let ran = place.run("check --data vg0");
    assert_eq!((ran.code, told(&ran, "a.db")), (5, 1), "once, whatever is on it: {ran:?}");
    let json: serde_json::Value = serde_json::from_str(&place.run("check --data --json vg0/home").out).unwrap();
    assert!(json["group_problems"]["vg0"][0].as_str().unwrap().contains("contradict"), "{json}");
    assert!(fs::read(place.path("a.db")).unwrap() == bytes, "a check repaired something");
    // One of a PV that no volume lies on, while another volume cannot be checked at all.
    free_a_used_page(&place.path("c.db"), Some(5));
    assert_eq!(told(&place.run("check --data vg0/home"), "c.db"), 0);
    fs::rename(metadata(&place), place.path("aside")).unwrap();
    let ran = place.run("check --data vg0");
    assert_eq!((ran.code, told(&ran, "a.db"), told(&ran, "c.db")), (5, 1, 1), "{ran:?}");
}
