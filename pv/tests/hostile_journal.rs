//! Journals that end in the name of a super-journal. Nothing here makes such a transaction: the name is whatever was on
//! the disk, or what somebody wants to be deleted.

use std::fs;
use std::path::{Path, PathBuf};

use anyfs_lvm_pv::{Access, Env, Pv, PvOptions};
use rusqlite::Connection;

const MARK: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn journal(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push("-journal");
        name.into()
    }

    /// A PV as a crash left it in the middle of a write that had reached the file; its uuid before that.
    pub(crate) fn interrupted(dir: &Path) -> (PathBuf, String) {
        let (made, path) = (dir.join("made.db"), dir.join("a.db"));
        let pv = Pv::create(&Env::system(), &made, &PvOptions::default()).unwrap();
        let uuid = pv.label().pv.to_string();
        drop(pv);
        let conn = Connection::open(&made).unwrap();
        conn.execute_batch("PRAGMA cache_size = 2; BEGIN IMMEDIATE; UPDATE label SET pv_uuid = 'torn';").unwrap();
        // More than the cache holds, so that changed pages go to the file before the commit.
        let sql = "INSERT INTO extent VALUES (?1, x'', x'', 0, 0, 0, 0, x'', zeroblob(100000))";
        for pe in 0..40 {
            conn.execute(sql, [pe]).unwrap();
        }
        fs::copy(&made, &path).unwrap();
        fs::copy(journal(&made), journal(&path)).unwrap();
        (path, uuid)
    }

    /// Puts the name of a super-journal at the end of a journal.
    pub(crate) fn name(path: &Path, other: &Path) {
        let text = other.to_str().unwrap().as_bytes();
        let sum = text.iter().fold(0u32, |sum, byte| sum + u32::from(*byte));
        let mut bytes = fs::read(journal(path)).unwrap();
        // The page of the locks, which no record is about.
        bytes.extend_from_slice(&(0x4000_0000u32 / 16384 + 1).to_be_bytes());
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&sum.to_be_bytes());
        bytes.extend_from_slice(&MARK);
        fs::write(journal(path), bytes).unwrap();
    }
}

use support::{interrupted, journal, name};

#[test]
fn a_journal_deletes_no_file_that_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (path, uuid) = interrupted(dir.path());
    let precious = dir.path().join("precious");
    fs::write(&precious, b"not yours").unwrap();
    name(&path, &precious);
    let pv = Pv::open(&Env::system(), &path, Access::ReadWrite).unwrap();
    assert_eq!(pv.label().pv.to_string(), uuid);
    assert_eq!(fs::read(&precious).unwrap(), b"not yours");
}

#[test]
fn a_journal_that_names_a_missing_file_is_rolled_back_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (path, uuid) = interrupted(dir.path());
    name(&path, &dir.path().join("missing"));
    let pv = Pv::open(&Env::system(), &path, Access::ReadWrite).unwrap();
    assert_eq!(pv.label().pv.to_string(), uuid);
}

#[test]
fn a_journal_left_by_another_process_is_rolled_back_by_a_commit_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = interrupted(dir.path());
    let torn = (fs::read(&path).unwrap(), fs::read(journal(&path)).unwrap());
    let pv = Pv::open(&Env::system(), &path, Access::ReadWrite).unwrap();
    let store = pv.store().unwrap();
    // Another owner dies while this one has the PV open.
    fs::write(&path, torn.0).unwrap();
    fs::write(journal(&path), torn.1).unwrap();
    let precious = dir.path().join("precious");
    fs::write(&precious, b"not yours").unwrap();
    name(&path, &precious);
    let family = anyfs_lvm_pv::FamilyUuid::from_bytes([1; 16]);
    anyfs_lvm_pv::ExtentStore::take(&store, family, anyfs_lvm_pv::Epoch(1), anyfs_lvm_pv::Txg(0)).unwrap();
    assert_eq!(fs::read(&precious).unwrap(), b"not yours");
}

#[test]
fn a_plain_journal_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, uuid) = interrupted(dir.path());
    let pv = Pv::open(&Env::system(), &path, Access::ReadWrite).unwrap();
    assert!(pv.recovered());
    assert_eq!(pv.label().pv.to_string(), uuid);
}
