//! Space on the host for a change of the group: a change that finds none in its middle would have an unknown outcome.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pv::{Env, PvError, side_folder};

use crate::group::Member;
use crate::{Descriptor, Result};

/// What a change may take on each PV: pages and journal of two transactions.
const CHANGE: u64 = 128 * 1024;
/// What each PV and LV of the group adds to that.
const RECORD: u64 = 4 * 1024;

/// Refuses a change that the hosts of `members` could not take. Gives their reserves back first.
///
/// # Errors
/// [`VgError::Pv`](crate::VgError::Pv) with [`PvError::NoSpace`].
pub(crate) fn secure(env: &Env, members: &[&Member], descriptor: &Descriptor) -> Result<()> {
    let records = descriptor.pvs.len().saturating_add(descriptor.lvs.len());
    let each = CHANGE.saturating_add(u64::try_from(records).unwrap_or(0).saturating_mul(RECORD));
    let mut devices: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    for member in members.iter().filter(|member| member.present()) {
        let Ok(space) = env.host.space(&member.path) else { continue };
        devices.entry(space.device).or_default().push(member.path.clone());
    }
    for pvs in devices.into_values() {
        let needed = each.saturating_mul(u64::try_from(pvs.len()).unwrap_or(1));
        let Some(first) = pvs.first() else { continue };
        let short = || env.host.space(first).is_ok_and(|space| space.free.get() < needed);
        if short() {
            for pv in &pvs {
                // What was put by for this; a volume takes it again when there is room.
                let _ = env.host.remove_file(&side_folder(pv).join("reserve"));
            }
        }
        if short() {
            return Err(PvError::NoSpace { path: first.clone() }.into());
        }
    }
    Ok(())
}
