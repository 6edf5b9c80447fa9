//! What a volume has in hand, and what it has done.

use super::Volume;
use crate::{Meters, Result, Usage};

impl Volume {
    /// What the volume holds in memory and keeps back on disk.
    ///
    /// # Errors
    /// [`LvError::Poisoned`](crate::LvError::Poisoned).
    pub fn usage(&self) -> Result<Usage> {
        let state = self.core.state()?;
        Ok(Usage {
            dirty_bytes: state.pending,
            intent_bytes: state.intents,
            rows: state.entries,
            cache_bytes: self.core.cache.weight(),
            log_bytes: self.core.longest_log(),
            free_extents: state.space.free_count(),
            quarantined_extents: state.space.dead_count(),
        })
    }

    /// What the volume has done since it was activated, for whoever used it: calls of its methods, also those that failed
    /// and those within a [`transaction`](Self::transaction), and commits. Calls that do several things in turn, such as
    /// [`mkdir_all`](Self::mkdir_all), count as those; opening, releasing, locking, noting accesses and asking how much
    /// there is do not count. Of reads, writes and the operations on metadata some are timed, of all others each.
    ///
    /// # Concurrency
    /// Waits for nobody.
    pub fn meters(&self) -> Meters {
        let extents = self.core.extents();
        self.core.meter.seen(extents.pvs.iter().map(|slot| (slot.uuid, slot.path.clone())))
    }
}
