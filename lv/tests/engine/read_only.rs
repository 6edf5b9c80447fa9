//! Volumes that are only read.

use anyfs_lvm_lv::{
    CheckOptions, Ino, LvError, NewNode, Rename, SetAttr, SetXattr, Volume, VolumeNotice, VolumeOptions, Work,
};

use super::support::{Rig, contents, pattern};

fn to_read(rig: &Rig) -> Result<Volume, LvError> {
    let options = VolumeOptions { read_only: true, ..rig.options };
    Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, options, &mut |_, _| {
        panic!("reading gives nothing up")
    })
}

/// A closed volume with `big` in extents and `small` in the metadata.
fn filled(copies: u8) -> Rig {
    let rig = Rig::with_copies(2, 32, 65536, copies);
    let volume = rig.open();
    for (name, bytes) in [(b"big".as_slice(), pattern(1, 200_000)), (b"small", b"some bytes".to_vec())] {
        let file = volume.create(Ino::ROOT, name, &NewNode::file(0o644)).unwrap().ino;
        volume.write(file, 0, &bytes).unwrap();
        volume.setxattr(file, b"user.a", b"value", SetXattr::Any).unwrap();
    }
    volume.close().unwrap();
    rig
}

fn named(volume: &Volume, name: &[u8]) -> Ino {
    volume.lookup(Ino::ROOT, name).unwrap().ino
}

/// All that a volume keeps on disk, as far as this test can see it.
fn kept(rig: &Rig) -> Vec<String> {
    let owners = rig.extents.pvs.iter().filter_map(|slot| slot.store.as_ref());
    let owners = owners.map(|store| format!("{:?} {:?}", store.owner(rig.extents.family), store.list(None, 1000)));
    let files = rig.copies.iter().map(|copy| format!("{:?}", std::fs::read(&copy.path).unwrap()));
    owners.chain(files).collect()
}

#[test]
fn everything_is_read_and_nothing_changed() {
    let rig = filled(2);
    let before = kept(&rig);
    let volume = to_read(&rig).unwrap();
    assert!(volume.is_read_only() && volume.notices().is_empty());
    let (big, small) = (named(&volume, b"big"), named(&volume, b"small"));
    assert_eq!(contents(&volume, big), pattern(1, 200_000));
    assert_eq!(volume.read_all(small).unwrap(), b"some bytes");
    assert_eq!(volume.readdir(Ino::ROOT, 0, 10).unwrap().len(), 2);
    assert_eq!(volume.getxattr(small, b"user.a").unwrap(), b"value");
    assert_eq!(volume.transaction(|tx| tx.getattr(small)).unwrap().size, 10);
    assert!(volume.statfs().unwrap().free > 0);
    let report = volume.check(CheckOptions::ALL).unwrap();
    assert!(report.is_clean() && report.checked.copies == 2, "{report:?}");
    volume.open(small).unwrap();
    volume.release(small).unwrap();
    volume.fsync(small).unwrap();
    volume.sync().unwrap();
    let other = volume.clone();
    volume.close().unwrap();
    assert!(matches!(other.getattr(small), Err(LvError::Closed)));
    assert!(kept(&rig) == before);
    rig.check();
}

#[test]
fn every_change_is_refused_before_anything_else_is_looked_at() {
    let rig = filled(1);
    let before = kept(&rig);
    let volume = to_read(&rig).unwrap();
    let (root, file, node) = (Ino::ROOT, named(&volume, b"small"), NewNode::file(0o644));
    let missing = Ino(999);
    let place = anyfs_lvm_lv::CopyPlace { pv: rig.copies[0].pv, path: rig.copies[0].path.with_extension("other") };
    let refused = [
        volume.setattr(file, &SetAttr { mode: Some(0), ..SetAttr::default() }).map(drop),
        volume.create(root, b"new", &node).map(drop),
        volume.create(root, b"small", &node).map(drop),
        volume.create_nameless(root, &node).map(drop),
        volume.give_name(file, root, b"new"),
        volume.mkdir(root, b"new", &node).map(drop),
        volume.mkdir_all(b"/new/newer", &node).map(drop),
        volume.symlink(root, b"new", b"small", &node).map(drop),
        volume.link(file, root, b"new").map(drop),
        volume.unlink(root, b"none"),
        volume.rmdir(root, b"none"),
        volume.rename((root, b"small"), (root, b"new"), Rename::Replace),
        volume.write(missing, 0, b"x"),
        volume.append(file, b"x").map(drop),
        volume.replace(file, b"x"),
        volume.punch(file, 0, 5),
        volume.zero(file, 0, 5, false),
        volume.allocate(file, 0, 5, false),
        volume.copy_file(file, file),
        volume.copy_range((file, 0), (missing, 0), 5).map(drop),
        volume.setxattr(file, b"user.a", b"x", SetXattr::Any),
        volume.removexattr(file, b"user.none"),
        volume.step(Work::Clean { idle: true }).map(drop),
        volume.transaction(|tx| tx.unlink(root, b"small")),
        volume.transaction(|tx| tx.write(file, 0, b"x")),
        volume.transaction(|tx| tx.create(root, b"new", &node)).map(drop),
        volume.add_copy(&place, &mut |_| Ok(())),
    ];
    for (number, outcome) in refused.into_iter().enumerate() {
        assert!(matches!(outcome, Err(LvError::ReadOnly)), "call {number}: {outcome:?}");
    }
    assert_eq!(LvError::ReadOnly.errno(), 30);
    assert_eq!(volume.mkdir_all(b"/", &node).unwrap().ino, root);
    drop(volume);
    assert!(kept(&rig) == before);
}

#[test]
fn what_nobody_committed_is_not_seen_and_left_alone() {
    let rig = filled(1);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"new", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(5, 300_000)).unwrap();
    volume.write(named(&volume, b"big"), 0, &pattern(6, 100_000)).unwrap();
    volume.step(Work::Flush).unwrap();
    volume.abandon();
    let before = kept(&rig);
    let volume = to_read(&rig).unwrap();
    assert_eq!(contents(&volume, named(&volume, b"big")), pattern(1, 200_000));
    assert!(matches!(volume.lookup(Ino::ROOT, b"new"), Err(LvError::NotFound { .. })));
    drop(volume);
    assert!(kept(&rig) == before);
}

#[test]
fn the_newest_copy_is_read_and_others_stay_what_they_are() {
    for stale in [0, 1] {
        let rig = filled(2);
        let old = std::fs::read(&rig.copies[stale].path).unwrap();
        let volume = rig.open();
        let file = volume.create(Ino::ROOT, b"later", &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, b"newest").unwrap();
        volume.close().unwrap();
        std::fs::write(&rig.copies[stale].path, &old).unwrap();
        let volume = to_read(&rig).unwrap();
        assert_eq!(contents(&volume, named(&volume, b"later")), b"newest");
        drop(volume);
        assert!(std::fs::read(&rig.copies[stale].path).unwrap() == old, "reading repairs nothing");
        std::fs::remove_file(&rig.copies[1 - stale].path).unwrap();
        assert!(matches!(to_read(&rig), Err(LvError::OldMetadata { .. })), "an old state is no state to read");
    }
}

#[test]
fn a_lost_copy_is_told_and_not_given_up() {
    let rig = filled(2);
    std::fs::remove_file(&rig.copies[0].path).unwrap();
    let volume = to_read(&rig).unwrap();
    assert_eq!(contents(&volume, named(&volume, b"big")), pattern(1, 200_000));
    assert!(matches!(volume.notices(), [VolumeNotice::CopyNotRead { file, .. }] if *file == rig.copies[0].path));
    drop(volume);
    std::fs::remove_file(&rig.copies[1].path).unwrap();
    assert!(matches!(to_read(&rig), Err(LvError::NoMetadata { .. })));
}

#[test]
fn readers_and_owners_keep_each_other_out() {
    let rig = filled(2);
    let owner = rig.open();
    assert!(matches!(to_read(&rig), Err(LvError::InUse { .. })));
    owner.close().unwrap();
    let reader = to_read(&rig).unwrap();
    assert!(matches!(rig.try_open(), Err(LvError::InUse { .. })));
    reader.close().unwrap();
    rig.open().close().unwrap();
}
