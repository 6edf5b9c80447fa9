//! Names: links, removal of what is open, renaming, listings, special files.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};

use rustix::fs::{CWD, FileType, Mode, RenameFlags};

use super::support::{Ground, is_root, names, skipped, until};

fn free(ground: &Ground) -> u64 {
    let space = rustix::fs::statvfs(ground.at("")).unwrap();
    space.f_bavail * space.f_bsize
}

#[test]
fn what_is_open_outlives_its_name_and_then_gives_its_space_back() {
    for options in ["rw", "noatime", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        let before = free(&ground);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(ground.at("file")).unwrap();
        file.write_all_at(&vec![1; 5_000_000], 0).unwrap();
        fs::remove_file(ground.at("file")).unwrap();
        assert_eq!(file.metadata().unwrap().nlink(), 0);
        file.write_all_at(&[2; 100], 4_999_950).unwrap();
        file.sync_all().unwrap();
        let mut seen = vec![0; 5_000_050];
        file.read_exact_at(&mut seen, 0).unwrap();
        assert!(seen[..4_999_950].iter().all(|byte| *byte == 1) && seen[4_999_950..] == [2; 100]);
        assert!(before - free(&ground) > 4_000_000, "{options}");
        drop(file);
        until("its space is free again", || before - free(&ground) < 500_000);
        ground.umount();
        ground.check();
    }
}

#[test]
fn what_is_replaced_by_a_rename_outlives_it_too() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("old"), "old").unwrap();
    fs::write(ground.at("new"), "new").unwrap();
    let old = File::open(ground.at("old")).unwrap();
    fs::rename(ground.at("new"), ground.at("old")).unwrap();
    assert_eq!(fs::read_to_string(ground.at("old")).unwrap(), "new");
    let mut seen = [0; 3];
    old.read_exact_at(&mut seen, 0).unwrap();
    assert_eq!((&seen, old.metadata().unwrap().nlink()), (b"old", 0));
    fs::create_dir(ground.at("a")).unwrap();
    fs::create_dir(ground.at("b")).unwrap();
    let dir = File::open(ground.at("b")).unwrap();
    fs::rename(ground.at("a"), ground.at("b")).unwrap();
    assert_eq!(dir.metadata().unwrap().nlink(), 0);
    assert_eq!(names(&ground.at("")), ["b", "old"]);
}

#[test]
fn a_file_has_as_many_names_as_it_says() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("one"), "x").unwrap();
    fs::create_dir(ground.at("dir")).unwrap();
    fs::hard_link(ground.at("one"), ground.at("dir/two")).unwrap();
    let meta = |name: &str| fs::metadata(ground.at(name)).unwrap();
    assert_eq!((meta("one").nlink(), meta("dir/two").nlink()), (2, 2));
    assert_eq!(meta("one").ino(), meta("dir/two").ino());
    let changed = meta("one").ctime_nsec();
    until("time has passed", || {
        fs::write(ground.at("clock"), "x").unwrap();
        meta("clock").ctime_nsec() != changed
    });
    fs::remove_file(ground.at("one")).unwrap();
    assert_eq!(meta("dir/two").nlink(), 1);
    assert_ne!(meta("dir/two").ctime_nsec(), changed, "losing a name is a change");
    // Both names of one file: nothing happens.
    fs::hard_link(ground.at("dir/two"), ground.at("three")).unwrap();
    fs::rename(ground.at("three"), ground.at("dir/two")).unwrap();
    assert!(meta("three").ino() == meta("dir/two").ino() && meta("three").nlink() == 2);
}

#[test]
fn a_directory_counts_its_subdirectories() {
    let Some(ground) = Ground::new() else { return };
    let nlink = |name: &str| fs::metadata(ground.at(name)).unwrap().nlink();
    assert_eq!(nlink(""), 2);
    for dir in ["a", "b", "a/x", "a/y"] {
        fs::create_dir(ground.at(dir)).unwrap();
    }
    assert_eq!((nlink(""), nlink("a"), nlink("b"), nlink("a/x")), (4, 4, 2, 2));
    fs::rename(ground.at("a/x"), ground.at("b/x")).unwrap();
    assert_eq!((nlink("a"), nlink("b")), (3, 3));
    let parent = |name: &str| fs::metadata(ground.at(name)).unwrap().ino();
    assert_eq!(parent("b/x/.."), parent("b"));
    fs::remove_dir(ground.at("a/y")).unwrap();
    assert_eq!((nlink(""), nlink("a")), (4, 2));
}

#[test]
fn names_change_places_or_are_kept() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("file"), "file").unwrap();
    fs::create_dir(ground.at("dir")).unwrap();
    fs::write(ground.at("dir/in"), "in").unwrap();
    let rename = |flags| rustix::fs::renameat_with(CWD, ground.at("file"), CWD, ground.at("dir"), flags);
    rename(RenameFlags::EXCHANGE).unwrap();
    assert_eq!(fs::read(ground.at("dir")).unwrap(), b"file");
    assert_eq!(fs::read(ground.at("file/in")).unwrap(), b"in");
    assert!(rename(RenameFlags::NOREPLACE).is_err());
    assert!(rename(RenameFlags::WHITEOUT).is_err());
    fs::rename(ground.at("dir"), ground.at("file/out")).unwrap();
    assert_eq!(names(&ground.at("file")), ["in", "out"]);
}

#[test]
fn a_listing_goes_on_while_names_come_and_go() {
    let Some(ground) = Ground::new() else { return };
    let dir = ground.at("dir");
    fs::create_dir(&dir).unwrap();
    for n in 0..3000 {
        File::create(dir.join(format!("stays{n}"))).unwrap();
    }
    let mut seen = BTreeSet::new();
    for (n, entry) in fs::read_dir(&dir).unwrap().enumerate() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if n % 10 == 0 {
            File::create(dir.join(format!("comes{n}"))).unwrap();
            fs::remove_file(dir.join(format!("comes{}", n / 2 / 10 * 10))).ok();
        }
        if name.starts_with("stays") {
            assert!(seen.insert(name.clone()), "{name} came twice");
        }
    }
    assert_eq!(seen.len(), 3000);
    for entry in fs::read_dir(&dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    fs::remove_dir(&dir).unwrap();
}

#[test]
fn a_name_that_was_not_there_appears_when_it_is_made() {
    let Some(ground) = Ground::new() else { return };
    let path = ground.at("x");
    for _ in 0..3 {
        assert!(!path.exists());
        assert!(!path.exists(), "from the kernel's memory");
        fs::write(&path, "x").unwrap();
        assert!(path.exists());
        fs::rename(&path, ground.at("y")).unwrap();
        assert!(!path.exists() && ground.at("y").exists());
        fs::hard_link(ground.at("y"), &path).unwrap();
        fs::remove_file(ground.at("y")).unwrap();
        assert!(path.exists() && !ground.at("y").exists());
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn special_files_are_what_they_were_made() {
    let Some(ground) = Ground::with(if is_root() { "dev" } else { "rw" }) else { return };
    let make = |name: &str, kind, dev| rustix::fs::mknodat(CWD, ground.at(name), kind, Mode::RUSR, dev);
    make("fifo", FileType::Fifo, 0).unwrap();
    make("file", FileType::RegularFile, 0).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(ground.at("socket")).unwrap();
    assert!(std::os::unix::net::UnixStream::connect(ground.at("socket")).is_ok());
    drop(socket);
    let kind = |name: &str| fs::symlink_metadata(ground.at(name)).unwrap();
    assert!(kind("fifo").file_type().is_fifo() && kind("socket").file_type().is_socket() && kind("file").is_file());
    if !is_root() {
        return skipped("only root makes devices");
    }
    let null = rustix::fs::makedev(1, 3);
    make("null", FileType::CharacterDevice, null).unwrap();
    let many = rustix::fs::makedev(4000, 1_000_000);
    make("block", FileType::BlockDevice, many).unwrap();
    fs::write(ground.at("null"), "swallowed").unwrap();
    ground.again("dev");
    assert!(kind("null").file_type().is_char_device() && kind("null").rdev() == null);
    assert!(kind("block").file_type().is_block_device() && kind("block").rdev() == many);
    assert_eq!(fs::read(ground.at("null")).unwrap(), b"");
    ground.again("rw");
    assert!(File::open(ground.at("null")).is_err(), "devices work only where that was asked for");
}

#[test]
fn names_are_bytes_and_long_ones_fit() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let Some(ground) = Ground::new() else { return };
    for name in [&b"a\xff\xfeb"[..], b" ", b"\n", b"-rf", &[b'z'; 255], "ü".as_bytes()] {
        let path = ground.at("").join(OsStr::from_bytes(name));
        fs::write(&path, name).unwrap();
        assert_eq!(fs::read(&path).unwrap(), name);
    }
    let deep = ground.at(&["deep"; 60].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    assert_eq!(fs::read_dir(ground.at("")).unwrap().count(), 7);
    fs::remove_dir_all(ground.at("deep")).unwrap();
}

#[test]
fn a_handle_leads_to_its_file_for_as_long_as_it_is_there() {
    if !is_root() {
        return skipped("only root opens files by handle");
    }
    let Some(ground) = Ground::new() else { return };
    let call = "import ctypes
libc = ctypes.CDLL(None, use_errno=True)
class Handle(ctypes.Structure): _fields_ = [('bytes', ctypes.c_uint), ('type', ctypes.c_int), ('data', ctypes.c_char * 128)]
def opened(handle):
    handle, root = Handle.from_buffer_copy(handle), os.open('.', os.O_RDONLY)
    fd = libc.open_by_handle_at(root, ctypes.byref(handle), os.O_RDONLY)
    return fd if fd >= 0 else errno.errorcode[ctypes.get_errno()]
kept = [sys.argv[0] + name for name in ('.file', '.dir')]
";
    ground.python(&format!(
        "{call}
os.makedirs('a/b')
open('a/file', 'w').write('found')
for name, place in zip(('a/file', 'a/b'), kept):
    handle, number = Handle(128), ctypes.c_int()
    check('handle', libc.name_to_handle_at(-100, name.encode(), ctypes.byref(handle), ctypes.byref(number), 0) == 0)
    open(place, 'wb').write(bytes(handle))"
    ));
    ground.again("rw");
    ground.python(&format!(
        "{call}
file, dir = (open(place, 'rb').read() for place in kept)
found = opened(file)
check('file', os.read(found, 9) == b'found')
os.close(found)
check('parent', os.stat('..', dir_fd=opened(dir)).st_ino == os.stat('a').st_ino)
os.unlink('a/file')
# The kernel keeps what was closed until it was told that it is.
for _ in range(600):
    gone = opened(file)
    if isinstance(gone, str): break
    os.close(gone)
    time.sleep(0.05)
check(gone, gone == 'ESTALE')"
    ));
}
