//! Looking at files: which are PVs, of which VG, and what is wrong with the others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pv::{Access, Env, FileId, Label, Pv, PvError, PvUuid, VgUuid};

use crate::replica::{Decoded, DescriptorReplica};
use crate::unopened::Unopened;
use crate::{CodecError, Notice, VgError};

/// How the name of a PV file ends.
const PV_ENDING: &str = "db";

/// A PV that was found.
#[derive(Debug, Clone)]
pub struct ScannedPv {
    /// The PV, open.
    pub pv: Pv,
    /// Its file.
    pub file: FileId,
    pub(crate) state: Decoded,
    /// The name it was found under, which may be a link.
    name: PathBuf,
}

impl ScannedPv {
    /// Its identity.
    pub fn uuid(&self) -> PvUuid {
        self.pv.label().pv
    }

    /// The VG that its label names.
    pub fn vg(&self) -> Option<VgUuid> {
        self.pv.label().membership.as_ref().map(|member| member.vg)
    }
}

/// A file in which a write was interrupted: what it holds can be known once that is rolled back.
#[derive(Debug, Clone)]
pub struct InterruptedPv {
    /// The file.
    pub path: PathBuf,
    /// What its label says, which has a checksum; `None` when it cannot be read before the rollback.
    pub label: Option<Label>,
}

/// What a number of files turned out to be.
#[derive(Debug, Default)]
pub struct Scan {
    pvs: BTreeMap<PvUuid, ScannedPv>,
    refused: BTreeSet<PvUuid>,
    interrupted: Vec<InterruptedPv>,
    unopened: Vec<Unopened>,
    seen: BTreeSet<PathBuf>,
    /// What is out of order.
    pub notices: Vec<Notice>,
}

/// Looks at `paths`: files, and folders whose `*.db` files are meant. Opens PVs through SQLite only; never waits for
/// more than one lock at a time.
///
/// # Errors
/// [`VgError::Host`] when a folder cannot be listed. What is wrong with a file is a notice.
pub fn scan(env: &Env, paths: &[PathBuf], access: Access) -> Result<Scan, VgError> {
    let mut out = Scan::default();
    out.look_at(env, paths, access)?;
    Ok(out)
}

/// The `*.db` files of a folder; `None` when `path` is not a folder.
pub(crate) fn files(env: &Env, path: &Path) -> Result<Option<Vec<PathBuf>>, VgError> {
    if env.host.stat(path).is_ok_and(|id| id.regular) {
        return Ok(None);
    }
    match env.host.list(path) {
        Ok(mut files) => {
            files.retain(|file| file.extension().is_some_and(|end| end == PV_ENDING));
            files.retain(|file| env.host.stat(file).is_ok_and(|id| id.regular));
            Ok(Some(files))
        }
        // A path that is neither file nor folder is looked at as a file, which says what is wrong.
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        // As is one in a folder that may not be entered: one such file must not keep the others from being used.
        Err(_) if env.host.stat(path).is_err() => Ok(None),
        Err(source) => Err(VgError::Host { path: path.to_owned(), operation: "list it", source }),
    }
}

impl Scan {
    /// The PVs found, by uuid. Duplicates are not among them.
    pub fn pvs(&self) -> impl Iterator<Item = &ScannedPv> {
        self.pvs.values()
    }

    /// Fails when a file could not be read only because another process has it locked: what it is will be known later,
    /// and until then it must not pass for missing.
    ///
    /// # Errors
    /// [`pv::PvError::Held`], [`pv::PvError::Busy`].
    pub fn refuse_locked(&self) -> Result<(), VgError> {
        let locked = |notice: &Notice| match notice {
            Notice::Unusable { error } => match &**error {
                pv::PvError::Held { path, holder } => {
                    Some(pv::PvError::Held { path: path.clone(), holder: holder.clone() })
                }
                pv::PvError::Busy { path } => Some(pv::PvError::Busy { path: path.clone() }),
                _ => None,
            },
            _ => None,
        };
        self.notices.iter().find_map(locked).map_or(Ok(()), |error| Err(error.into()))
    }

    /// The PVs that wait for an interrupted write to be rolled back.
    pub fn interrupted(&self) -> &[InterruptedPv] {
        &self.interrupted
    }

    /// The files that may be PVs and could not be opened.
    pub(crate) fn unopened(&self) -> &[Unopened] {
        &self.unopened
    }

    /// Their paths.
    pub fn unopened_files(&self) -> impl Iterator<Item = &Path> {
        self.unopened.iter().map(|file| &*file.path)
    }

    /// Fails when a file could not be read only because a write to it was interrupted: it must not pass for missing.
    ///
    /// # Errors
    /// [`PvError::NeedsRecovery`].
    pub fn refuse_interrupted(&self) -> Result<(), VgError> {
        match self.interrupted.first() {
            Some(found) => Err(PvError::NeedsRecovery { path: found.path.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Fails when a file that is there cannot be used, for whoever has found no group: it may be why.
    ///
    /// # Errors
    /// [`VgError::Unusable`] about `vg`.
    pub(crate) fn refuse_unused(&self, vg: Option<String>) -> Result<(), VgError> {
        let absent = |error: &PvError| match error {
            PvError::Foreign { .. } => true,
            PvError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            _ => false,
        };
        let why = |notice: &Notice| match notice {
            Notice::Unusable { error } if !absent(error) => Some(Arc::clone(error)),
            _ => None,
        };
        match self.notices.iter().find_map(why) {
            Some(error) => Err(VgError::Unusable { vg, error }),
            None => Ok(()),
        }
    }

    /// The PV with that uuid.
    pub fn pv(&self, uuid: PvUuid) -> Option<&ScannedPv> {
        self.pvs.get(&uuid)
    }

    /// The PVs of no VG.
    pub fn orphans(&self) -> impl Iterator<Item = &ScannedPv> {
        self.pvs().filter(|pv| pv.vg().is_none())
    }

    /// The VGs that labels name, with the names that the labels remember.
    pub fn groups(&self) -> BTreeMap<VgUuid, String> {
        let member = |pv: &ScannedPv| pv.pv.label().membership.clone();
        self.pvs().filter_map(member).map(|member| (member.vg, member.name)).collect()
    }

    /// Nothing seen yet, and files of these PVs are not to be used.
    pub(crate) fn without(refused: &BTreeSet<PvUuid>) -> Self {
        Self { refused: refused.clone(), ..Self::default() }
    }

    /// The PVs of which several files were seen. Which is the right one cannot be told from what they hold, so that
    /// none of them is used.
    pub fn refused(&self) -> &BTreeSet<PvUuid> {
        &self.refused
    }

    /// As [`scan`], on top of what was seen.
    pub(crate) fn look_at(&mut self, env: &Env, paths: &[PathBuf], access: Access) -> Result<(), VgError> {
        for path in paths {
            match files(env, path)? {
                Some(files) => files.iter().for_each(|file| self.look(env, file, access)),
                None => self.look(env, path, access),
            }
        }
        Ok(())
    }

    /// Looks at one more file. One that was looked at is not looked at again.
    pub(crate) fn look(&mut self, env: &Env, path: &Path, access: Access) {
        // Links are told by device and inode below; the path as given tells a second look at the same name.
        if !self.seen.insert(path.to_owned()) {
            return;
        }
        let found = Pv::open(env, path, access).and_then(|pv| {
            let io = |source| pv::PvError::Io { path: path.to_owned(), operation: "look at it", source };
            let file = env.host.stat(pv.path()).map_err(io)?;
            let state = DescriptorReplica::read(&pv)?;
            Ok((pv, file, state))
        });
        let (pv, file, state) = match found {
            Ok(found) => found,
            Err(error) => {
                if matches!(error, PvError::NeedsRecovery { .. }) {
                    self.recognise(env, path);
                } else {
                    self.unopened.extend(Unopened::of(env, path, &error));
                }
                return self.notices.push(Notice::Unusable { error: Arc::new(error) });
            }
        };
        let uuid = pv.label().pv;
        if self.is_known(&pv, path, file) {
            return;
        }
        match state.decode(uuid) {
            Ok(state) => self.keep(ScannedPv { pv, file, state, name: path.to_owned() }),
            Err(error) => {
                let features = if let CodecError::Newer(version) = error { u64::from(version) } else { 0 };
                let error = pv::PvError::Newer { path: pv.path().to_owned(), features };
                self.unopened.extend(Unopened::of(env, path, &error));
                self.notices.push(Notice::Unusable { error: Arc::new(error) });
            }
        }
    }

    /// As [`Scan::look`], for files that nobody named: what is no PV, or was looked at before, is not worth a notice.
    pub(crate) fn look_quietly(&mut self, env: &Env, path: &Path, access: Access) {
        let Ok(path) = env.host.canonical(path) else { return };
        if self.pvs().any(|known| known.pv.path() == path) {
            return;
        }
        let before = self.notices.len();
        self.look(env, &path, access);
        let foreign = |notice: &Notice| matches!(notice, Notice::Unusable { error } if matches!(**error, pv::PvError::Foreign { .. }));
        let mut at = 0usize;
        self.notices.retain(|notice| {
            at = at.saturating_add(1);
            at <= before || !foreign(notice)
        });
    }

    /// Remembers a file whose interrupted write waits to be rolled back.
    fn recognise(&mut self, env: &Env, path: &Path) {
        let path = env.host.canonical(path).unwrap_or_else(|_| path.to_owned());
        if !self.interrupted.iter().any(|known| known.path == path) {
            let label = Pv::open(env, &path, Access::Immutable).ok().map(|pv| pv.label().clone());
            self.interrupted.push(InterruptedPv { path, label });
        }
    }

    /// Whether the PV was found before, under another name or in another file.
    fn is_known(&mut self, pv: &Pv, path: &Path, file: FileId) -> bool {
        let uuid = pv.label().pv;
        let Some(known) = self.pvs.get(&uuid) else { return self.refused.contains(&uuid) };
        let (used, other) = (known.pv.path().to_owned(), pv.path().to_owned());
        if known.file.is(&file) {
            let names = [other, path.to_owned(), known.name.clone()];
            if let Some(other) = names.into_iter().find(|name| *name != used) {
                self.notices.push(Notice::SameFile { used, other });
            }
            return true;
        }
        self.notices.push(Notice::Duplicate { uuid, first: used, second: other });
        self.pvs.remove(&uuid);
        self.refused.insert(uuid);
        true
    }

    fn keep(&mut self, found: ScannedPv) {
        let path = found.pv.path().to_owned();
        if found.pv.recovered() {
            self.notices.push(Notice::Recovered { path: path.clone() });
        }
        if found.state.damaged > 0 {
            self.notices.push(Notice::DamagedCopies { path, count: found.state.damaged });
        }
        self.pvs.insert(found.uuid(), found);
    }
}
