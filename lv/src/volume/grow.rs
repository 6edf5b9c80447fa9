//! Becoming larger or smaller while active.

use pv::{Env, LeCount};
use vg::VolumeExtents;

use super::Volume;
use crate::Result;

impl Volume {
    /// The machine it runs on.
    pub fn env(&self) -> &Env {
        &self.core.env
    }

    /// Where its extents lie, as it knows by now.
    pub fn extents(&self) -> VolumeExtents {
        self.core.extents()
    }

    /// Takes over a map that is longer than the one it was activated with: the volume group has given it more extents, and
    /// that is durable. The room is there when this returns. A map that is not longer changes nothing.
    ///
    /// # Errors
    /// [`LvError::Invalid`](crate::LvError::Invalid): the map is of another volume, shorter, has extents elsewhere, or a PV
    /// that is missing. [`LvError::Pv`](crate::LvError::Pv) when a PV cannot be written; nothing has changed, try again.
    /// [`LvError::ReadOnly`](crate::LvError::ReadOnly).
    ///
    /// # Concurrency
    /// What must be placed waits meanwhile.
    pub fn grow(&self, extents: &VolumeExtents) -> Result<()> {
        self.core.grow(extents)
    }

    /// Gives up all extents but the first `count` (of striped ones whole rows): what the others hold moves. When this
    /// returns they are empty, no commit names them, and this activation uses them no more; the volume group may give them
    /// to others. Until it does the next activation has them again, and so has this one after a [`grow`](Self::grow).
    ///
    /// # Errors
    /// [`LvError::TooSmall`](crate::LvError::TooSmall): what files hold has no room in so few extents; it says how few are
    /// enough. [`LvError::CannotMove`](crate::LvError::CannotMove): an extent cannot be read.
    /// [`LvError::HostFull`](crate::LvError::HostFull), [`LvError::NoSpace`](crate::LvError::NoSpace): there is no room to
    /// move anything. [`LvError::Invalid`](crate::LvError::Invalid): there are fewer extents than `count`, a PV is missing,
    /// or this goes on already. [`LvError::ReadOnly`](crate::LvError::ReadOnly). After any of them the volume is what it was.
    ///
    /// # Durability
    /// That the extents are empty is durable when this returns. A crash before leaves everything as it was.
    ///
    /// # Concurrency
    /// Everything else goes on; data is placed between two steps of about 32 extents.
    ///
    /// # Cost
    /// Reads and writes what lies in the extents that go, and a few commits.
    pub fn shrink(&self, count: LeCount) -> Result<()> {
        self.core.shrink(count)
    }
}
