//! The benchmark, small: what it says is complete, and nothing stays behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use measure::WORKS;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::Place;

const SMALL: &str = "--quick --size 2m --files 20 --rounds 1";

fn is_empty(dir: &Path) -> bool {
    dir.read_dir().unwrap().next().is_none()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn key(row: &Value) -> &str {
    row["row"].as_str().unwrap()
}

/// A pool with room for a benchmark in its volume, which holds a file.
fn with_room() -> Place {
    let place = Place::new();
    place.run("pvcreate --setphysicalvolumesize 96m a.db b.db").ok();
    place.run("vgcreate vg0 a.db b.db").ok();
    place.run("lvcreate -n home -L 160m vg0").ok();
    place.input("put vg0/home:/kept", b"mine");
    place
}

#[test]
fn bench_has_every_row_and_leaves_nothing_behind() {
    let place = Place::new();
    std::fs::create_dir(place.path("disk")).unwrap();
    let report = json(&place.run(&format!("bench --dir disk {SMALL} --json")).ok());
    let rows = report["rows"].as_array().unwrap();
    let seen: BTreeSet<&str> = rows.iter().map(key).collect();
    let mut wanted: BTreeSet<&str> = WORKS.iter().flat_map(measure::Work::rows).map(|row| row.key).collect();
    wanted.extend(["two_sum", "two_share", "open_clean", "open_killed", "memory_peak", "memory_beyond"]);
    assert_eq!(seen, wanted);
    for row in rows.iter().filter(|row| row["skipped"].is_null()) {
        assert!(row["sides"]["anyfs-lvm"]["median"].as_f64().is_some_and(|value| value >= 0.0), "{row}");
        let alone = ["two", "opening", "memory"].contains(&row["work"].as_str().unwrap());
        assert_eq!(row["sides"]["host"]["median"].is_null(), alone, "{row}");
        assert_eq!(row["ratios"]["anyfs-lvm"].is_null(), alone, "{row}");
    }
    // What may be missing is what the system does not tell, or does not let one do.
    let may_miss =
        |row: &&Value| key(row).ends_with("bytes") || key(row).ends_with("cold") || key(row) == "memory_peak";
    assert!(rows.iter().filter(|row| !row["skipped"].is_null()).all(|row| may_miss(&row)), "{report}");
    assert_eq!(report["settings"]["bytes"], 2 << 20);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0 && report["date"].as_str().unwrap().contains("+0000"));
    assert!(is_empty(&place.path("disk")));
}

#[test]
fn bench_in_a_volume_leaves_what_is_in_it_alone() {
    let place = with_room();
    let before = place.run("find vg0/home:/").ok();
    let report = json(&place.run(&format!("bench vg0/home {SMALL} --json --only write,append,names,two")).ok());
    let rows = report["rows"].as_array().unwrap();
    let skipped: BTreeSet<&str> = rows.iter().filter(|row| !row["skipped"].is_null()).map(key).collect();
    // What is as large as a pool, and what needs several volumes.
    for fresh in ["write_1pv", "aged_write", "two_sum", "two_share"] {
        assert!(skipped.contains(fresh), "{fresh}: {skipped:?}");
    }
    let settings = &report["settings"];
    assert_eq!(settings["volume"], "vg0/home");
    // They would be those of pools that were not made.
    assert!(settings["pvs"].is_null() && settings["extent"].is_null(), "{settings}");
    for row in ["write", "append_1", "append_n", "stat_uncached"] {
        let found = rows.iter().find(|found| key(found) == row).unwrap();
        assert!(found["ratios"]["anyfs-lvm"].as_f64().unwrap() > 0.0, "{found}");
    }
    assert_eq!(place.run("find vg0/home:/").ok(), before);
    assert_eq!(place.run("cat vg0/home:/kept").ok(), "mine");
    place.run("check --data vg0/home").ok();
    let left: Vec<_> = place.dir().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("bench")), "{left:?}");
}

#[test]
fn the_table_is_plain_where_nobody_sees_colours() {
    let place = Place::new();
    let text = place.run(&format!("bench {SMALL} --only append_1")).ok();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[1].starts_with("| ITEM ") && lines[3].starts_with("| 4 KiB append + fsync, 1 thread "), "{text}");
    assert!(lines[4].starts_with("+--") && text.contains("median of 1 rounds") && !text.contains('\x1b'), "{text}");
    assert!(is_empty(place.dir()) || place.dir().read_dir().unwrap().all(|entry| entry.unwrap().file_name() == "sys"));
}

#[test]
fn curves_have_a_point_for_each_size() {
    let place = Place::new();
    let report = json(&place.run(&format!("bench {SMALL} --curve threads --json")).ok());
    let curve = &report["curves"]["curves"][0];
    assert_eq!((key(curve), curve["unit"].as_str()), ("append_n", Some("/s")));
    for line in curve["lines"].as_array().unwrap() {
        let xs: Vec<f64> = line["points"].as_array().unwrap().iter().map(|point| point[0].as_f64().unwrap()).collect();
        assert_eq!(xs, [1.0, 2.0, 4.0, 8.0, 16.0], "{line}");
    }
    assert_eq!(curve["lines"].as_array().unwrap().len(), 2);
}

#[test]
fn a_volume_without_room_says_how_much_is_needed() {
    let place = Place::with_home();
    let ran = place.run("bench vg0/home --quick --size 64m --only write");
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.err.contains("bytes of free room are needed") && ran.err.contains("hint: make less of it"), "{ran:?}");
    place.run("find vg0/home:/").ok();
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let place = Place::with_home();
    let before = place.contents();
    place.run("bench --only moon").refused("  No work and no row has that in its name.\n");
    place.run("bench --curve moon").refused("  There are pool, pvs, extent, files and threads.\n");
    place.run("bench --extent 100k").refused("  Extents have 64 KiB to 1 MiB, a power of 2.\n");
    place.run("bench --size 10k").refused("  At least 1 MiB is needed.\n");
    place.run("bench --guard moon").refused("  Invalid argument for --guard: moon\n");
    place.run("bench --child moon").refused("  Invalid argument for --child: moon\n");
    place.run("bench home").refused("  home: not a logical volume.\n");
    place
        .run("bench -t")
        .fails(3, "  Test mode is not possible for commands that change files; nothing was changed.\n");
    for line in ["bench --rounds 0", "bench --files x", "bench --quick --full", "bench vg0/home --dir .", "bench a b"] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{line}: {ran:?}");
    }
    place.run("bench vg0/none --quick").fails(5, "  Failed to find logical volume \"vg0/none\"\n");
    place.run("bench --dir none --quick").fails(5, "  none: No such file or directory\n");
    assert!(place.contents() == before);
}

/// Starts a benchmark, and once it has written something, does something and interrupts it.
fn interrupted(place: &Place, line: &str, dir: &Path, meanwhile: impl FnOnce()) -> (i32, String) {
    let mut command = place.command();
    command.args(line.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let at_work = || walk(dir).any(|path| path.to_string_lossy().contains("anyfs-lvm-bench") && path.is_file());
    let begin = Instant::now();
    while !at_work() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the benchmark did not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    meanwhile();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    ended(child)
}

fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn walk(dir: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let (mut open, mut all) = (vec![dir.to_owned()], Vec::new());
    while let Some(dir) = open.pop() {
        // What is listed may be removed meanwhile.
        for entry in dir.read_dir().into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
            all.push(entry.path());
        }
    }
    all.into_iter()
}

#[test]
fn an_interrupted_bench_leaves_nothing_behind() {
    let place = Place::new();
    std::fs::create_dir(place.path("disk")).unwrap();
    let ran = interrupted(&place, "bench --dir disk --size 64m", &place.path("disk"), || {});
    assert_eq!(ran, (5, "  Interrupted.\n".to_owned()));
    assert!(is_empty(&place.path("disk")));

    let place = with_room();
    let ran = interrupted(&place, "bench vg0/home --size 16m --only write", place.dir(), || {});
    assert_eq!(ran, (5, "  Interrupted.\n".to_owned()));
    assert_eq!(place.run("find vg0/home:/").ok(), "vg0/home:/\nvg0/home:/kept\n");
    assert!(!walk(place.dir()).any(|path| path.to_string_lossy().contains("anyfs-lvm-bench")));
}

#[test]
fn what_cannot_be_removed_from_a_volume_is_named() {
    let place = with_room();
    let moved = |from: &str, to: &str| {
        for name in ["a", "b"] {
            std::fs::rename(place.path(&format!("{name}.{from}")), place.path(&format!("{name}.{to}"))).unwrap();
        }
    };
    let gone = || moved("db", "away");
    let (code, err) = interrupted(&place, "bench vg0/home --size 16m --only write", place.dir(), gone);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("WARNING: /.anyfs-lvm-bench.") && err.contains(" in vg0/home may be left: "), "{err}");
    moved("away", "db");
    place.run("check --data vg0/home").ok();
}
