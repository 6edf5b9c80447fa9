//! What `cp -a` keeps.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use crate::support::Place;

/// A tree with everything that is easily lost.
fn tree(root: &Path) {
    fs::create_dir_all(root.join("d/e")).unwrap();
    fs::write(root.join("one"), b"shared").unwrap();
    fs::hard_link(root.join("one"), root.join("d/two")).unwrap();
    fs::hard_link(root.join("one"), root.join("d/e/three")).unwrap();
    std::os::unix::fs::symlink("nowhere", root.join("link")).unwrap();
    fs::hard_link(root.join("link"), root.join("d/same link")).unwrap();
    let mut sparse = File::create(root.join("sparse")).unwrap();
    sparse.seek(SeekFrom::Start(40 << 20)).unwrap();
    sparse.write_all(b"middle").unwrap();
    sparse.set_len(90 << 20).unwrap();
    let pipe = root.join("d/pipe");
    rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    fs::set_permissions(&pipe, fs::Permissions::from_mode(0o622)).unwrap();
    fs::set_permissions(root.join("d/e"), fs::Permissions::from_mode(0o1750)).unwrap();
}

fn seen(path: &Path) -> (u32, u64, i64, i64, u64) {
    let found = fs::symlink_metadata(path).unwrap();
    (found.mode(), found.nlink(), found.mtime(), found.mtime_nsec(), found.len())
}

#[test]
fn an_archive_copy_keeps_links_holes_pipes_modes_and_nanoseconds() {
    let place = Place::with_home();
    place.run("lvcreate -n other -L 4m vg0").ok();
    tree(&place.path("in"));
    place.run("cp -a in vg0/home:/").ok();
    place.run("cp -a vg0/home:/in vg0/other:/").ok();
    place.run("cp -a vg0/other:/in out").ok();
    let (from, to) = (place.path("in"), place.path("out"));
    for name in ["one", "d", "d/two", "d/e", "d/e/three", "link", "d/same link", "sparse", "d/pipe"] {
        assert_eq!(seen(&from.join(name)), seen(&to.join(name)), "{name}");
    }
    let ino = |name: &str| fs::symlink_metadata(to.join(name)).unwrap().ino();
    assert_eq!((ino("one"), ino("one")), (ino("d/two"), ino("d/e/three")));
    assert_eq!(ino("link"), ino("d/same link"));
    assert!(fs::symlink_metadata(to.join("d/pipe")).unwrap().file_type().is_fifo());
    let sparse = fs::read(to.join("sparse")).unwrap();
    assert_eq!(&sparse[40 << 20..(40 << 20) + 6], b"middle");
    assert_eq!(sparse.iter().filter(|byte| **byte != 0).count(), 6);
    // 90 MiB went through two volumes of 4 MiB.
    let blocks = fs::metadata(to.join("sparse")).unwrap().blocks();
    assert!(blocks * 512 < 1 << 20, "the hole was filled: {blocks} blocks");
    let again = place.run("cp -a -u in vg0/home:/");
    assert_eq!((again.code, again.err.as_str()), (0, ""));
}

#[test]
fn holes_between_small_pieces_of_data_stay_holes() {
    let place = Place::with_home();
    let mut file = File::create(place.path("in")).unwrap();
    for piece in 0..40 {
        file.seek(SeekFrom::Start(piece * 65536)).unwrap();
        file.write_all(&[7; 4096]).unwrap();
    }
    drop(file);
    place.run("cp -a in vg0/home:/f").ok();
    place.run("cp -a vg0/home:/f out").ok();
    assert_eq!(fs::read(place.path("out")).unwrap(), fs::read(place.path("in")).unwrap());
    let blocks = |name: &str| fs::metadata(place.path(name)).unwrap().blocks();
    // A host that knows no holes cannot keep any.
    if blocks("in") * 512 < 1 << 20 {
        assert!(blocks("out") * 512 < 1 << 20, "holes were filled: {} blocks of {}", blocks("out"), blocks("in"));
    }
}

#[test]
fn an_archive_copy_keeps_extended_attributes_where_the_host_has_them() {
    let place = Place::with_home();
    fs::create_dir(place.path("in")).unwrap();
    fs::write(place.path("in/f"), b"x").unwrap();
    let set = |path: &Path, value: &[u8]| rustix::fs::setxattr(path, "user.note", value, XattrFlags::empty());
    if set(&place.path("in/f"), &[0, 255, b'\n']).is_err() {
        // No extended attributes here: the engine's own tests and other machines see to them.
        return;
    }
    set(&place.path("in"), b"of the directory").unwrap();
    place.run("cp -a in vg0/home:/").ok();
    place.run("cp -a vg0/home:/in out").ok();
    let get = |name: &str| {
        let mut value = vec![0; 100];
        let len = rustix::fs::getxattr(place.path(name), "user.note", value.as_mut_slice()).unwrap();
        value.truncate(len);
        value
    };
    assert_eq!((get("out/f"), get("out")), (vec![0, 255, b'\n'], b"of the directory".to_vec()));
    place.run("cp -r vg0/home:/in plain").ok();
    assert!(rustix::fs::getxattr(place.path("plain/f"), "user.note", &mut [0u8; 10][..]).is_err());
}

#[test]
fn a_plain_copy_leaves_pipes_out_and_says_so() {
    let place = Place::with_home();
    fs::create_dir(place.path("in")).unwrap();
    rustix::fs::mknodat(CWD, place.path("in/pipe"), FileType::Fifo, Mode::from_raw_mode(0o640), 0).unwrap();
    fs::write(place.path("in/f"), b"x").unwrap();
    let ran = place.run("cp -r in vg0/home:/");
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("in/pipe: not a file, directory or link; left out"), "{}", ran.err);
    assert!(ran.err.contains("hint: cp -a copies pipes, sockets and devices too"), "{}", ran.err);
    assert_eq!(place.run("ls vg0/home:/in").ok(), "f\n");
}

#[test]
fn other_names_of_a_file_that_could_not_be_copied_are_not_linked_to_what_has_its_name() {
    let place = Place::with_home();
    place.run("mkdir vg0/home:/h").ok();
    place.input("put vg0/home:/h/a", b"new");
    place.run("ln vg0/home:/h/a vg0/home:/h/b").ok();
    fs::create_dir_all(place.path("out/h/a")).unwrap();
    let ran = place.run("cp -a vg0/home:/h out");
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("h/b: one more name of a file that could not be copied; left out"), "{ran:?}");
    assert!(!place.path("out/h/b").exists());
}

#[test]
fn an_attribute_that_the_host_refuses_costs_that_attribute_only() {
    let place = Place::with_home();
    place.run("mkdir vg0/home:/x").ok();
    for name in ["a", "b", "c"] {
        place.input(&format!("put vg0/home:/x/{name}"), name.as_bytes());
    }
    place.run("setfattr -n system.posix_acl_access -v nonsense vg0/home:/x/b").ok();
    place.run("chmod 640 vg0/home:/x/b").ok();
    let ran = place.run("cp -a vg0/home:/x out");
    let read = |name: &str| fs::read_to_string(place.path("out").join(name)).unwrap();
    assert_eq!([read("a"), read("b"), read("c")], ["a", "b", "c"]);
    assert_eq!(fs::metadata(place.path("out/b")).unwrap().mode() & 0o777, 0o640);
    // Where there are no access control lists at all, it is left out like any other.
    if ran.code != 0 {
        let said = "copied without attribute system.posix_acl_access (Invalid argument)";
        assert!(ran.code == 5 && ran.err.contains(said) && ran.err.lines().count() == 1, "{ran:?}");
    }
}

#[test]
fn a_whole_volume_and_the_contents_of_a_directory_keep_the_attributes_of_their_root() {
    let place = Place::with_home();
    place.input("put vg0/home:/f", b"x");
    place.run("chmod 750 vg0/home:/").ok();
    place.run("touch -d 2001-02-03T04:05:06.789 vg0/home:/").ok();
    place.run("cp -a vg0/home:/ out").ok();
    let root = fs::metadata(place.path("out")).unwrap();
    assert_eq!((root.mode() & 0o7777, root.mtime_nsec()), (0o750, 789_000_000));
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o705)).unwrap();
    place.run("mkdir vg0/home:/back").ok();
    place.run("cp -a out/. vg0/home:/back").ok();
    let stat = place.run("stat -c %a vg0/home:/back").ok();
    assert_eq!(stat.trim(), "705");
}
