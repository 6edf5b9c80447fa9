//! A disk in memory that is full, under a volume on real PVs.

use std::time::Duration;

use anyfs_lvm_rig::{Disk, Pool, Settings, Shape, Weakness};
use lv::{Ino, LvError, NewNode, Rule, SetAttr, Volume, VolumeOptions};

const MIB: u64 = 1 << 20;
const SHAPE: Shape = Shape { pvs: 2, extent: 64 * 1024, extents: 200, copies: 2 };

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn disk() -> (Disk, Pool) {
        disk_of(SHAPE)
    }

    pub(crate) fn disk_of(shape: Shape) -> (Disk, Pool) {
        let disk = Disk::new(Settings { capacity: 24 * MIB, ..Settings::default() });
        let pool = Pool::create(&disk.env(), std::path::Path::new("/"), shape).unwrap();
        (disk, pool)
    }

    pub(crate) fn open(disk: &Disk, pool: &Pool) -> Result<Volume, LvError> {
        open_weak(disk, pool, Weakness::None)
    }

    pub(crate) fn open_weak(disk: &Disk, pool: &Pool, weakness: Weakness) -> Result<Volume, LvError> {
        let options = VolumeOptions {
            dirty_bytes: 4 * MIB,
            flush_bytes: MIB,
            grace: Duration::from_secs(3600),
            ..VolumeOptions::default()
        };
        pool.activate(&disk.env(), options, weakness)
    }

    pub(crate) fn bytes(seed: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        anyfs_lvm_rig::Prng::new(seed).fill(&mut bytes);
        bytes
    }

    pub(crate) fn put(volume: &Volume, name: &str, data: &[u8]) -> Result<Ino, LvError> {
        let ino = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600))?.ino;
        volume.write(ino, 0, data)?;
        Ok(ino)
    }

    pub(crate) fn read(volume: &Volume, name: &str) -> Vec<u8> {
        volume.read_all(volume.lookup(Ino::ROOT, name.as_bytes()).unwrap().ino).unwrap()
    }
}

use support::{bytes, disk, disk_of, open, open_weak, put, read};

#[test]
fn with_not_one_byte_free_the_reserve_lets_a_volume_open_delete_sync_and_close() {
    let (disk, pool) = disk();
    let volume = open(&disk, &pool).unwrap();
    let count = fill(&volume).unwrap();
    assert!(count > 60, "full after {count} files");
    volume.close().unwrap();
    disk.set_free(0);
    // Whoever leaves takes the reserve back, so that the next one comes in as well.
    for round in 0..5u64 {
        let volume = open(&disk, &pool).unwrap();
        for n in round * 5..count {
            assert!(read(&volume, &format!("f{n}"))[..] == bytes(n, 150_000)[..], "f{n}");
        }
        match put(&volume, "more", &bytes(1, 100_000)) {
            Err(error) => assert!(matches!(error, LvError::HostFull { .. }), "{error}"),
            // What the rounds before deleted.
            Ok(_) => assert!(round > 0, "accepted on a full disk"),
        }
        let _ = volume.unlink(Ino::ROOT, b"more");
        for n in round * 5..round * 5 + 5 {
            volume.unlink(Ino::ROOT, format!("f{n}").as_bytes()).unwrap();
        }
        volume.sync().unwrap();
        volume.close().unwrap();
    }
}

#[test]
fn the_journals_of_many_pvs_on_one_disk_find_room() {
    let (disk, pool) = disk_of(Shape { pvs: 24, ..SHAPE });
    let volume = open(&disk, &pool).unwrap();
    let count = fill(&volume).unwrap();
    assert!(count > 20, "full after {count} files");
    for n in 0..count {
        assert!(read(&volume, &format!("f{n}")) == bytes(n, 150_000), "f{n}");
        volume.unlink(Ino::ROOT, format!("f{n}").as_bytes()).unwrap();
    }
    volume.sync().unwrap();
    let again = fill(&volume).unwrap();
    assert!(again >= count * 8 / 10, "{again} files, {count} the first time");
    volume.close().unwrap();
}

#[test]
fn what_was_deleted_on_a_full_disk_can_be_written_again() {
    let (disk, pool) = disk();
    let mut volume = open(&disk, &pool).unwrap();
    let mut first = 0;
    for round in 0..6u64 {
        let mut count = 0u64;
        while put(&volume, &format!("r{round}f{count}"), &bytes(count, 150_000)).is_ok() {
            count += 1;
        }
        first = if round == 0 { count } else { first };
        assert!(count >= first * 8 / 10, "round {round}: {count} files, {first} the first time");
        volume.sync().unwrap();
        for n in 0..count {
            assert!(read(&volume, &format!("r{round}f{n}")) == bytes(n, 150_000));
            volume.unlink(Ino::ROOT, format!("r{round}f{n}").as_bytes()).unwrap();
        }
        let refused = volume.unlink(Ino::ROOT, format!("r{round}f{count}").as_bytes());
        assert!(matches!(refused, Ok(()) | Err(LvError::NotFound { .. })), "{refused:?}");
        volume.sync().unwrap();
        if round % 2 == 1 {
            volume.close().unwrap();
            volume = open(&disk, &pool).unwrap();
        }
    }
}

#[test]
fn a_small_deletion_needs_no_more_of_a_full_disk_than_it_takes() {
    let (disk, pool) = disk_of(Shape { copies: 1, ..SHAPE });
    let volume = open(&disk, &pool).unwrap();
    for n in 0..20 {
        put(&volume, &format!("f{n}"), &bytes(n, 30_000)).unwrap();
    }
    volume.sync().unwrap();
    pv::Host::remove_file(&disk.host(), std::path::Path::new("/p0.db.d/reserve")).unwrap();
    disk.set_free(100_000);
    for n in 0..20 {
        volume.unlink(Ino::ROOT, format!("f{n}").as_bytes()).unwrap();
        volume.sync().unwrap();
    }
    volume.close().unwrap();
}

/// They lie in the metadata, one row each, and may be as large as many rows.
#[test]
fn large_attributes_are_refused_on_a_full_disk_before_they_keep_others_from_being_committed() {
    for value in [65_536, 20_000, 5_000] {
        let (disk, pool) = disk();
        let volume = open(&disk, &pool).unwrap();
        let count = fill(&volume).unwrap();
        let mut refused = 0;
        for n in 0..20 * count {
            let ino = volume.lookup(Ino::ROOT, format!("f{}", n % count).as_bytes()).unwrap().ino;
            let name = format!("user.{}", n / count);
            match volume.setxattr(ino, name.as_bytes(), &bytes(n, value), lv::SetXattr::Any) {
                Ok(()) => {}
                Err(error) => {
                    assert!(matches!(error, LvError::HostFull { .. }), "{error}");
                    refused += 1;
                    if refused > 5 {
                        break;
                    }
                }
            }
        }
        assert!(refused > 5, "all attributes of {value} bytes were taken by a full disk");
        volume.sync().unwrap_or_else(|error| panic!("with {value} bytes each: {error}"));
        for n in 0..count {
            let gone = volume.unlink(Ino::ROOT, format!("f{n}").as_bytes());
            gone.unwrap_or_else(|error| panic!("f{n} with {value} bytes each: {error}"));
        }
        volume.sync().unwrap();
        put(&volume, "again", &bytes(1, 5_000_000)).unwrap();
        volume.close().unwrap();
    }
}

/// The more files an extent holds the more rows its emptying changes, for which there must be room in each copy.
#[test]
fn half_empty_extents_of_many_files_are_compacted_on_a_full_disk() {
    let (disk, pool) = disk_of(Shape { pvs: 2, extent: MIB, extents: 60, copies: 2 });
    let volume = open(&disk, &pool).unwrap();
    let fill = |names: &str| {
        let mut count = 0u64;
        while put(&volume, &format!("{names}{count}"), &bytes(count, 12_000)).is_ok() {
            count += 1;
        }
        volume.sync().unwrap();
        count
    };
    let first = fill("a");
    assert!(first > 400, "full after {first} files");
    for n in (0..first).filter(|n| n % 5 < 3) {
        volume.unlink(Ino::ROOT, format!("a{n}").as_bytes()).unwrap();
    }
    volume.sync().unwrap();
    let again = fill("b") + first - first.div_ceil(5) * 3;
    assert!(again >= first * 8 / 10, "{again} files, {first} the first time");
    volume.close().unwrap();
}

#[test]
fn a_disk_that_fills_up_at_any_byte_under_a_sync_loses_nothing_that_was_acknowledged() {
    let (mut worked, mut refused) = (0, 0);
    for free in (0..3000u64).step_by(50).map(|kib| kib << 10) {
        let (disk, pool) = disk();
        let volume = open(&disk, &pool).unwrap();
        put(&volume, "old", &bytes(1, 200_000)).unwrap();
        volume.sync().unwrap();
        put(&volume, "new", &bytes(2, 400_000)).unwrap();
        volume.unlink(Ino::ROOT, b"old").unwrap();
        pv::Host::remove_file(&disk.host(), std::path::Path::new("/p0.db.d/reserve")).unwrap();
        disk.set_free(free);
        let synced = volume.sync();
        volume.abandon();
        disk.set_free(8 * MIB);
        let volume = open(&disk, &pool).unwrap_or_else(|error| panic!("{free} bytes free: {error}"));
        if synced.is_ok() {
            worked += 1;
            assert!(read(&volume, "new") == bytes(2, 400_000), "{free} bytes free");
            assert!(volume.lookup(Ino::ROOT, b"old").is_err(), "{free} bytes free");
        } else {
            refused += 1;
            let old = volume.lookup(Ino::ROOT, b"old").is_ok();
            assert!(old || volume.lookup(Ino::ROOT, b"new").is_ok(), "{free} bytes free");
            if old {
                assert!(read(&volume, "old") == bytes(1, 200_000), "{free} bytes free");
            }
        }
        put(&volume, "after", &bytes(3, 100_000)).unwrap();
        volume.close().unwrap();
    }
    assert!(worked > 5 && refused > 5, "{worked} worked, {refused} were refused");
}

/// Changes rows that all lie on other pages, more than there may be room for, makes room and goes on; how often the metadata
/// found no room, and how often what was acknowledged afterwards was not there.
fn scattered(weakness: Weakness) -> (u32, u32) {
    let (mut full, mut lost) = (0, 0);
    for free in (220..620u64).step_by(40).map(|kib| kib << 10) {
        let (disk, pool) = disk_of(Shape { copies: 1, ..SHAPE });
        let volume = open_weak(&disk, &pool, weakness).unwrap();
        let files: Vec<Ino> = (0..6000).map(|n| put(&volume, &format!("f{n}"), b"").unwrap()).collect();
        // With an empty log.
        volume.close().unwrap();
        let volume = open_weak(&disk, &pool, weakness).unwrap();
        let set = |ino: Ino, mode| volume.setattr(ino, &SetAttr { mode: Some(mode), ..SetAttr::default() }).map(drop);
        for ino in files.iter().step_by(40) {
            set(*ino, 0o611).unwrap();
        }
        pv::Host::remove_file(&disk.host(), std::path::Path::new("/p0.db.d/reserve")).unwrap();
        disk.set_free(free);
        full += u32::from(volume.sync().is_err());
        disk.set_free(8 * MIB);
        set(files[1], 0o622).unwrap();
        volume.sync().unwrap_or_else(|error| panic!("{free} bytes were free: {error}"));
        volume.abandon();
        let there = open(&disk, &pool).is_ok_and(|volume| {
            let mode = |ino: &Ino| volume.getattr(*ino).map(|attr| attr.mode).ok();
            files.iter().step_by(40).all(|ino| mode(ino) == Some(0o611)) && mode(&files[1]) == Some(0o622)
        });
        lost += u32::from(!there);
    }
    (full, lost)
}

#[test]
fn a_commit_that_found_no_room_is_finished_with_room_before_any_other() {
    let (full, lost) = scattered(Weakness::None);
    assert!(full > 2 && lost == 0, "{full} found no room, {lost} lost something");
}

#[test]
fn a_commit_before_one_that_found_no_room_is_found() {
    let (full, lost) = scattered(Weakness::Without(Rule::UnfinishedFirst));
    assert!(full > 2 && lost > 0, "{full} found no room, {lost} lost something");
}

/// Fills the volume and makes it durable; how many files, or what became of it.
fn fill(volume: &Volume) -> Result<u64, LvError> {
    let mut count = 0;
    while put(volume, &format!("f{count}"), &bytes(count, 150_000)).is_ok() {
        count += 1;
    }
    volume.sync().map(|()| count)
}

#[test]
fn without_looking_at_the_host_what_was_accepted_cannot_be_made_durable() {
    let (disk, pool) = disk();
    let volume = open_weak(&disk, &pool, Weakness::Without(Rule::HostRoom)).unwrap();
    assert!(fill(&volume).is_err(), "nothing was found");
}

#[test]
fn without_a_reserve_a_volume_on_a_full_disk_cannot_be_opened() {
    let (disk, pool) = disk();
    let volume = open_weak(&disk, &pool, Weakness::Without(Rule::Reserve)).unwrap();
    assert!(fill(&volume).unwrap() > 60);
    volume.close().unwrap();
    disk.set_free(0);
    let refused = open_weak(&disk, &pool, Weakness::Without(Rule::Reserve));
    assert!(matches!(refused, Err(LvError::Pv(pv::PvError::NoSpace { .. }))), "nothing was found: {refused:?}");
}

/// What it takes to forget extents comes from the volume's metadata, and from the reserve.
#[test]
fn a_volume_of_many_extents_is_removed_with_not_one_byte_free() {
    let disk = Disk::new(Settings { capacity: 24 * MIB, ..Settings::default() });
    let env = disk.env();
    let path = std::path::PathBuf::from("/p.db");
    let capacity = pv::Bytes(64 * MIB);
    pv::Pv::create(&env, &path, &pv::PvOptions { capacity, ..pv::PvOptions::default() }).unwrap();
    let extent_size = pv::ExtentSize::for_tests(SHAPE.extent).unwrap();
    let options = vg::VgOptions { extent_size, ..vg::VgOptions::default() };
    let mut group = vg::VolumeGroup::create(&env, &vg::VgName::new("g").unwrap(), &[path], &options).unwrap();
    let name = vg::LvName::new("v").unwrap();
    let request = vg::LvRequest::new(Some(name.clone()), pv::LeCount(400));
    let lock = group.lock().unwrap();
    group.lv_create(&lock, &request, |group, lv| anyfs_lvm::make_catalogues(&env, group, lv)).unwrap();
    drop(lock);
    let volume = anyfs_lvm::activate(&env, &mut group, &name, VolumeOptions::default()).unwrap();
    assert!(fill(&volume).unwrap() > 100);
    volume.close().unwrap();
    disk.set_free(0);
    let lock = group.lock().unwrap();
    group.lv_remove(&lock, &name).unwrap();
    assert!(group.descriptor().removals.is_empty() && group.lv(&name).is_err());
}
