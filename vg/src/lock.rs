//! The VG lock: one lock file in the `.d` folder of each reachable PV, taken in uuid order.

use std::path::{Path, PathBuf};

use pv::{Env, Holder, HostLock, PvUuid, VgUuid, refuse_linked_folder, side_folder};

use crate::{Result, VgError, VgName};

const LOCK: &str = "vg.lock";

/// The right to change a VG: changes ask for it as proof. Released when dropped.
///
/// # Concurrency
/// Excludes other changes of the VG by processes that reach the same PVs. Those that reach others are excluded by the
/// majority.
#[derive(Debug)]
pub struct VgLock {
    pub(crate) vg: VgUuid,
    _held: Vec<Box<dyn HostLock>>,
}

/// The VG lock file of the PV at `path`.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    side_folder(path).join(LOCK)
}

/// Takes the lock files of these PVs.
pub(crate) fn take(env: &Env, vg: (VgUuid, &VgName), pvs: &[(PvUuid, PathBuf)], wait: bool) -> Result<VgLock> {
    let mut sorted = pvs.to_vec();
    sorted.sort();
    let note = format!("{}\n", std::process::id());
    let mut held = Vec::with_capacity(sorted.len());
    for (_, path) in sorted {
        let folder = side_folder(&path);
        let failed = |source| VgError::Host { path: folder.clone(), operation: "make its lock file", source };
        refuse_linked_folder(env, &path)?;
        env.host.make_dir(&folder).map_err(failed)?;
        let file = lock_path(&path);
        let lock = env.host.lock(&file, wait, &note).map_err(failed)?;
        held.push(lock.ok_or_else(|| VgError::Held { vg: vg.1.clone(), holder: Holder::of(env, &file) })?);
    }
    Ok(VgLock { vg: vg.0, _held: held })
}
