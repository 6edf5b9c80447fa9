//! Finding the PVs of a VG: from one of them, from a folder, or from a list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pv::{Access, Env, PvUuid, VgUuid};

use crate::quorum::{Choice, Replica, Undecided, choose};
use crate::replica::DescriptorReplica;
use crate::scan::{InterruptedPv, Scan, ScannedPv, files};
use crate::unopened::{Unopened, unopened};
use crate::{Descriptor, Notice, Result, VgError, VgName};

/// Where a VG is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PoolFiles {
    /// From any one of its PVs: hints in the descriptor lead to the others, then the folders of those found.
    Pv(PathBuf),
    /// As [`PoolFiles::Pv`], from several: what any of them knows counts.
    Pvs(Vec<PathBuf>),
    /// Among the `*.db` files of a folder, and where hints lead from there.
    Dir(PathBuf),
    /// Among these files only.
    Files(Vec<PathBuf>),
}

/// How a VG is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// `ReadWrite` for changes and for activating LVs, `ReadOnly` for reports.
    pub access: Access,
    /// Which VG, where there are several.
    pub vg: Option<VgName>,
    /// Folder for the descriptors before each change; `None` = no archive.
    pub archive: Option<PathBuf>,
    /// The command line, for the archive.
    pub command: String,
    /// Wait for other commands that change the VG.
    pub wait: bool,
    /// PVs of which several files were seen before: none of them is used ([`Scan::refused`]).
    pub refused: BTreeSet<PvUuid>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            access: Access::ReadWrite,
            vg: None,
            archive: None,
            command: String::new(),
            wait: true,
            refused: BTreeSet::new(),
        }
    }
}

/// A VG whose files were found.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) scan: Scan,
    /// PVs that are there and wait for a rollback.
    pub(crate) interrupted: BTreeMap<PvUuid, InterruptedPv>,
    /// PVs that may be there and could not be opened.
    pub(crate) unopened: BTreeMap<PvUuid, Unopened>,
    pub(crate) choice: Choice,
    pub(crate) descriptor: Descriptor,
}

/// Finds a VG.
pub(crate) fn locate(env: &Env, pool: &PoolFiles, options: &OpenOptions) -> Result<Located> {
    let (paths, search) = match pool {
        PoolFiles::Pv(path) | PoolFiles::Dir(path) => (vec![path.clone()], true),
        PoolFiles::Pvs(paths) => (paths.clone(), true),
        PoolFiles::Files(paths) => (paths.clone(), false),
    };
    let mut found = Scan::without(&options.refused);
    found.look_at(env, &paths, options.access)?;
    if let (PoolFiles::Pv(path), None) = (pool, found.pvs().next()) {
        // Says why the one file that was named cannot be used.
        DescriptorReplica::read(&pv::Pv::open(env, path, options.access)?)?;
    }
    let vg = match group(&found, options.vg.as_ref(), paths.first().map(PathBuf::as_path)) {
        Err(VgError::NotFound(_) | VgError::NoGroup(_)) => {
            found.refuse_locked()?;
            found.refuse_interrupted()?;
            found.refuse_unused(options.vg.as_ref().map(ToString::to_string))?;
            group(&found, options.vg.as_ref(), paths.first().map(PathBuf::as_path))?
        }
        other => other?,
    };
    loop {
        let (choice, descriptor) = match decide(&found, vg) {
            // A PV without a copy leads nowhere by itself.
            Err(VgError::NotFound(_)) if search && look_around(env, &mut found, |_| true, options.access)? => continue,
            Err(VgError::NotFound(name)) => {
                found.refuse_locked()?;
                found.refuse_interrupted()?;
                found.refuse_unused(Some(name.clone()))?;
                return Err(VgError::NotFound(name));
            }
            other => other?,
        };
        let missing: BTreeSet<PvUuid> =
            descriptor.pvs.iter().map(|pv| pv.uuid).filter(|uuid| found.pv(*uuid).is_none()).collect();
        let progress = search && !missing.is_empty() && widen(env, &mut found, &descriptor, &missing, options.access)?;
        if !progress {
            if !missing.is_empty() {
                found.refuse_locked()?;
            }
            let interrupted = interrupted(env, &found, &descriptor);
            notice(env, &mut found, &choice, &descriptor, &interrupted);
            let unopened = unopened(env, &found, &descriptor, !search);
            return Ok(Located { scan: found, interrupted, unopened, choice, descriptor });
        }
    }
}

/// The VG that is meant.
fn group(found: &Scan, name: Option<&VgName>, place: Option<&Path>) -> Result<VgUuid> {
    let mut groups = found.groups();
    for pv in found.pvs() {
        // Labels may remember an old name.
        let Some(descriptor) = &pv.state.descriptor else { continue };
        if let Some(known) = groups.get_mut(&descriptor.vg) {
            *known = descriptor.name.to_string();
        }
    }
    if let Some(name) = name {
        groups.retain(|_, known| known == name.as_str());
    }
    let mut each = groups.iter();
    match (each.next(), each.next(), name) {
        (Some((vg, _)), None, _) => Ok(*vg),
        (Some(_), Some(_), None) => Err(VgError::Ambiguous(groups.values().cloned().collect::<Vec<_>>().join(", "))),
        (Some(_), Some(_), Some(name)) => Err(VgError::Ambiguous(format!("{name}, twice"))),
        (None, _, Some(name)) => Err(VgError::NotFound(name.to_string())),
        (None, _, None) => Err(VgError::NoGroup(place.map(Path::to_owned).unwrap_or_default())),
    }
}

/// Whether a found PV may be one of the VG's: it says so, or says nothing (a change was interrupted).
pub(crate) fn may_belong(pv: &ScannedPv, vg: VgUuid) -> bool {
    pv.vg().is_none_or(|said| said == vg)
}

fn decide(found: &Scan, vg: VgUuid) -> Result<(Choice, Descriptor)> {
    let says_so = |pv: &&ScannedPv| pv.vg() == Some(vg);
    let held = |pv: &ScannedPv| -> Replica {
        let mut replica = pv.state.replica.clone();
        if pv.state.descriptor.as_ref().is_some_and(|held| held.vg != vg) {
            replica.newest = None;
        }
        replica
    };
    let mut replicas: Vec<Replica> = found.pvs().filter(says_so).map(held).collect();
    let pick = |replicas: &[Replica]| choose(replicas).map_err(|undecided| undecided_error(found, vg, &undecided));
    let first = pick(&replicas)?;
    let unlabelled = first.newest.holders.iter().filter_map(|pv| found.pv(*pv)).filter(|pv| pv.vg().is_none());
    replicas.extend(unlabelled.map(held));
    let choice = pick(&replicas)?;
    let holder = choice.current.first().and_then(|pv| found.pv(*pv));
    let descriptor = holder.and_then(|pv| pv.state.descriptor.clone());
    Ok((choice, descriptor.ok_or_else(|| VgError::NotFound(vg.to_string()))?))
}

fn undecided_error(found: &Scan, vg: VgUuid, undecided: &Undecided) -> VgError {
    let name = found.groups().remove(&vg).unwrap_or_else(|| vg.to_string());
    let path = |pv: &PvUuid| found.pv(*pv).map(|pv| pv.pv.path().to_owned()).unwrap_or_default();
    match undecided {
        Undecided::Nothing => VgError::NotFound(name),
        Undecided::Forked { first, second } => VgError::Forked { vg: name, first: path(first), second: path(second) },
    }
}

/// The folder that hints start from, as seen from a PV at `path` whose hint is `hint`.
pub(crate) fn base<'a>(path: &'a Path, hint: &str) -> Option<&'a Path> {
    if hint.is_empty() { None } else { path.ancestors().nth(hint.split('/').count()) }
}

/// Where the missing PVs may be, hints first.
pub(crate) fn candidates(found: &Scan, descriptor: &Descriptor, missing: &BTreeSet<PvUuid>) -> Vec<(PathBuf, PvUuid)> {
    let mut out = Vec::new();
    for known in &descriptor.pvs {
        let path = found.pv(known.uuid).map(|pv| pv.pv.path());
        let Some(base) = path.and_then(|path| base(path, &known.hint)) else { continue };
        for lost in descriptor.pvs.iter().filter(|pv| missing.contains(&pv.uuid) && !pv.hint.is_empty()) {
            out.push((base.join(&lost.hint), lost.uuid));
        }
    }
    out
}

/// Looks at more files; `false` when nothing new was found.
fn widen(
    env: &Env,
    found: &mut Scan,
    descriptor: &Descriptor,
    missing: &BTreeSet<PvUuid>,
    access: Access,
) -> Result<bool> {
    for (path, _) in candidates(found, descriptor, missing) {
        if env.host.stat(&path).is_ok_and(|id| id.regular) {
            found.look_quietly(env, &path, access);
        }
    }
    let still = |found: &Scan| missing.iter().filter(|uuid| found.pv(**uuid).is_none()).count();
    if still(found) > 0 {
        look_around(env, found, |uuid| descriptor.pv(uuid).is_some(), access)?;
    }
    Ok(still(found) < missing.len())
}

/// Looks at what lies beside the found PVs that `near` picks; `false` when that is nothing new.
fn look_around(env: &Env, found: &mut Scan, near: impl Fn(PvUuid) -> bool, access: Access) -> Result<bool> {
    let before = found.pvs().count();
    let picked = found.pvs().filter(|pv| near(pv.uuid()));
    let folders: BTreeSet<PathBuf> = picked.filter_map(|pv| pv.pv.path().parent().map(Path::to_owned)).collect();
    for folder in folders {
        for file in files(env, &folder)?.unwrap_or_default() {
            found.look_quietly(env, &file, access);
        }
    }
    Ok(found.pvs().count() > before)
}

/// The PVs of the VG that are there but wait for a rollback: by their labels, else by lying where one was last seen.
fn interrupted(env: &Env, found: &Scan, descriptor: &Descriptor) -> BTreeMap<PvUuid, InterruptedPv> {
    let missing = missing(found, descriptor);
    let places: Vec<(PathBuf, PvUuid)> = candidates(found, descriptor, &missing)
        .into_iter()
        .map(|(path, uuid)| (env.host.canonical(&path).unwrap_or(path), uuid))
        .collect();
    let which = |file: &InterruptedPv| match &file.label {
        Some(label) => Some(label.pv),
        None => places.iter().find(|(path, _)| *path == file.path).map(|(_, uuid)| *uuid),
    };
    let waits = found.interrupted().iter().filter_map(|file| Some((which(file)?, file.clone())));
    waits.filter(|(uuid, _)| missing.contains(uuid)).collect()
}

pub(crate) fn missing(found: &Scan, descriptor: &Descriptor) -> BTreeSet<PvUuid> {
    let there = |uuid| found.pv(uuid).is_some_and(|found| may_belong(found, descriptor.vg));
    descriptor.pvs.iter().map(|pv| pv.uuid).filter(|uuid| !there(*uuid)).collect()
}

fn notice(
    env: &Env,
    found: &mut Scan,
    choice: &Choice,
    descriptor: &Descriptor,
    interrupted: &BTreeMap<PvUuid, InterruptedPv>,
) {
    let (vg, name) = (descriptor.vg, descriptor.name.to_string());
    let mut notices = Vec::new();
    let missing = missing(found, descriptor);
    for (path, expected) in candidates(found, descriptor, &missing) {
        let canonical = env.host.canonical(&path).unwrap_or(path);
        if let Some(other) = found.pvs().find(|pv| pv.pv.path() == canonical) {
            notices.push(Notice::Swapped { path: canonical, expected, found: other.uuid() });
        }
    }
    notices.extend(interrupted.values().map(|pv| Notice::Interrupted { path: pv.path.clone() }));
    let lost = |uuid| missing.contains(&uuid) && !interrupted.contains_key(&uuid);
    for lost in descriptor.pvs.iter().filter(|pv| lost(pv.uuid)) {
        notices.push(Notice::Missing { vg: name.clone(), uuid: lost.uuid, hint: lost.hint.clone() });
    }
    for pv in found.pvs().filter(|pv| pv.vg() == Some(vg)) {
        let path = pv.pv.path().to_owned();
        if descriptor.pv(pv.uuid()).is_none() {
            notices.push(Notice::NotMember { path, vg: name.clone() });
        } else if choice.stale.contains(&pv.uuid()) {
            let seqno = pv.state.replica.newest.as_ref().map(|newest| newest.seqno);
            notices.push(Notice::Stale { path, seqno, newest: descriptor.seqno });
        }
    }
    // What the interrupted ones hold is not known before they are rolled back.
    if !choice.majority() && interrupted.is_empty() {
        notices.push(Notice::NoMajority { vg: name });
    } else if choice.majority() && !choice.acknowledged() {
        notices.push(Notice::Unsettled { vg: name, seqno: descriptor.seqno });
    }
    notices.sort_by_key(ToString::to_string);
    notices.dedup_by_key(|notice| notice.to_string());
    found.notices.extend(notices);
}

/// Hints for PVs at these canonical paths, relative to the deepest folder they share; empty where a path is not UTF-8.
pub(crate) fn hints(paths: &[PathBuf]) -> Vec<String> {
    let mut shared: Option<PathBuf> = None;
    for parent in paths.iter().filter_map(|path| path.parent()) {
        shared = Some(match shared {
            None => parent.to_owned(),
            Some(so_far) => {
                so_far.ancestors().find(|folder| parent.starts_with(folder)).map(Path::to_owned).unwrap_or_default()
            }
        });
    }
    let shared: Arc<Path> = shared.unwrap_or_default().into();
    let hint = |path: &PathBuf| {
        let parts = path.strip_prefix(&shared).ok()?.components();
        parts.map(|part| part.as_os_str().to_str()).collect::<Option<Vec<_>>>().map(|parts| parts.join("/"))
    };
    paths.iter().map(|path| hint(path).unwrap_or_default()).collect()
}
