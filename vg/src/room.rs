//! Space on the host for a change of the group: a change that finds none in its middle would have an unknown outcome.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pv::{Bytes, Env, PvError, side_folder};

use crate::group::Member;
use crate::{Descriptor, Result};

/// What a change may take on each PV: pages and journal of two transactions.
const CHANGE: u64 = 128 * 1024;
/// What each PV and LV of the group adds to that.
const RECORD: u64 = 4 * 1024;

/// Reserves that were given back to their hosts for a change; taken again, as far as there is room, when it is over.
#[derive(Debug)]
pub(crate) struct Given<'a> {
    env: &'a Env,
    /// Each file, and its length.
    files: Vec<(PathBuf, u64)>,
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        for (file, len) in &self.files {
            let free = self.env.host.space(file.parent().unwrap_or(file)).map_or(0, |space| space.free.get());
            // Best effort: without it a volume works as well until the host is full.
            let _ = self.env.host.allocate(file, Bytes((*len).min(free)));
        }
    }
}

/// Refuses a change that the hosts of `members` could not take. Gives their reserves back first, for as long as what it
/// returns lives.
///
/// # Errors
/// [`VgError::Pv`](crate::VgError::Pv) with [`PvError::NoSpace`].
pub(crate) fn secure<'a>(env: &'a Env, members: &[&Member], descriptor: &Descriptor) -> Result<Given<'a>> {
    let records = descriptor.pvs.len().saturating_add(descriptor.lvs.len());
    let each = CHANGE.saturating_add(u64::try_from(records).unwrap_or(0).saturating_mul(RECORD));
    let mut devices: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    for member in members.iter().filter(|member| member.present()) {
        let Ok(space) = env.host.space(&member.path) else { continue };
        devices.entry(space.device).or_default().push(member.path.clone());
    }
    let mut given = Given { env, files: Vec::new() };
    for pvs in devices.into_values() {
        let needed = each.saturating_mul(u64::try_from(pvs.len()).unwrap_or(1));
        let Some(first) = pvs.first() else { continue };
        let short = || env.host.space(first).is_ok_and(|space| space.free.get() < needed);
        if short() {
            for pv in &pvs {
                // What was put by for this.
                let reserve = side_folder(pv).join("reserve");
                let Ok(there) = env.host.stat(&reserve) else { continue };
                if env.host.remove_file(&reserve).is_ok() {
                    given.files.push((reserve, there.len.get()));
                }
            }
        }
        if short() {
            return Err(PvError::NoSpace { path: first.clone() }.into());
        }
    }
    Ok(given)
}
