//! What happens while something is read or written: extents that are freed and filled again while somebody reads them,
//! files that go while their bytes move.

use std::path::Path;
use std::time::Duration;

use anyfs_lvm_rig::{Before, Disk, Pool, Settings, Shape, Weakness, watch};
use lv::{Ino, LvError, NewNode, Rule, Volume, VolumeOptions, Work};

const SHAPE: Shape = Shape { pvs: 1, extent: 4096, extents: 12, copies: 1 };
/// Bytes of a file.
const LEN: usize = 12 * 1024;

/// Places the same bytes anew, and another file where they were: extents that are longest free come first.
fn move_away(volume: &Volume, file: Ino, disk: &Disk) {
    volume.write(file, 0, &[1; LEN]).unwrap();
    let other = volume.create(Ino::ROOT, b"other", &NewNode::file(0o600)).unwrap().ino;
    for number in 0..=SHAPE.extents {
        volume.write(other, 0, &[u8::try_from(number + 2).unwrap(); 4096]).unwrap();
        volume.step(Work::Flush).unwrap();
        volume.sync().unwrap();
        disk.clock().advance(Duration::from_secs(1));
        volume.step(Work::Delete).unwrap();
    }
}

/// What a read gives during which that happens.
fn read(weakness: Weakness) -> Result<Vec<u8>, LvError> {
    watch(Duration::from_secs(60));
    let disk = Disk::new(Settings::default());
    let pool = Pool::create(&disk.env(), Path::new("/"), SHAPE).unwrap();
    // Nothing is cached, and what is freed may be filled again at once.
    let options = VolumeOptions { cache_bytes: 0, grace: Duration::ZERO, ..VolumeOptions::default() };
    let volume = pool.activate(&disk.env(), options, weakness).unwrap();
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &[1; LEN]).unwrap();
    volume.step(Work::Flush).unwrap();
    volume.sync().unwrap();
    let (same, there) = (volume.clone(), disk.clone());
    disk.interject(Before::Read, "/p0.db", move || move_away(&same, file, &there));
    let bytes = volume.read_all(file);
    assert!(volume.lookup(Ino::ROOT, b"other").is_ok(), "nothing came between");
    volume.abandon();
    bytes
}

#[test]
fn a_read_looks_again_when_its_extents_were_filled_with_something_else_meanwhile() {
    assert!(read(Weakness::None).unwrap() == [1; LEN]);
}

#[test]
fn a_read_that_does_not_look_again_is_found() {
    let bytes = read(Weakness::Without(Rule::SecondLook));
    assert!(bytes.is_err(), "not found");
}

#[test]
fn what_is_deleted_on_its_way_into_an_extent_stays_deleted() {
    watch(Duration::from_secs(60));
    let disk = Disk::new(Settings::default());
    let pool = Pool::create(&disk.env(), Path::new("/"), SHAPE).unwrap();
    let volume = pool.activate(&disk.env(), VolumeOptions::default(), Weakness::None).unwrap();
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &[1; 3000]).unwrap();
    volume.fsync(file).unwrap();
    let same = volume.clone();
    disk.interject(Before::Write, "/p0.db", move || same.unlink(Ino::ROOT, b"file").unwrap());
    // What an fsync put into the metadata moves.
    volume.step(Work::Intents).unwrap();
    assert!(volume.lookup(Ino::ROOT, b"file").is_err(), "nothing came between");
    volume.close().unwrap();
    pool.check(&disk.env()).unwrap();
}
