//! What an activation finds out of order with a volume, and goes on without.

use std::fmt;
use std::path::PathBuf;

/// Something out of order that did not stop a volume from being activated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum VolumeNotice {
    /// A copy of the metadata was missing, damaged or something else. The volume group has forgotten it, for good.
    CopyGivenUp {
        /// The copy.
        file: PathBuf,
        /// What was wrong with it, in words.
        why: String,
        /// Copies that are left.
        left: usize,
    },
    /// A copy of the metadata cannot be read. The volume is only read, so that this changes nothing.
    CopyNotRead {
        /// The copy.
        file: PathBuf,
        /// Why, in words.
        why: String,
    },
}

impl fmt::Display for VolumeNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CopyGivenUp { file, why, left } => {
                let left = if *left == 1 { "1 copy is left" } else { &format!("{left} copies are left") };
                write!(f, "{}: this copy of the volume's metadata was given up ({why}); {left}", file.display())
            }
            Self::CopyNotRead { file, why } => {
                write!(f, "{}: this copy of the volume's metadata is not read ({why})", file.display())
            }
        }
    }
}
