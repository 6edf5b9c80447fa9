//! Every work on every layout, small: what was written is what is read.

use std::time::Duration;

use anyfs_lvm_tools::bench::measure::{Contender, Host, MIB, Maker, Runner, Scale, Stop, WORKS, Wanted, Wish};

use super::{Blobs, Chunks, Database, SYNCED};

#[test]
fn every_layout_does_every_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = || folder.path().to_owned();
    let scale = Scale {
        bytes: MIB,
        files: 10,
        reads: 20,
        overwrites: 110,
        scattered: 20,
        appends: 4,
        threads: 2,
        sized: 2,
        beside: Duration::from_millis(10),
        many: 1,
        rounds: 1,
    };
    let contenders = vec![
        Contender::Here(Box::new(Host::new(path()))),
        Contender::Here(Box::new(Chunks::new(path(), 4096))),
        Contender::Here(Box::new(Chunks::new(path(), 65_536))),
        Contender::Here(Box::new(Blobs::new(path()))),
    ];
    let mut tell = |_: &str| {};
    let (wanted, stop) = (Wanted::default(), Stop::default());
    let outcomes = Runner { scale, wanted, contenders, folder: path(), stop, tell: &mut tell }.run(WORKS).unwrap();
    assert!(outcomes.len() > 40);
    for outcome in outcomes.iter().filter(|outcome| outcome.skipped.is_none()) {
        let all = outcome.sides.iter().all(|side| !side.values.is_empty());
        assert!(all, "{}: {:?}", outcome.row.key, outcome.sides);
    }
    assert!(folder.path().read_dir().unwrap().next().is_none());
}

#[test]
fn what_one_value_cannot_hold_is_declined() {
    let blobs = Blobs::new("none".into());
    assert!(blobs.declines(&Wish::new("read", 1 << 30, 1 << 30)).unwrap().contains("10^9"));
    assert!(blobs.declines(&Wish::new("aged", 100 << 20, 1 << 30)).unwrap().contains("walks"));
    assert_eq!(blobs.declines(&Wish::new("read", 100 << 20, 1 << 30)), None);
}

#[test]
fn a_connection_keeps_as_many_pages_as_a_volume_keeps_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let db = Database::open("x", folder.path(), SYNCED).unwrap();
    let kept = db.with(("look at", "it"), |db| db.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0)));
    let ours = anyfs_lvm_tools::bench::Shape::default().volumes.cache_bytes;
    assert_eq!(kept.unwrap(), -i64::try_from(ours / 1024).unwrap());
    db.remove().unwrap();
}
