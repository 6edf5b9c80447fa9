//! What can go wrong between the owner of a volume and others.

use std::io;
use std::path::PathBuf;

use super::hello::VERSION;

/// Result of this module.
pub(super) type Result<T, E = OwnerError> = std::result::Result<T, E>;

/// Why a volume is not served, or its owner not reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnerError {
    /// There is no folder in which a socket is safe from other users.
    #[error("there is no folder for sockets that only this user can enter ({tried})")]
    NoFolder {
        /// What was tried, and what is wrong with it.
        tried: String,
    },
    /// A socket cannot be used.
    #[error("{}: cannot {operation}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What was to be done.
        operation: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The volume is served by this process already.
    #[error("{}: this process serves the volume already", path.display())]
    AlreadyServed {
        /// The socket.
        path: PathBuf,
    },
    /// Somebody else than the owner of the volume is behind its socket.
    #[error("{}: the process behind this socket is not the one that has the volume", path.display())]
    Stranger {
        /// The socket.
        path: PathBuf,
    },
    /// The owner does not answer.
    #[error("process {pid}, which has the volume, has not answered for {seconds} s")]
    Silent {
        /// The owner.
        pid: u32,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The owner has ended the connection.
    #[error("process {pid}, which had the volume, has ended the connection")]
    Ended {
        /// The owner.
        pid: u32,
    },
    /// The owner serves as many others as it can.
    #[error("process {pid}, which has the volume, serves too many others")]
    Busy {
        /// The owner.
        pid: u32,
    },
    /// The owner is of another version.
    #[error("process {pid}, which has the volume, speaks version {theirs} of the protocol, this one version {VERSION}")]
    Version {
        /// The owner.
        pid: u32,
        /// Its version.
        theirs: u16,
    },
    /// What the owner sends makes no sense.
    #[error("process {pid}, which has the volume, sent what cannot be understood")]
    Garbled {
        /// The owner.
        pid: u32,
    },
}

impl OwnerError {
    /// What to do next, when there is something.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoFolder { .. } => "let XDG_RUNTIME_DIR name a folder that only this user can enter",
            Self::Silent { .. } => "see what that process waits for, or end it",
            Self::Busy { .. } => "try again when other commands have ended",
            Self::Version { .. } | Self::Garbled { .. } => "use the program that the process was started from",
            _ => return None,
        })
    }
}
