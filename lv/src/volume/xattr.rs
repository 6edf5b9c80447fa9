//! Extended attributes.

use super::Volume;
use crate::{Ino, Result, SetXattr};

impl Volume {
    /// The value of an extended attribute. Attributes of all namespaces are kept as they are, access control lists too.
    ///
    /// # Errors
    /// [`LvError::NoXattr`](crate::LvError::NoXattr), [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.get_xattr(ino, name)
    }

    /// The names of all extended attributes, in order of their bytes.
    ///
    /// # Errors
    /// [`LvError::NoInode`](crate::LvError::NoInode).
    pub fn listxattr(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let _counted = self.core.meter.metadata.start();
        self.core.state()?.list_xattrs(ino)
    }

    /// Sets an extended attribute: at most 255 bytes of name, 64 KiB of value, 64 KiB of names and 1 MiB in all.
    ///
    /// # Errors
    /// [`LvError::Exists`](crate::LvError::Exists) and [`LvError::NoXattr`](crate::LvError::NoXattr) as `how` asks;
    /// [`LvError::OutOfRange`](crate::LvError::OutOfRange), [`LvError::TooBig`](crate::LvError::TooBig),
    /// [`LvError::NoSpace`](crate::LvError::NoSpace) beyond those limits;
    /// [`LvError::NotPermitted`](crate::LvError::NotPermitted) for `user.` on anything but files and directories.
    pub fn setxattr(&self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.metadata_room_for(value.len())?;
        self.core.state()?.set_xattr(ino, name, value, how, now)
    }

    /// Removes an extended attribute.
    ///
    /// # Errors
    /// [`LvError::NoXattr`](crate::LvError::NoXattr), [`LvError::NotPermitted`](crate::LvError::NotPermitted).
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now();
        self.core.small_room()?;
        self.core.state()?.remove_xattr(ino, name, now)
    }
}
