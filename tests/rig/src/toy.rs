//! A toy of the engine's commit order, right and wrong: proof that the explorer looks, and a measure of its speed.
//!
//! File A (rollback journal) holds rows, file B (WAL) names them. Every step writes a fresh row into A, deletes the
//! rows that B no longer names, then names the new row in B instead of the oldest. After a crash every row that B
//! names must be in A, whole; and B must be at the last acknowledged step or one further.

use rusqlite::{Connection, params};

use crate::{Check, Crash, Disk, Explorer, Options, Prng, Report};

/// Rows that B names.
const LIVE: u32 = 6;

/// A commit protocol for two files.
#[derive(Debug, Clone, Copy)]
pub struct Toy {
    /// A's journal mode.
    pub journal_a: &'static str,
    /// A's `synchronous`.
    pub sync_a: &'static str,
    /// B's `synchronous`.
    pub sync_b: &'static str,
    /// B's transaction runs first.
    pub b_first: bool,
    /// A row is deleted in A before B's commit that frees it.
    pub free_early: bool,
}

impl Toy {
    /// The engine's own order.
    pub const RIGHT: Self =
        Self { journal_a: "PERSIST", sync_a: "FULL", sync_b: "FULL", b_first: false, free_early: false };

    /// Runs so many steps on a new disk and explores them.
    ///
    /// # Errors
    /// SQLite failed while nothing crashed.
    pub fn explore(self, options: Options, steps: u32) -> rusqlite::Result<Report> {
        let disk = Disk::new(options.settings);
        let files = self.open(&disk)?;
        self.step(&files, 1)?;
        // Closed once: what the recording begins with counts as durable.
        drop(files);
        let files = self.open(&disk)?;
        let mut explorer = Explorer::new(&disk.image(), options);
        disk.start_recording();
        disk.mark(1);
        for step in 2..steps {
            self.step(&files, step)?;
            disk.mark(step.into());
            explorer.feed(&disk.take_log(), &self);
        }
        Ok(explorer.finish(&self))
    }

    fn open(&self, disk: &Disk) -> rusqlite::Result<(Connection, Connection)> {
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

    fn step(&self, (a, b): &(Connection, Connection), step: u32) -> rusqlite::Result<()> {
        if self.b_first {
            Self::write_b(b, step)?;
            return self.write_a(a, step);
        }
        self.write_a(a, step)?;
        Self::write_b(b, step)
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

    fn judge(crash: &Crash, (a, b): &(Connection, Connection)) -> rusqlite::Result<Result<(), String>> {
        for (name, db) in [("a", a), ("b", b)] {
            let answer: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            if answer != "ok" {
                return Ok(Err(format!("{name}: {answer}")));
            }
        }
        let mut names = b.prepare("SELECT step FROM names ORDER BY step")?;
        let steps: Vec<u32> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let last = u64::from(steps.last().copied().unwrap_or(0));
        let acknowledged = crash.mark.unwrap_or(0);
        if last < acknowledged || last > acknowledged + 1 {
            return Ok(Err(format!("at step {last}, acknowledged {acknowledged}")));
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
        let bounds = "SELECT ifnull(min(step), 0), ifnull(max(step), 0) FROM names";
        let (first, last): (u32, u32) = b.query_row(bounds, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        a.execute("DELETE FROM rows WHERE id < ?1 OR id > ?2", [first, last])?;
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

/// The bytes of a row: random, so that no part of one passes for another's.
fn row(step: u32) -> Vec<u8> {
    let mut bytes = vec![0; 20_000 + usize::try_from(step % 7).unwrap_or(0) * 5_000];
    Prng::new(step.into()).fill(&mut bytes);
    bytes
}
