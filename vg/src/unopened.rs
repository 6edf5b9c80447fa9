//! PVs that are there and could not be opened, which must not pass for lost, and where those were that are not there.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pv::{Access, Env, Pv, PvError, PvUuid, chain};

use crate::pool::{base, candidates, missing};
use crate::scan::Scan;
use crate::{Descriptor, Notice, Result, VgError, VolumeGroup};

/// A file that may be a PV, and why that is not known.
#[derive(Debug, Clone)]
pub(crate) struct Unopened {
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

impl Unopened {
    /// What to remember of a file that could not be opened; `None` when it is no PV, or none any more. Anything else may be
    /// over in a moment, or be different for another user.
    pub(crate) fn of(env: &Env, path: &Path, error: &PvError) -> Option<Self> {
        let gone = match error {
            PvError::Foreign { .. } | PvError::Damaged { .. } => true,
            PvError::Io { source, .. } => {
                matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::UnexpectedEof)
                    || pv::disk_failed(source)
            }
            _ => false,
        };
        if gone { None } else { Some(Self::at(env, path, chain(error))) }
    }

    fn at(env: &Env, path: &Path, why: String) -> Self {
        Self { path: env.host.canonical(path).unwrap_or_else(|_| path.to_owned()), why }
    }
}

/// The PVs of the VG that were not found though a file is there that is theirs, or may be: by lying where one was last seen,
/// else, with `listed`, by being one of the files that were named.
pub(crate) fn unopened(env: &Env, found: &Scan, descriptor: &Descriptor, listed: bool) -> BTreeMap<PvUuid, Unopened> {
    let mut gone = missing(found, descriptor);
    // What was given up knowingly stays so.
    gone.retain(|uuid| descriptor.pv(*uuid).is_some_and(|record| !record.missing));
    let places = candidates(found, descriptor, &gone);
    let mut out = BTreeMap::new();
    for (path, uuid) in &places {
        if let Some(file) = look(env, found, path, *uuid) {
            out.entry(*uuid).or_insert(file);
        }
    }
    for uuid in gone.iter().filter(|uuid| found.refused().contains(uuid)) {
        out.entry(*uuid).or_insert_with(|| twins(found, descriptor, *uuid));
    }
    let taken: Vec<PathBuf> = out.values().map(|file| file.path.clone()).collect();
    let other = found.unopened().iter().find(|file| listed && !taken.contains(&file.path));
    for uuid in gone {
        if let Some(file) = other {
            out.entry(uuid).or_insert_with(|| file.clone());
        }
    }
    out
}

/// A PV of which several files were seen, none of them where it was last seen.
fn twins(found: &Scan, descriptor: &Descriptor, uuid: PvUuid) -> Unopened {
    let told = found.notices.iter().find_map(|notice| match notice {
        Notice::Duplicate { uuid: twice, first, .. } if *twice == uuid => Some((first.clone(), notice.to_string())),
        _ => None,
    });
    let hint = || PathBuf::from(descriptor.pv(uuid).map(|record| record.hint.clone()).unwrap_or_default());
    let (path, why) = told.unwrap_or_else(|| (hint(), format!("PV {uuid}: several files claim to be it")));
    Unopened { path, why }
}

/// The files in sight that may be PVs of the VG which nobody knows to be: they could not be opened, or wait for a rollback
/// without which not even their labels can be read.
pub(crate) fn unidentified(found: &Scan, known: &[PathBuf]) -> Vec<Unopened> {
    let waits = found.interrupted().iter().filter(|file| file.label.is_none()).map(|file| Unopened {
        path: file.path.clone(),
        why: PvError::NeedsRecovery { path: file.path.clone() }.to_string(),
    });
    found.unopened().iter().cloned().chain(waits).filter(|file| !known.contains(&file.path)).collect()
}

/// What lies where a PV was last seen, if that may be the PV.
fn look(env: &Env, found: &Scan, path: &Path, uuid: PvUuid) -> Option<Unopened> {
    let canonical = env.host.canonical(path).unwrap_or_else(|_| path.to_owned());
    if found.pvs().any(|other| other.pv.path() == canonical) {
        return None;
    }
    if let Some(known) = found.unopened().iter().find(|file| file.path == canonical) {
        return Some(known.clone());
    }
    let here = |what: &str| Some(Unopened::at(env, path, format!("{}: {what}", path.display())));
    match Pv::open(env, path, Access::ReadOnly) {
        Ok(pv) if pv.label().pv != uuid => None,
        Ok(_) if found.refused().contains(&uuid) => here("another file claims to be the same PV"),
        // It was left out, or could not be opened a moment ago.
        Ok(_) => here("it is not among the files that are used"),
        Err(error) => Unopened::of(env, path, &error),
    }
}

impl VolumeGroup {
    /// Fails when one of these PVs passes for missing and is not known to be lost: it cannot be opened, it waits for a
    /// rollback, several files claim to be it, a file that is no PV lies where it was last seen, or a file in sight that
    /// cannot be opened may be it. Those that were given up before are.
    ///
    /// # Errors
    /// [`VgError::NotLost`] with all of them.
    pub fn refuse_unless_lost(&self, pvs: &[PvUuid]) -> Result<()> {
        let why = |uuid: &PvUuid| self.not_lost(*uuid);
        let why: Vec<String> = pvs.iter().flat_map(why).collect();
        if why.is_empty() { Ok(()) } else { Err(VgError::NotLost { vg: self.name().clone(), why }) }
    }

    /// Fails when PVs are missing.
    pub(crate) fn refuse_partial(&self) -> Result<()> {
        if !self.partial() {
            return Ok(());
        }
        let there = self.missing().into_iter().flat_map(|uuid| self.not_lost(uuid)).collect();
        Err(VgError::MissingPvs { vg: self.name().clone(), there })
    }

    /// Why a PV that passes for missing may be there: by each file that is, or may be, the PV.
    fn not_lost(&self, uuid: PvUuid) -> Vec<String> {
        let given_up = self.descriptor.pv(uuid).is_none_or(|record| record.missing);
        let Some(member) = self.pv(uuid).filter(|member| !member.present() && !given_up) else { return Vec::new() };
        if member.interrupted() {
            return vec![PvError::NeedsRecovery { path: member.path.clone() }.to_string()];
        }
        if let Some(why) = member.unopened() {
            return vec![why.to_owned()];
        }
        let unidentified = self.unidentified.iter().map(|file| format!("{} (it may be PV {uuid})", file.why));
        self.damaged_in_place(uuid).into_iter().chain(unidentified).collect()
    }

    /// What is wrong with the file that lies where a PV was last seen, if that is no PV any more: what else it holds may be
    /// whole.
    fn damaged_in_place(&self, uuid: PvUuid) -> Option<String> {
        let path = self.last_known_path(uuid)?;
        match Pv::open(&self.env, &path, Access::ReadOnly).err()? {
            PvError::Io { .. } => None,
            error => Some(format!("{} (PV {uuid} was last seen there)", chain(&error))),
        }
    }

    /// Where a PV was last seen, as seen from those that are there; `None` when the descriptor does not say.
    pub fn last_known_path(&self, pv: PvUuid) -> Option<PathBuf> {
        let hint = &self.descriptor.pv(pv)?.hint;
        let seen_from = |known: &crate::PvRecord| {
            let member = self.pv(known.uuid).filter(|member| member.present())?;
            Some(base(&member.path, &known.hint)?.join(hint))
        };
        self.descriptor.pvs.iter().filter(|_| !hint.is_empty()).find_map(seen_from)
    }
}
