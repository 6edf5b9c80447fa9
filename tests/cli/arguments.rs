//! Bad input: one clear line, the right exit code, nothing half made.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::Place;

const PARSING: &str = "  Error during parsing of command line.\n";

#[test]
fn sizes_that_make_no_sense_are_refused_in_lvms_words() {
    let place = Place::with_home();
    let before = place.contents();
    for (line, first) in [
        ("lvcreate -n x -L 1x vg0", "  Can't parse size argument.\n  Invalid argument for --size: 1x\n"),
        ("lvcreate -n x -L -1m vg0", "  Size may not be negative.\n  Invalid argument for --size: -1m\n"),
        ("lvcreate -n x -L 99999999999e vg0", "  Size is too large.\n  Invalid argument for --size: 99999999999e\n"),
        ("lvcreate -n x -l 10%BAD vg0", "  Specified %BAD is unknown.\n  Invalid argument for --extents: 10%BAD\n"),
        (
            "lvcreate -n x -L 1m --alloc bogus vg0",
            "  Unrecognised allocation policy bogus\n  Invalid argument for --alloc: bogus\n",
        ),
        (
            "pvcreate --setphysicalvolumesize 1x c.db",
            "  Can't parse size argument.\n  Invalid argument for --setphysicalvolumesize: 1x\n",
        ),
        ("lvs --units q", "  Invalid argument for --units: q\n"),
        ("lvs --reportformat json_std", "  Invalid argument for --reportformat: json_std\n"),
    ] {
        place.run(line).fails(3, &format!("{first}{PARSING}"));
    }
    let run = |command: &str| format!("  Run `{command} --help' for more information.\n");
    place.run("lvcreate -n x -l 0 vg0").fails(3, &format!("  --extents may not be zero.\n{}", run("lvcreate")));
    place
        .run("vgcreate -s 63k v c.db")
        .fails(3, &format!("  Physical extent size 63.00 KiB is invalid.\n{}", run("vgcreate")));
    place
        .run("vgcreate -s 3m v c.db")
        .fails(3, &format!("  Physical extent size 3.00 MiB is invalid.\n{}", run("vgcreate")));
    assert!(before == place.contents());
}

#[test]
fn pvs_that_can_hold_nothing_are_not_made() {
    let place = Place::new();
    for size in ["0", "1k", "63k"] {
        let ran = place.words(&["pvcreate", "--setphysicalvolumesize", size, "a.db"]);
        assert_eq!((ran.code, ran.err.lines().count()), (5, 1), "{ran:?}");
    }
    let ran = place.run("vgcreate --setphysicalvolumesize 64k vg0 a.db");
    ran.fails(5, "  a.db: 64.00 KiB is less than one extent (256.00 KiB).\n");
    assert!(place.contents().is_empty());
}

#[test]
fn files_in_the_way_are_named_and_kept() {
    let place = Place::with_home();
    fs::create_dir(place.path("folder")).unwrap();
    fs::write(place.path("text"), "dear diary").unwrap();
    let before = place.contents();
    let not = |name: &str| format!("  {name}: physical volume not initialized.\n");
    place.run("pvcreate folder").fails(5, &format!("  folder: exists already and is a folder\n{}", not("folder")));
    let what = "exists already and is not a physical volume (not a SQLite database)";
    place.run("pvcreate text").fails(5, &format!("  text: {what}\n{}", not("text")));
    let refused = "  Can't initialize physical volume \"a.db\" of volume group \"vg0\" without -ff\n";
    place.run("pvcreate a.db").fails(5, &format!("{refused}{}", not("a.db")));
    let asked = "Really INITIALIZE physical volume \"a.db\" of volume group \"vg0\" [y/n]? [n]\n";
    place.run("pvcreate -ff a.db").fails(5, &format!("{asked}{}", not("a.db")));
    place.run("pvcreate no/x.db").fails(5, "  no/x.db: cannot create it: No such file or directory\n");
    assert!(before == place.contents());
}

#[test]
fn unknown_words_are_answered_as_lvm_answers() {
    let place = Place::new();
    place.run("lvs --nosuchopt").fails(3, &format!("lvs: unrecognized option '--nosuchopt'\n{PARSING}"));
    place.run("lvs -z").fails(3, &format!("lvs: invalid option -- 'z'\n{PARSING}"));
    place.run("lvs --units").fails(3, &format!("lvs: option '--units' requires an argument\n{PARSING}"));
    place.run("nosuchcmd").fails(2, "  No such command.  Try 'anyfs-lvm help'.\n");
    assert!(place.run("lvcraete").err.contains("hint: did you mean `anyfs-lvm lvcreate`?"));
    place.run("lvs -o nosuch").fails(5, "  Unrecognised field: nosuch\n");
    place.run("lvs -O nosuch").fails(5, "  Unrecognised sort field: nosuch\n");
    let syntax = "  No command with matching syntax recognised.  Run 'lvcreate --help' for more information.\n";
    place.run("lvcreate -n x vg0").fails(3, syntax);
    place.run("lvcreate").fails(3, syntax);
    place.run("vgs novg").fails(5, "  Volume group \"novg\" not found\n  Cannot process volume group novg\n");
    place.run("lvs novg/x").fails(5, "  Volume group \"novg\" not found\n  Cannot process volume group novg\n");
    place.run("pvs /no/such").fails(5, "  Cannot use /no/such: device not found\n");
}

#[test]
fn names_and_objects_are_checked() {
    let place = Place::with_home();
    let run = "  Run `lvcreate --help' for more information.\n";
    let bad = place.words(&["lvcreate", "-n", "bad name", "-L", "1m", "vg0"]);
    bad.fails(3, &format!("  Logical volume name \"bad name\" is invalid.\n{run}"));
    let reserved = "  Names including \"_mimage\" are reserved. Please choose a different LV name.\n";
    place.run("lvcreate -n foo_mimage -L 1m vg0").fails(3, &format!("{reserved}{run}"));
    place
        .run("lvcreate -n home -L 1m vg0")
        .fails(5, "  Logical Volume \"home\" already exists in volume group \"vg0\"\n");
    let big = place.run("lvcreate -n big -L 1g vg0");
    big.fails(5, "  Volume group \"vg0\" has insufficient free space (48 extents): 4096 required.\n");
    assert!(big.err.contains("12.00 MiB free, 1.00 GiB required"), "{}", big.err);
    place
        .run("lvcreate -n x -L 1m vg0 /no.db")
        .fails(5, "  Physical Volume \"/no.db\" not found in Volume Group \"vg0\".\n");
    place.run("vgcreate vg0 c.db").fails(5, "  A volume group called vg0 already exists.\n");
    assert!(!place.path("c.db").exists());
    place.run("lvremove vg0/no").fails(5, "  Failed to find logical volume \"vg0/no\"\n");
    place
        .run("lvextend -L 1m vg0/home")
        .fails(5, "  New size given (4 extents) not larger than existing size (16 extents)\n");
    place.run("vgreduce vg0 a.db").fails(5, "  Physical volume \"DIR/a.db\" still in use\n");
}

#[test]
fn a_link_named_like_a_command_is_that_command() {
    let place = Place::with_home();
    let link = place.path("vgs");
    symlink(env!("CARGO_BIN_EXE_anyfs-lvm"), &link).unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(&link).args(args).env("ANYFS_LVM_SYSTEM_DIR", place.path("sys")).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(&["--noheadings", "-o", "name"]), "  vg0\n");
    assert!(run(&["--version"]).contains("0.1.0"));
}

#[test]
fn help_is_help() {
    let place = Place::new();
    assert!(place.run("help").ok().contains("lvcreate"));
    assert!(place.run("help lvcreate").ok().contains("--size"));
    assert!(place.run("lvcreate --help").ok().contains("--size"));
    assert!(place.run("lvs -o help").ok().contains("lv_name"));
    assert!(place.run("version").ok().contains("0.1.0"));
}
