//! Refusals because a process has a volume: who, where it is mounted, and what to do about it.

use anyfs_lvm::pv::{FamilyUuid, Holder};
use anyfs_lvm::vg::{LvRecord, VolumeGroup};

use crate::failure::{Done, Failure};
use crate::mounting::answers;
use crate::session::Session;

/// Refuses when a process has a volume of a group.
pub(crate) fn refuse(session: &Session, group: &VolumeGroup, lv: &LvRecord) -> Done {
    match session.owner(group, lv) {
        None => Ok(()),
        Some(owner) => {
            let said = format!("Logical volume {}/{} in use by {owner}", group.name(), lv.name);
            Err(explained(&said, &owner, Some(lv.family)))
        }
    }
}

/// What was refused, with where the volume is mounted and what to do first.
pub(crate) fn explained(said: &str, owner: &Holder, family: Option<FamilyUuid>) -> Failure {
    let mounted = owner.pid.and_then(|pid| mounted_on(family.filter(|_| answers(owner)), pid));
    let line = match &mounted {
        Some(dir) => format!("{said}, mounted on {dir}."),
        None => format!("{said}."),
    };
    let hint = match (owner.pid, mounted) {
        (Some(pid), _) if owner.is_stopped() => {
            format!("continue or end that process first: kill -CONT {pid}; kill {pid}")
        }
        (_, Some(dir)) => format!("unmount it first: anyfs-lvm umount {dir}"),
        (Some(pid), None) => format!("close it in that process first: ps -p {pid}"),
        (None, None) => "close it in that process first".to_owned(),
    };
    Failure::new(line).hint(hint)
}

/// Where a process has its volume mounted, by what it says itself if there is a family to ask for.
#[cfg(target_os = "linux")]
fn mounted_on(family: Option<FamilyUuid>, pid: u32) -> Option<String> {
    use crate::mount::owners;
    let dir = match family {
        Some(family) => owners::mounted_on(family, pid),
        None => owners::owner(pid).map(|owner| owner.dir),
    };
    dir.map(|dir| crate::picture::shown(&dir))
}

#[cfg(not(target_os = "linux"))]
fn mounted_on(_: Option<FamilyUuid>, _: u32) -> Option<String> {
    None
}
