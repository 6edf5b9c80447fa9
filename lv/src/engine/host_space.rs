//! Space on the host: refusing writes before the host's filesystem is full, and a reserve that keeps deleting possible.
//!
//! Several sparse PVs on one device promise space that is not there, so a write is accepted only if the device can take
//! everything pending, the bytes included that its PVs can write again without growing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pv::{Bytes, Env};
use vg::VolumeExtents;

use super::core::Core;
use crate::{LvError, Result};

const MIB: u64 = 1024 * 1024;
/// Kept free for journals, logs and catalogues.
const MARGIN: u64 = 16 * MIB;
/// Size of the reserve file beside a PV.
const RESERVE: u64 = 8 * MIB;
/// Free bytes above which the reserve is put (back) in place.
const PLENTY: u64 = 256 * MIB;
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
        let mut known = super::core::lock(&self.host_known);
        if known.left >= len {
            known.left = known.left.saturating_sub(len);
            return Ok(());
        }
        let pending = self.state()?.pending;
        let needed = pending.saturating_add(len).saturating_add(MARGIN);
        let mut devices: BTreeMap<u64, u64> = BTreeMap::new();
        for slot in self.extents.pvs.iter() {
            let Some(store) = &slot.store else { continue };
            let Ok(host) = self.env.host.space(&slot.path) else { continue };
            let reusable = store.space()?.reusable.0;
            let free = devices.entry(host.device).or_insert(host.free.0);
            *free = free.saturating_add(reusable);
        }
        let free = devices.values().fold(0u64, |sum, free| sum.saturating_add(*free));
        if free < needed {
            let path = self.extents.pvs.first().map(|slot| slot.path.clone()).unwrap_or_default();
            return Err(LvError::HostFull { path, free, needed: len });
        }
        known.left = STEP.min(free.saturating_sub(needed));
        Ok(())
    }
}

/// The reserve files beside the PVs that are there, with the free bytes of their host filesystems.
fn reserve_files(env: &Env, extents: &VolumeExtents) -> Vec<(PathBuf, u64)> {
    let present = extents.pvs.iter().filter(|slot| slot.store.is_some());
    present
        .filter_map(|slot| {
            let mut dir = slot.path.clone().into_os_string();
            dir.push(".d");
            let free = env.host.space(&slot.path).ok()?.free.0;
            Some((PathBuf::from(dir).join("reserve"), free))
        })
        .collect()
}

/// Gives the reserve back to the host when it is nearly full, so that what comes next can still commit.
pub(crate) fn release_reserve(env: &Env, extents: &VolumeExtents) {
    for (file, free) in reserve_files(env, extents) {
        if free < MARGIN {
            // Best effort: whoever needs the room reports what is missing.
            let _ = env.host.remove_file(&file);
        }
    }
}

/// Takes the reserve again when there is plenty.
pub(crate) fn restore_reserve(env: &Env, extents: &VolumeExtents) {
    for (file, free) in reserve_files(env, extents) {
        if free > PLENTY && env.host.stat(&file).is_err() {
            let _ = env.host.allocate(&file, Bytes(RESERVE));
        }
    }
}
