//! One more copy of the metadata of an active volume.

use pv::Epoch;

use super::core::{Core, lock};
use super::own::own;
use crate::catalogue::CopyPlace;
use crate::{LvError, Result};

/// What a metadata volume consists of.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

impl Core {
    /// Makes a copy at `place` equal to the others while no commit runs, has `listed` make it known, and commits to it
    /// from then on.
    ///
    /// Whether it is known must not be left open while commits go on without it: they would count, and the copy would
    /// pass for one that has them. So a failure of `listed` stops the volume.
    pub(crate) fn add_copy(&self, place: &CopyPlace, listed: &mut dyn FnMut(Epoch) -> Result<()>) -> Result<()> {
        self.writable()?;
        self.state().map(drop)?;
        // In this order, as a flush that needs a commit takes them.
        let _flush = lock(&self.flush);
        let mut copies = lock(&self.copies);
        if copies.places().iter().any(|known| known.pv == place.pv || known.path == place.path) {
            return Err(LvError::Invalid { what: "there is a copy of the metadata already" });
        }
        let owned = own(&self.env, std::slice::from_ref(place), false)?;
        // What lies there is a copy that was given up, or one that was never finished.
        for end in FILES {
            let mut name = place.path.clone().into_os_string();
            name.push(end);
            let file = std::path::PathBuf::from(name);
            let failed = |source| pv::PvError::Io { path: file.clone(), operation: "remove it", source };
            self.env.host.remove_file(&file).map_err(failed)?;
        }
        let copy = copies.make_equal(&self.env, place, self.extents().lv)?;
        let checkpointer = copy.again(&self.env)?;
        listed(self.epoch).map_err(|error| self.poison(error))?;
        lock(&self.locks).extend(owned.locks);
        lock(&self.checkpointer).push(checkpointer);
        copies.join(copy);
        Ok(())
    }
}
