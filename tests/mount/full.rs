//! A volume that is full: who is told, and that it goes on afterwards.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use super::support::{Ground, until};

/// Writes until it fails, and says with what.
fn fill(ground: &Ground, name: &str) -> io::Error {
    let mut file = File::create(ground.at(name)).unwrap();
    let bytes = vec![5; 1 << 20];
    for _ in 0..200 {
        if let Err(error) = file.write_all(&bytes) {
            return error;
        }
        // In the kernel's cache there is room for more than in the volume.
        if let Err(error) = file.sync_all() {
            return error;
        }
    }
    panic!("the volume took more than it has room for");
}

/// Longer than a mount remembers whether its volume is nearly full.
const REMEMBERED: Duration = Duration::from_millis(100);

/// How much of a volume is free, in percent.
fn free(ground: &Ground) -> u64 {
    let space = rustix::fs::statvfs(ground.at("")).unwrap();
    space.f_bavail * 100 / space.f_blocks
}

#[test]
fn a_full_volume_says_so_keeps_what_it_has_and_goes_on_when_there_is_room() {
    for options in ["rw", "no_writeback_cache"] {
        let Some(ground) = Ground::with(options) else { return };
        fs::write(ground.at("kept"), vec![9; 1_000_000]).unwrap();
        assert_eq!(fill(&ground, "big").kind(), ErrorKind::StorageFull, "{options}");
        let refused = File::create(ground.at("more")).and_then(|mut file| {
            file.write_all(&vec![1; 4 << 20])?;
            file.sync_all()
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull, "{options}");
        assert!(fs::read(ground.at("kept")).unwrap() == vec![9; 1_000_000]);
        assert_ne!(ground.shell("head -c 8M /dev/urandom > copy").code, 0, "{options}");
        fs::remove_file(ground.at("copy")).ok();
        fs::remove_file(ground.at("more")).unwrap();
        fs::remove_file(ground.at("big")).unwrap();
        until("there is room again", || fs::write(ground.at("again"), vec![2; 20 << 20]).is_ok());
        ground.again(options);
        assert!(fs::read(ground.at("again")).unwrap() == vec![2; 20 << 20], "{options}");
        assert!(fs::read(ground.at("kept")).unwrap() == vec![9; 1_000_000]);
    }
}

/// The kernel has room for what the volume has not: who never asks must not go on for ever.
#[test]
fn who_only_writes_is_told_by_write() {
    for options in ["rw", "noatime"] {
        let Some(ground) = Ground::with(options) else { return };
        fs::write(ground.at("there"), "x").unwrap();
        ground.again(options);
        for name in ["there", "new"] {
            // What the last round removed is free a little later; until then it is as in the next test.
            until("the volume is empty", || free(&ground) > 90);
            std::thread::sleep(REMEMBERED);
            let mut file = File::options().create(true).append(true).open(ground.at(name)).unwrap();
            let reader = File::open(ground.at(name)).unwrap();
            let bytes = vec![5; 1 << 20];
            let error = (0..4096).find_map(|_| file.write_all(&bytes).err());
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::StorageFull), "{options}, {name}");
            assert!(file.metadata().is_ok() && reader.metadata().is_ok() && fs::metadata(ground.at(name)).is_ok());
            assert!(file.sync_all().is_err(), "what was taken and could not be kept is told by fsync, too");
            drop(file);
            fs::remove_file(ground.at(name)).unwrap();
            drop(reader);
            until("there is room again", || fs::write(ground.at("again"), vec![2; 20 << 20]).is_ok());
            fs::remove_file(ground.at("again")).unwrap();
        }
    }
}

/// Whoever opens a file in such a volume is answered for every write, so that fsync has nothing to tell.
#[test]
fn who_opens_a_file_in_a_volume_that_is_nearly_full_is_told_by_each_write() {
    let Some(ground) = Ground::new() else { return };
    fs::write(ground.at("big"), vec![9; 45 << 20]).unwrap();
    until("it is nearly full", || free(&ground) < 25);
    std::thread::sleep(REMEMBERED);
    let mut file = File::create(ground.at("f")).unwrap();
    let chunk = vec![5; 1 << 20];
    let (mut taken, mut error) = (0, None);
    while error.is_none() && taken < 64 << 20 {
        match file.write(&chunk) {
            Ok(count) => taken += count,
            Err(why) => error = Some(why.kind()),
        }
    }
    assert_eq!(error, Some(ErrorKind::StorageFull));
    file.sync_all().unwrap();
    drop(file);
    ground.again("rw");
    assert!(fs::read(ground.at("f")).unwrap() == vec![5; taken], "of {taken} bytes some are lost");
}

#[test]
fn a_full_volume_can_be_emptied() {
    let Some(ground) = Ground::new() else { return };
    let mut made = 0;
    while made < 5000 && fs::write(ground.at(&format!("f{made}")), vec![3; 50_000]).is_ok() {
        made += 1;
    }
    assert!((500..5000).contains(&made), "{made}");
    for n in 0..=made {
        fs::remove_file(ground.at(&format!("f{n}"))).ok();
    }
    assert_eq!(fs::read_dir(ground.at("")).unwrap().count(), 0);
    until("all of it is free", || {
        let space = rustix::fs::statvfs(ground.at("")).unwrap();
        space.f_bavail + 512 > space.f_blocks
    });
    ground.again("rw");
}
