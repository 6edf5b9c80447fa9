//! Carrying operations out, as commands do: open, lock, change.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyfs_lvm::{activate, make_catalogues};
use lv::{Volume, VolumeOptions};
use pv::{Access, Env, ExtentStore, Label, LeCount, Pv, PvUuid};
use vg::{LvExtension, LvName, LvRequest, OpenOptions, PoolFiles, VgError, VgLock, VgName, VgOptions, VolumeGroup};

use super::super::group::{extent_size, make_pv};
use super::super::weak::Weakness;
use super::op::{LvState, VgOp, VgState, lv_name, vg_name};

/// Bytes of an extent.
const EXTENT: u64 = 4096;
/// Bytes of a PV.
const PV_BYTES: u64 = 64 * EXTENT;

/// Folder of all PVs.
pub(super) fn dir() -> &'static Path {
    Path::new("/")
}

pub(super) fn pv_path(number: u8) -> PathBuf {
    dir().join(format!("p{number}.db"))
}

pub(super) fn pv_number(uuid: PvUuid) -> u8 {
    uuid.as_bytes()[0] - 1
}

pub(super) fn lv(name: &str) -> Result<LvName, String> {
    LvName::new(name).map_err(|error| error.to_string())
}

/// Opens the group among `files`; `None` when there is none.
pub(super) fn open(env: &Env, files: &PoolFiles) -> Result<Option<VolumeGroup>, String> {
    match VolumeGroup::open(env, files, &OpenOptions::default()) {
        Ok(group) => Ok(Some(group)),
        Err(VgError::NoGroup(_) | VgError::NotFound(_)) => Ok(None),
        Err(error) => Err(format!("opening the group: {error}")),
    }
}

/// What an open group shows.
pub(super) fn state(group: &VolumeGroup) -> VgState {
    let descriptor = group.descriptor();
    let lvs = descriptor.lvs.iter();
    let lvs = lvs.map(|lv| (lv.name.to_string(), LvState { uuid: lv.uuid, count: lv.count().0 }));
    VgState {
        name: Some(descriptor.name.to_string()),
        pvs: descriptor.pvs.iter().map(|pv| pv_number(pv.uuid)).collect::<BTreeSet<_>>(),
        lvs: lvs.collect::<BTreeMap<_, _>>(),
    }
}

/// What came of an operation on the group.
pub(super) enum Done {
    /// It was done.
    Yes,
    /// It was refused for want of space, or because a PV is in use: nothing happened.
    Refused,
}

fn outcome<T>(result: Result<T, VgError>) -> Result<Done, String> {
    match result {
        Ok(_) => Ok(Done::Yes),
        Err(
            VgError::InsufficientFree { .. } | VgError::Unsuitable { .. } | VgError::Alloc(_) | VgError::PvInUse(_),
        ) => Ok(Done::Refused),
        Err(error) => Err(error.to_string()),
    }
}

/// Carries out what needs no active volume, with the rules about the descriptor off that `weakness` is about.
pub(super) fn act(env: &Env, op: &VgOp, weakness: Weakness) -> Result<Done, String> {
    let text = |error: VgError| error.to_string();
    match op {
        VgOp::MakePv(number) => return make_pv(env, dir(), *number, PV_BYTES).map(|_| Done::Yes),
        VgOp::Create(pvs) => {
            let name = VgName::new(&vg_name(0)).map_err(|error| error.to_string())?;
            let paths: Vec<PathBuf> = pvs.iter().map(|pv| pv_path(*pv)).collect();
            let options = VgOptions { extent_size: extent_size(EXTENT)?, ..VgOptions::default() };
            return outcome(VolumeGroup::create(env, &name, &paths, &options));
        }
        _ => {}
    }
    let files = PoolFiles::Dir(dir().to_owned());
    let mut group = open(env, &files)?.ok_or("the group is gone")?;
    let lock = group.lock().map_err(text)?;
    if let Some(done) = act_weakly(env, (&mut group, &lock), op, weakness) {
        return done;
    }
    match op {
        VgOp::Extend(pv) => outcome(group.extend(&lock, &[pv_path(*pv)])),
        VgOp::Reduce(pv) => outcome(group.reduce(&lock, &[pv_path(*pv)])),
        VgOp::Rename(number) => {
            let name = VgName::new(&vg_name(*number)).map_err(|error| error.to_string())?;
            outcome(group.change(&lock, |descriptor| {
                descriptor.name = name.clone();
                Ok(())
            }))
        }
        VgOp::LvCreate { lv: number, count, copies, stripes } => {
            let request = request(*number, *count, *copies, *stripes)?;
            outcome(group.lv_create(&lock, &request, |group, lv| make_catalogues(env, group, lv)))
        }
        VgOp::LvExtend(number, more) => {
            let name = lv(&lv_name(*number))?;
            let count = group.lv(&name).map_err(text)?.count().0 + more;
            let extension = LvExtension { count: LeCount(count), ..LvExtension::default() };
            outcome(group.lv_extend(&lock, &name, &extension))
        }
        VgOp::LvRename(number, to) => outcome(group.lv_rename(&lock, &lv(&lv_name(*number))?, &lv(&lv_name(*to))?)),
        VgOp::LvRemove(number) => outcome(group.lv_remove(&lock, &lv(&lv_name(*number))?)),
        _ => Err(format!("{op:?} is not about the group")),
    }
}

fn request(number: u8, count: u32, copies: u32, stripes: u32) -> Result<LvRequest, String> {
    let name = Some(lv(&lv_name(number))?);
    Ok(LvRequest { copies, stripes, ..LvRequest::new(name, LeCount(count)) })
}

/// Carries out what a rule that is off is about, in the wrong order; `None`: nothing about it is wrong.
fn act_weakly(
    env: &Env,
    (group, lock): (&mut VolumeGroup, &VgLock),
    op: &VgOp,
    weakness: Weakness,
) -> Option<Result<Done, String>> {
    match (weakness, op) {
        (Weakness::NameBeforeFiles, VgOp::LvCreate { lv: number, count, copies, stripes }) => {
            let made =
                request(*number, *count, *copies, *stripes).map(|new| group.lv_create(lock, &new, |_, _| Ok(())));
            Some(made.and_then(|made| match made {
                Ok(made) => make_catalogues(env, group, &made).map(|()| Done::Yes).map_err(|error| error.to_string()),
                Err(error) => outcome::<()>(Err(error)),
            }))
        }
        (Weakness::ReleaseBeforeSweep, VgOp::LvRemove(number)) => Some(release(group, lock, *number)),
        (Weakness::LeaveBeforeDescriptor, VgOp::Reduce(number)) => {
            let path = pv_path(*number);
            if group.plan_reduce(std::slice::from_ref(&path)).is_err() {
                return None;
            }
            let left = leave(env, &path).map_err(|error| error.to_string());
            Some(left.and_then(|()| outcome(group.reduce(lock, &[path]))))
        }
        _ => None,
    }
}

/// Gives a volume's extents back, then lets the PVs forget what they hold.
fn release(group: &mut VolumeGroup, lock: &VgLock, number: u8) -> Result<Done, String> {
    let family = group.lv(&lv(&lv_name(number))?).map_err(|error| error.to_string())?.family;
    let released = group.change(lock, |descriptor| {
        descriptor.lvs.retain(|lv| lv.family != family);
        Ok(())
    });
    for pv in group.pvs().iter().filter_map(vg::Member::pv) {
        pv.store().and_then(|store| store.forget(family)).map_err(|error| error.to_string())?;
    }
    outcome(released)
}

/// Makes a PV one of no group.
fn leave(env: &Env, path: &Path) -> pv::Result<()> {
    let change = Pv::open(env, path, Access::ReadWrite)?.begin_change()?;
    change.clear_descriptors()?;
    change.set_label(&Label { membership: None, ..change.label()? })?;
    change.commit().map(drop)
}

/// Activates a volume.
pub(super) fn activated(env: &Env, name: &str, options: VolumeOptions) -> Result<Volume, String> {
    let files = PoolFiles::Dir(dir().to_owned());
    let mut group = open(env, &files)?.ok_or("the group is gone")?;
    activate(env, &mut group, &lv(name)?, options).map_err(|error| format!("activating {name}: {error}"))
}
