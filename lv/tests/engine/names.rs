//! Names: what rename owes in all its forms.

use anyfs_lvm_lv::{Ino, LvError, NewNode, Rename, Volume};

use super::support::{Rig, contents, pattern};

fn dir(volume: &Volume, parent: Ino, name: &[u8]) -> Ino {
    volume.mkdir(parent, name, &NewNode::directory(0o755)).unwrap().ino
}

fn file(volume: &Volume, parent: Ino, name: &[u8]) -> Ino {
    volume.create(parent, name, &NewNode::file(0o644)).unwrap().ino
}

fn nlink(volume: &Volume, ino: Ino) -> u32 {
    volume.getattr(ino).unwrap().nlink
}

#[test]
fn exchanged_names_lead_to_each_others_inodes_after_a_crash_too() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let (a, b) = (dir(&volume, Ino::ROOT, b"a"), dir(&volume, Ino::ROOT, b"b"));
    let inner = dir(&volume, a, b"inner");
    let plain = file(&volume, b, b"plain");
    volume.write(plain, 0, &pattern(1, 200_000)).unwrap();
    assert_eq!((nlink(&volume, a), nlink(&volume, b)), (3, 2));
    volume.rename((a, b"inner"), (b, b"plain"), Rename::Exchange).unwrap();
    assert_eq!((nlink(&volume, a), nlink(&volume, b)), (2, 3));
    volume.fsync(Ino::ROOT).unwrap();
    volume.abandon();

    let volume = rig.open();
    assert_eq!(volume.lookup(a, b"inner").unwrap().ino, plain);
    assert_eq!(volume.lookup(b, b"plain").unwrap().ino, inner);
    assert_eq!(contents(&volume, plain), pattern(1, 200_000), "the name was durable, so its data is");
    assert_eq!(volume.resolve(b"/b/plain/..", true).unwrap().ino, b, "a directory knows its new parent");
    assert_eq!((nlink(&volume, a), nlink(&volume, b)), (2, 3));
}

#[test]
fn an_exchange_needs_both_names_and_makes_no_circles() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let a = dir(&volume, Ino::ROOT, b"a");
    let b = dir(&volume, a, b"b");
    file(&volume, b, b"c");
    let exchange = |from: (Ino, &[u8]), to: (Ino, &[u8])| volume.rename(from, to, Rename::Exchange);
    assert!(matches!(exchange((Ino::ROOT, b"a"), (Ino::ROOT, b"none")), Err(LvError::NotFound { .. })));
    assert!(matches!(exchange((Ino::ROOT, b"a"), (b, b"c")), Err(LvError::Invalid { .. })));
    assert!(matches!(exchange((b, b"c"), (Ino::ROOT, b"a")), Err(LvError::Invalid { .. })));
    exchange((a, b"b"), (a, b"b")).unwrap();
    assert_eq!(volume.lookup(b, b"c").unwrap().nlink, 1);
}

#[test]
fn a_rename_that_keeps_refuses_a_taken_name_and_changes_nothing() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let (a, b) = (file(&volume, Ino::ROOT, b"a"), file(&volume, Ino::ROOT, b"b"));
    let kept = volume.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"b"), Rename::Keep);
    assert!(matches!(kept, Err(LvError::Exists { .. })));
    assert_eq!(volume.lookup(Ino::ROOT, b"a").unwrap().ino, a);
    assert_eq!(volume.lookup(Ino::ROOT, b"b").unwrap().ino, b);
    volume.rename((Ino::ROOT, b"a"), (Ino::ROOT, b"c"), Rename::Keep).unwrap();
    assert_eq!(volume.lookup(Ino::ROOT, b"c").unwrap().ino, a);
}

#[test]
fn nothing_can_be_moved_into_a_directory_that_was_removed_while_open() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let gone = dir(&volume, Ino::ROOT, b"gone");
    file(&volume, Ino::ROOT, b"f");
    volume.open(gone).unwrap();
    volume.rmdir(Ino::ROOT, b"gone").unwrap();
    let moved = volume.rename((Ino::ROOT, b"f"), (gone, b"f"), Rename::Replace);
    assert!(matches!(moved, Err(LvError::NoInode { .. })));
    assert!(volume.create(gone, b"new", &NewNode::file(0o644)).is_err());
    assert!(volume.lookup(Ino::ROOT, b"f").is_ok());
    volume.release(gone).unwrap();
}
