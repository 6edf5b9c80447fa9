//! Two copies of the metadata: lost, stale, one commit apart.

use std::path::Path;

use anyfs_lvm_lv::{
    CheckOptions, CopyPlace, Ino, LvError, NewNode, Rule, TestSwitches, Volume, VolumeNotice, VolumeOptions, Work,
    check,
};

use super::support::{Rig, contents};

fn write(volume: &Volume, name: &[u8], bytes: &[u8]) -> Ino {
    let file = volume.create(Ino::ROOT, name, &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, bytes).unwrap();
    volume.sync().unwrap();
    file
}

fn read(volume: &Volume, name: &[u8]) -> Vec<u8> {
    contents(volume, volume.lookup(Ino::ROOT, name).unwrap().ino)
}

#[test]
fn a_lost_copy_is_given_up_before_the_first_commit_and_the_other_serves() {
    let rig = Rig::with_copies(2, 16, 65536, 2);
    let volume = rig.open();
    write(&volume, b"a", b"before");
    volume.close().unwrap();
    std::fs::remove_file(&rig.copies[0].path).unwrap();

    let refused = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |_, why| {
        Err(LvError::NoMetadata { missing: why.to_owned() })
    });
    assert!(matches!(refused, Err(LvError::NoMetadata { .. })), "who may not give it up does not go on without it");

    let mut told = Vec::new();
    let volume = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |copy, _| {
        told.push(copy.clone());
        Ok(())
    })
    .unwrap();
    assert_eq!(told, [rig.copies[0].clone()]);
    let [VolumeNotice::CopyGivenUp { file, why, left: 1 }] = volume.notices() else { panic!("{:?}", volume.notices()) };
    assert_eq!((file, why.as_str()), (&rig.copies[0].path, "cannot open it: No such file or directory"));
    assert_eq!(read(&volume, b"a"), b"before");
    write(&volume, b"b", b"after");
    assert_eq!(read(&volume, b"b"), b"after");
}

#[test]
fn all_copies_lost_is_one_line_that_names_them() {
    let rig = Rig::with_copies(2, 16, 65536, 2);
    rig.open().close().unwrap();
    for copy in &rig.copies {
        std::fs::remove_file(&copy.path).unwrap();
    }
    let error = rig.try_open().unwrap_err().to_string();
    assert!(error.contains("c0.meta") && error.contains("c1.meta") && !error.contains('\n'), "{error}");
}

#[test]
fn a_stale_copy_that_counts_as_the_newest_is_found() {
    let mut rig = Rig::with_copies(2, 16, 65536, 2);
    rig.open().close().unwrap();
    let old = std::fs::read(&rig.copies[0].path).unwrap();
    let volume = rig.open();
    write(&volume, b"a", b"acknowledged");
    volume.close().unwrap();
    std::fs::write(&rig.copies[0].path, old).unwrap();
    let shown = |rig: &Rig| rig.try_open().is_ok_and(|volume| volume.lookup(Ino::ROOT, b"a").is_ok());
    rig.options.switches = TestSwitches::without(Rule::NewestCopy);
    assert!(!shown(&rig), "not found");
}

#[test]
fn a_stale_copy_is_made_new_before_it_counts() {
    // Either copy alone then tells the whole story.
    for gone in [1, 0] {
        let rig = Rig::with_copies(2, 16, 65536, 2);
        let volume = rig.open();
        write(&volume, b"a", b"first");
        volume.close().unwrap();
        let old = std::fs::read(&rig.copies[0].path).unwrap();
        let volume = rig.open();
        for n in 0..20u8 {
            write(&volume, &[b'n', n + 1], &[n; 100]);
        }
        volume.close().unwrap();
        std::fs::write(&rig.copies[0].path, old).unwrap();

        let volume = rig.open();
        assert_eq!(read(&volume, &[b'n', 20]), [19; 100]);
        write(&volume, b"z", b"last");
        volume.close().unwrap();
        std::fs::remove_file(&rig.copies[gone].path).unwrap();
        let volume =
            Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |_, _| Ok(())).unwrap();
        assert_eq!(read(&volume, b"z"), b"last");
        assert_eq!(read(&volume, b"a"), b"first");
    }
}

#[test]
fn a_copy_that_an_activation_went_on_without_is_refused() {
    let rig = Rig::with_copies(2, 16, 65536, 2);
    rig.open().close().unwrap();
    let path = &rig.copies[1].path;
    let aside = path.with_extension("aside");
    std::fs::rename(path, &aside).unwrap();
    let activate = || Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |_, _| Ok(()));
    activate().unwrap().close().unwrap();
    std::fs::rename(&aside, path).unwrap();
    std::fs::remove_file(&rig.copies[0].path).unwrap();
    assert!(matches!(activate(), Err(LvError::OldMetadata { .. })));
}

#[test]
fn copies_one_commit_apart_are_made_equal_by_the_commit_that_one_missed() {
    let rig = Rig::with_copies(2, 16, 65536, 2);
    let volume = rig.open();
    write(&volume, b"a", b"first");
    // The state of copy 0 without the next commit, as after a crash between the two copies' commits: same epoch.
    let wal = |n: usize| rig.copies[n].path.with_extension("meta-wal");
    let (main, log) = (std::fs::read(&rig.copies[0].path).unwrap(), std::fs::read(wal(0)).unwrap());
    write(&volume, b"b", b"second");
    volume.abandon();
    std::fs::write(&rig.copies[0].path, main).unwrap();
    std::fs::write(wal(0), log).unwrap();
    let shm = rig.copies[0].path.with_extension("meta-shm");
    let _ = std::fs::remove_file(shm);

    let volume = rig.open();
    assert_eq!(read(&volume, b"b"), b"second");
    volume.close().unwrap();
    std::fs::remove_file(&rig.copies[1].path).unwrap();
    let volume = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |_, _| Ok(())).unwrap();
    assert_eq!(read(&volume, b"b"), b"second");
    assert_eq!(read(&volume, b"a"), b"first");
}

#[test]
fn metadata_restored_from_a_backup_is_refused_and_a_check_names_each_copy() {
    let rig = Rig::with_copies(2, 64, 65536, 2);
    let volume = rig.open();
    write(&volume, b"a", b"first");
    volume.close().unwrap();
    let old: Vec<_> = rig.copies.iter().map(|copy| std::fs::read(&copy.path).unwrap()).collect();
    let volume = rig.open();
    for n in 0..4u8 {
        let file = volume.create(Ino::ROOT, &[b'n', n + 1], &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &vec![n; 200_000]).unwrap();
        volume.sync().unwrap();
    }
    volume.close().unwrap();
    rig.copies.iter().zip(old).for_each(|(copy, old)| std::fs::write(&copy.path, old).unwrap());
    assert!(matches!(rig.try_open(), Err(LvError::OldMetadata { .. })));
    let report = check(&rig.env, &rig.extents, &rig.copies, CheckOptions::ALL).unwrap();
    let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
    let names = |text: &String, copy: &CopyPlace| text.contains(&copy.path.display().to_string());
    assert!(told.iter().any(|text| rig.copies.iter().all(|copy| names(text, copy))), "{told:?}");
}

/// What happens to a copy, and whether it is lost then.
type Spoil<'a> = (&'a dyn Fn(&std::path::Path), bool);

#[test]
fn what_is_no_copy_any_more_is_given_up_and_what_may_be_one_is_not() {
    let cut =
        |path: &std::path::Path| std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(5000).unwrap();
    let foreign = |path: &std::path::Path| {
        let other = Rig::new(1, 8, 65536);
        other.open().close().unwrap();
        std::fs::copy(&other.copies[0].path, path).unwrap();
    };
    let newer = |path: &std::path::Path| {
        rusqlite::Connection::open(path).unwrap().pragma_update(None, "user_version", 77).unwrap();
    };
    let cases: [Spoil<'_>; 6] = [
        (&|path| std::fs::remove_file(path).unwrap(), true),
        (&|path| std::fs::write(path, b"").unwrap(), true),
        (&|path| std::fs::write(path, b"something else").unwrap(), true),
        (&cut, true),
        (&foreign, true),
        (&newer, false),
    ];
    for (number, (spoil, lost)) in cases.into_iter().enumerate() {
        let rig = Rig::with_copies(2, 16, 65536, 2);
        write(&rig.open(), b"a", b"before");
        spoil(&rig.copies[0].path);
        let mut told = 0;
        let opened = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |_, _| {
            told += 1;
            Ok(())
        });
        assert_eq!((told, opened.is_ok()), (i32::from(lost), lost), "case {number}: {opened:?}");
        if let Err(error) = opened {
            assert!(matches!(&error, LvError::CopyUnread { file, .. } if *file == rig.copies[0].path), "{error}");
            let options = VolumeOptions { read_only: true, ..rig.options };
            let volume = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, options, &mut |_, _| {
                panic!("reading gives nothing up")
            })
            .unwrap();
            assert_eq!(read(&volume, b"a"), b"before");
        }
    }
}

/// A place for one more copy.
fn third(rig: &Rig) -> CopyPlace {
    CopyPlace { pv: pv::PvUuid::from_bytes([9; 16]), path: rig.copies[0].path.with_file_name("c9.meta") }
}

#[test]
fn an_added_copy_is_equal_when_it_is_listed_and_takes_part_in_every_commit_afterwards() {
    let mut rig = Rig::with_copies(2, 16, 65536, 1);
    let more = third(&rig);
    std::fs::write(&more.path, b"what was given up once").unwrap();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"a", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &vec![1; 100_000]).unwrap();
    volume.fsync(file).unwrap();
    let mut listed = false;
    volume
        .add_copy(&more, &mut |epoch| {
            assert!(epoch.0 > 0);
            // Another program, as after a crash at this moment: it finds all that was acknowledged.
            let state = |path: &std::path::Path| -> (i64, i64) {
                let db = rusqlite::Connection::open(path).unwrap();
                db.query_row("SELECT epoch, txg FROM state", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
            };
            assert_eq!(state(&more.path), state(&rig.copies[0].path));
            listed = true;
            Ok(())
        })
        .unwrap();
    assert!(listed);
    assert!(matches!(volume.add_copy(&more, &mut |_| Ok(())), Err(LvError::Invalid { .. })));
    write(&volume, b"b", b"after");
    volume.abandon();
    std::fs::remove_file(&rig.copies[0].path).unwrap();
    rig.copies = vec![more];
    let volume = rig.open();
    assert_eq!(read(&volume, b"b"), b"after");
    assert_eq!(read(&volume, b"a"), vec![1; 100_000]);
    volume.close().unwrap();
    rig.check();
}

#[test]
fn a_copy_of_which_nobody_knows_whether_it_is_listed_stops_the_volume() {
    for took_effect in [false, true] {
        let mut rig = Rig::with_copies(2, 16, 65536, 1);
        let more = third(&rig);
        let volume = rig.open();
        write(&volume, b"a", b"before");
        assert!(matches!(volume.add_copy(&more, &mut |_| Err(LvError::TooManyLocks)), Err(LvError::TooManyLocks)));
        // A commit to the others alone would count, and the new copy would pass for one that has it.
        assert!(matches!(volume.create(Ino::ROOT, b"b", &NewNode::file(0o600)), Err(LvError::Poisoned { .. })));
        assert!(volume.close().is_err());
        if took_effect {
            std::fs::remove_file(&rig.copies[0].path).unwrap();
            rig.copies = vec![more];
        }
        assert_eq!(read(&rig.open(), b"a"), b"before");
    }
}

#[test]
fn a_commit_between_two_looks_of_an_activation_is_no_damage() {
    let rig = Rig::with_copies(2, 16, 65536, 2);
    rig.open().close().unwrap();
    std::fs::remove_file(&rig.copies[1].path).unwrap();
    let activate = |copies: &[CopyPlace], takeover: bool, dropped: &mut dyn FnMut()| {
        let options = VolumeOptions { takeover, ..rig.options };
        Volume::activate(&rig.env, rig.extents.clone(), copies, options, &mut |_, _| {
            dropped();
            Ok(())
        })
    };
    let former = activate(&rig.copies[..1], false, &mut || panic!("its only copy is there")).unwrap();
    write(&former, b"a", b"before");
    let mut given_up = 0;
    let volume = activate(&rig.copies, true, &mut || {
        given_up += 1;
        // The copies were read, their rows were not.
        write(&former, b"b", b"meanwhile");
    });
    let volume = volume.unwrap();
    assert_eq!((given_up, volume.notices().len()), (1, 1));
    assert_eq!(read(&volume, b"b"), b"meanwhile");
    former.create(Ino::ROOT, b"c", &NewNode::file(0o600)).unwrap();
    assert!(matches!(former.sync(), Err(LvError::Fenced { .. })));
}

/// What happens to a copy, with the other one at hand.
type Act<'a> = &'a dyn Fn(&Path, &Path);

#[test]
fn a_link_is_no_copy_and_neither_is_a_second_name_of_one() {
    let link_away = |file: &Path, _: &Path| {
        std::fs::rename(file, file.with_extension("aside")).unwrap();
        std::os::unix::fs::symlink(file.with_extension("aside"), file).unwrap();
    };
    let link_to_other = |file: &Path, other: &Path| {
        std::fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink(other, file).unwrap();
    };
    let second_name = |file: &Path, other: &Path| {
        std::fs::remove_file(file).unwrap();
        std::fs::hard_link(other, file).unwrap();
    };
    let link_log = |file: &Path, _: &Path| {
        let log = file.with_extension("meta-wal");
        std::fs::write(file.with_extension("aside"), b"").unwrap();
        let _ = std::fs::remove_file(&log);
        std::os::unix::fs::symlink(file.with_extension("aside"), log).unwrap();
    };
    let cases: [(Act<'_>, &str); 4] = [
        (&link_away, "symbolic link"),
        (&link_to_other, "symbolic link"),
        (&second_name, "the same file as "),
        (&link_log, "symbolic link"),
    ];
    for (number, (spoil, word)) in cases.into_iter().enumerate() {
        for (bad, good) in [(0, 1), (1, 0)] {
            let rig = Rig::with_copies(2, 16, 65536, 2);
            let volume = rig.open();
            write(&volume, b"a", b"before");
            volume.close().unwrap();
            spoil(&rig.copies[bad].path, &rig.copies[good].path);
            let report = check(&rig.env, &rig.extents, &rig.copies, anyfs_lvm_lv::CheckOptions::default()).unwrap();
            assert!(!report.is_clean(), "case {number}, {bad}: {report:?}");
            assert_eq!(report.checked.copies, 1, "case {number}, {bad}");
            let mut told = Vec::new();
            let volume = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, &mut |copy, why| {
                told.push((copy.clone(), why.to_owned()));
                Ok(())
            });
            let volume = volume.unwrap_or_else(|error| panic!("case {number}, {bad}: {error}"));
            let [(copy, why)] = told.as_slice() else { panic!("case {number}, {bad}: {told:?}") };
            assert!(why.contains(word), "case {number}, {bad}: {why}");
            // Of two names of one file neither is more the copy than the other.
            assert!(*copy == rig.copies[bad] || number == 2, "case {number}, {bad}: {told:?}");
            assert_eq!(read(&volume, b"a"), b"before");
            write(&volume, b"b", b"after");
        }
    }
}

#[test]
fn metadata_of_an_earlier_moment_of_the_last_activation_is_refused_after_a_close() {
    for pvs in [1, 2] {
        let rig = Rig::new(pvs, 64, 65536);
        let volume = rig.open();
        write(&volume, b"a", b"first");
        volume.step(Work::Flush).unwrap();
        volume.sync().unwrap();
        let files = [rig.copies[0].path.clone(), rig.copies[0].path.with_extension("meta-wal")];
        let old = files.each_ref().map(|file| std::fs::read(file).unwrap());
        // Nothing that a PV would have to do with.
        volume.mkdir(Ino::ROOT, b"b", &NewNode::directory(0o700)).unwrap();
        volume.close().unwrap();
        for (file, old) in files.iter().zip(old) {
            std::fs::write(file, old).unwrap();
        }
        let refused = rig.try_open();
        assert!(matches!(refused, Err(LvError::OldMetadata { .. })), "{pvs}: {refused:?}");
    }
}
