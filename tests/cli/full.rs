//! Commands that change something, on a host filesystem that runs full in the middle of them.
//!
//! Each runs on a fresh copy of a pool, with nothing free, then with more, until it succeeds. A failure is one
//! line that says that space is missing; what was there before is there after it; nothing half-done is left; and the
//! command works when there is room. `FULL_STEP_KIB=4` tries every size instead of four times the last.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Ran};

/// Set in the process that may mount.
const WITHIN: &str = "ANYFS_LVM_TEST_WITHIN";
/// Size of the filesystem; the largest try leaves less than this free.
const HOST: &str = "64m";
/// Tries of all commands together, at least.
const FLOOR: usize = 90;

/// How a command behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It happens, or it does not.
    Whole,
    /// Each of its files is there whole, or not at all.
    Files,
}

struct Case {
    line: &'static str,
    /// Its input, as a file of the host.
    input: Option<&'static str>,
    kind: Kind,
    /// What tells its success from the state before.
    probe: &'static str,
}

const fn whole(line: &'static str, probe: &'static str) -> Case {
    Case { line, input: None, kind: Kind::Whole, probe }
}

const fn files(line: &'static str, probe: &'static str) -> Case {
    Case { line, input: None, kind: Kind::Files, probe }
}

const CASES: [Case; 31] = [
    whole("pvcreate --setphysicalvolumesize 8m new.db", "pvs"),
    whole("pvcreate --setphysicalvolumesize 4m --preallocate new.db", "pvs"),
    whole("vgcreate vg1 c.db", "vgs"),
    whole("vgextend vg0 c.db", "vgs"),
    whole("vgextend --setphysicalvolumesize 8m vg0 new.db", "vgs"),
    whole("vgreduce vg0 b.db", "vgs"),
    whole("vgremove empty", "vgs"),
    whole("pvremove c.db", "pvs"),
    whole("lvcreate -n more -L 2m vg0", "lvs"),
    whole("lvextend -L +1m vg0/home", "lvs"),
    whole("lvrename vg0/other vg0/another", "lvs"),
    whole("lvremove -y vg0/other", "lvs"),
    whole("lvremove -y vg0/home", "lvs"),
    Case { line: "put vg0/home:/new", input: Some("src/sub/two"), kind: Kind::Whole, probe: "sha256sum vg0/home:/new" },
    Case { line: "put vg0/home:/kept", input: Some("src/one"), kind: Kind::Whole, probe: "sha256sum vg0/home:/kept" },
    whole("cp src/sub/two vg0/home:/new", "sha256sum vg0/home:/new"),
    files("cp -a src vg0/home:/", "find vg0/home:/src"),
    whole("cp vg0/home:/kept out.kept", "pvs"),
    files("cp -a vg0/home:/d out", "pvs"),
    whole("cp vg0/home:/kept vg0/home:/new", "sha256sum vg0/home:/new"),
    whole("mkdir vg0/home:/new", "find vg0/home:/new"),
    whole("mv vg0/home:/d/inner vg0/home:/new", "sha256sum vg0/home:/new"),
    whole("ln vg0/home:/kept vg0/home:/new", "find vg0/home:/new"),
    whole("ln -s kept vg0/home:/new", "find vg0/home:/new"),
    whole("touch vg0/home:/new", "find vg0/home:/new"),
    whole("truncate -s 100 vg0/home:/kept", "sha256sum vg0/home:/kept"),
    whole("rm vg0/home:/kept", "find vg0/home:/"),
    files("rm -r vg0/home:/d", "find vg0/home:/"),
    whole("setfattr -n user.a -v one vg0/home:/kept", "getfattr -d vg0/home:/kept"),
    whole("chmod 600 vg0/home:/kept", "find vg0/home:/kept -perm 600"),
    files("import vg0/home:/d src.tar", "find vg0/home:/"),
];

/// `export` writes to the host only.
const EXPORT: Case = whole("export vg0/home:/ out.tar", "pvs");

/// A pool with something in it, and files of the host beside it.
fn master() -> Place {
    let place = Place::new();
    for line in [
        "pvcreate --setphysicalvolumesize 8m a.db b.db c.db e.db",
        "vgcreate vg0 a.db b.db",
        "vgcreate empty e.db",
        "lvcreate -n home -L 4m vg0",
        "lvcreate -n other -L 2m vg0",
        "mkdir vg0/home:/d",
    ] {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    let bytes = |seed: u32, len: u32| -> Vec<u8> {
        (0..len).map(|n| n.wrapping_mul(2_654_435_761).wrapping_add(seed).to_le_bytes()[2]).collect()
    };
    fs::create_dir_all(place.path("src/sub")).unwrap();
    fs::create_dir_all(place.path("out")).unwrap();
    fs::write(place.path("src/one"), bytes(1, 50_000)).unwrap();
    fs::write(place.path("src/sub/two"), bytes(2, 600_000)).unwrap();
    for (name, bytes) in [("kept", bytes(3, 100_000)), ("d/inner", bytes(4, 70_000)), ("d/other", bytes(5, 300))] {
        assert_eq!(place.input(&format!("put vg0/home:/{name}"), &bytes).code, 0);
    }
    let made = Command::new("tar").args(["-cf", "src.tar", "src"]).current_dir(place.dir()).status().unwrap();
    assert!(made.success());
    place
}

fn shell(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A small filesystem with the pool copied to it, for each try anew.
struct Small<'a> {
    master: &'a Place,
    place: Place,
}

impl<'a> Small<'a> {
    fn new(master: &'a Place) -> Self {
        let place = Place::new();
        let dir = place.dir().to_str().unwrap();
        shell(&["mount", "-t", "tmpfs", "-o", &format!("size={HOST}"), "none", dir]);
        Self { master, place }
    }

    /// The pool as it was; all but `free` bytes taken by others.
    fn begin(&self, free: Option<u64>) {
        for entry in fs::read_dir(self.place.dir()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let from = format!("{}/.", self.master.dir().display());
        shell(&["cp", "-a", "--sparse=always", &from, self.place.dir().to_str().unwrap()]);
        // The devices list names the places of the pool that was copied.
        let list = self.place.path("sys/devices");
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.replace(self.master.dir().to_str().unwrap(), self.place.dir().to_str().unwrap()))
            .unwrap();
        // Reserves that were taken for the size of another filesystem.
        for pv in ["a", "b", "c", "e"] {
            let _ = fs::remove_file(self.place.path(&format!("{pv}.db.d/reserve")));
        }
        if let Some(free) = free {
            let space = rustix::fs::statvfs(self.place.dir()).unwrap();
            let ballast = fs::File::create(self.place.path("ballast")).unwrap();
            let take = (space.f_bavail * space.f_bsize).saturating_sub(free);
            rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, take).unwrap();
        }
    }

    fn room(&self) {
        let _ = fs::remove_file(self.place.path("ballast"));
    }

    fn run(&self, case: &Case) -> Ran {
        let bytes = case.input.map(|name| fs::read(self.master.path(name)).unwrap());
        match bytes {
            Some(bytes) => self.place.input(case.line, &bytes),
            None => self.place.run(case.line),
        }
    }

    /// Everything that commands show and that the case may change.
    fn shown(&self, case: &Case) -> String {
        let mut text = Vec::new();
        for line in [case.probe, "pvs", "vgs", "lvs", "find vg0/home:/"] {
            let ran = self.place.run(line);
            text.push(format!("{line}: {}\n{}", ran.code, ran.out));
        }
        text.push(self.host());
        text.concat()
    }

    /// Files of the host that a command may make, with the sizes of what is copied out.
    fn host(&self) -> String {
        let mut names = BTreeSet::new();
        let mut open = vec![self.place.dir().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(self.place.dir()).unwrap().display().to_string();
                if path.is_dir() {
                    open.push(path);
                } else if !passing(&path) {
                    let out = name.starts_with("out");
                    let len = if out { path.metadata().unwrap().len() } else { 0 };
                    names.insert(format!(
                        "{} {len}",
                        if path.extension().is_some_and(|end| end == "meta") { "META" } else { &name }
                    ));
                }
            }
        }
        names.into_iter().collect::<Vec<_>>().join("\n")
    }
}

/// Files that come and go without meaning.
fn passing(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    ["-journal", "-wal", "-shm", ".lock"].iter().any(|end| name.ends_with(end))
        || name == "reserve"
        || path.parent().is_some_and(|dir| dir.ends_with("archive"))
}

/// The next size to try.
fn next(kib: u64) -> u64 {
    match std::env::var("FULL_STEP_KIB").ok().and_then(|text| text.parse::<u64>().ok()) {
        Some(step) => kib + step,
        None if kib == 0 => 4,
        None => kib * 4,
    }
}

fn judge_words(case: &Case, ran: &Ran) -> Result<(), String> {
    let lower = ran.err.to_lowercase().replace("-wal", "").replace("-journal", "");
    let jargon = ["sqlite", "os error", "panicked", "database", "disk is full", "constraint"];
    if let Some(word) = jargon.iter().find(|word| lower.contains(**word)) {
        return Err(format!("\"{word}\" in what it says"));
    }
    let lines = ran.err.lines().filter(|line| !line.starts_with("  hint: ") && !line.contains("WARNING"));
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with("  Copied ")).collect();
    if lines.is_empty() || (lines.len() > 1 && case.kind == Kind::Whole) {
        return Err(format!("{} lines about one failure", lines.len()));
    }
    if lines.iter().any(|line| !line.to_lowercase().contains("no space left")) {
        return Err("it does not say that space is missing".to_owned());
    }
    // No other PV helps a change of the group, nor the metadata of a volume.
    let group = ["pv", "vg", "lv"].iter().any(|family| case.line.starts_with(family));
    if group || lines.iter().any(|line| line.contains(".meta")) {
        let hint = ran.err.lines().find(|line| line.starts_with("  hint: make room "));
        if hint.is_none_or(|hint| hint.contains("with vgextend")) {
            return Err("it does not say what to do".to_owned());
        }
    }
    Ok(())
}

/// One try; whether it succeeded.
fn attempt(small: &Small<'_>, case: &Case, kib: u64, states: (&str, &str)) -> Result<bool, String> {
    small.begin(Some(kib * 1024));
    let ran = small.run(case);
    small.room();
    let told = format!("{} with {kib} KiB free: exit code {}: {}", case.line, ran.code, ran.err);
    let shown = small.shown(case);
    if ran.code == 0 {
        return if shown == states.1 {
            Ok(true)
        } else {
            Err(format!("{told}\nshows\n{shown}\ninstead of\n{}", states.1))
        };
    }
    if ran.code != 5 {
        return Err(format!("{told}\nis not exit code 5"));
    }
    judge_words(case, &ran).map_err(|why| format!("{told}\n{why}"))?;
    let partly = case.kind == Kind::Files;
    if shown != states.0 && !partly {
        return Err(format!("{told}\nshows\n{shown}\ninstead of\n{}", states.0));
    }
    let known: BTreeSet<&str> = states.0.lines().chain(states.1.lines()).collect();
    if let Some(line) = shown.lines().find(|line| partly && !known.contains(line)) {
        return Err(format!("{told}\nleft: {line}"));
    }
    let again = small.run(case);
    let shown = small.shown(case);
    if again.code != 0 || shown != states.1 {
        return Err(format!(
            "{told}\nand again with room: {}: {}\nshows\n{shown}\ninstead of\n{}",
            again.code, again.err, states.1
        ));
    }
    Ok(false)
}

/// All sizes of one command; how many.
fn steps(small: &Small<'_>, case: &Case) -> Result<usize, Vec<String>> {
    small.begin(None);
    let before = small.shown(case);
    let ran = small.run(case);
    assert_eq!(ran.code, 0, "{}: {}", case.line, ran.err);
    let after = small.shown(case);
    let (mut kib, mut tries, mut wrong) = (0, 0, Vec::new());
    while kib < 40_000 {
        tries += 1;
        match attempt(small, case, kib, (&before, &after)) {
            Ok(true) => break,
            Ok(false) => {}
            Err(why) => wrong.push(why),
        }
        kib = next(kib);
    }
    if wrong.is_empty() { Ok(tries) } else { Err(wrong) }
}

/// Somebody takes every byte that is free between two commands; each of them still comes in, deletes and leaves.
fn nothing_is_worn_away() {
    let place = Place::new();
    let dir = place.dir().to_str().unwrap();
    shell(&["mount", "-t", "tmpfs", "-o", &format!("size={HOST}"), "none", dir]);
    for line in
        ["pvcreate --setphysicalvolumesize 80m a.db", "vgcreate -s 64k vg0 a.db", "lvcreate -n home -l 90%FREE vg0"]
    {
        assert_eq!(place.run(line).code, 0, "{line}");
    }
    for name in 0..6 {
        assert_eq!(place.input(&format!("put vg0/home:/{name}"), &vec![7; 200_000]).code, 0);
    }
    // More extents than one commit on a full host can take apart.
    let long: Vec<u8> = (0..12_000_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    assert_eq!(place.input("put vg0/home:/long", &long).code, 0);
    let take_all = || {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(place.path("ballast")).unwrap();
        for piece in [65536, 4096, 1] {
            while file.write_all(&vec![1; piece]).is_ok() {}
        }
    };
    for name in ["long", "0", "1", "2", "3", "4", "5"] {
        for line in ["ls vg0/home:/", &format!("rm vg0/home:/{name}"), "check vg0/home"] {
            take_all();
            let ran = place.run(line);
            assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        }
    }
    assert_eq!(place.input("put vg0/home:/again", &long[..20_000_000]).code, 0);
    shell(&["umount", dir]);
}

#[test]
#[ignore = "runs inside the next test, where it may mount"]
fn within_a_filesystem_of_its_own() {
    if std::env::var(WITHIN).is_err() {
        return;
    }
    nothing_is_worn_away();
    let only = std::env::var("FULL_ONLY").unwrap_or_default();
    let master = master();
    let small = Small::new(&master);
    let (mut tries, mut wrong) = (0, Vec::new());
    for case in CASES.iter().chain([&EXPORT]).filter(|case| case.line.starts_with(&only)) {
        match steps(&small, case) {
            Ok(some) => tries += some,
            Err(some) => wrong.extend(some),
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(tries >= FLOOR || !only.is_empty(), "only {tries} tries");
    // Standard output of a test is shown to whoever runs it.
    fs::write(std::env::var(WITHIN).unwrap(), tries.to_string()).unwrap();
}

#[test]
fn every_command_that_finds_the_host_full_in_its_middle_changes_nothing_and_works_later() {
    let own = std::env::current_exe().unwrap();
    let report: PathBuf = std::env::temp_dir().join(format!("anyfs-lvm-full-{}", std::process::id()));
    let mut refused = String::new();
    for more in [&[][..], &["--user", "--map-root-user"]] {
        let unshare = [&["--mount", "--propagation", "private"][..], more].concat();
        let probe = Command::new("unshare").args(&unshare).args(["mount", "-t", "tmpfs", "none", "/tmp"]).output();
        match probe {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                refused = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                continue;
            }
            Err(error) => {
                refused = format!("unshare: {error}");
                break;
            }
        }
        let mut inner = Command::new("unshare");
        inner.args(&unshare).arg(&own).args(["--exact", "full::within_a_filesystem_of_its_own", "--ignored"]);
        let output = inner.env(WITHIN, &report).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let tries = fs::read_to_string(&report).unwrap();
        fs::remove_file(&report).unwrap();
        assert!(tries.parse::<usize>().unwrap() > 0, "{tries}");
        return;
    }
    let mut out = std::io::stdout();
    writeln!(out, "\nSKIPPED: full host filesystems under each command: none can be mounted here ({refused})").unwrap();
}
