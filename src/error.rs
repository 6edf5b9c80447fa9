//! What can go wrong with a pool.

use lv::LvError;
use vg::{NameError, VgError};

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in the layer where it did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The volume group.
    #[error(transparent)]
    Vg(#[from] VgError),
    /// The filesystem of a logical volume.
    #[error(transparent)]
    Lv(#[from] LvError),
    /// One PV file.
    #[error(transparent)]
    Pv(#[from] pv::PvError),
    /// A text that is not a name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The pool's folder cannot be made.
    #[error("{}: cannot make the folder", path.display())]
    Folder {
        /// The folder.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A volume cannot be served to other processes.
    #[cfg(unix)]
    #[error(transparent)]
    Owner(#[from] crate::owner::OwnerError),
    /// A size that no volume can have.
    #[error("a volume of {0} bytes has more extents than one volume can have")]
    TooLarge(u64),
}

impl Error {
    /// What to do next, for people.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Vg(error) => error.hint(),
            Self::Lv(LvError::CopyLost { source, .. } | LvError::CopyUnlisted { source, .. }) => {
                source.downcast_ref::<VgError>().and_then(VgError::hint)
            }
            Self::Lv(error) => error.hint().map(str::to_owned),
            Self::Pv(error) => error.hint().map(str::to_owned),
            #[cfg(unix)]
            Self::Owner(error) => error.hint().map(str::to_owned),
            _ => None,
        }
    }
}
