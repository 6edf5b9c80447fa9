//! A check finds what contradicts itself, names it, and changes nothing.

use anyfs_lvm_lv::{
    CheckOptions, CheckReport, Ino, LvError, NewNode, Rename, Rule, SetXattr, TestSwitches, Volume, Work, check,
};
use pv::{Epoch, ExtentBatch, FlushNo, PeIndex, Txg};
use rusqlite::Connection;
use rusqlite::types::Value;

use super::support::{Rig, pattern};

/// A closed volume with some of everything: `/dir/big` in extents, `/small` in the metadata, a link, an attribute.
fn filled(copies: u8) -> Rig {
    let rig = Rig::with_copies(2, 32, 65536, copies);
    let volume = rig.open();
    let (file, dir) = (NewNode::file(0o644), NewNode::directory(0o755));
    let below = volume.mkdir(Ino::ROOT, b"dir", &dir).unwrap().ino;
    volume.mkdir(below, b"deep", &dir).unwrap();
    let big = volume.create(below, b"big", &file).unwrap().ino;
    volume.write(big, 0, &pattern(1, 200_000)).unwrap();
    volume.sync().unwrap();
    volume.write(big, 50_000, &pattern(2, 10_000)).unwrap();
    let small = volume.create(Ino::ROOT, b"small", &file).unwrap().ino;
    volume.write(small, 0, b"some bytes").unwrap();
    volume.link(small, below, b"other").unwrap();
    volume.setxattr(small, b"user.a", b"value", SetXattr::Any).unwrap();
    volume.symlink(Ino::ROOT, b"link", b"dir/big", &file).unwrap();
    volume.close().unwrap();
    rig
}

/// Checksum of a row, as FORMAT.md says.
fn sum(table: u8, values: &[Value]) -> i64 {
    let mut bytes = Vec::new();
    for value in values {
        match value {
            Value::Integer(int) => {
                bytes.push(1);
                bytes.extend(int.to_le_bytes());
            }
            Value::Blob(blob) => {
                bytes.push(2);
                bytes.extend((blob.len() as u64).to_le_bytes());
                bytes.extend(blob);
            }
            _ => bytes.push(0),
        }
    }
    pv::row_sum(table, &bytes)
}

/// Changes one column of the first row that `filter` names, with the right checksum.
fn set(rig: &Rig, (table, code): (&str, u8), filter: &str, (column, value): (usize, Value)) {
    let db = Connection::open(&rig.copies[0].path).unwrap();
    let sql = format!("SELECT * FROM {table} WHERE {filter} LIMIT 1");
    let mut row: Vec<Value> =
        db.query_row(&sql, [], |row| (0..row.as_ref().column_count()).map(|at| row.get(at)).collect()).unwrap();
    let places = vec!["?"; row.len()].join(",");
    db.execute(&format!("DELETE FROM {table} WHERE sum = ?"), [row.pop().unwrap()]).unwrap();
    row[column] = value;
    row.push(Value::Integer(sum(code, &row)));
    db.execute(&format!("INSERT INTO {table} VALUES({places})"), rusqlite::params_from_iter(row)).unwrap();
}

fn run(rig: &Rig) -> CheckReport {
    check(&rig.env, &rig.extents, &rig.copies, CheckOptions::ALL).unwrap()
}

fn text(report: &CheckReport) -> String {
    report.problems.iter().flat_map(|finding| [finding.to_string(), "\n".to_owned()]).collect()
}

#[test]
fn a_sound_volume_is_clean_and_all_of_it_is_looked_at() {
    let rig = filled(2);
    let report = rig.check();
    let counted = report.checked;
    assert_eq!((counted.copies, counted.inodes), (2, 6));
    assert!(counted.rows > 20 && counted.extents >= 4 && counted.bytes >= 200_000, "{counted:?}");
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn every_contradiction_of_sound_rows_is_found_and_named() {
    const DIRENT: (&str, u8) = ("dirent", 5);
    const INODE: (&str, u8) = ("inode", 4);
    const MAP: (&str, u8) = ("map", 6);
    const SLICE: (&str, u8) = ("slice", 7);
    const LE: (&str, u8) = ("le", 8);
    let int = Value::Integer;
    let (small, big, dir, deep) = ("ino = 5", "ino = 4", "ino = 2", "ino = 3");
    let cases = [
        (DIRENT, small, (4, int(99)), "leads to nothing"),
        (DIRENT, small, (5, int(2)), "says another kind than the inode"),
        (DIRENT, small, (3, Value::Blob(b"a/b".to_vec())), "holds impossible values"),
        (DIRENT, small, (3, Value::Blob(b"renamed".to_vec())), "is filed where it cannot be found"),
        (DIRENT, small, (1, int(5)), "/dir/other: it has entries and is no directory"),
        (DIRENT, dir, (1, int(3)), "cannot be reached from the root"),
        (DIRENT, deep, (1, int(1)), "is a directory that hangs elsewhere, too"),
        (INODE, small, (6, int(7)), "link count 7, but 2 names"),
        (INODE, dir, (7, int(9)), "/dir: it should have 9 entries and has 3"),
        (INODE, big, (8, int(5)), "/dir/big: it should store 5 bytes and stores 200000"),
        (INODE, big, (7, int(1000)), "/dir/big: it stores bytes up to 200000, past its size of 1000"),
        (INODE, small, (1, int(500)), "its number is one that was never given out"),
        (("fs", 3), "fs = 1", (6, int(17)), "6 inodes, but it counts 17"),
        (MAP, big, (1, int(77)), "it has a map and is no file"),
        (MAP, "ino = 4 AND off > 0", (2, int(1)), "/dir/big: its map contradicts itself"),
        (MAP, big, (4, int(4000)), "/dir/big: slice 4000 is named by its map and missing"),
        (MAP, big, (5, int(60_000)), "is shorter than what is named of it"),
        (SLICE, "le IS NOT NULL", (7, int(3)), "and counts 3 for"),
        (SLICE, "le IS NOT NULL", (8, int(12)), "for 12"),
        (SLICE, "le IS NOT NULL", (1, int(50)), "or of the future"),
        (SLICE, "le IS NOT NULL", (11, int(9)), "is named as if it had been written for another place"),
        (SLICE, "le IS NOT NULL", (2, int(9)), "logical extent 9 holds slices and is not counted"),
        (SLICE, "le IS NOT NULL AND pos = 0", (3, int(100)), "lacks slice"),
        (SLICE, "le IS NULL", (13, Value::Blob(b"other byte".to_vec())), "does not match its checksum"),
        (LE, "live > 0", (3, int(40)), "and counts 40"),
        (LE, "live > 0", (2, int(900)), "it is missing, or holds something else"),
        (LE, "live > 0", (4, int(10)), "is not filled so far"),
        (LE, "live > 0", (5, int(1)), "is free and in use at once"),
        (LE, "live > 0", (0, int(1000)), "lies outside the volume"),
        (("xattr", 9), "ino = 5", (1, int(78)), "it has attributes and does not exist"),
        (("pv", 2), "flush > 0", (2, int(5000)), "it is older than the metadata"),
    ];
    for (table, filter, change, wanted) in cases {
        let rig = filled(1);
        set(&rig, table, filter, change.clone());
        let found = text(&run(&rig));
        assert!(found.contains(wanted), "{table:?} {filter} {change:?}: {wanted:?} is not in\n{found}");
    }
}

#[test]
fn a_row_that_fails_its_checksum_is_named_in_every_table() {
    for table in ["pv", "fs", "inode", "dirent", "map", "slice", "le", "xattr"] {
        let rig = filled(1);
        Connection::open(&rig.copies[0].path)
            .unwrap()
            .execute(&format!("UPDATE {table} SET sum = sum + 1"), [])
            .unwrap();
        let found = text(&run(&rig));
        assert!(found.contains(&format!("a row of {table} ")), "{table}: {found}");
        assert!(found.contains("does not match its checksum"), "{table}: {found}");
    }
}

#[test]
fn a_row_that_vanished_is_missed() {
    for table in ["pv", "fs", "inode", "dirent", "map", "slice", "le"] {
        let rig = filled(1);
        let last = format!("DELETE FROM {table} WHERE sum = (SELECT max(sum) FROM {table})");
        Connection::open(&rig.copies[0].path).unwrap().execute(&last, []).unwrap();
        let report = run(&rig);
        // A PV's row only says how old the PV may be: the next flush writes it again.
        assert!(!report.is_clean() || table == "pv", "{table}");
    }
}

#[test]
fn copies_that_differ_are_told_row_by_row() {
    let rig = filled(2);
    let db = Connection::open(&rig.copies[1].path).unwrap();
    db.execute("DELETE FROM xattr", []).unwrap();
    db.execute("UPDATE inode SET mode = 0 WHERE ino IN (2, 4)", []).unwrap();
    drop(db);
    let found = text(&run(&rig));
    assert!(found.contains("c1.meta: 1 rows of xattr (1, 5, user.a) differ"), "{found}");
    assert!(found.contains("c1.meta: 2 rows of inode (1, 2; 1, 4) differ"), "{found}");
    assert_eq!(found.lines().count(), 2, "{found}");
}

#[test]
fn a_missing_pv_and_the_files_it_hurts_are_named() {
    let mut rig = filled(1);
    let mut slots = rig.extents.pvs.to_vec();
    slots[0].store = None;
    rig.extents.pvs = slots.into();
    let found = text(&run(&rig));
    assert!(found.contains("p0.db: not checked: this physical volume is missing"), "{found}");
    assert!(found.contains("/dir/big: some of its bytes lie in "), "{found}");
    assert!(!found.contains("/small"), "{found}");
}

#[test]
fn an_extent_that_nobody_names_is_a_leak_or_is_about_to_be_freed() {
    let rig = filled(1);
    let store = rig.extents.pvs[0].store.clone().unwrap();
    let owner = store.owner(rig.extents.family).unwrap().unwrap();
    let fresh = |pe: u32| pv::FreshExtent {
        pe: PeIndex(pe),
        lv: rig.extents.lv,
        le: pv::LeIndex(pe),
        toc: Vec::new(),
        data: vec![vec![0; 100].into()],
    };
    let write = |epoch: Epoch, flush: u64, pe: u32| {
        let batch = ExtentBatch {
            family: rig.extents.family,
            epoch,
            flush: FlushNo(flush),
            txg: Txg(0),
            fresh: &[fresh(pe)],
            freed: &[],
        };
        store.commit(&batch).unwrap();
    };
    write(owner.epoch, owner.flush.0 + 1, 30);
    let report = run(&rig);
    assert!(report.is_clean() && report.notes[0].to_string().contains("1 extents were written and not committed"));
    // The catalogue's mark now lies beyond it: no activation will look at it again.
    let this = format!("lower(hex(pv)) = '{:032x}'", u128::from_be_bytes(*rig.extents.pvs[0].uuid.as_bytes()));
    set(&rig, ("pv", 2), &this, (2, Value::Integer(i64::try_from(owner.flush.0 + 1).unwrap())));
    assert!(text(&run(&rig)).contains("extent 30 (logical extent 30): nothing names it"));
}

#[test]
fn a_check_of_an_active_volume_is_its_owners() {
    let rig = filled(2);
    let volume = rig.open();
    assert!(matches!(check(&rig.env, &rig.extents, &rig.copies, CheckOptions::ALL), Err(LvError::InUse { .. })));
    let file = volume.lookup(Ino::ROOT, b"small").unwrap().ino;
    volume.write(file, 3, &pattern(3, 70_000)).unwrap();
    volume.rename((Ino::ROOT, b"small"), (Ino::ROOT, b"new"), Rename::Replace).unwrap();
    let report = volume.check(CheckOptions::ALL).unwrap();
    assert!(report.is_clean() && report.checked.bytes >= 260_000, "{report:?}");
    volume.unlink(Ino::ROOT, b"new").unwrap();
    volume.step(Work::Clean { idle: true }).unwrap();
    assert!(volume.check(CheckOptions::ALL).unwrap().is_clean());
}

#[test]
fn a_check_changes_no_file() {
    let rig = filled(2);
    let bytes = || rig.copies.iter().map(|copy| std::fs::read(&copy.path).unwrap()).collect::<Vec<_>>();
    let before = bytes();
    run(&rig);
    assert!(bytes() == before);
}

/// A file is deleted that is open, and its owner dies.
fn orphan(rig: &Rig, prepare: impl Fn(&Volume)) {
    let volume = rig.open();
    prepare(&volume);
    let open = volume.lookup(Ino::ROOT, b"small").unwrap().ino;
    volume.open(open).unwrap();
    let dir = volume.lookup(Ino::ROOT, b"dir").unwrap().ino;
    volume.unlink(Ino::ROOT, b"small").unwrap();
    volume.unlink(dir, b"other").unwrap();
    volume.fsync(dir).unwrap();
    volume.abandon();
}

#[test]
fn what_an_owner_left_that_died_is_clean_and_noted() {
    let rig = filled(1);
    orphan(&rig, |volume| {
        let file = volume.create(Ino::ROOT, b"new", &NewNode::file(0o600)).unwrap().ino;
        volume.write(file, 0, &pattern(5, 300_000)).unwrap();
        volume.step(Work::Flush).unwrap();
    });
    let notes: String = rig.check().notes.iter().map(ToString::to_string).collect();
    assert!(notes.contains("1 deleted files wait to be taken apart"), "{notes}");
    rig.open().close().unwrap();
    assert!(rig.check().notes.is_empty());
}

#[test]
fn orphans_that_nobody_takes_apart_are_found() {
    let mut rig = filled(1);
    orphan(&rig, |_| {});
    rig.options.switches = TestSwitches::without(Rule::Orphans);
    rig.open().close().unwrap();
    assert!(!rig.check().notes.is_empty(), "not found");
}

/// A table's page is also in the list of free pages: what is written next takes it.
#[test]
fn free_pages_that_are_in_use_are_found() {
    let rig = filled(1);
    let path = &rig.copies[0].path;
    let mut bytes = std::fs::read(path).unwrap();
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (first, count) = (word(&bytes, 32), word(&bytes, 36));
    assert_eq!((first, count), (0, 0), "a volume this small has no free pages");
    let last = word(&bytes, 28);
    let trunk = (last as usize - 1) * 4096;
    bytes[32..36].copy_from_slice(&last.to_be_bytes());
    bytes[36..40].copy_from_slice(&1u32.to_be_bytes());
    assert!(bytes.len() >= trunk + 4096);
    std::fs::write(path, bytes).unwrap();
    assert!(text(&run(&rig)).contains("its pages contradict each other"), "{}", text(&run(&rig)));
}
