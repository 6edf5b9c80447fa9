//! One copy of a catalogue: making it, committing to it, keeping its write-ahead log short.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pv::sqlite::{self, Access};
use pv::{Bytes, Env, Epoch, FamilyUuid, LvUuid, PvUuid, SliceId, Txg};
use rusqlite::Connection;

use super::generation::{Generation, InFile, check_log};
use super::row::{RowOp, Table, Value, decode_ops, encode_ops, sum_of};
use super::schema::{SCHEMA, TUNING};
use super::sums::Totals;
use crate::engine::{Rule, TestSwitches};
use crate::{LvError, Nanos, Result};

/// Where a copy of the catalogue lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyPlace {
    /// The PV it lies beside.
    pub pv: PvUuid,
    /// The file.
    pub path: PathBuf,
}

/// Stored deltas kept for copies that miss a commit.
const KEPT_DELTAS: u64 = 4;

const BEGIN: &str = "BEGIN IMMEDIATE";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";
const FENCE: &str = "SELECT epoch FROM state WHERE id=0";
const PUT_DELTA: &str = "REPLACE INTO delta VALUES(?,?,?,?)";
const DROP_DELTAS: &str = "DELETE FROM delta WHERE txg<?";
const READ_DELTA: &str = "SELECT body, sum FROM delta WHERE txg=? AND epoch=?";
/// Tag of a stored delta in its checksum.
const DELTA: u8 = 10;

/// Makes one copy of a new, empty catalogue (filesystem 1 with a root directory made at `now`), durable when this returns.
/// All copies of a volume must be made with the same `name_key` and time.
///
/// # Errors
/// [`LvError::Pv`]: the file exists, or cannot be made.
pub fn create_catalogue(
    env: &Env,
    path: &Path,
    (family, lv): (FamilyUuid, LvUuid),
    (name_key, now): (u64, Nanos),
) -> Result<()> {
    let io = |source| pv::PvError::Io { path: path.to_owned(), operation: "create it", source };
    let log = Generation::first().map_err(io)?;
    sqlite::create(env, path, &SCHEMA, &TUNING, |connection| {
        first_rows(family, lv, name_key, now)
            .iter()
            .try_for_each(|op| apply(connection, op))
            .and_then(|()| log.put(connection))
            .map_err(|source| sqlite::error(path, "write the first rows", source))
    })?;
    // The folder may be new itself: without its own name the file's is worth nothing.
    let Some(above) = path.parent().and_then(Path::parent).filter(|above| !above.as_os_str().is_empty()) else {
        return Ok(());
    };
    Ok(env.host.sync_dir(above).map_err(io)?)
}

fn first_rows(family: FamilyUuid, lv: LvUuid, name_key: u64, now: i64) -> Vec<RowOp> {
    let int = Value::Int;
    let blob = |bytes: &[u8; 16]| Value::Blob(bytes.as_slice().into());
    let mut rows = vec![
        RowOp::put(
            Table::Fs,
            vec![int(1), blob(lv.as_bytes()), Value::Null, int(0), Value::unsigned(name_key), int(2), int(1), int(0)],
        ),
        RowOp::put(
            Table::Inode,
            // fs, ino, kind, mode, uid, gid, nlink, size, stored, four times, rdev, generation, flags, project, parent,
            // target, below, xattrs, row_txg
            vec![
                int(1),
                int(1),
                int(crate::Kind::Directory.code()),
                int(0o755),
                int(0),
                int(0),
                int(2),
                int(0),
                int(0),
                int(now),
                int(now),
                int(now),
                int(now),
                int(0),
                int(0),
                int(0),
                int(0),
                int(1),
                Value::Null,
                int(0),
                int(0),
                int(0),
            ],
        ),
    ];
    let mut totals = Totals::default();
    for row in &rows {
        totals.change(row.table, 0, row.sum.cast_unsigned());
    }
    let mut state = vec![int(0), blob(family.as_bytes()), int(0), int(0), int(1), int(0)];
    state.extend(totals.columns().map(Value::unsigned));
    rows.push(RowOp::put(Table::State, state));
    rows
}

fn apply(connection: &Connection, op: &RowOp) -> rusqlite::Result<()> {
    if op.delete {
        connection.prepare_cached(op.table.delete_sql())?.execute(rusqlite::params_from_iter(&op.values))?;
    } else {
        let sum = Value::Int(op.sum);
        let values = op.values.iter().chain(std::iter::once(&sum));
        connection.prepare_cached(op.table.put_sql())?.execute(rusqlite::params_from_iter(values))?;
    }
    Ok(())
}

/// What one catalogue commit does.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) family: FamilyUuid,
    pub(crate) epoch: Epoch,
    pub(crate) txg: Txg,
    pub(crate) next_slice: SliceId,
    /// Running time of the family so far, in milliseconds.
    pub(crate) running: u64,
    pub(crate) totals: Totals,
    pub(crate) ops: Vec<RowOp>,
}

impl Commit {
    /// Adds the `state` row, which makes the commit complete in itself.
    pub(crate) fn seal(&mut self) {
        let mut values = vec![
            Value::Int(0),
            Value::Blob(self.family.as_bytes().as_slice().into()),
            Value::unsigned(self.epoch.0),
            Value::unsigned(self.txg.0),
            Value::unsigned(self.next_slice.0),
            Value::unsigned(self.running),
        ];
        values.extend(self.totals.columns().map(Value::unsigned));
        self.ops.push(RowOp::put(Table::State, values));
    }
}

/// Identity and age of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CopyState {
    pub(crate) family: FamilyUuid,
    pub(crate) epoch: Epoch,
    pub(crate) txg: Txg,
    pub(crate) next_slice: SliceId,
    pub(crate) running: u64,
    pub(crate) totals: Totals,
}

/// Reads the `state` row of a catalogue.
pub(crate) fn state_of(connection: &Connection, path: &Path) -> Result<CopyState> {
    const SQL: &str = "SELECT family, epoch, txg, next_slice, running, inodes, slices, les, others, sum FROM state \
                       WHERE id=0";
    let damaged = |what: &str| LvError::DamagedRow { file: path.to_owned(), what: what.to_owned() };
    let (family, numbers, sum) = connection
        .query_row(SQL, [], |row| {
            let mut numbers = [0i64; 8];
            for (column, number) in (1..).zip(&mut numbers) {
                *number = row.get(column)?;
            }
            Ok((row.get::<_, Vec<u8>>(0)?, numbers, row.get::<_, i64>(9)?))
        })
        .map_err(|source| sqlite::error(path, "read the state of", source))?;
    let mut values = vec![Value::Int(0), Value::Blob(family.as_slice().into())];
    values.extend(numbers.map(Value::Int));
    let family = <[u8; 16]>::try_from(family).map_err(|_| damaged("the family's identifier"))?;
    if sum_of(Table::State, &values) != sum {
        return Err(damaged("the state row does not match its checksum"));
    }
    if numbers.iter().take(4).any(|number| *number < 0) {
        return Err(damaged("a number of the state row is below zero"));
    }
    let [epoch, txg, next_slice, running, inodes, slices, les, others] = numbers.map(i64::cast_unsigned);
    Ok(CopyState {
        family: FamilyUuid::from_bytes(family),
        epoch: Epoch(epoch),
        txg: Txg(txg),
        next_slice: SliceId(next_slice),
        running,
        totals: Totals::from_columns([inodes, slices, les, others]),
    })
}

fn damaged(path: &Path, what: &str) -> LvError {
    LvError::DamagedRow { file: path.to_owned(), what: what.to_owned() }
}

/// An open copy: its one writing connection.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) place: CopyPlace,
    connection: Connection,
    in_file: Arc<InFile>,
}

impl Copy {
    /// Opens a copy, a file and a log that belong together.
    pub(crate) fn open(env: &Env, place: CopyPlace) -> Result<Self> {
        let copy = Self::connect(env, place, Arc::default())?;
        let snapshot = copy.connection.unchecked_transaction().map_err(copy.fail("read"))?;
        check_log(env, &copy.place.path, &snapshot)?;
        drop(snapshot);
        Ok(copy)
    }

    /// A second connection to the same copy.
    pub(crate) fn again(&self, env: &Env) -> Result<Self> {
        Self::connect(env, self.place.clone(), Arc::clone(&self.in_file))
    }

    fn connect(env: &Env, place: CopyPlace, in_file: Arc<InFile>) -> Result<Self> {
        let connection = sqlite::open(env, &place.path, &SCHEMA, &TUNING, Access::ReadWrite)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Self { place, connection, in_file })
    }

    fn fail(&self, operation: &'static str) -> impl Fn(rusqlite::Error) -> LvError {
        let path = self.place.path.clone();
        move |source| sqlite::error(&path, operation, source).into()
    }

    pub(super) fn damaged(&self, what: &str) -> LvError {
        damaged(&self.place.path, what)
    }

    /// Reads the `state` row.
    pub(crate) fn state(&self) -> Result<CopyState> {
        state_of(&self.connection, &self.place.path)
    }

    /// Runs one commit in one transaction. `keep` stores its rows for copies that miss it.
    pub(crate) fn commit(&mut self, commit: &Commit, keep: bool, fence: bool) -> Result<()> {
        let path = self.place.path.clone();
        let fail = |source| LvError::from(sqlite::error(&path, "commit to", source));
        let transaction = Writing::begin(&self.connection).map_err(fail)?;
        let epoch: i64 =
            transaction.prepare_cached(FENCE).and_then(|mut s| s.query_row([], |r| r.get(0))).map_err(fail)?;
        if fence && epoch != commit.epoch.0.cast_signed() {
            return Err(LvError::Fenced { epoch: commit.epoch, by: None });
        }
        self.in_file.begin_log(&transaction, &path)?;
        for op in &commit.ops {
            apply(&transaction, op).map_err(fail)?;
        }
        if keep {
            let body = encode_ops(&commit.ops);
            let sum = pv::row_sum(DELTA, &body);
            let txg = commit.txg.0.cast_signed();
            let store = |t: &Connection| -> rusqlite::Result<()> {
                t.prepare_cached(PUT_DELTA)?.execute((txg, commit.epoch.0.cast_signed(), body, sum))?;
                t.prepare_cached(DROP_DELTAS)?.execute([commit.txg.0.saturating_sub(KEPT_DELTAS).cast_signed()])?;
                Ok(())
            };
            store(&transaction).map_err(fail)?;
        }
        transaction.commit().map_err(fail)
    }

    /// Raises the epoch of a copy that holds `seen`, in one transaction with looking whether it still does; `false` when
    /// its owner has committed since. The epoch may be behind: another activation may have ended between two copies.
    pub(crate) fn take(&mut self, seen: &CopyState, epoch: Epoch, rules: TestSwitches) -> Result<bool> {
        let path = self.place.path.clone();
        let fail = |source| LvError::from(sqlite::error(&path, "commit to", source));
        let transaction = Writing::begin(&self.connection).map_err(fail)?;
        let now = state_of(&transaction, &path)?;
        if now.epoch > seen.epoch {
            return Err(LvError::Fenced { epoch, by: None });
        }
        if now.txg != seen.txg && rules.keep(Rule::UnchangedCatalogue) {
            return Ok(false);
        }
        let CopyState { family, txg, next_slice, running, totals, .. } = *seen;
        let mut commit = Commit { family, epoch, txg, next_slice, running, totals, ops: Vec::new() };
        commit.seal();
        for op in &commit.ops {
            apply(&transaction, op).map_err(fail)?;
        }
        transaction.commit().map_err(fail)?;
        Ok(true)
    }

    /// The rows of commit (`epoch`, `txg`), if this copy kept them.
    pub(crate) fn delta(&self, epoch: Epoch, txg: Txg) -> Result<Option<Vec<RowOp>>> {
        let mut statement = self.connection.prepare_cached(READ_DELTA).map_err(self.fail("read"))?;
        let mut rows = statement.query([txg.0.cast_signed(), epoch.0.cast_signed()]).map_err(self.fail("read"))?;
        let Some(row) = rows.next().map_err(self.fail("read"))? else { return Ok(None) };
        let body: Vec<u8> = row.get(0).map_err(self.fail("read"))?;
        let sum: i64 = row.get(1).map_err(self.fail("read"))?;
        if pv::row_sum(DELTA, &body) != sum {
            return Err(damaged(&self.place.path, "a stored commit does not match its checksum"));
        }
        decode_ops(&body).map(Some).ok_or_else(|| damaged(&self.place.path, "a stored commit cannot be read"))
    }

    /// Makes this copy equal to `source`, whatever it held.
    pub(crate) fn replace_by(&mut self, source: &Self) -> Result<()> {
        let path = self.place.path.clone();
        let fail = |e| LvError::from(sqlite::error(&path, "copy metadata to", e));
        self.in_file.forget();
        // The file must have the mark before the log has what is of another copy.
        Generation::read(&self.connection, &path)?.to_be_replaced().put(&self.connection).map_err(fail)?;
        if self.checkpoint(Checkpoint::Truncate)?.busy {
            return Err(pv::PvError::Busy { path }.into());
        }
        self.in_file.forget();
        let backup = rusqlite::backup::Backup::new(&source.connection, &mut self.connection).map_err(fail)?;
        backup.run_to_completion(4096, std::time::Duration::ZERO, None).map_err(fail)
    }

    /// Gives up to `bytes` of free pages back to the host, as soon as the log is in the file.
    pub(crate) fn shrink(&self, bytes: Bytes) -> Result<()> {
        Ok(sqlite::shrink(&self.connection, &self.place.path, bytes)?)
    }

    /// Moves the log into the file; what it held before and what is still to move.
    pub(crate) fn checkpoint(&self, mode: Checkpoint) -> Result<Log> {
        let sql = match mode {
            Checkpoint::Look => "PRAGMA wal_checkpoint(NOOP)",
            Checkpoint::Passive | Checkpoint::Held => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        // Before, so that it is in what is moved.
        let generation = match mode {
            Checkpoint::Look | Checkpoint::Passive => None,
            Checkpoint::Held | Checkpoint::Truncate => Some(Generation::read(&self.connection, &self.place.path)?),
        };
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (busy, pages, moved) = self.connection.query_row(sql, [], row).map_err(self.fail("checkpoint"))?;
        let log = Log { busy: busy != 0, left: u64::try_from(pages.saturating_sub(moved)).unwrap_or(0) };
        if let Some(generation) = generation.filter(|_| !log.busy && log.left == 0) {
            self.in_file.set(generation);
        }
        Ok(log)
    }
}

/// A transaction that writes; its statements are prepared once. Rolled back unless it is committed.
struct Writing<'c>(&'c Connection);

impl<'c> Writing<'c> {
    fn begin(connection: &'c Connection) -> rusqlite::Result<Self> {
        connection.prepare_cached(BEGIN)?.execute([])?;
        Ok(Self(connection))
    }

    fn commit(self) -> rusqlite::Result<()> {
        self.0.prepare_cached(COMMIT)?.execute([]).map(drop)
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.0.is_autocommit() {
            // Where that fails, the next transaction does not begin.
            let _ = self.0.execute_batch(ROLLBACK);
        }
    }
}

/// A write-ahead log after a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Log {
    /// A reader or another checkpoint stood in the way.
    pub(crate) busy: bool,
    /// Pages that are not yet in the file.
    pub(crate) left: u64,
}

/// How thorough a checkpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// Moves nothing.
    Look,
    /// Moves what no reader needs, while commits go on; waits for nobody. When one comes meanwhile, SQLite leaves out the
    /// file's sync, although all that there was is moved: the next checkpoint makes up for it.
    Passive,
    /// The same while no commit runs, which syncs the file when all is moved.
    Held,
    /// Waits for readers, then empties the log.
    Truncate,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sync that SQLite leaves out must not make the file pass for newer than it is after a power loss.
    #[test]
    fn a_log_gets_a_new_number_only_after_a_checkpoint_that_no_commit_can_run_beside() {
        let (dir, env) = (tempfile::tempdir().unwrap(), Env { threads: false, ..Env::system() });
        let place = CopyPlace { pv: PvUuid::from_bytes([1; 16]), path: dir.path().join("c.meta") };
        let (family, lv) = (FamilyUuid::random().unwrap(), LvUuid::random().unwrap());
        create_catalogue(&env, &place.path, (family, lv), (1, 0)).unwrap();
        let mut copy = Copy::open(&env, place.clone()).unwrap();
        let checkpointer = copy.again(&env).unwrap();
        let mut txg = 0;
        let mut number = |copy: &mut Copy| {
            txg += 1;
            let CopyState { epoch, next_slice, running, totals, .. } = copy.state().unwrap();
            let mut commit = Commit { family, epoch, txg: Txg(txg), next_slice, running, totals, ops: Vec::new() };
            commit.seal();
            copy.commit(&commit, false, true).unwrap();
            Generation::read(&copy.connection, &copy.place.path).unwrap()
        };
        let first = number(&mut copy);
        for mode in [Checkpoint::Look, Checkpoint::Passive] {
            checkpointer.checkpoint(mode).unwrap();
            assert_eq!(number(&mut copy), first, "{mode:?}");
        }
        let mut last = first;
        for mode in [Checkpoint::Held, Checkpoint::Truncate] {
            assert_eq!(checkpointer.checkpoint(mode).unwrap().left, 0);
            let next = number(&mut copy);
            assert_ne!(next, last, "{mode:?}");
            assert_eq!(number(&mut copy), next, "one for each log");
            last = next;
        }
        drop((copy, checkpointer));
        Copy::open(&env, place).unwrap();
    }
}
