//! What is loaded before anybody asks for it: it is never in the way of what is asked for.

use anyfs_lvm_lv::{Ino, LvError, NewNode, Volume};
use rusqlite::Connection;

use super::support::Rig;

/// Files of a directory that is too large to be loaded at its first lookup.
const FILES: u32 = 400;

fn name(number: u32) -> Vec<u8> {
    format!("file-{number}").into_bytes()
}

fn make(volume: &Volume, number: u32) -> Ino {
    volume.create(Ino::ROOT, &name(number), &NewNode::file(0o600)).unwrap().ino
}

fn filled() -> Rig {
    let rig = Rig::new(1, 16, 65536);
    let volume = rig.open();
    for number in 0..FILES {
        make(&volume, number);
    }
    volume.close().unwrap();
    rig
}

#[test]
fn a_damaged_inode_keeps_nobody_from_its_neighbours() {
    let rig = filled();
    let volume = rig.open();
    let damaged = volume.lookup(Ino::ROOT, &name(100)).unwrap().ino;
    volume.close().unwrap();
    let db = Connection::open(&rig.copies[0].path).unwrap();
    let changed = db.execute("UPDATE inode SET mtime=mtime+1 WHERE ino=?", [damaged.0.cast_signed()]).unwrap();
    assert_eq!(changed, 1);
    drop(db);
    let volume = rig.open();
    for number in 0..FILES {
        match volume.lookup(Ino::ROOT, &name(number)) {
            Ok(_) => assert_ne!(number, 100),
            Err(LvError::DamagedRow { .. }) => assert_eq!(number, 100),
            Err(error) => panic!("{number}: {error}"),
        }
    }
}

/// By then the directory has come into memory as a whole, over what was changed in it.
#[test]
fn names_that_wait_for_their_commit_are_as_they_are_after_many_lookups() {
    let rig = filled();
    let volume = rig.open();
    for number in (0..FILES).step_by(3) {
        volume.unlink(Ino::ROOT, &name(number)).unwrap();
    }
    let made: Vec<Ino> = (FILES..FILES + 50).map(|number| make(&volume, number)).collect();
    let expected = |number: u32| number >= FILES || !number.is_multiple_of(3);
    for round in 0..2 {
        for number in 0..FILES + 50 {
            let found = volume.lookup(Ino::ROOT, &name(number));
            assert_eq!(found.is_ok(), expected(number), "{number}, round {round}");
        }
        volume.sync().unwrap();
    }
    assert_eq!(volume.lookup(Ino::ROOT, &name(FILES)).unwrap().ino, made[0]);
    let there = u64::try_from((0..FILES + 50).filter(|number| expected(*number)).count()).unwrap();
    assert_eq!(volume.getattr(Ino::ROOT).unwrap().size, there);
}

/// Few rows may be kept, so that everything goes from memory and comes back all the time.
#[test]
fn little_memory_loads_a_directory_again_and_again_and_shows_it_right() {
    let mut rig = filled();
    rig.options.cached_rows = 4 * usize::try_from(FILES).unwrap();
    let volume = rig.open();
    let other = volume.mkdir(Ino::ROOT, b"other", &NewNode::directory(0o700)).unwrap().ino;
    for number in 0..3 * FILES {
        volume.create(other, &name(number), &NewNode::file(0o600)).unwrap();
    }
    volume.sync().unwrap();
    for number in 0..3 * FILES {
        assert_eq!(volume.lookup(Ino::ROOT, &name(number)).is_ok(), number < FILES, "{number}");
        assert!(volume.lookup(other, &name(number)).is_ok(), "{number}");
    }
}
