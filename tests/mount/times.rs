//! Times of files: which change when, and that they are the same after the volume was mounted anew.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::support::Ground;

/// Times of a file in nanoseconds: last access, change of contents, change.
fn times(path: &Path) -> [i64; 3] {
    let meta = fs::symlink_metadata(path).unwrap();
    let whole = |s: i64, n: i64| s * 1_000_000_000 + n;
    [
        whole(meta.atime(), meta.atime_nsec()),
        whole(meta.mtime(), meta.mtime_nsec()),
        whole(meta.ctime(), meta.ctime_nsec()),
    ]
}

/// Which of the times an action changes, as letters; each only forward.
fn changed(path: &Path, act: impl FnOnce()) -> String {
    // The kernel's clock goes in steps of up to 10 ms.
    std::thread::sleep(Duration::from_millis(30));
    let before = times(path);
    act();
    let after = times(path);
    let pairs = before.into_iter().zip(after).zip(['a', 'm', 'c']);
    pairs
        .filter(|((old, new), _)| old != new)
        .map(|((old, new), letter)| {
            assert!(new > old, "{letter} went back");
            letter
        })
        .collect()
}

#[test]
fn a_change_of_contents_or_of_attributes_is_noted() {
    for options in ["rw", "noatime", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        let (file, dir) = (ground.at("file"), ground.at(""));
        fs::write(&file, "first").unwrap();
        let open = || File::options().read(true).write(true).open(&file).unwrap();
        assert_eq!(changed(&file, || fs::write(&file, "second").unwrap()), "mc", "{options}");
        assert_eq!(changed(&file, || open().set_len(3).unwrap()), "mc");
        assert_eq!(changed(&file, || drop(File::create(&file).unwrap())), "mc", "also of an empty file");
        assert_eq!(changed(&file, || drop(File::create(&file).unwrap())), "mc");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        assert_eq!(changed(&file, || fs::set_permissions(&file, mode).unwrap()), "c");
        assert_eq!(changed(&file, || fs::hard_link(&file, ground.at("link")).unwrap()), "c");
        assert_eq!(changed(&file, || fs::remove_file(ground.at("link")).unwrap()), "c");
        assert_eq!(
            changed(&file, || fs::rename(&file, ground.at("x")).and(fs::rename(ground.at("x"), &file)).unwrap()),
            "c"
        );
        assert_eq!(changed(&dir, || fs::write(ground.at("new"), "x").unwrap()), "mc", "{options}");
        assert_eq!(changed(&dir, || fs::remove_file(ground.at("new")).unwrap()), "mc");
        assert_eq!(changed(&dir, || fs::create_dir(ground.at("sub")).unwrap()), "mc");
        assert_eq!(changed(&dir, || fs::write(ground.at("sub/in"), "x").unwrap()), "");
        assert_eq!(changed(&file, || open().sync_all().unwrap()), "");
    }
}

#[test]
fn a_new_file_is_as_old_as_it_is() {
    let Some(ground) = Ground::new() else { return };
    for n in 0..50 {
        let path = ground.at(&format!("file{n}"));
        fs::write(&path, "x").unwrap();
        let [accessed, written, changed] = times(&path);
        assert!(accessed <= written && written <= changed, "{accessed} {written} {changed}");
    }
}

#[test]
fn a_read_is_noted_as_the_options_say() {
    let read = |path: &Path| changed(path, || drop(fs::read(path).unwrap()));
    let Some(ground) = Ground::new() else { return };
    let (file, link) = (ground.at("file"), ground.at("link"));
    fs::write(&file, "x").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    assert_eq!((read(&file), read(&file)), ("a".to_owned(), String::new()), "once after each change");
    fs::write(&file, "y").unwrap();
    assert_eq!((read(&file), read(&file)), ("a".to_owned(), String::new()));
    assert_eq!(changed(&link, || drop(fs::read_link(&link).unwrap())), "a");
    fs::create_dir(ground.at("dir")).unwrap();
    let list = || changed(&ground.at("dir"), || assert_eq!(fs::read_dir(ground.at("dir")).unwrap().count(), 0));
    assert_eq!((list(), list()), ("a".to_owned(), String::new()));
    ground.again("noatime");
    fs::write(&file, "z").unwrap();
    assert_eq!(read(&file), "");
    ground.again("strictatime");
    assert_eq!((read(&file), read(&file)), ("a".to_owned(), "a".to_owned()));
    ground.again("ro");
    assert_eq!(read(&file), "");
}

#[test]
fn times_that_were_set_stay_also_before_1970() {
    let Some(ground) = Ground::new() else { return };
    let file = ground.at("file");
    fs::write(&file, "x").unwrap();
    let set = |accessed, modified| {
        let times = FileTimes::new().set_accessed(accessed).set_modified(modified);
        File::options().write(true).open(&file).unwrap().set_times(times).unwrap();
    };
    let ns = Duration::from_nanos;
    for (accessed, modified) in [
        (UNIX_EPOCH + ns(1_234_567_890_123_456_789), UNIX_EPOCH + ns(1)),
        (UNIX_EPOCH - ns(1_200_000_000), UNIX_EPOCH - ns(1)),
        (UNIX_EPOCH - ns(3_000_000_000), UNIX_EPOCH + ns(9_000_000_000_000_000_001)),
    ] {
        set(accessed, modified);
        let as_set = |at: std::time::SystemTime| match at.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap(),
            Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap(),
        };
        let expected = [as_set(accessed), as_set(modified)];
        assert_eq!(times(&file)[..2], expected);
        ground.again("noatime");
        assert_eq!(times(&file)[..2], expected);
    }
}

#[test]
fn times_beyond_all_numbers_do_no_harm() {
    let Some(ground) = Ground::new() else { return };
    ground.python(
        "
open('file', 'w').close()
for seconds in (-2**63, -2**63 + 1, 2**63 - 1, -2**40, 2**40):
    try:
        os.utime('file', ns=(seconds * 10**9, seconds * 10**9))
    except OverflowError:
        pass
    import ctypes
    times = (ctypes.c_long * 4)(seconds, 999999999, seconds, 1)
    ctypes.CDLL(None).utimensat(-100, b'file', times, 0)
    os.stat('file')
check('it still answers', os.listdir('.') == ['file'])
",
    );
    ground.umount();
    ground.check();
}

#[test]
fn times_are_the_same_after_the_kernel_forgot_them() {
    for options in ["rw", "noatime", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        let paths: Vec<_> = (0..30).map(|n| ground.at(&format!("file{n}"))).collect();
        for (n, path) in paths.iter().enumerate() {
            fs::write(path, vec![1; n * 5000]).unwrap();
            if n % 3 == 0 {
                use std::io::Write;
                let mut file = File::options().append(true).open(path).unwrap();
                file.write_all(b"more").unwrap();
            }
            if n % 4 == 0 {
                fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            }
        }
        let before: Vec<_> = paths.iter().map(|path| times(path)).collect();
        ground.again(options);
        let after: Vec<_> = paths.iter().map(|path| times(path)).collect();
        assert_eq!(before, after, "{options}");
    }
}
