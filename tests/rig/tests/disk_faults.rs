//! SQLite on a disk that fails does what it does on a real one.

use anyfs_lvm_rig::{Disk, Fault, FaultKind, FileKind, Mode};
use rusqlite::{Connection, ErrorCode};

#[cfg(test)]
mod support {
    use super::*;

    /// A database with one table and one row, in a journal mode, FULL, under the name of a PV or of a metadata volume.
    pub(crate) fn database(disk: &Disk, path: &str, journal: &str) -> Connection {
        let db = disk.connect(path, "").unwrap();
        let set = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        set(&format!("PRAGMA journal_mode={journal}"));
        db.execute_batch("PRAGMA synchronous=FULL; CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)").unwrap();
        db
    }

    pub(crate) fn set(disk: &Disk, kind: FaultKind, file: FileKind, lasting: bool) {
        disk.set_fault(Some(Fault { kind, file: Some(file), at: 1, lasting }));
    }

    pub(crate) fn code(result: rusqlite::Result<()>) -> Option<ErrorCode> {
        result.err().and_then(|error| error.sqlite_error_code())
    }

    pub(crate) fn count(db: &Connection) -> u32 {
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
    }

    pub(crate) const INSERT: &str = "INSERT INTO t VALUES (2)";
}

use support::{INSERT, code, count, database, set};

#[test]
fn each_kind_of_fault_reaches_sqlite_as_its_error() {
    for (kind, file, expected) in [
        (FaultKind::Write, FileKind::Pv, ErrorCode::SystemIoFailure),
        (FaultKind::Write, FileKind::PvJournal, ErrorCode::SystemIoFailure),
        (FaultKind::ShortWrite, FileKind::Pv, ErrorCode::SystemIoFailure),
        (FaultKind::Full, FileKind::Pv, ErrorCode::DiskFull),
        (FaultKind::Sync, FileKind::Pv, ErrorCode::SystemIoFailure),
        (FaultKind::SyncDrop, FileKind::PvJournal, ErrorCode::SystemIoFailure),
        (FaultKind::SyncLie, FileKind::PvJournal, ErrorCode::SystemIoFailure),
    ] {
        let disk = Disk::default();
        let db = database(&disk, "/p.db", "PERSIST");
        set(&disk, kind, file, false);
        assert_eq!(code(db.execute_batch(INSERT)), Some(expected), "{kind:?} {file:?}");
        assert_eq!(disk.fault_counts().1, 1);
        disk.set_fault(None);
        // A new connection: the old one may show what was rolled back from a journal that had lost its contents.
        drop(db);
        let db = disk.connect("/p.db", "").unwrap();
        assert_eq!(count(&db), 1, "{kind:?} {file:?}: not rolled back");
        db.execute_batch(INSERT).unwrap();
        assert_eq!(count(&db), 2);
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_one_cut_short_never_a_right_answer() {
    for kind in [FaultKind::Read, FaultKind::ShortRead, FaultKind::EarlyEnd] {
        let disk = Disk::default();
        drop(database(&disk, "/p.db", "PERSIST"));
        set(&disk, kind, FileKind::Pv, true);
        let db = disk.connect("/p.db", "");
        let answer = db.and_then(|db| db.query_row("SELECT n FROM t", [], |row| row.get::<_, i64>(0)));
        assert!(answer.is_err(), "{kind:?}: {answer:?}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_made_removed_or_renamed_says_so() {
    let disk = Disk::default();
    let host = disk.env().host;
    let path = |name: &'static str| std::path::Path::new(name);
    host.write(path("/a"), b"a").unwrap();
    for kind in [FaultKind::Open, FaultKind::Unlink, FaultKind::Rename, FaultKind::Truncate] {
        set(&disk, kind, FileKind::Host, true);
        let failed = match kind {
            FaultKind::Open => host.read(path("/a"), 9).err(),
            FaultKind::Unlink => host.remove_file(path("/a")).err(),
            FaultKind::Rename => host.rename(path("/a"), path("/b")).err(),
            _ => host.allocate(path("/a"), pv::Bytes(100)).err(),
        };
        assert_eq!(failed.and_then(|error| error.raw_os_error()), Some(5), "{kind:?}");
    }
    disk.set_fault(None);
    assert_eq!(host.read(path("/a"), 9).unwrap(), b"a");
}

#[test]
fn a_log_that_only_looks_written_is_lost_with_what_comes_after_it() {
    let rows_after = |kind| {
        let disk = Disk::default();
        let db = database(&disk, "/m.meta", "WAL");
        db.execute_batch("PRAGMA wal_autocheckpoint=0").unwrap();
        set(&disk, kind, FileKind::MetadataLog, false);
        assert!(db.execute_batch(INSERT).is_err());
        // The process dies; the next one reads what the cache shows.
        let disk = disk.after_kill();
        let db = disk.connect("/m.meta", "").unwrap();
        db.execute_batch("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0").unwrap();
        let seen = count(&db);
        db.execute_batch("INSERT INTO t VALUES (3)").unwrap();
        let image = disk.crash(Mode::Drop, 0).unwrap_or_else(|| disk.image());
        let after = Disk::from_image(&image, disk.settings());
        (seen, count(&after.connect("/m.meta", "").unwrap()))
    };
    assert_eq!(rows_after(FaultKind::SyncDrop), (1, 2));
    let (seen, durable) = rows_after(FaultKind::SyncLie);
    assert!(seen == 2 && durable == 1, "{seen} rows seen, {durable} left");
}

#[test]
fn a_folder_that_cannot_be_synced_is_sqlites_secret() {
    let disk = Disk::default();
    disk.set_fault(Some(Fault { kind: FaultKind::Sync, file: Some(FileKind::Folder), at: 1, lasting: true }));
    drop(database(&disk, "/p.db", "PERSIST"));
    assert!(disk.fault_counts().1 > 0);
}
