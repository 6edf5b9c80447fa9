//! A volume that is full: who is told, and that it goes on afterwards.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};

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
            let mut file = File::options().create(true).append(true).open(ground.at(name)).unwrap();
            let reader = File::open(ground.at(name)).unwrap();
            let bytes = vec![5; 1 << 20];
            let error = (0..4096).find_map(|_| file.write_all(&bytes).err());
            assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::StorageFull), "{options}, {name}");
            assert!(file.metadata().is_ok() && reader.metadata().is_ok() && fs::metadata(ground.at(name)).is_ok());
            // What was taken and could not be kept is told by fsync, too.
            if file.sync_all().is_ok() {
                rustix::fs::fadvise(&reader, 0, None, rustix::fs::Advice::DontNeed).unwrap();
                let kept = fs::read(ground.at(name)).unwrap();
                let lost = kept.iter().skip(1).filter(|byte| **byte != 5).count();
                assert_eq!(lost, 0, "of {} bytes, and fsync says nothing: {options}, {name}", kept.len());
            }
            drop(file);
            fs::remove_file(ground.at(name)).unwrap();
            drop(reader);
            until("there is room again", || fs::write(ground.at("again"), vec![2; 20 << 20]).is_ok());
            fs::remove_file(ground.at("again")).unwrap();
        }
    }
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
