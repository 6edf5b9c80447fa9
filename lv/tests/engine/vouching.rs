//! Rows that are missing or old are noticed although each row that is there is valid.

use anyfs_lvm_lv::{Ino, Kind, LvError, NewNode, SetAttr, SetXattr, Volume, check_copy};

use super::support::{Rig, contents};

/// A volume with one of everything, closed.
fn made(names: u32) -> Rig {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    for n in 0..names {
        volume.create(Ino::ROOT, format!("n{n}").as_bytes(), &NewNode::file(0o600)).unwrap();
    }
    let file = volume.create(Ino::ROOT, b"file", &NewNode::file(0o600)).unwrap().ino;
    for at in [0, 40_000_000, 60_000_000] {
        volume.write(file, at, &[7; 5000]).unwrap();
    }
    volume.setxattr(file, b"user.a", b"value", SetXattr::Any).unwrap();
    volume.close().unwrap();
    rig
}

fn check(rig: &Rig) -> Vec<String> {
    check_copy(&rig.env, &rig.copies[0]).unwrap().problems.iter().map(ToString::to_string).collect()
}

/// Changes the catalogue behind the engine's back.
fn tamper(rig: &Rig, sql: &str) {
    let connection = rusqlite::Connection::open(&rig.copies[0].path).unwrap();
    connection.execute_batch(sql).unwrap();
}

fn is_damage<T: std::fmt::Debug>(rig: &Rig, result: Result<T, LvError>) {
    let error = result.unwrap_err();
    let text = error.to_string();
    let file = rig.copies[0].path.display().to_string();
    assert!(matches!(error, LvError::DamagedRow { .. }) && text.contains(&file) && !text.contains('\n'), "{text}");
}

fn file(volume: &Volume) -> Ino {
    volume.lookup(Ino::ROOT, b"file").unwrap().ino
}

#[test]
fn a_whole_catalogue_has_no_findings_after_any_work() {
    let rig = made(300);
    assert_eq!(check(&rig), [""; 0]);
    let volume = rig.open();
    let ino = file(&volume);
    volume.write(ino, 20_000_000, &vec![1; 100_000]).unwrap();
    volume.setattr(ino, &SetAttr { size: Some(39_000_000), ..SetAttr::default() }).unwrap();
    volume.removexattr(ino, b"user.a").unwrap();
    volume.unlink(Ino::ROOT, b"n3").unwrap();
    volume.rename((Ino::ROOT, b"n4"), (Ino::ROOT, b"n5"), anyfs_lvm_lv::Rename::Replace).unwrap();
    let failed = volume.transaction(|tx| {
        tx.create(Ino::ROOT, b"never", &NewNode::file(0o600))?;
        tx.unlink(Ino::ROOT, b"n6")?;
        Err::<(), _>(LvError::ReadOnly)
    });
    assert!(failed.is_err());
    volume.sync().unwrap();
    assert_eq!(check(&rig), [""; 0], "beside its owner");
    volume.unlink(Ino::ROOT, b"file").unwrap();
    volume.close().unwrap();
    assert_eq!(check(&rig), [""; 0]);
}

#[test]
fn a_missing_name_is_told_by_lookups_and_listings_of_small_and_large_directories() {
    for names in [10, 300] {
        let rig = made(names);
        tamper(&rig, "DELETE FROM dirent WHERE name = CAST('n7' AS BLOB)");
        let volume = rig.open();
        is_damage(&rig, volume.lookup(Ino::ROOT, b"n7"));
        is_damage(&rig, volume.lookup(Ino::ROOT, b"n8"));
        is_damage(&rig, volume.readdir(Ino::ROOT, 0, 5));
        is_damage(&rig, volume.create(Ino::ROOT, b"n7", &NewNode::file(0o600)));
        volume.abandon();
        assert!(!check(&rig).is_empty());
    }
}

#[test]
fn missing_map_entries_are_no_hole() {
    for off in [0, 40_000_000, 60_000_000] {
        let rig = made(1);
        tamper(&rig, &format!("DELETE FROM map WHERE off = {off}"));
        let volume = rig.open();
        let ino = file(&volume);
        let mut bytes = [0; 100];
        is_damage(&rig, volume.read(ino, off, &mut bytes));
        if off > 0 {
            // What lies before is not affected.
            assert_eq!(volume.read(ino, 0, &mut bytes).unwrap(), 100);
            assert_eq!(bytes, [7; 100]);
        }
        volume.abandon();
        assert!(!check(&rig).is_empty());
    }
}

#[test]
fn a_missing_window_row_is_noticed_too() {
    let rig = made(1);
    tamper(&rig, "DELETE FROM window WHERE win = 2");
    let volume = rig.open();
    let ino = file(&volume);
    is_damage(&rig, volume.read(ino, 40_000_000, &mut [0; 10]));
    volume.abandon();
}

#[test]
fn an_old_row_of_an_inode_is_noticed_when_its_contents_or_attributes_are_read() {
    let rig = made(1);
    let aside = rig.copies[0].path.with_extension("aside");
    let keep = "CREATE TABLE aside.old AS SELECT * FROM inode WHERE size > 1000000";
    tamper(&rig, &format!("ATTACH '{}' AS aside; {keep};", aside.display()));
    let volume = rig.open();
    let ino = file(&volume);
    volume.write(ino, 0, &[9; 5000]).unwrap();
    volume.setxattr(ino, b"user.b", b"more", SetXattr::Any).unwrap();
    volume.close().unwrap();
    tamper(&rig, &format!("ATTACH '{}' AS aside; REPLACE INTO inode SELECT * FROM aside.old;", aside.display()));
    let volume = rig.open();
    is_damage(&rig, volume.read(ino, 0, &mut [0; 10]));
    is_damage(&rig, volume.listxattr(ino));
    volume.abandon();
    assert!(!check(&rig).is_empty());
}

#[test]
fn old_rows_about_extents_refuse_the_activation() {
    let rig = made(1);
    tamper(&rig, "DELETE FROM le WHERE le = (SELECT min(le) FROM le WHERE live > 0)");
    is_damage(&rig, rig.try_open());
    assert!(!check(&rig).is_empty());
}

#[test]
fn a_name_that_leads_nowhere_is_damage_and_not_absence() {
    let rig = made(3);
    tamper(&rig, "DELETE FROM inode WHERE ino = (SELECT ino FROM dirent WHERE name = CAST('n1' AS BLOB))");
    let volume = rig.open();
    is_damage(&rig, volume.lookup(Ino::ROOT, b"n1"));
    is_damage(&rig, volume.readdir_plus(Ino::ROOT, 0, 10));
    let ino = file(&volume);
    assert_eq!(volume.getattr(ino).unwrap().kind, Kind::File);
    assert_eq!(contents(&volume, ino).len(), 60_005_000);
    volume.abandon();
}

#[test]
fn an_index_alone_does_not_condemn_a_file() {
    let rig = made(3);
    // An index that takes every inode for deleted, under the name and definition of the right one.
    tamper(
        &rig,
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX inode_orphan ON inode(fs, ino)' WHERE name = 'inode_orphan';
         PRAGMA writable_schema = RESET;",
    );
    tamper(
        &rig,
        "REINDEX inode_orphan;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = 'CREATE INDEX inode_orphan ON inode(fs, ino) WHERE nlink = 0'
         WHERE name = 'inode_orphan';
         PRAGMA writable_schema = RESET;",
    );
    is_damage(&rig, rig.try_open());
}
