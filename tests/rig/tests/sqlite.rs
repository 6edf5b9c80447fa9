//! SQLite itself runs on the rig's disks as it does on real ones.

use std::time::Duration;

use anyfs_lvm_rig::{Disk, Mode, Model, NameOp, Op, Settings};
use rusqlite::{Connection, ErrorCode};

#[cfg(test)]
mod support {
    use super::*;

    /// A new database in a journal mode, FULL.
    pub(crate) fn database(disk: &Disk, journal: &str, parameters: &str) -> Connection {
        let db = disk.connect("/t.db", parameters).unwrap();
        set_up(&db, journal);
        db.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, data BLOB)").unwrap();
        db
    }

    pub(crate) fn set_up(db: &Connection, journal: &str) {
        db.busy_timeout(Duration::ZERO).unwrap();
        let mode: String = db.query_row(&format!("PRAGMA journal_mode={journal}"), [], |row| row.get(0)).unwrap();
        assert!(mode.eq_ignore_ascii_case(journal), "{mode} instead of {journal}");
        db.execute_batch("PRAGMA synchronous=FULL").unwrap();
    }

    pub(crate) fn insert(db: &Connection, count: u32) -> rusqlite::Result<()> {
        let mut statement = db.prepare("INSERT INTO t (data) VALUES (randomblob(3000))")?;
        (0..count).try_for_each(|_| statement.execute([]).map(drop))
    }

    pub(crate) fn count(db: &Connection) -> rusqlite::Result<u32> {
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
    }

    pub(crate) fn sound(db: &Connection) -> bool {
        let answer: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        answer == "ok"
    }

    pub(crate) fn is_busy<T>(result: &rusqlite::Result<T>) -> bool {
        matches!(result, Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == ErrorCode::DatabaseBusy)
    }
}

use support::{count, database, insert, is_busy, set_up, sound};

#[test]
fn two_connections_lock_each_other_out_as_on_a_real_disk() {
    for journal in ["DELETE", "TRUNCATE", "PERSIST", "WAL"] {
        let disk = Disk::default();
        let one = database(&disk, journal, "");
        let two = disk.connect("/t.db", "").unwrap();
        set_up(&two, journal);
        one.execute_batch("BEGIN IMMEDIATE").unwrap();
        insert(&one, 5).unwrap();
        assert!(is_busy(&two.execute_batch("BEGIN IMMEDIATE")), "{journal}: two writers");
        assert_eq!(count(&two).unwrap(), 0, "{journal}: sees what is not committed");
        two.execute_batch("BEGIN").unwrap();
        count(&two).unwrap();
        let commit = one.execute_batch("COMMIT");
        if journal == "WAL" {
            commit.unwrap();
            assert_eq!(count(&two).unwrap(), 0, "{journal}: reader lost its snapshot");
            two.execute_batch("COMMIT").unwrap();
        } else {
            assert!(is_busy(&commit), "{journal}: wrote under a reader");
            assert!(is_busy(&count(&disk.connect("/t.db", "").unwrap())), "{journal}: new reader past PENDING");
            two.execute_batch("COMMIT").unwrap();
            one.execute_batch("COMMIT").unwrap();
        }
        assert_eq!(count(&two).unwrap(), 5, "{journal}");
        two.execute_batch("DELETE FROM t WHERE id < 3; VACUUM").unwrap();
        assert_eq!(count(&one).unwrap(), 3, "{journal}");
        assert!(sound(&one) && sound(&two), "{journal}");
    }
}

/// All that a kill at any operation of one transaction leaves; how often the old and the new state came back.
fn kill_everywhere(journal: &str, parameters: &str) -> (u32, u32) {
    let disk = Disk::default();
    let db = database(&disk, journal, parameters);
    db.execute_batch("PRAGMA cache_size=10").unwrap();
    insert(&db, 50).unwrap();
    let mut model = Model::new(&disk.image());
    disk.start_recording();
    db.execute_batch("BEGIN; UPDATE t SET data = randomblob(2999)").unwrap();
    insert(&db, 10).unwrap();
    db.execute_batch("COMMIT").unwrap();
    let (mut old, mut new) = (0, 0);
    let log = disk.take_log();
    for op in log.iter().map(Some).chain([None]) {
        let image = model.image(Mode::Kill, 0).unwrap();
        let disk = Disk::from_image(&image, Settings::default());
        let db = disk.connect("/t.db", parameters).unwrap();
        let updated: u32 =
            db.query_row("SELECT count(*) FROM t WHERE length(data) = 2999", [], |row| row.get(0)).unwrap();
        match (updated, count(&db).unwrap()) {
            (0, 50) => old += 1,
            (50, 60) => new += 1,
            other => panic!("{journal}: half a transaction: {other:?}"),
        }
        assert!(sound(&db), "{journal}");
        if let Some(op) = op {
            model.apply(op);
        }
    }
    (old, new)
}

#[test]
fn a_hot_journal_is_rolled_back() {
    for journal in ["DELETE", "TRUNCATE", "PERSIST"] {
        let (old, new) = kill_everywhere(journal, "");
        // The cache is small: pages were written into the database while the journal was hot.
        assert!(old > 100 && new > 0, "{journal}: {old} old, {new} new");
    }
}

#[test]
fn a_wal_is_recovered() {
    for parameters in ["", "psow=0"] {
        let (old, new) = kill_everywhere("WAL", parameters);
        assert!(old > 50 && new > 0, "{parameters}: {old} old, {new} new");
    }
}

/// Syncs and written bytes of one small transaction: of the database, its journal or WAL, and the folder.
fn cost(journal: &str, parameters: &str) -> (Vec<(String, usize, usize)>, usize) {
    let disk = Disk::default();
    let db = database(&disk, journal, parameters);
    insert(&db, 20).unwrap();
    disk.start_recording();
    insert(&db, 1).unwrap();
    let log = disk.take_log();
    let host = disk.env().host;
    let mut files = Vec::new();
    for (name, _) in disk.image().list() {
        let inode = host.stat(std::path::Path::new(&*name)).unwrap().inode;
        let syncs = log.iter().filter(|op| **op == Op::Sync(inode)).count();
        let bytes = log.iter().map(|op| match op {
            Op::Write { inode: of, data, .. } if *of == inode => data.len(),
            _ => 0,
        });
        files.push((name.to_string(), syncs, bytes.sum()));
    }
    (files, log.iter().filter(|op| matches!(op, Op::SyncDir(_))).count())
}

#[test]
fn a_commit_costs_the_syncs_that_strace_counts_on_ext4() {
    // PERSIST FULL, as measured before: journal x3, database x1, directory x1 in every transaction.
    let (files, dirs) = cost("PERSIST", "");
    let syncs: Vec<_> = files.iter().map(|(name, syncs, _)| (name.as_str(), *syncs)).collect();
    assert_eq!((syncs, dirs), (vec![("/t.db", 1), ("/t.db-journal", 3)], 1));
    let (files, dirs) = cost("WAL", "");
    let syncs: Vec<_> = files.iter().map(|(name, syncs, _)| (name.as_str(), *syncs)).collect();
    assert_eq!((syncs, dirs), (vec![("/t.db", 0), ("/t.db-wal", 1)], 0));
}

#[test]
fn psow_0_pads_a_wal_commit_to_a_sector() {
    let wal = |parameters| cost("WAL", parameters).0[1].2;
    assert!(wal("psow=0") > wal(""), "{} against {}", wal("psow=0"), wal(""));
    assert_eq!(wal("psow=1"), wal(""));
}

#[test]
fn delete_mode_syncs_its_folder_after_the_unlink_only_with_extra() {
    let last = |level| {
        let disk = Disk::default();
        let db = database(&disk, "DELETE", "");
        db.execute_batch(&format!("PRAGMA synchronous={level}")).unwrap();
        disk.start_recording();
        insert(&db, 1).unwrap();
        let log = disk.take_log();
        let unlink = log.iter().position(|op| matches!(op, Op::Name(NameOp::Remove(_)))).unwrap();
        log[unlink + 1..].to_vec()
    };
    assert_eq!(last("FULL"), []);
    assert_eq!(last("EXTRA"), [Op::SyncDir("/".into())]);
}

#[test]
fn threads_share_a_wal() {
    let disk = Disk::default();
    let db = database(&disk, "WAL", "");
    db.execute_batch("CREATE TABLE n (value INTEGER); INSERT INTO n VALUES (0); PRAGMA wal_autocheckpoint=20").unwrap();
    let again = |act: &mut dyn FnMut() -> rusqlite::Result<()>| {
        loop {
            match act() {
                Ok(()) => break,
                // Nobody sleeps on this disk, so that SQLite's patience for a wal-index in motion ends soon: once more.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::FileLockingProtocolFailed) => {}
                Err(error) => {
                    let text = error.to_string();
                    assert!(is_busy::<()>(&Err(error)), "{text}");
                }
            }
            std::thread::yield_now();
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    // A connection each time: the wal-index comes and goes.
                    let db = disk.connect("/t.db", "").unwrap();
                    db.busy_timeout(Duration::ZERO).unwrap();
                    again(&mut || db.execute_batch("BEGIN IMMEDIATE"));
                    db.execute_batch("UPDATE n SET value = value + 1; INSERT INTO t (data) VALUES (randomblob(900))")
                        .unwrap();
                    again(&mut || db.execute_batch("COMMIT"));
                    again(&mut || db.query_row("PRAGMA integrity_check", [], |_| Ok(())));
                }
            });
        }
    });
    assert_eq!(count(&db).unwrap(), 400);
    assert_eq!(db.query_row("SELECT value FROM n", [], |row| row.get::<_, u32>(0)).unwrap(), 400);
    assert!(sound(&db));
    drop(db);
    assert_eq!(disk.image().list().len(), 1, "the last connection removes the WAL");
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    for journal in ["PERSIST", "WAL"] {
        let disk = Disk::default();
        let db = database(&disk, journal, "");
        insert(&db, 20).unwrap();
        disk.set_free(40_000);
        let error = (0..20).find_map(|_| insert(&db, 5).err()).unwrap();
        assert!(
            matches!(error, rusqlite::Error::SqliteFailure(error, _) if error.code == ErrorCode::DiskFull),
            "{error}"
        );
        disk.set_free(1_000_000);
        let before = count(&db).unwrap();
        insert(&db, 5).unwrap();
        assert_eq!(count(&db).unwrap(), before + 5);
        assert!(sound(&db));
    }
}

#[test]
fn immutable_readers_take_no_locks() {
    let disk = Disk::default();
    let db = database(&disk, "PERSIST", "");
    insert(&db, 5).unwrap();
    let reader = disk.connect("/t.db", "immutable=1").unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader).unwrap(), 5);
    insert(&db, 5).unwrap();
    assert_eq!(count(&reader).unwrap(), 5);
    assert_eq!(count(&disk.connect("/t.db", "immutable=1").unwrap()).unwrap(), 10);
}

#[test]
fn a_connection_left_behind_reaches_no_other_disk() {
    let disk = Disk::default();
    let name = disk.vfs().to_owned();
    let left = database(&disk, "PERSIST", "");
    drop(disk);
    let next: Vec<Disk> = (0..4).map(|_| Disk::default()).collect();
    assert!(next.iter().all(|disk| disk.vfs() != name));
    // Its journal cannot be opened any more: an error, not a stranger's file.
    assert!(insert(&left, 1).is_err());
    assert!(next.iter().all(|disk| disk.image().list().is_empty()));
}

#[test]
fn a_run_repeats_byte_for_byte() {
    // Only in a process of its own: SQLite's random numbers are everybody's. Lengths and order repeat always.
    let shape = || {
        let disk = Disk::default();
        disk.start_recording();
        let db = database(&disk, "WAL", "psow=0");
        insert(&db, 20).unwrap();
        drop(db);
        let log = disk.take_log();
        log.iter()
            .map(|op| match op {
                Op::Write { inode, at, data } => format!("write {inode} {at} {}", data.len()),
                other => format!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(shape(), shape());
}
