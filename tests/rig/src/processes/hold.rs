//! A process that is stopped in the middle of something, for sure.

use std::io::{Write, stdout};
use std::path::Path;

use pv::Env;
use rusqlite::Connection;
use rustix::process::{Signal, getpid, kill_process};

/// Takes a lock file, and a database's write lock if one is given, says so and stops this process; ends when continued.
///
/// # Errors
/// In words.
pub fn hold_stopped(lock_file: &Path, database: Option<&Path>) -> Result<(), String> {
    let note = format!("process {}", std::process::id());
    let _held = Env::system().host.lock(lock_file, false, &note).map_err(|error| error.to_string())?.ok_or("held")?;
    let connection = database.map(Connection::open).transpose().map_err(|error| error.to_string())?;
    if let Some(connection) = &connection {
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string())?;
    }
    writeln!(stdout(), "held").map_err(|error| error.to_string())?;
    kill_process(getpid(), Signal::STOP).map_err(|error| error.to_string())
}
