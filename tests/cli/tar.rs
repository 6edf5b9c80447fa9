//! Tar streams out of volumes and into them.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use crate::support::{Place, Ran};

/// Runs a command line, whatever bytes come out.
fn bytes(place: &Place, line: &str) -> Vec<u8> {
    let output = place.command().args(line.split_whitespace()).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{line}");
    output.stdout
}

#[track_caller]
fn fine(ran: &Ran) {
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

/// GNU tar, or a word about what is left out without it.
fn gnu_tar() -> bool {
    let output = Command::new("tar").arg("--version").output();
    let found = output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("GNU tar"));
    if !found {
        // Not by print!, which nobody sees of a test that passes.
        writeln!(std::io::stdout(), "\nSKIPPED: exchange of archives with GNU tar: it is not installed").unwrap();
    }
    found
}

fn time(path: &Path, seconds: i64, nanos: i64) {
    let spec = Timespec { tv_sec: seconds, tv_nsec: nanos };
    let times = Timestamps { last_access: spec, last_modification: spec };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// A tree with everything that a plain header cannot say.
fn tree(root: &Path) {
    let long = root.join("p".repeat(90)).join("q".repeat(90));
    fs::create_dir_all(&long).unwrap();
    fs::create_dir_all(root.join("d/e")).unwrap();
    fs::write(long.join("deep"), b"deep").unwrap();
    fs::write(root.join("n".repeat(255)), b"long").unwrap();
    fs::write(root.join("grün"), b"green").unwrap();
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff\xfe\n")), b"no text").unwrap();
    fs::write(root.join("one"), b"shared").unwrap();
    fs::hard_link(root.join("one"), root.join("d/two")).unwrap();
    fs::hard_link(root.join("one"), root.join("d/e/three")).unwrap();
    fs::write(root.join("empty"), b"").unwrap();
    fs::write(root.join("big"), vec![9u8; 700_001]).unwrap();
    symlink("x".repeat(300), root.join("link")).unwrap();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    for piece in [0, 1, 5, 300] {
        sparse.seek(SeekFrom::Start(piece << 20)).unwrap();
        sparse.write_all(&[7; 4096]).unwrap();
    }
    sparse.set_len(400 << 20).unwrap();
    File::create(root.join("hole")).unwrap().set_len(1 << 20).unwrap();
    rustix::fs::mknodat(CWD, root.join("d/pipe"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    // Whoever cannot have them goes without.
    let _ = rustix::fs::setxattr(root.join("one"), "user.a=b%", b"\n1\xff\0", XattrFlags::empty());
    let _ = rustix::fs::setxattr(root.join("d"), "user.dir", &[3; 2000], XattrFlags::empty());
    fs::set_permissions(root.join("big"), fs::Permissions::from_mode(0o4751)).unwrap();
    fs::set_permissions(root.join("d/e"), fs::Permissions::from_mode(0o1750)).unwrap();
    time(&root.join("big"), 1_234_567_890, 123_456_789);
    time(&root.join("one"), 1_234_567_890, 0);
    time(&root.join("empty"), -2, 500_000_000);
    time(&root.join("link"), 999_999_999, 1);
    time(&root.join("d/e"), 77, 777);
    time(&root.join("d"), 5, 1);
    time(root, 987_654_321, 987_654_321);
}

/// Every name below a folder with what is easily lost of it.
fn seen(root: &Path) -> Vec<String> {
    let (mut open, mut all) = (vec![root.to_owned()], Vec::new());
    while let Some(path) = open.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let links = if found.is_dir() { 0 } else { found.nlink() };
        let time = (found.mtime(), found.mtime_nsec());
        let size = if found.is_dir() { 0 } else { found.len() };
        let name = path.strip_prefix(root).unwrap().to_owned();
        let sparse = found.is_file() && found.blocks() * 512 < found.len() / 2;
        let rest = match () {
            () if found.is_dir() => {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                Vec::new()
            }
            () if found.is_symlink() => fs::read_link(&path).unwrap().into_os_string().as_bytes().to_vec(),
            () if found.is_file() && found.len() < 1 << 20 => fs::read(&path).unwrap(),
            () => Vec::new(),
        };
        let mut value = [0; 4000];
        let mut get =
            |name: &str| rustix::fs::lgetxattr(&path, name, value.as_mut_slice()).map(|len| value[..len].to_vec());
        let xattrs = (get("user.a=b%").ok(), get("user.dir").ok());
        let owner = (found.mode(), found.uid(), found.gid());
        all.push(format!("{name:?} {owner:?} {links} {time:?} {size} {sparse} {rest:?} {xattrs:?}"));
    }
    all.sort();
    all
}

#[test]
fn an_archive_of_an_imported_archive_is_the_same_to_the_byte() {
    let place = Place::with_home();
    tree(&place.path("in"));
    place.run("cp -a in vg0/home:/").ok();
    place.run("export vg0/home:/in a.tar").ok();
    place.run("mkdir vg0/home:/again").ok();
    fine(&place.run("import vg0/home:/again a.tar"));
    let (first, again) = (fs::read(place.path("a.tar")).unwrap(), bytes(&place, "export vg0/home:/again"));
    assert!(first == again, "{} bytes and {} bytes", first.len(), again.len());
    // 400 MiB with four pages of data went through a file of less than 2 MiB.
    assert!(first.len() < 2 << 20, "{}", first.len());
    place.run("cp -a vg0/home:/again out").ok();
    let (from, to) = (seen(&place.path("in")), seen(&place.path("out")));
    assert_eq!(from, to);
    assert!(from.len() > 17);
}

#[test]
fn gnu_tar_unpacks_what_export_writes_through_a_pipe() {
    let place = Place::with_home();
    tree(&place.path("in"));
    place.run("cp -a in vg0/home:/").ok();
    if !gnu_tar() {
        return;
    }
    fs::create_dir(place.path("out")).unwrap();
    let mut export = place.start("export vg0/home:/in -");
    let mut tar = Command::new("tar");
    tar.args(["--xattrs", "--xattrs-include=*", "--warning=no-timestamp", "-xpf", "-", "-C"]).arg(place.path("out"));
    let output = tar.stdin(export.stdout.take().unwrap()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(export.wait().unwrap().success());
    assert_eq!(seen(&place.path("in")), seen(&place.path("out")));
}

#[test]
fn import_reads_every_form_that_gnu_tar_writes_through_a_pipe() {
    if !gnu_tar() {
        return;
    }
    let place = Place::with_home();
    tree(&place.path("in"));
    let forms: [&[&str]; 4] = [
        &["--format=pax", "--sparse-version=1.0"],
        &["--format=pax", "--sparse-version=0.1"],
        &["--format=pax", "--sparse-version=0.0"],
        &["--format=gnu"],
    ];
    for form in forms {
        let is_pax = form.contains(&"--format=pax");
        place.run("mkdir vg0/home:/t").ok();
        let mut tar = Command::new("tar");
        tar.args(form).args(["--sparse", "-cf", "-", "-C"]).arg(place.path("in")).arg(".").stdout(Stdio::piped());
        if is_pax {
            tar.args(["--xattrs", "--xattrs-include=*"]);
        }
        let mut tar = tar.spawn().unwrap();
        let mut import = place.command();
        let output = import.args(["import", "vg0/home:/t"]).stdin(tar.stdout.take().unwrap()).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{form:?}: {output:?}");
        assert!(tar.wait().unwrap().success());
        place.run("cp -a vg0/home:/t out").ok();
        let (from, to) = (seen(&place.path("in")), seen(&place.path("out")));
        if is_pax {
            assert_eq!(from, to, "{form:?}");
        } else {
            // That form has whole seconds only, and no extended attributes.
            assert_eq!(from.len(), to.len());
            assert_eq!(fs::read(place.path("in/sparse")).unwrap(), fs::read(place.path("out/sparse")).unwrap());
            assert!(fs::metadata(place.path("out/sparse")).unwrap().blocks() < 1 << 10);
        }
        place.run("rm -r vg0/home:/t").ok();
        fs::remove_dir_all(place.path("out")).unwrap();
    }
}

#[test]
fn one_file_and_the_whole_volume_can_be_exported() {
    let place = Place::with_home();
    place.run("mkdir vg0/home:/d").ok();
    place.input("put vg0/home:/d/f", b"text");
    place.run("export vg0/home:/d/f one.tar").ok();
    fine(&place.run("import vg0/home one.tar"));
    assert_eq!(place.run("cat vg0/home:/f").ok(), "text");
    fine(&place.input("import vg0/home:/d -", &bytes(&place, "export vg0/home")));
    assert_eq!(place.run("ls -R vg0/home:/d").ok(), "vg0/home:/d:\nd\nf\n\nvg0/home:/d/d:\nf\n");
    place.run("export vg0/home:/no").fails(5, "  vg0/home:/no: No such file or directory\n");
    place.run("export vg0/home no/x.tar").fails(5, "  no/x.tar: No such file or directory\n");
    place
        .run("export nothing")
        .fails(3, "  nothing: not a path inside a logical volume.\n  Run `export --help' for more information.\n");
    let missing = place.input("import vg0/home:/no", b"");
    missing.fails(5, "  vg0/home:/no: No such file or directory\n");
    assert!(missing.err.contains("hint: make it first: anyfs-lvm mkdir -p vg0/home:/no"), "{missing:?}");
    place.run("import vg0/home:/f one.tar").fails(5, "  vg0/home:/f: Not a directory\n");
    place.run("import vg0/home no.tar").fails(5, "  no.tar: No such file or directory\n");
    assert!(place.run("help import").ok().contains("symbolic link") && place.run("help").ok().contains("export"));
}

#[test]
fn sockets_are_left_out_with_a_word_and_a_reader_may_go_away() {
    let place = Place::with_home();
    fs::create_dir(place.path("in")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("in/socket")).unwrap();
    fs::write(place.path("in/f"), vec![1; 1 << 20]).unwrap();
    place.run("cp -a in vg0/home:/").ok();
    assert!(fs::symlink_metadata(place.path("in/socket")).unwrap().file_type().is_socket());
    let ran = place.run("export vg0/home:/in out.tar");
    assert_eq!((ran.code, ran.err.as_str()), (0, "  WARNING: socket: socket; left out\n"));
    let mut child = place.start("export vg0/home:/in");
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn neither_is_tried_out_and_a_failed_export_keeps_the_old_file() {
    let place = Place::with_home();
    place.input("put vg0/home:/f", &vec![1; 2 << 20]);
    fs::write(place.path("out.tar"), b"old").unwrap();
    for line in ["import -t vg0/home out.tar", "export -t vg0/home out.tar"] {
        let ran = place.run(line);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains("nothing was changed"), "{ran:?}");
    }
    assert_eq!(place.run("export vg0/none out.tar").code, 5);
    assert_eq!(fs::read(place.path("out.tar")).unwrap(), b"old");
    place.run("export vg0/home /dev/null").ok();
    place.run("export vg0/home out.tar").ok();
    assert!(fs::metadata(place.path("out.tar")).unwrap().len() > 2 << 20);
    assert_eq!(
        fs::read_dir(place.dir())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().contains(".tmp") })
            .count(),
        0
    );
}
