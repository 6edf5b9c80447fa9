//! What names and attributes can be: asked when they are made, and again when they are read from a file.

use crate::{LvError, Result};

/// Longest name in bytes.
pub(crate) const NAME_MAX: usize = 255;
/// Longest value of an extended attribute, and longest list of names, in bytes: what Linux can hand to a program.
pub(crate) const VALUE_MAX: usize = 64 * 1024;
/// Bytes of names and values that one inode may have in all: they are in memory together.
pub(crate) const ATTRIBUTES_MAX: usize = 1024 * 1024;

/// Refuses what is no name.
pub(crate) fn check_name(name: &[u8]) -> Result<()> {
    if name.len() > NAME_MAX {
        return Err(LvError::NameTooLong { name: name.to_owned() });
    }
    let bad = name.is_empty() || name == b"." || name == b".." || name.iter().any(|b| *b == b'/' || *b == 0);
    if bad {
        Err(LvError::Invalid { what: "a name must be 1 to 255 bytes without '/' and NUL, and not . or .." })
    } else {
        Ok(())
    }
}

/// Whether such an attribute can have been set.
pub(crate) fn is_attribute(name: &[u8], value: usize) -> bool {
    (1..=NAME_MAX).contains(&name.len()) && !name.contains(&0) && value <= VALUE_MAX
}
