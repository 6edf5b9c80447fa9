//! Making a PV file.

use std::io;
use std::path::Path;

use rusqlite::Connection;

use crate::format::{PV_SCHEMA, PV_TUNING};
use crate::sqlite::{self, Access, error};
use crate::{Bytes, Env, Epoch, ExtentSize, Features, Label, Pv, PvError, PvUuid, Result, descriptor, label, lock};

const FILL: &str = "INSERT INTO extent (pe, lv, family, le, epoch, flush, sum, toc, data)
    VALUES (?1, x'', x'', 0, 0, 0, 0, x'', zeroblob(?2))";
const EMPTY: &str = "DELETE FROM extent";
/// Bytes of one row that takes space; a transaction has several.
const FILL_ROW: u64 = 4 * 1024 * 1024;
const ROWS_PER_TRANSACTION: u64 = 16;
const TAKE: &str = "take its space";

/// What a new PV is like.
#[derive(Debug, Clone)]
pub struct PvOptions {
    /// What it promises to hold.
    pub capacity: Bytes,
    /// Takes host blocks for all of it now, by writing them. (A host that compresses or deduplicates may still give
    /// them to others.)
    pub preallocate: bool,
    /// Its identity; random unless given.
    pub uuid: Option<PvUuid>,
    /// Replaces whatever file has the name.
    pub force: bool,
    /// Class tag; empty for none.
    pub class: String,
}

impl Default for PvOptions {
    /// 16 GiB, sparse.
    fn default() -> Self {
        Self { capacity: Bytes(16 << 30), preallocate: false, uuid: None, force: false, class: String::new() }
    }
}

impl Pv {
    /// Makes the PV file `path` and opens it for reading and writing.
    ///
    /// # Errors
    /// [`PvError::Exists`] or [`PvError::Foreign`] saying what has that name already; [`PvError::Refused`] about the
    /// capacity; [`PvError::NoSpace`]; [`PvError::Io`]. After an error nothing is left behind, and what was there
    /// still is.
    ///
    /// # Durability
    /// The file is durable when this returns, and complete whenever it has its name.
    pub fn create(env: &Env, path: &Path, options: &PvOptions) -> Result<Self> {
        check_capacity(path, options.capacity)?;
        match env.host.stat(path) {
            Ok(id) if !id.regular => return Err(taken(env, path)),
            Ok(_) if !options.force => return Err(taken(env, path)),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(PvError::Io { path: path.to_owned(), operation: "create it", source }),
        }
        lock::refuse_linked_folder(env, path)?;
        let label = new_label(env, path, options)?;
        let fill = |conn: &Connection| {
            if options.preallocate {
                preallocate(env, conn, path, options.capacity)?;
            }
            label::write(conn, path, &label)?;
            descriptor::write_promise(conn, path, Epoch(0))
        };
        let made = if options.force {
            sqlite::replace(env, path, &PV_SCHEMA, &PV_TUNING, fill)
        } else {
            sqlite::create(env, path, &PV_SCHEMA, &PV_TUNING, fill)
        };
        match made {
            Err(PvError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => Err(taken(env, path)),
            other => other,
        }?;
        Self::open(env, path, Access::ReadWrite)
    }
}

fn check_capacity(path: &Path, capacity: Bytes) -> Result<()> {
    let what = match capacity.get() {
        0 => "a capacity of zero holds nothing",
        n if n < ExtentSize::MIN.bytes() => "the capacity is below one extent of 64 KiB",
        n if i64::try_from(n).is_err() => "the capacity is too large",
        _ => return Ok(()),
    };
    Err(PvError::Refused { path: path.to_owned(), what: what.to_owned() })
}

fn new_label(env: &Env, path: &Path, options: &PvOptions) -> Result<Label> {
    let random = |source| PvError::Io { path: path.to_owned(), operation: "choose a uuid for it", source };
    Ok(Label {
        pv: options.uuid.map_or_else(PvUuid::random, Ok).map_err(random)?,
        membership: None,
        capacity: options.capacity,
        class: options.class.clone(),
        features: Features::default(),
        created: env.clock.wall().div_euclid(1_000_000_000),
        holders: Vec::new(),
    })
}

/// What has the name already. Looks without locks or journals: a message needs no more.
fn taken(env: &Env, path: &Path) -> PvError {
    match Pv::open(env, path, Access::Immutable) {
        Ok(pv) => {
            let what = match &pv.label().membership {
                Some(member) => format!("already a physical volume of volume group \"{}\"", member.name),
                None => "already a physical volume (of no volume group)".to_owned(),
            };
            PvError::Exists { path: path.to_owned(), what }
        }
        Err(PvError::Foreign { path, what }) => {
            PvError::Foreign { path, what: format!("exists already and is {what}") }
        }
        Err(other) => other,
    }
}

/// Writes rows of the PV's whole capacity and deletes them again: their pages stay in the file, free.
///
/// Runs in the transaction of the file's first rows and ends in one of its own.
fn preallocate(env: &Env, conn: &Connection, path: &Path, capacity: Bytes) -> Result<()> {
    let folder = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if env.host.space(folder).is_ok_and(|space| space.free < capacity) {
        // Says so before gigabytes are written.
        return Err(PvError::NoSpace { path: path.to_owned() });
    }
    let fail = |e| error(path, TAKE, e);
    // Freed in the transaction that made them, pages would never reach the file.
    conn.execute_batch("COMMIT").map_err(fail)?;
    let mut rest = capacity.get();
    let mut pe = 0i64;
    while rest > 0 {
        conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
        for _ in 0..ROWS_PER_TRANSACTION {
            let len = rest.min(FILL_ROW);
            let bytes = i64::try_from(len).unwrap_or(i64::MAX);
            conn.prepare_cached(FILL).and_then(|mut s| s.execute([pe, bytes])).map_err(fail)?;
            pe = pe.saturating_add(1);
            rest = rest.saturating_sub(len);
            if rest == 0 {
                break;
            }
        }
        conn.execute_batch("COMMIT").map_err(fail)?;
    }
    conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
    conn.execute(EMPTY, []).map(drop).map_err(fail)?;
    conn.execute_batch("COMMIT").map_err(fail)?;
    conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)
}
