//! A file with a log that is not its own is refused: each of its rows may be valid, and all of them together never were.

use std::path::PathBuf;

use anyfs_lvm_lv::{CheckOptions, CopyPlace, Ino, LvError, NewNode, Volume, check};

use super::support::{Rig, contents};

fn write(volume: &Volume, name: &str) {
    let file = volume.create(Ino::ROOT, name.as_bytes(), &NewNode::file(0o600)).unwrap().ino;
    volume.append(file, name.as_bytes()).unwrap();
    volume.sync().unwrap();
}

fn main(rig: &Rig, copy: usize) -> PathBuf {
    rig.copies[copy].path.clone()
}

fn log(rig: &Rig, copy: usize) -> PathBuf {
    rig.copies[copy].path.with_extension("meta-wal")
}

/// A pool whose owner was killed in its third activation, and the files and logs of all copies as they were in each.
fn killed(copies: u8) -> (Rig, Vec<Vec<[Vec<u8>; 2]>>) {
    let rig = Rig::with_copies(2, 64, 65536, copies);
    let mut moments = Vec::new();
    for name in ["first", "second", "third"] {
        let volume = rig.open();
        for number in 0..8 {
            write(&volume, &format!("{name} {number}"));
        }
        let both = |copy| [main(&rig, copy), log(&rig, copy)].map(|file| std::fs::read(file).unwrap());
        moments.push((0..usize::from(copies)).map(both).collect());
        if name == "third" { volume.abandon() } else { volume.close().unwrap() }
    }
    (rig, moments)
}

fn refusal(rig: &Rig) -> String {
    let error = rig.try_open().unwrap_err();
    assert!(matches!(error, LvError::NoMetadata { .. }), "{error:?}");
    let text = pv::chain(&error);
    assert!(text.contains("c0.meta"), "{text}");
    let found = check(&rig.env, &rig.extents, &rig.copies, CheckOptions::ALL);
    assert!(found.is_err() || found.is_ok_and(|report| !report.is_clean()), "a check is content");
    text
}

#[test]
fn an_older_file_beside_the_log_of_now_is_refused() {
    let (rig, moments) = killed(1);
    for old in 0..2 {
        std::fs::write(main(&rig, 0), &moments[old][0][0]).unwrap();
        std::fs::write(log(&rig, 0), &moments[2][0][1]).unwrap();
        let text = refusal(&rig);
        assert!(text.contains("not of the same moment"), "{text}");
    }
    std::fs::write(main(&rig, 0), &moments[2][0][0]).unwrap();
    let volume = rig.open();
    assert_eq!(volume.statfs().unwrap().files, 25);
}

#[test]
fn a_log_of_an_earlier_moment_beside_the_file_of_now_is_refused() {
    let (rig, moments) = killed(1);
    rig.open().close().unwrap();
    for old in &moments {
        std::fs::write(log(&rig, 0), &old[0][1]).unwrap();
        let text = refusal(&rig);
        assert!(text.contains("not of the same moment"), "{text}");
    }
}

#[test]
fn a_log_that_is_cut_before_what_was_moved_from_it_is_refused() {
    let (rig, moments) = killed(1);
    // Moves the log into the file, and dies.
    rig.open().abandon();
    let whole = &moments[2][0][1];
    for part in 1..8 {
        std::fs::write(log(&rig, 0), &whole[..whole.len() / 8 * part]).unwrap();
        let text = refusal(&rig);
        assert!(text.contains("ends before"), "{part}: {text}");
    }
}

#[test]
fn a_copy_with_the_log_of_another_or_an_older_file_is_given_up_and_the_other_serves() {
    for other in [true, false] {
        let (rig, moments) = killed(2);
        if other {
            std::fs::write(log(&rig, 0), &moments[2][1][1]).unwrap();
            std::fs::write(log(&rig, 1), &moments[2][1][1]).unwrap();
        } else {
            std::fs::write(main(&rig, 0), &moments[0][0][0]).unwrap();
        }
        let mut lost = Vec::new();
        let told = &mut |place: &CopyPlace, why: &str| {
            lost.push((place.path.clone(), why.to_owned()));
            Ok(())
        };
        let volume = Volume::activate(&rig.env, rig.extents.clone(), &rig.copies, rig.options, told).unwrap();
        let file = volume.lookup(Ino::ROOT, b"third 7").unwrap().ino;
        assert_eq!(contents(&volume, file), b"third 7");
        assert_eq!(volume.statfs().unwrap().files, 25);
        drop(volume);
        assert_eq!(lost.len(), 1);
        assert!(lost[0].0 == main(&rig, 0) && lost[0].1.contains("not of the same moment"), "{lost:?}");
    }
}
