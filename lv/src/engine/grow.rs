//! Making an active volume larger.
//!
//! The volume group has named the new extents durably by then, so that the next activation finds them whatever happens
//! here. What the volume has keeps its place: LEs and PVs are added at the end, and nothing that is under way is
//! affected.

use std::sync::{Arc, PoisonError};

use vg::{PvSlot, VolumeExtents};

use super::core::{Core, lock};
use super::host_space::HostRoom;
use crate::{LvError, Result};

impl Core {
    /// Takes over a longer map.
    pub(crate) fn grow(&self, wanted: &VolumeExtents) -> Result<()> {
        self.writable()?;
        // One at a time, and never while extents are chosen and written.
        let _flush = lock(&self.flush);
        let old = self.extents();
        let new = longer(&old, wanted)?;
        let txg = self.state()?.committed;
        for slot in new.pvs.iter().skip(old.pvs.len()) {
            let Some(store) = &slot.store else { continue };
            // From an attempt that failed later, it is this activation's already.
            if store.owner(self.family)?.is_none_or(|row| row.epoch != self.epoch) {
                store.take(self.family, self.epoch, txg)?;
            }
        }
        let mut state = self.state()?;
        state.space.grow(&new)?;
        *self.extents.write().unwrap_or_else(PoisonError::into_inner) = new;
        // There may be other hosts now.
        *lock(&self.host_known) = HostRoom::default();
        drop(state);
        self.changed.notify_all();
        self.work.notify_all();
        Ok(())
    }
}

/// The map with what another has at its end; that must be the same volume and have all that this one has where it is.
fn longer(old: &VolumeExtents, wanted: &VolumeExtents) -> Result<VolumeExtents> {
    if (wanted.lv, wanted.family, wanted.extent_size) != (old.lv, old.family, old.extent_size) {
        return Err(LvError::Invalid { what: "these are not the extents of the volume" });
    }
    if wanted.count() < old.count() {
        return Err(LvError::Invalid { what: "a volume that is open cannot become smaller" });
    }
    if (0..old.count().0).map(pv::LeIndex).any(|le| old.places(le) != wanted.places(le)) {
        return Err(LvError::Invalid { what: "extents of a volume that is open have another place" });
    }
    let added: Vec<&PvSlot> = wanted.pvs.iter().filter(|slot| old.pv(slot.uuid).is_none()).collect();
    if added.iter().any(|slot| slot.store.is_none()) {
        return Err(LvError::Invalid { what: "a physical volume that was added is missing" });
    }
    let pvs: Arc<[PvSlot]> = old.pvs.iter().chain(added).cloned().collect();
    Ok(VolumeExtents { segments: Arc::clone(&wanted.segments), pvs, ..old.clone() })
}
