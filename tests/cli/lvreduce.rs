//! Volumes that become smaller.

use crate::support::Place;

#[test]
fn a_volume_becomes_smaller_and_keeps_all_it_has() {
    let place = Place::with_home();
    let bytes: Vec<u8> = (0..1_500_000u32).map(|n| (n ^ n >> 7).to_le_bytes()[0]).collect();
    place.input("put vg0/home:/big", &bytes).ok();
    let sums = place.run("sha256sum vg0/home:/big").ok();
    assert_eq!(
        place.run("lvreduce -L -1m vg0/home").ok(),
        "  Size of logical volume vg0/home changed from 4.00 MiB (16 extents) to 3.00 MiB (12 extents).\n  \
         Logical volume vg0/home successfully resized.\n"
    );
    assert_eq!(place.run("sha256sum vg0/home:/big").ok(), sums);
    assert!(place.run("check --data vg0").ok().contains("clean"));
    assert!(place.run("vgs --noheadings -o vg_free").ok().contains("13.00m"));
    // What it took is somebody else's, and can be given back.
    place.run("lvcreate -n other -l 100%FREE vg0").ok();
    place.input("put vg0/other:/big", &bytes).ok();
    place.run("lvremove -y vg0/other").ok();
    place.run("lvextend -L 4m vg0/home").ok();
    assert_eq!(place.run("sha256sum vg0/home:/big").ok(), sums);
    assert!(place.run("check --data vg0").ok().contains("clean"));
}

#[test]
fn sizes_are_rounded_so_that_never_more_goes_than_was_said() {
    let place = Place::with_home();
    let said = |line: &str| place.run(line).ok().lines().next().unwrap().trim().to_owned();
    assert_eq!(said("lvreduce -L -600k vg0/home"), "Rounding down size to full physical extent 512.00 KiB");
    assert_eq!(said("lvreduce -L 3300k vg0/home"), "Rounding up size to full physical extent 3.25 MiB");
    assert!(said("lvreduce -l -1 vg0/home").ends_with("(13 extents) to 3.00 MiB (12 extents)."));
    assert!(place.run("lvreduce -t -l 8 vg0/home").ok().contains("to 2.00 MiB (8 extents)."));
    assert!(said("lvreduce -l 10 vg0/home").contains("(12 extents) to 2.50 MiB (10 extents)."));
}

#[test]
fn sizes_that_are_none_or_too_small_are_refused_and_change_nothing() {
    let place = Place::with_home();
    place.input("put vg0/home:/big", &vec![7; 1_500_000]).ok();
    let before = place.run("lvs --units b").ok();
    for line in ["lvreduce -L 1m vg0/home", "lvreduce -L -3m vg0/home"] {
        let ran = place.run(line);
        let hint = "hint: remove files, or leave it larger: anyfs-lvm lvreduce -l 10 vg0/home";
        assert!(ran.code == 5 && ran.err.contains("vg0/home: 4 extents are too few for the 15"), "{ran:?}");
        assert!(ran.err.contains(hint), "{ran:?}");
    }
    for (line, code, words) in [
        ("lvreduce -L 4m vg0/home", 5, "New size given (16 extents) not less than existing size (16 extents)"),
        ("lvreduce -L 5m vg0/home", 5, "not less than existing size"),
        ("lvreduce -L -100k vg0/home", 5, "not less than existing size"),
        ("lvreduce -L -4m vg0/home", 5, "New size given (0 extents) not less than existing size (16 extents)"),
        ("lvreduce -L -40m vg0/home", 5, "New size given (0 extents)"),
        ("lvreduce -L +1m vg0/home", 3, "A + makes no sense here."),
        ("lvreduce vg0/home", 3, "hint: give a size"),
        ("lvreduce -L 1m home", 3, "please give the volume as VG/LV"),
        ("lvreduce -L 1m vg0/none", 5, "Failed to find logical volume \"vg0/none\""),
    ] {
        let ran = place.run(line);
        assert!(ran.code == code && ran.err.contains(words), "{line}: {ran:?}");
    }
    place.ensure_untouched("lvreduce -t -L 3m vg0/home").ok();
    assert_eq!(place.run("lvs --units b").ok(), before);
    assert!(place.run("check --data vg0").ok().contains("clean"));
}
