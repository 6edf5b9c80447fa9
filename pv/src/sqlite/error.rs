//! SQLite's errors in this crate's words.

use std::io;
use std::path::Path;

use rusqlite::{Error, ErrorCode, ffi};

use crate::PvError;
use crate::error::DiskFailure;

/// `error`, which came up while trying to `operation` (a verb phrase: "read an extent") on the file `path`.
pub fn error(path: &Path, operation: &'static str, error: Error) -> PvError {
    let path = path.to_owned();
    let io = |kind: io::ErrorKind, text: &str| PvError::Io {
        path: path.clone(),
        operation,
        source: io::Error::new(kind, text.to_owned()),
    };
    let damaged = |what: &str| PvError::Damaged { path: path.clone(), what: what.to_owned() };
    match error {
        Error::SqliteFailure(code, text) => match code.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                PvError::Busy { path }
            }
            ErrorCode::DiskFull => PvError::NoSpace { path },
            ErrorCode::DatabaseCorrupt => damaged("its pages contradict each other"),
            ErrorCode::NotADatabase => damaged("it does not begin like a SQLite database"),
            // The index of a log, a file beside it, could not be made as long as it must be.
            ErrorCode::SystemIoFailure if code.extended_code == ffi::SQLITE_IOERR_SHMSIZE => PvError::NoSpace { path },
            ErrorCode::SystemIoFailure => {
                let failed =
                    |text| PvError::Io { path: path.clone(), operation, source: io::Error::other(DiskFailure(text)) };
                io_error(code.extended_code, &io, &failed)
            }
            ErrorCode::ReadOnly if code.extended_code == ffi::SQLITE_READONLY_ROLLBACK => {
                PvError::NeedsRecovery { path }
            }
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => {
                io(io::ErrorKind::PermissionDenied, "it cannot be written")
            }
            ErrorCode::CannotOpen => io(io::ErrorKind::Other, "it, or its journal, cannot be opened"),
            ErrorCode::OutOfMemory => io(io::ErrorKind::OutOfMemory, "out of memory"),
            ErrorCode::TooBig => io(io::ErrorKind::FileTooLarge, "a value is longer than any that is allowed"),
            ErrorCode::ConstraintViolation => damaged("a row exists already, or breaks a rule of its table"),
            ErrorCode::OperationInterrupted => io(io::ErrorKind::Interrupted, "interrupted"),
            _ => io(io::ErrorKind::Other, text.as_deref().unwrap_or("the database refused it")),
        },
        Error::NulError(_) | Error::InvalidPath(_) => io(io::ErrorKind::InvalidInput, "the name cannot be used"),
        Error::QueryReturnedNoRows => damaged("a row is missing"),
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedMoreThanOneRow
        | Error::BlobSizeError => damaged("a row holds a value that cannot be"),
        other => io(io::ErrorKind::Other, &other.to_string()),
    }
}

fn io_error(
    extended: i32,
    io: &dyn Fn(io::ErrorKind, &str) -> PvError,
    failed: &dyn Fn(&'static str) -> PvError,
) -> PvError {
    match extended {
        ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_CORRUPTFS => failed("the operating system could not read"),
        ffi::SQLITE_IOERR_SHORT_READ => io(io::ErrorKind::UnexpectedEof, "the file is shorter than it should be"),
        ffi::SQLITE_IOERR_WRITE => io(io::ErrorKind::Other, "the operating system could not write"),
        ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC => {
            failed("the operating system could not make it durable")
        }
        ffi::SQLITE_IOERR_TRUNCATE => io(io::ErrorKind::Other, "the operating system could not cut the file"),
        ffi::SQLITE_IOERR_NOMEM => io(io::ErrorKind::OutOfMemory, "out of memory"),
        ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_RDLOCK | ffi::SQLITE_IOERR_UNLOCK => {
            io(io::ErrorKind::Other, "the operating system could not lock")
        }
        _ => io(io::ErrorKind::Other, "the operating system reported an I/O error"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: i32) -> PvError {
        error(Path::new("a.db"), "write", Error::SqliteFailure(ffi::Error::new(code), None))
    }

    #[test]
    fn situations_have_their_own_variant() {
        assert!(matches!(of(ffi::SQLITE_BUSY), PvError::Busy { .. }));
        assert!(matches!(of(ffi::SQLITE_FULL), PvError::NoSpace { .. }));
        assert!(matches!(of(ffi::SQLITE_CORRUPT), PvError::Damaged { .. }));
        assert!(matches!(of(ffi::SQLITE_READONLY_ROLLBACK), PvError::NeedsRecovery { .. }));
        let PvError::Io { source, .. } = of(ffi::SQLITE_IOERR_FSYNC) else { panic!("not an I/O error") };
        assert_eq!(source.to_string(), "the operating system could not make it durable");
    }
}
