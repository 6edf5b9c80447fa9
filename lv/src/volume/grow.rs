//! Becoming larger while active.

use pv::Env;
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
}
