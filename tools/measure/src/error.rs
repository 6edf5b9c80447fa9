//! What can go wrong with a measurement.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a measurement has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder of the host.
    #[error("{}: cannot {operation}", path.display())]
    Host {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something inside a side.
    #[error("{side}: cannot {operation} {object}")]
    Side {
        /// Its name.
        side: String,
        /// What was tried.
        operation: &'static str,
        /// On what.
        object: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was written reads differently.
    #[error("{side}: {object} has other bytes at {at} than were written")]
    Contents {
        /// Name of the side.
        side: String,
        /// The file.
        object: String,
        /// Where, in bytes from its start.
        at: u64,
    },
    /// A side is too small for a work.
    #[error("{side}: {wanted} bytes of free room are needed, {free} are there")]
    Room {
        /// Name of the side.
        side: String,
        /// What the work needs.
        wanted: u64,
        /// What there is.
        free: u64,
    },
    /// A process that takes part does not answer as it should.
    #[error("{program}: {what}")]
    Worker {
        /// The process.
        program: String,
        /// What it said, or did not say.
        what: String,
    },
    /// A thread of the measurement ended early.
    #[error("{side}: a thread of the measurement ended early")]
    Thread {
        /// Name of the side.
        side: String,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}
