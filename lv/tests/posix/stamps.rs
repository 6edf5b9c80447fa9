//! Times as values: nanoseconds, before 1970, far in the future, kept by commits, crashes and moves. utimensat(2).

use anyfs_lvm_lv::{NewNode, SetAttr, Volume, Work};

use super::ground::{Ground, ROOT};

/// Seconds and nanoseconds of moments that break what is kept as unsigned, as 32 bits, or as microseconds.
const MOMENTS: [i64; 9] = [
    0,
    1,
    -1,
    -1_000_000_001,
    -2_208_988_800_000_000_001,
    2_147_483_648_999_999_999,
    4_294_967_296_000_000_001,
    i64::MIN,
    i64::MAX,
];

fn times(volume: &Volume, ino: anyfs_lvm_lv::Ino) -> (i64, i64) {
    let attr = volume.getattr(ino).unwrap();
    (attr.atime, attr.mtime)
}

#[test]
fn every_moment_is_kept_to_the_nanosecond_for_every_kind() {
    let mut ground = Ground::new();
    let mut made = Vec::new();
    for (n, moment) in MOMENTS.into_iter().enumerate() {
        let name = |kind: &str| format!("{kind}{n}").into_bytes();
        let link = ground.symlink(ROOT, &name("link"), b"x", &NewNode::file(0o777)).unwrap().ino;
        let full = ground.file(ROOT, &name("full"));
        ground.write(full, 0, &[1; 9000]).unwrap();
        for ino in [ground.file(ROOT, &name("file")), ground.dir(ROOT, &name("dir")), link, full] {
            let (atime, mtime) = (Some(moment), Some(moment.wrapping_add(1)));
            ground.setattr(ino, &SetAttr { atime, mtime, ..SetAttr::default() }).unwrap();
            made.push((ino, (moment, moment.wrapping_add(1))));
        }
    }
    for reopened in [false, true] {
        for (ino, expected) in &made {
            assert_eq!(times(&ground, *ino), *expected, "reopened: {reopened}");
        }
        ground.reopen();
    }
}

#[test]
fn an_fsync_keeps_the_times_that_were_set_before_it() {
    // Whatever became of the data meanwhile: the time belongs to what was there when it was set.
    for step in [None, Some(Work::Flush), Some(Work::Intents)] {
        let mut ground = Ground::new();
        let file = ground.filled(b"file", &vec![1; 150_000]);
        if let Some(work) = step {
            ground.fsync(file).unwrap();
            ground.write(file, 10, &[2; 1000]).unwrap();
            ground.step(work).unwrap();
        }
        let set = SetAttr { atime: Some(-7), mtime: Some(77), ..SetAttr::default() };
        let shown = ground.setattr(file, &set).unwrap();
        ground.fsync(file).unwrap();
        ground.crash();
        let kept = ground.attr(file);
        assert_eq!((kept.atime, kept.mtime, kept.ctime, kept.btime), (-7, 77, shown.ctime, shown.btime), "{step:?}");
    }
}

#[test]
fn data_that_is_placed_later_does_not_move_the_time_of_its_write() {
    let mut ground = Ground::new();
    let file = ground.filled(b"file", &vec![1; 150_000]);
    let written = ground.attr(file);
    ground.settle();
    assert_eq!(ground.attr(file).mtime, written.mtime);
    ground.reopen();
    let kept = ground.attr(file);
    assert_eq!(
        (kept.atime, kept.mtime, kept.ctime, kept.btime),
        (written.atime, written.mtime, written.ctime, written.btime)
    );
}

#[test]
fn moving_and_linking_leave_the_times_that_were_set() {
    let ground = Ground::new();
    let (file, dir) = (ground.filled(b"file", b"bytes"), ground.dir(ROOT, b"dir"));
    for ino in [file, dir] {
        let set = SetAttr { atime: Some(1), mtime: Some(2), ..SetAttr::default() };
        ground.setattr(ino, &set).unwrap();
    }
    ground.mv(b"dir", b"moved").unwrap();
    ground.mv(b"file", b"also moved").unwrap();
    ground.link(file, ROOT, b"second").unwrap();
    ground.unlink(ROOT, b"also moved").unwrap();
    assert_eq!((times(&ground, file), times(&ground, dir)), ((1, 2), (1, 2)));
}

#[test]
fn times_may_go_back() {
    let ground = Ground::new();
    let dir = ground.dir(ROOT, b"dir");
    for mtime in [9, -9, 3] {
        ground.setattr(dir, &SetAttr { mtime: Some(mtime), ..SetAttr::default() }).unwrap();
        assert_eq!(ground.attr(dir).mtime, mtime);
    }
    // The next change of the directory itself is now, not then.
    let made = ground.create(dir, b"f", &NewNode::file(0o600)).unwrap();
    assert_eq!(ground.attr(dir).mtime, made.btime);
}
