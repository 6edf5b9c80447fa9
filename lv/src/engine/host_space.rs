//! Space on the host: refusing writes before the host's filesystem is full, and a reserve that keeps deleting possible.
//!
//! Several sparse PVs on one device promise space that is not there, so a write is accepted only if the device can take
//! everything pending, the bytes included that its PVs can write again without growing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pv::{Bytes, Env, HostSpace};
use vg::VolumeExtents;

use super::core::Core;
use crate::{LvError, Result};

const MIB: u64 = 1024 * 1024;

/// Kept free on a host filesystem of this size for journals, logs and catalogues.
fn margin(total: u64) -> u64 {
    (total / 64).clamp(MIB, 16 * MIB)
}

/// Size of the reserve file on a host filesystem of this size.
fn reserve(total: u64) -> u64 {
    (total / 64).clamp(MIB, 8 * MIB)
}

/// Bytes accepted between two looks at the host.
const STEP: u64 = 8 * MIB;

/// What is known of the host's space.
#[derive(Debug, Default)]
pub(crate) struct HostRoom {
    /// Bytes that may still be accepted before the next look.
    left: u64,
}

impl Core {
    /// Refuses `len` bytes that the host could not hold.
    pub(crate) fn host_room(&self, len: u64) -> Result<()> {
        if self.known_room(len) {
            return Ok(());
        }
        let pending = self.state()?.pending;
        if self.host_free()? < pending.saturating_add(len) {
            self.squeeze()?;
        }
        self.look_for_room(pending, len)
    }

    /// As [`host_room`](Self::host_room), for whoever holds the state.
    pub(crate) fn host_room_held(&self, pending: u64, len: u64) -> Result<()> {
        if self.known_room(len) { Ok(()) } else { self.look_for_room(pending, len) }
    }

    /// Takes `len` bytes off what is known to be there.
    fn known_room(&self, len: u64) -> bool {
        let mut known = super::core::lock(&self.host_known);
        let enough = known.left >= len;
        if enough {
            known.left = known.left.saturating_sub(len);
        }
        enough
    }

    fn look_for_room(&self, pending: u64, len: u64) -> Result<()> {
        let (free, needed) = (self.host_free()?, pending.saturating_add(len));
        if free < needed {
            let free = free.saturating_sub(pending);
            let path = self.extents.pvs.first().map(|slot| slot.path.clone()).unwrap_or_default();
            return Err(LvError::HostFull { path, free, needed: len });
        }
        super::core::lock(&self.host_known).left = STEP.min(free.saturating_sub(needed));
        Ok(())
    }

    /// Bytes the PVs can take: on their host filesystems, each counted once, and inside their files. Without any PV: bytes
    /// that the metadata can.
    fn host_free(&self) -> Result<u64> {
        let mut devices: BTreeMap<u64, u64> = BTreeMap::new();
        for slot in self.extents.pvs.iter() {
            let Some(store) = &slot.store else { continue };
            let Ok(host) = self.env.host.space(&slot.path) else { continue };
            let reusable = store.space()?.reusable.0;
            let usable = host.free.0.saturating_sub(margin(host.total.0));
            let free = devices.entry(host.device).or_insert(usable);
            *free = free.saturating_add(reusable);
        }
        if devices.is_empty() {
            // No PV is there, so no data is accepted: what still changes is metadata, where its copies lie.
            for folder in self.wals.iter().filter_map(|wal| wal.parent()) {
                let Ok(host) = self.env.host.space(folder) else { continue };
                devices.insert(host.device, host.free.0.saturating_sub(margin(host.total.0)));
            }
        }
        Ok(devices.values().fold(0u64, |sum, free| sum.saturating_add(*free)))
    }

    /// Lets go of freed extents at once (two commits are grace enough), so that their pages can be written again.
    fn squeeze(&self) -> Result<bool> {
        for _ in 0..2 {
            let mut state = self.state()?;
            state.pressure = true;
            let (dead, txg) = (state.space.dead_count(), state.txg);
            drop(state);
            if dead == 0 {
                return Ok(false);
            }
            self.commit_through(txg)?;
        }
        self.delete_dead_once()
    }
}

/// The reserve file of each host filesystem, beside the first PV on it, with that filesystem's space.
fn reserve_files(env: &Env, extents: &VolumeExtents) -> Vec<(PathBuf, HostSpace)> {
    let mut files = BTreeMap::new();
    for slot in extents.pvs.iter().filter(|slot| slot.store.is_some()) {
        let Ok(space) = env.host.space(&slot.path) else { continue };
        let mut dir = slot.path.clone().into_os_string();
        dir.push(".d");
        files.entry(space.device).or_insert_with(|| (PathBuf::from(dir).join("reserve"), space));
    }
    files.into_values().collect()
}

/// Gives the reserve back to the host when it is nearly full, so that what comes next can still commit.
pub(crate) fn release_reserve(env: &Env, extents: &VolumeExtents) {
    for (file, space) in reserve_files(env, extents) {
        if space.free.0 < margin(space.total.0) {
            // Best effort: whoever needs the room reports what is missing.
            let _ = env.host.remove_file(&file);
        }
    }
}

/// Takes the reserve (again) where there is room for it.
pub(crate) fn restore_reserve(env: &Env, extents: &VolumeExtents) {
    for (file, space) in reserve_files(env, extents) {
        let (size, enough) = (reserve(space.total.0), margin(space.total.0).saturating_mul(4));
        if space.free.0 > enough && env.host.stat(&file).is_err() {
            let _ = env.host.allocate(&file, Bytes(size));
        }
    }
}
