//! A toy of the engine's commit order, right and wrong: proof that the explorer looks.
//!
//! File A (rollback journal) holds rows, file B (WAL) names them. Every step writes a fresh row into A, deletes the
//! rows that B no longer names, then names the new row in B instead of the oldest. After a crash every row that B
//! names must be in A, whole; and B must be at the last acknowledged step or later.

use anyfs_lvm_rig::{Check, Crash, Disk, Explorer, Options, Report};
use rusqlite::{Connection, params};

/// Rows that B names.
const LIVE: u32 = 6;

/// A protocol.
#[derive(Debug, Clone, Copy)]
struct Toy {
    journal_a: &'static str,
    sync_a: &'static str,
    sync_b: &'static str,
    /// B's transaction runs first.
    b_first: bool,
    /// A row is deleted in A before B's commit that frees it.
    free_early: bool,
    shorn: bool,
}

const RIGHT: Toy =
    Toy { journal_a: "PERSIST", sync_a: "FULL", sync_b: "FULL", b_first: false, free_early: false, shorn: false };

#[cfg(test)]
mod support {
    use super::*;

    pub(crate) fn row(step: u32) -> Vec<u8> {
        let word = step.wrapping_mul(0x9e37_79b9).to_le_bytes();
        word.iter().copied().cycle().take(20_000 + usize::try_from(step % 7).unwrap() * 5_000).collect()
    }

    impl Toy {
        pub(crate) fn open(&self, disk: &Disk) -> rusqlite::Result<(Connection, Connection)> {
            let a = disk.connect("/a.db", "psow=1")?;
            a.execute_batch(&format!(
                "PRAGMA page_size=16384; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode={}; PRAGMA synchronous={};
                 PRAGMA cache_spill=OFF; CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, data BLOB)",
                self.journal_a, self.sync_a
            ))?;
            let b = disk.connect("/b.db", "psow=0")?;
            b.execute_batch(&format!(
                "PRAGMA journal_mode=WAL; PRAGMA synchronous={}; PRAGMA wal_autocheckpoint=40;
                 CREATE TABLE IF NOT EXISTS names (step INTEGER PRIMARY KEY)",
                self.sync_b
            ))?;
            Ok((a, b))
        }

        fn write_a(&self, a: &Connection, step: u32) -> rusqlite::Result<()> {
            a.execute_batch("BEGIN IMMEDIATE")?;
            a.execute("INSERT INTO rows VALUES (?1, ?2)", params![step, row(step)])?;
            let named_from = if self.free_early { step } else { step - 1 };
            a.execute("DELETE FROM rows WHERE id + ?1 <= ?2", [LIVE, named_from])?;
            if step.is_multiple_of(11) {
                a.execute_batch("PRAGMA incremental_vacuum(2)")?;
            }
            a.execute_batch("COMMIT")
        }

        fn write_b(b: &Connection, step: u32) -> rusqlite::Result<()> {
            b.execute_batch("BEGIN IMMEDIATE")?;
            b.execute("INSERT INTO names VALUES (?1)", [step])?;
            b.execute("DELETE FROM names WHERE step + ?1 <= ?2", [LIVE, step])?;
            b.execute_batch("COMMIT")
        }

        pub(crate) fn step(&self, (a, b): &(Connection, Connection), step: u32) -> rusqlite::Result<()> {
            if self.b_first {
                Self::write_b(b, step)?;
                return self.write_a(a, step);
            }
            self.write_a(a, step)?;
            Self::write_b(b, step)
        }

        fn judge(crash: &Crash, (a, b): &(Connection, Connection)) -> rusqlite::Result<Result<(), String>> {
            for (name, db) in [("a", a), ("b", b)] {
                let answer: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
                if answer != "ok" {
                    return Ok(Err(format!("{name}: {answer}")));
                }
            }
            let mut names = b.prepare("SELECT step FROM names ORDER BY step")?;
            let steps: Vec<u32> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let (last, acked) = (steps.last().copied().unwrap_or(0), u32::try_from(crash.mark.unwrap_or(0)).unwrap());
            if last < acked || last > acked + 1 {
                return Ok(Err(format!("at step {last}, acknowledged {acked}")));
            }
            for step in steps {
                let data: Result<Vec<u8>, _> = a.query_row("SELECT data FROM rows WHERE id=?1", [step], |r| r.get(0));
                match data {
                    Ok(data) if data == row(step) => {}
                    Ok(_) => return Ok(Err(format!("row {step} is wrong"))),
                    Err(rusqlite::Error::QueryReturnedNoRows) => return Ok(Err(format!("row {step} is missing"))),
                    Err(error) => return Err(error),
                }
            }
            Ok(Ok(()))
        }

        /// Deletes rows that no name stands for, moves the WAL into B.
        fn tidy((a, b): &(Connection, Connection)) -> rusqlite::Result<()> {
            let first: Option<u32> = b.query_row("SELECT min(step) FROM names", [], |row| row.get(0))?;
            let last: Option<u32> = b.query_row("SELECT max(step) FROM names", [], |row| row.get(0))?;
            a.execute("DELETE FROM rows WHERE id < ?1 OR id > ?2", [first.unwrap_or(0), last.unwrap_or(0)])?;
            b.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        }
    }

    impl Check for Toy {
        fn verify(&self, crash: &Crash, disk: &Disk) -> Result<(), String> {
            let files = self.open(disk).map_err(|error| error.to_string())?;
            Self::judge(crash, &files).map_err(|error| error.to_string())?
        }

        fn recover(&self, _: &Crash, disk: &Disk) -> Result<(), String> {
            self.open(disk).and_then(|files| Self::tidy(&files)).map_err(|error| error.to_string())
        }
    }

    pub(crate) fn explore(toy: Toy, options: Options, steps: u32) -> Report {
        let disk = Disk::default();
        let files = toy.open(&disk).unwrap();
        toy.step(&files, 1).unwrap();
        // Closed once, so that all of it is synchronised: what the recording begins with counts as durable.
        drop(files);
        let files = toy.open(&disk).unwrap();
        let mut explorer = Explorer::new(&disk.image(), Options { shorn: toy.shorn, ..options });
        disk.start_recording();
        disk.mark(1);
        for step in 2..steps {
            toy.step(&files, step).unwrap();
            disk.mark(step.into());
            explorer.feed(&disk.take_log(), &toy);
        }
        explorer.finish(&toy)
    }
}

use support::explore;

#[test]
fn the_right_order_survives_every_crash() {
    let report = explore(RIGHT, Options::default(), 60);
    let total = report.total();
    assert!(total.bad == 0 && total.images > 3_000 && !report.second.is_empty(), "{report}");
}

#[test]
fn the_right_order_survives_garbage_sectors() {
    let report = explore(Toy { shorn: true, ..RIGHT }, Options { seed: 1, ..Options::default() }, 40);
    assert!(report.total().bad == 0, "{report}");
}

#[test]
fn every_wrong_order_is_found() {
    let wrong = [
        ("A never synced", Toy { sync_a: "OFF", ..RIGHT }),
        ("B at NORMAL", Toy { sync_b: "NORMAL", ..RIGHT }),
        ("B before A", Toy { b_first: true, ..RIGHT }),
        ("freed before the commit that frees", Toy { free_early: true, ..RIGHT }),
        ("A in DELETE mode at FULL", Toy { journal_a: "DELETE", ..RIGHT }),
        ("A in TRUNCATE mode at NORMAL", Toy { journal_a: "TRUNCATE", sync_a: "NORMAL", ..RIGHT }),
    ];
    for (name, toy) in wrong {
        let report = explore(toy, Options { deep_one_in: 0, ..Options::default() }, 30);
        assert!(report.total().bad > 0, "{name}: not found: {report}");
    }
}

#[test]
fn kill_alone_finds_no_missing_sync() {
    let toy = Toy { sync_b: "NORMAL", ..RIGHT };
    let report = explore(toy, Options { deep_one_in: 0, ..Options::default() }, 30);
    assert_eq!(report.first[&anyfs_lvm_rig::Mode::Kill].bad, 0, "{report}");
    assert!(report.total().bad > 0, "{report}");
}

#[test]
fn a_failure_is_repeated_from_its_printed_name() {
    let toy = Toy { sync_b: "NORMAL", ..RIGHT };
    let first = explore(toy, Options { deep_one_in: 0, ..Options::default() }, 20);
    let failure = &first.failures[0];
    let only = failure.path.iter().map(|spec| spec.to_string().parse().unwrap()).collect();
    let again = explore(toy, Options { only, ..Options::default() }, 20);
    assert_eq!((again.total().images, again.total().bad), (1, 1));
    assert_eq!(again.failures[0], *failure);
}
