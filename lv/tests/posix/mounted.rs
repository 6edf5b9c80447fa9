//! What a kernel relies on that caches pages and times: they are what it told, whenever it tells them.

use anyfs_lvm_lv::{AccessTime, Attr, SetAttr};

use super::ground::{Ground, ROOT};

const DAY: i64 = 24 * 60 * 60 * 1_000_000_000;

fn times(attr: &Attr) -> (i64, i64, i64) {
    (attr.atime, attr.mtime, attr.ctime)
}

#[test]
fn bytes_from_a_cache_change_neither_times_nor_mode() {
    let mut ground = Ground::new();
    let file = ground.filled(b"file", &[1; 1000]);
    ground.chmod(file, 0o6755);
    let before = ground.attr(file);
    ground.write_back(file, 500, &[2; 9000]).unwrap();
    let after = ground.attr(file);
    assert_eq!((times(&after), after.mode), (times(&before), 0o6755));
    assert_eq!(after.size, 9500);
    assert_eq!(ground.read_all(file).unwrap(), [vec![1; 500], vec![2; 9000]].concat());
    ground.reopen();
    let kept = ground.attr(file);
    assert_eq!((times(&kept), kept.mode, kept.size), (times(&before), 0o6755, 9500));
    assert_eq!(ground.read_all(file).unwrap(), [vec![1; 500], vec![2; 9000]].concat());
}

#[test]
fn bytes_from_a_cache_are_refused_as_others_are() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    let file = ground.file(ROOT, b"file");
    let error = |result: Result<(), anyfs_lvm_lv::LvError>| result.unwrap_err().errno();
    assert_eq!(error(ground.write_back(dir, 0, b"x")), super::ground::EISDIR);
    assert_eq!(error(ground.write_back(file, u64::MAX, b"x")), super::ground::EFBIG);
    let many = vec![7; 1 << 20];
    let full = (0..).map(|n| ground.write_back(file, n << 20, &many)).find_map(Result::err).unwrap();
    assert_eq!(full.errno(), super::ground::ENOSPC);
}

#[test]
fn a_change_time_that_is_told_is_kept() {
    let mut ground = Ground::new();
    let file = ground.filled(b"file", &[1; 10]);
    let told = SetAttr { mtime: Some(4_100_000_000_000_000_001), ctime: Some(5), ..SetAttr::default() };
    ground.setattr(file, &told).unwrap();
    ground.reopen();
    let kept = ground.attr(file);
    assert_eq!((kept.mtime, kept.ctime), (4_100_000_000_000_000_001, 5));
}

#[test]
fn a_read_changes_the_access_time_as_the_rule_says_and_nothing_else() {
    let ground = Ground::new();
    let file = ground.filled(b"file", &[1; 10]);
    let read = |rule| {
        let before = ground.attr(file);
        let changed = ground.accessed(file, rule).unwrap();
        let after = ground.attr(file);
        assert_eq!(changed, after.atime > before.atime, "{rule:?}");
        assert_eq!((before.mtime, before.ctime, before.size), (after.mtime, after.ctime, after.size));
        changed
    };
    assert!(!read(AccessTime::Never));
    assert!(read(AccessTime::Relative), "it was never read");
    assert!(!read(AccessTime::Relative), "it did not change since");
    ground.write(file, 0, b"x").unwrap();
    assert!(read(AccessTime::Relative), "its contents changed");
    ground.chmod(file, 0o600);
    assert!(read(AccessTime::Relative), "its mode changed");
    assert!(!read(AccessTime::Relative));
    assert!(read(AccessTime::Always) && read(AccessTime::Always));
    let now = ground.attr(file).atime;
    let old = SetAttr { atime: Some(now - DAY), mtime: Some(1), ctime: Some(1), ..SetAttr::default() };
    ground.setattr(file, &old).unwrap();
    assert!(read(AccessTime::Relative), "the last time is a day ago");
}
