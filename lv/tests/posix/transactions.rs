//! Several calls as one: each of them keeps its own rules, and all of them together happen or do not.

use anyfs_lvm_lv::{LvError, NewNode, Rename, SetAttr, SetXattr};

use super::ground::{
    EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENODATA, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, Ground, ROOT, errno,
};

#[test]
fn all_changes_of_a_transaction_have_one_time() {
    let ground = Ground::new();
    let (dir, file) = (ground.dir(ROOT, b"dir"), ground.filled(b"file", b"bytes"));
    let before = ground.attr(file);
    let made = ground
        .transaction(|tx| {
            let made = tx.create(dir, b"made", &NewNode::file(0o600))?.ino;
            tx.write(made, 0, b"x")?;
            tx.rename((ROOT, b"file"), (dir, b"file"), Rename::Keep)?;
            tx.setattr(file, &SetAttr { mode: Some(0o600), ..SetAttr::default() })?;
            tx.setxattr(dir, b"user.a", b"", SetXattr::Any)?;
            Ok(made)
        })
        .unwrap();
    let moment = ground.attr(made).btime;
    assert!(moment > before.ctime);
    for time in [ground.attr(made).mtime, ground.attr(made).ctime, ground.attr(dir).mtime, ground.attr(ROOT).ctime] {
        assert_eq!(time, moment);
    }
    assert_eq!((ground.attr(file).mtime, ground.attr(file).ctime), (before.mtime, moment));
}

#[test]
fn calls_in_a_transaction_fail_as_they_do_outside_and_the_others_stay() {
    let ground = Ground::new();
    let (dir, file) = (ground.dir(ROOT, b"dir"), ground.filled(b"file", b"bytes"));
    let node = NewNode::file(0o600);
    ground
        .transaction(|tx| {
            tx.mkdir(dir, b"inner", &node)?;
            assert_eq!(errno(tx.create(ROOT, b"file", &node)), EEXIST);
            assert_eq!(errno(tx.create(file, b"x", &node)), ENOTDIR);
            assert_eq!(errno(tx.mkdir(ROOT, &[b'n'; 256], &node)), ENAMETOOLONG);
            assert_eq!(errno(tx.symlink(ROOT, b"x", b"", &node)), EINVAL);
            assert_eq!(errno(tx.link(dir, ROOT, b"x")), EPERM);
            assert_eq!(errno(tx.unlink(ROOT, b"dir")), EISDIR);
            assert_eq!(errno(tx.rmdir(ROOT, b"dir")), ENOTEMPTY);
            assert_eq!(errno(tx.rename((ROOT, b"file"), (ROOT, b"none"), Rename::Exchange)), ENOENT);
            assert_eq!(errno(tx.rename((ROOT, b"dir"), (dir, b"x"), Rename::Replace)), EINVAL);
            assert_eq!(errno(tx.write(dir, 0, b"x")), EISDIR);
            assert_eq!(errno(tx.removexattr(file, b"user.a")), ENODATA);
            tx.append(file, b" and more").map(drop)
        })
        .unwrap();
    assert_eq!((ground.bytes(file), ground.names(dir)), (b"bytes and more".to_vec(), vec![b"inner".to_vec()]));
    assert_eq!(
        (ground.names(ROOT), ground.nlink(dir), ground.files()),
        (vec![b"dir".to_vec(), b"file".to_vec()], 3, 4)
    );
}

#[test]
fn every_mode_of_a_rename_means_the_same_in_a_transaction() {
    let mut ground = Ground::new();
    let (a, b) = (ground.filled(b"a", b"1"), ground.filled(b"b", b"2"));
    let rename = |how| move |ground: &Ground| ground.transaction(|tx| tx.rename((ROOT, b"a"), (ROOT, b"b"), how));
    assert_eq!(errno(rename(Rename::Keep)(&ground)), EEXIST);
    rename(Rename::Exchange)(&ground).unwrap();
    assert_eq!((ground.at(ROOT, b"a"), ground.at(ROOT, b"b")), (Some(b), Some(a)));
    rename(Rename::Replace)(&ground).unwrap();
    assert_eq!((ground.at(ROOT, b"a"), ground.at(ROOT, b"b")), (None, Some(b)));
    ground.reopen();
    assert_eq!((ground.names(ROOT), ground.bytes(b)), (vec![b"b".to_vec()], b"2".to_vec()));
}

#[test]
fn a_failed_transaction_gives_back_names_links_times_and_space() {
    let ground = Ground::new();
    let (dir, file) = (ground.dir(ROOT, b"dir"), ground.filled(b"file", &vec![1; 50_000]));
    ground.link(file, dir, b"second").unwrap();
    ground.chmod(file, 0o6755);
    ground.settle();
    let look = |ground: &Ground| {
        let attrs = [ROOT, dir, file].map(|ino| ground.attr(ino));
        (attrs, [ROOT, dir].map(|ino| ground.readdir(ino, 0, 99).unwrap()), ground.free(), ground.files())
    };
    let before = look(&ground);
    let failed: Result<(), LvError> = ground.transaction(|tx| {
        tx.write(file, 0, &[2; 10_000])?;
        tx.setattr(file, &SetAttr { size: Some(100), uid: Some(9), atime: Some(9), ..SetAttr::default() })?;
        tx.unlink(ROOT, b"file")?;
        tx.unlink(dir, b"second")?;
        tx.rmdir(ROOT, b"dir")?;
        let again = tx.mkdir(ROOT, b"dir", &NewNode::directory(0o700))?.ino;
        tx.create(again, b"file", &NewNode::file(0o600))?;
        tx.mkdir(ROOT, b"other", &NewNode::directory(0o700))?;
        Err(LvError::ReadOnly)
    });
    assert!(matches!(failed, Err(LvError::ReadOnly)));
    assert_eq!(look(&ground), before);
    assert!(ground.bytes(file) == vec![1; 50_000]);
    ground.settle();
    assert_eq!(look(&ground), before);
}

#[test]
fn a_file_opened_before_outlives_a_transaction_that_takes_its_name() {
    let mut ground = Ground::new();
    let file = ground.filled(b"file", b"bytes");
    ground.open(file).unwrap();
    ground.transaction(|tx| tx.unlink(ROOT, b"file")).unwrap();
    assert_eq!((ground.nlink(file), ground.bytes(file)), (0, b"bytes".to_vec()));
    let failed: Result<(), LvError> = ground.transaction(|tx| {
        tx.append(file, b"lost")?;
        Err(LvError::ReadOnly)
    });
    assert!(failed.is_err());
    assert_eq!(ground.bytes(file), b"bytes");
    ground.sync().unwrap();
    ground.crash();
    assert_eq!((errno(ground.getattr(file)), ground.names(ROOT).len()), (ENOENT, 0));
}

#[test]
fn a_replacement_of_many_files_is_seen_whole_also_after_a_crash() {
    let mut ground = Ground::new();
    let names: Vec<Vec<u8>> = (0..10u8).map(|n| vec![b'a' + n]).collect();
    for name in &names {
        ground.filled(name, b"old");
    }
    ground.sync().unwrap();
    for synced in [false, true] {
        ground
            .transaction(|tx| {
                for name in &names {
                    let new = tx.create(ROOT, b"new", &NewNode::file(0o600))?.ino;
                    tx.write(new, 0, b"new")?;
                    tx.rename((ROOT, b"new"), (ROOT, name), Rename::Replace)?;
                }
                Ok(())
            })
            .unwrap();
        if synced {
            ground.fsync(ROOT).unwrap();
        }
        ground.crash();
        let found: Vec<Vec<u8>> = names.iter().map(|name| ground.bytes(ground.at(ROOT, name).unwrap())).collect();
        assert!(found.iter().all(|bytes| *bytes == found[0]), "{found:?}");
        assert!(!synced || found[0] == b"new");
        assert_eq!(ground.names(ROOT), names);
    }
}
