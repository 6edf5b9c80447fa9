//! Archives that are damaged, cut off or meant to do harm.

use std::fmt::Write;
use std::fs;

use ::tar::{EntryType, Header};

use crate::support::{Place, Ran};

/// An archive in the making.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn add(mut self, kind: EntryType, name: &str, link: &str, data: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(data.len() as u64);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn file(self, name: &str, data: &[u8]) -> Self {
        self.add(EntryType::Regular, name, "", data)
    }

    fn records(self, records: &[(&str, &str)]) -> Self {
        let mut all = String::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let digits = if rest < 9 {
                1
            } else if rest < 98 {
                2
            } else {
                3
            };
            writeln!(all, "{} {key}={value}", rest + digits).unwrap();
        }
        self.add(EntryType::XHeader, "x", "", all.as_bytes())
    }

    /// Changes the last header that begins at `at`, and makes its checksum right again.
    fn edit(mut self, at: usize, change: impl FnOnce(&mut Header)) -> Self {
        let mut header = Header::new_old();
        header.as_mut_bytes().copy_from_slice(&self.0[at..at + 512]);
        change(&mut header);
        header.set_cksum();
        self.0[at..at + 512].copy_from_slice(header.as_bytes());
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

/// A volume with a folder `t` to unpack into, and something beside it that must stay as it is.
fn place() -> Place {
    let place = Place::with_home();
    place.run("mkdir -p vg0/home:/t vg0/home:/beside").ok();
    place.input("put vg0/home:/beside/f", b"safe");
    place
}

/// Unpacks into `t`; nothing beside it changes, and nothing temporary is left.
#[track_caller]
fn import(place: &Place, archive: &[u8]) -> Ran {
    let ran = place.input("import vg0/home:/t", archive);
    assert!(!ran.err.contains("panicked") && ran.out.is_empty(), "{ran:?}");
    assert_eq!(place.run("ls -a vg0/home:/").ok(), "beside\nt\n");
    assert_eq!(place.run("ls -aR vg0/home:/beside").ok(), "vg0/home:/beside:\nf\n");
    assert_eq!(place.run("cat vg0/home:/beside/f").ok(), "safe");
    assert!(!place.run("ls -aR vg0/home:/t").ok().contains(".tmp"));
    ran
}

fn listed(place: &Place) -> String {
    place.run("ls -aR vg0/home:/t").ok().replace("vg0/home:/t", "")
}

#[test]
fn names_never_lead_out_of_the_target() {
    let place = place();
    let link = EntryType::Symlink;
    let archive = Archive::default()
        .file("../beside/f", b"evil")
        .file("a/../../beside/f", b"evil")
        .file("..", b"evil")
        .add(link, "up", "../beside", b"")
        .file("up/f", b"evil")
        .add(EntryType::Directory, "up/d", "", b"")
        .add(link, "self", ".", b"")
        .file("self/g", b"evil")
        .add(EntryType::Link, "h", "up/f", b"")
        .add(EntryType::Link, "h", "../beside/f", b"")
        .add(EntryType::Link, "h", "/beside/f", b"")
        .records(&[("path", "../beside/f")])
        .file("x", b"evil")
        .file("last", b"fine")
        .end();
    let ran = import(&place, &archive);
    let lines = [
        "  ../beside/f: the name has \"..\" in it; left out",
        "  a/../../beside/f: the name has \"..\" in it; left out",
        "  ..: the name has \"..\" in it; left out",
        "  up/f: up is a symbolic link; left out",
        "  up/d: up is a symbolic link; left out",
        "  self/g: self is a symbolic link; left out",
        "  h: hard link to up/f: no earlier member of the archive; left out",
        "  h: hard link to ../beside/f: no earlier member of the archive; left out",
        "  h: hard link to /beside/f: no earlier member of the archive; left out",
        "  ../beside/f: the name has \"..\" in it; left out",
        "",
    ];
    ran.fails(5, &lines.join("\n"));
    assert_eq!(listed(&place), ":\nlast\nself\nup\n");
}

#[test]
fn a_link_that_takes_the_place_of_a_directory_leads_nobody_astray() {
    let place = place();
    let archive = Archive::default()
        .add(EntryType::Directory, "d/", "", b"")
        .add(EntryType::Symlink, "d", "../beside", b"")
        .file("d/f", b"evil")
        .file("/abs", b"inside")
        .end();
    let ran = import(&place, &archive);
    let warning = "  WARNING: Names that begin with / were taken without it.\n";
    ran.fails(5, &format!("{warning}  d/f: d is a symbolic link; left out\n"));
    assert_eq!(place.run("cat vg0/home:/t/abs").ok(), "inside");
}

#[test]
fn later_members_win_and_directories_that_were_there_stay() {
    let place = place();
    place.run("mkdir -p vg0/home:/t/kept/x").ok();
    place.input("put vg0/home:/t/old", b"old");
    place.input("put vg0/home:/t/way", b"in the way");
    let archive = Archive::default()
        .file("f", b"first")
        .add(EntryType::Link, "g", "f", b"")
        .file("old", b"new")
        .add(EntryType::Directory, "way", "", b"")
        .file("way/in", b"in")
        .file("kept", b"no")
        .add(EntryType::Directory, "kept", "", b"")
        .file("way", b"no")
        .file("f", b"second")
        .add(EntryType::Link, "outside", "kept/x", b"")
        .add(EntryType::Link, "later", "behind", b"")
        .file("behind", b"")
        .add(EntryType::new(b'Z'), "what", "", b"data")
        .end();
    let ran = import(&place, &archive);
    let lines = [
        "  kept: Is a directory; left as it is",
        "  way: Directory not empty; left as it is",
        "  outside: hard link to kept/x: no earlier member of the archive; left out",
        "  later: hard link to behind: no earlier member of the archive; left out",
        "  what: unknown kind of member 'Z'; left out",
        "",
    ];
    ran.fails(5, &lines.join("\n"));
    let cat = |name: &str| place.run(&format!("cat vg0/home:/t/{name}")).ok();
    assert_eq!([cat("f"), cat("g"), cat("old"), cat("way/in")], ["second", "first", "new", "in"]);
    assert_eq!(listed(&place), ":\nbehind\nf\ng\nkept\nold\nway\n\n/kept:\nx\n\n/kept/x:\n\n/way:\nin\n");
}

#[test]
fn a_shortened_archive_is_one_failure_and_leaves_whole_files_only() {
    let place = place();
    let data = vec![b'x'; 1000];
    let whole = Archive::default().file("a", &data).records(&[("path", "b")]).file("-", &data).end();
    // Header and contents of a, header and records of b, its header and contents, the end mark.
    for (cut, files, said) in [
        (0, "", "not a tar archive, it is empty"),
        (100, "", "not a tar archive"),
        (512, "", "a: the archive is cut off in the middle of this member"),
        (1400, "", "a: the archive is cut off in the middle of this member"),
        (1520, "a\n", "a: the archive is cut off right behind this member"),
        (1536, "a\n", "the archive is cut off, its end mark is missing (byte 1536 of the archive, after a)"),
        (1600, "a\n", "the archive is cut off in a header (byte 1600 of the archive, after a)"),
        (2050, "a\n", "the archive is cut off in a header"),
        (2560, "a\n", "the archive is cut off, its end mark is missing"),
        (3500, "a\n", "b: the archive is cut off in the middle of this member"),
        (4096, "a\nb\n", "the archive is cut off, its end mark is missing (byte 4096 of the archive, after b)"),
    ] {
        let ran = import(&place, &whole[..cut]);
        assert_eq!((ran.code, ran.err.lines().count()), (5, 1), "{cut}: {ran:?}");
        assert!(ran.err.starts_with("  standard input: ") && ran.err.contains(said), "{cut}: {ran:?}");
        assert_eq!(place.run("ls -a vg0/home:/t").ok(), files, "{cut}");
        for file in files.lines() {
            assert_eq!(place.run(&format!("cat vg0/home:/t/{file}")).ok().len(), 1000);
            place.run(&format!("rm vg0/home:/t/{file}")).ok();
        }
    }
    assert_eq!((import(&place, &whole).code, import(&place, &whole[..4608]).code), (0, 0));
}

#[test]
fn what_is_no_archive_or_makes_no_sense_is_named() {
    let place = place();
    let text = import(&place, &vec![b'x'; 5000]);
    text.fails(5, "  standard input: not a tar archive\n");
    let packed = import(&place, &[&b"\x1f\x8b\x08"[..], &[0; 600]].concat());
    packed.fails(5, "  standard input: not a tar archive\n");
    assert!(packed.err.contains("hint: it is compressed: gzip -dc FILE | anyfs-lvm import"), "{packed:?}");
    let first = || Archive::default().file("first", b"fine").file("second", b"data");
    let mut sum = first().end();
    sum[1024 + 3] ^= 1;
    let mut behind = first().end();
    behind.extend_from_slice(&Archive::default().file("lost", b"").0);
    let field = |value: u8| move |header: &mut Header| header.as_old_mut().size = [value; 12];
    let pax =
        |records: &[(&str, &str)]| Archive::default().file("first", b"").records(records).file("-", b"data").end();
    for (archive, said) in [
        (sum, "damaged archive: a header with a wrong checksum (byte 1536 of the archive, after first)"),
        (behind, "something follows the end mark of the archive, and was left out"),
        (first().edit(1024, field(b'x')).end(), "damaged archive: a header without a valid size"),
        (first().edit(1024, field(0xff)).end(), "damaged archive: a header without a valid size"),
        (first().edit(1024, field(b'7')).end(), "second: the archive is cut off in the middle of this member"),
        (pax(&[("size", "18446744073709551615")]), "-: the archive is cut off in the middle of this member"),
        (pax(&[("size", "x")]), "has a number that cannot be read"),
        (pax(&[("mtime", "yesterday")]), "has a number that cannot be read"),
        (pax(&[("GNU.sparse.size", "9"), ("GNU.sparse.map", "5,9")]), "holes makes no sense"),
        (pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")]), "holes makes no sense"),
        (Archive::default().file("first", b"").records(&[]).records(&[]).end(), "two headers of a kind"),
        (Archive::default().file("first", b"").add(EntryType::XHeader, "x", "", b"9 a=b\n").end(), "cannot be read"),
        (Archive::default().file("first", b"").add(EntryType::XHeader, "x", "", b"6 a=b\n").end(), "should be"),
        (Archive::default().file("first", b"").edit(0, |h| h.as_old_mut().uid = *b"notocta\0").end(), "a number"),
    ] {
        let ran = import(&place, &archive);
        assert_eq!((ran.code, ran.err.lines().count()), (5, 1), "{said}: {ran:?}");
        assert!(ran.err.contains(said), "{said}: {ran:?}");
        let files = place.run("ls -a vg0/home:/t").ok();
        assert!(matches!(files.as_str(), "" | "first\n" | "first\nsecond\n"), "{said}: {files}");
    }
}

#[test]
fn names_that_a_volume_cannot_hold_are_left_out_and_the_rest_is_not() {
    let place = place();
    let long = "y".repeat(300);
    let archive = Archive::default()
        .records(&[("path", &long)])
        .file("-", b"data")
        .file("f", b"text")
        .add(EntryType::Directory, "f", "", b"")
        .add(EntryType::Symlink, "s", "", b"")
        .file("f/g", b"text")
        .file("g", b"")
        .file("g/h", b"text")
        .end();
    let ran = import(&place, &archive);
    assert_eq!((ran.code, ran.err.lines().count()), (5, 3), "{ran:?}");
    assert!(ran.err.contains("file name too long (at most 255 bytes)"), "{ran:?}");
    assert!(ran.err.contains("  s: a symbolic link's target must be 1 to 4095 bytes"), "{ran:?}");
    assert!(ran.err.contains("  g/h: g is not a directory; left out"), "{ran:?}");
    assert_eq!(listed(&place), ":\nf\ng\n\n/f:\ng\n");
}

#[test]
fn a_full_volume_ends_an_import_with_one_failure() {
    let place = place();
    let archive = Archive::default().file("small", b"fits").file("big", &vec![5; 6 << 20]).file("more", b"x").end();
    let ran = import(&place, &archive);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains(": vg0/home: no space left on the logical volume ("), "{ran:?}");
    assert!(ran.err.contains("hint: make room with: anyfs-lvm lvextend"), "{ran:?}");
    assert_eq!(listed(&place), ":\nsmall\n");
}

/// A generator of its own: the same damage in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

#[test]
fn random_damage_never_panics_and_never_reaches_what_is_beside() {
    let place = place();
    let sparse = [("GNU.sparse.size", "9000"), ("GNU.sparse.map", "0,512,8192,512"), ("mtime", "1.5")];
    let whole = Archive::default()
        .add(EntryType::Directory, "d/", "", b"")
        .file("d/f", &[1; 700])
        .add(EntryType::Symlink, "d/l", "../../beside", b"")
        .records(&[("path", "d/l/f"), ("SCHILY.xattr.user.a", "v")])
        .file("-", b"data")
        .records(&sparse)
        .file("s", &[2; 1024])
        .add(EntryType::Link, "h", "d/f", b"")
        .add(EntryType::Fifo, "p", "", b"")
        .end();
    let headers: Vec<usize> =
        (0..whole.len()).step_by(512).filter(|at| whole[at + 257..].starts_with(b"ustar")).collect();
    let mut random = Random(42);
    for round in 0..40 {
        let mut archive = whole.clone();
        for _ in 0..=random.below(3) {
            let header = headers[random.below(headers.len())];
            let at = header + random.below(512);
            archive[at] = [0, b'/', b'.', b'7', 0xff, b'\n'][random.below(6)];
            // Most damage has a right checksum, or it would be found at once.
            if round % 4 != 0 {
                archive = Archive(archive).edit(header, |_| {}).0;
            }
        }
        if random.below(4) == 0 {
            archive.truncate(random.below(archive.len()));
        }
        let ran = import(&place, &archive);
        assert!(matches!(ran.code, 0 | 5), "{round}: {ran:?}");
        assert!(!ran.err.contains("os error"), "{round}: {ran:?}");
        fs::write(place.path("last"), &archive).unwrap();
        place.run("rm -r vg0/home:/t").ok();
        place.run("mkdir vg0/home:/t").ok();
    }
}

#[test]
fn access_control_lists_are_kept_and_strange_ones_named() {
    let place = place();
    let list = "user::rw-,user:1000:r--:1000,group::r--,mask::r--,other::---";
    let archive = Archive::default().records(&[("SCHILY.acl.access", list)]).file("kept", b"");
    let archive = archive.records(&[("SCHILY.acl.access", "user:no-such-user:rwx")]).file("strange", b"data");
    let ran = import(&place, &archive.end());
    ran.fails(5, "  strange: its access control list names nobody known here, or is damaged; left out\n");
    assert_eq!(place.run("cat vg0/home:/t/strange").ok(), "data");
    assert_eq!(place.run("getfattr -m - vg0/home:/t/strange").ok(), "");
    let bytes = place.run("getfattr -e hex -n system.posix_acl_access vg0/home:/t/kept").ok();
    let entries = "01000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000000ffffffff";
    assert!(bytes.contains(&format!("system.posix_acl_access=0x02000000{entries}")), "{bytes}");
    place.run("export vg0/home:/t/kept a.tar").ok();
    let again = String::from_utf8_lossy(&fs::read(place.path("a.tar")).unwrap()).into_owned();
    assert!(again.contains(&format!("SCHILY.acl.access={list}\n")), "the list is not in the archive");
}
