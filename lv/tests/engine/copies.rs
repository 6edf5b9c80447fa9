//! Two copies of the metadata: lost, stale, one commit apart.

use anyfs_lvm_lv::{Ino, LvError, NewNode, Volume};

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
fn metadata_restored_from_a_backup_is_refused() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    write(&volume, b"a", b"first");
    volume.close().unwrap();
    let old = std::fs::read(&rig.copies[0].path).unwrap();
    let volume = rig.open();
    for n in 0..4u8 {
        let file = volume.create(Ino::ROOT, &[b'n', n + 1], &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &vec![n; 200_000]).unwrap();
        volume.sync().unwrap();
    }
    volume.close().unwrap();
    std::fs::write(&rig.copies[0].path, old).unwrap();
    assert!(matches!(rig.try_open(), Err(LvError::OldMetadata { .. })));
}
