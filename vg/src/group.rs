//! An open volume group: what it is made of, and where its extents are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use pv::{Access, Bytes, Env, ExtentStore, FileId, Pv, PvError, PvUuid, side_folder};

use crate::lock::{self, VgLock};
use crate::pool::{Located, OpenOptions, PoolFiles, locate, may_belong};
use crate::quorum::Choice;
use crate::unopened::{Unopened, unidentified};
use crate::{
    Descriptor, FreeMap, InterruptedPv, LvName, LvRecord, Notice, PvArg, PvRange, PvSlot, Result, VgError, VgName,
    VolumeExtents,
};

/// A PV of an open VG.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its identity.
    pub uuid: PvUuid,
    /// Its file, or where it was last seen.
    pub path: PathBuf,
    pv: Option<Pv>,
    file: Option<FileId>,
    interrupted: Option<InterruptedPv>,
    unopened: Option<Unopened>,
    store: Arc<OnceLock<Arc<dyn ExtentStore>>>,
}

impl Member {
    pub(crate) fn attached(pv: Pv, file: FileId) -> Self {
        let (uuid, path) = (pv.label().pv, pv.path().to_owned());
        Self { uuid, path, pv: Some(pv), file: Some(file), interrupted: None, unopened: None, store: Arc::default() }
    }

    fn lost(uuid: PvUuid, hint: &str) -> Self {
        Self {
            uuid,
            path: PathBuf::from(hint),
            pv: None,
            file: None,
            interrupted: None,
            unopened: None,
            store: Arc::default(),
        }
    }

    fn waiting(uuid: PvUuid, found: &InterruptedPv) -> Self {
        Self { path: found.path.clone(), interrupted: Some(found.clone()), ..Self::lost(uuid, "") }
    }

    fn shut(uuid: PvUuid, found: &Unopened) -> Self {
        Self { path: found.path.clone(), unopened: Some(found.clone()), ..Self::lost(uuid, "") }
    }

    /// Why it is not used though its file is there, or may be: with the file's name, in one line. What lies on it and beside
    /// it is not lost.
    pub fn unopened(&self) -> Option<&str> {
        self.unopened.as_ref().map(|found| &*found.why)
    }

    /// Its file is there, but a write to it was interrupted and must be rolled back before it can be read.
    pub fn interrupted(&self) -> bool {
        self.interrupted.is_some()
    }

    /// Whether its file is there, to be read now or after a rollback.
    fn found(&self) -> bool {
        self.present() || self.interrupted()
    }

    /// What its file may grow to; `None` while its label cannot be read.
    pub fn capacity(&self) -> Option<Bytes> {
        let waiting = || self.interrupted.as_ref().and_then(|found| found.label.as_ref());
        let label = self.pv.as_ref().map(Pv::label).or_else(waiting);
        label.map(|label| label.capacity)
    }

    /// The open PV; `None` while it is missing.
    pub fn pv(&self) -> Option<&Pv> {
        self.pv.as_ref()
    }

    /// Whether its file is there.
    pub fn present(&self) -> bool {
        self.pv.is_some()
    }

    /// The host device of its file.
    pub fn device(&self) -> Option<u64> {
        self.file.map(|file| file.device)
    }

    /// The open PV; `None` while it is missing.
    fn ready(&self) -> Result<Option<&Pv>> {
        match &self.interrupted {
            Some(found) => Err(PvError::NeedsRecovery { path: found.path.clone() }.into()),
            None => Ok(self.pv.as_ref()),
        }
    }

    /// In how many places (up to 10) the pages of its file contradict each other: what it counts as free and is in use, what
    /// belongs to two extents. Reads the whole file; `None` while it is missing.
    ///
    /// # Errors
    /// [`VgError::Pv`](crate::VgError::Pv): it cannot be read, or is damaged in a way that hides the rest.
    pub fn contradictions(&self) -> Result<Option<usize>> {
        Ok(self.store()?.map(|store| store.contradictions()).transpose()?)
    }

    /// Its extents; `None` while it is missing. One store per PV and process: its commits queue.
    pub(crate) fn store(&self) -> Result<Option<Arc<dyn ExtentStore>>> {
        let Some(pv) = self.ready()? else { return Ok(None) };
        if self.store.get().is_none() {
            // Losing a race drops an unused store.
            let _ = self.store.set(pv.store()?);
        }
        Ok(self.store.get().cloned())
    }
}

/// An open VG.
///
/// # Concurrency
/// What it shows is what was read at opening, at [`VolumeGroup::lock`] or at the last change made through it. Changes
/// take `&mut self` and a [`VgLock`].
#[derive(Debug)]
pub struct VolumeGroup {
    pub(crate) env: Env,
    pub(crate) options: OpenOptions,
    pub(crate) descriptor: Descriptor,
    pub(crate) choice: Choice,
    pub(crate) members: Vec<Member>,
    files: PoolFiles,
    notices: Vec<Notice>,
    /// Files that may be PVs of it.
    pub(crate) unidentified: Vec<Unopened>,
}

impl VolumeGroup {
    /// Opens a VG. PVs that cannot be found or used are missing from it, with a [`Notice`] each. Nothing is repaired.
    ///
    /// # Errors
    /// [`VgError::NoGroup`], [`VgError::NotFound`], [`VgError::Ambiguous`], [`VgError::Forked`]; [`VgError::Unusable`] when
    /// there is none and not all files could be used; [`VgError::Pv`] about the one file that was named.
    pub fn open(env: &Env, files: &PoolFiles, options: &OpenOptions) -> Result<Self> {
        let Located { scan, interrupted, unopened, choice, descriptor } = locate(env, files, options)?;
        let member = |record: &crate::PvRecord| {
            let found = scan.pv(record.uuid).filter(|found| may_belong(found, descriptor.vg) && !record.missing);
            let waits = interrupted.get(&record.uuid).filter(|_| !record.missing);
            match (found, waits) {
                (Some(found), _) => Member::attached(found.pv.clone(), found.file),
                (None, Some(waits)) => Member::waiting(record.uuid, waits),
                (None, None) => match unopened.get(&record.uuid) {
                    Some(found) => Member::shut(record.uuid, found),
                    None => Member::lost(record.uuid, &record.hint),
                },
            }
        };
        // What was seen twice stays refused when the VG is read again, from wherever that starts.
        let options = OpenOptions { refused: scan.refused().clone(), ..options.clone() };
        let members: Vec<Member> = descriptor.pvs.iter().map(member).collect();
        let known: Vec<PathBuf> = members.iter().map(|member| member.path.clone()).collect();
        Ok(Self {
            env: env.clone(),
            options,
            members,
            unidentified: unidentified(&scan, &known),
            descriptor,
            choice,
            files: files.clone(),
            notices: scan.notices,
        })
    }

    pub(crate) fn new(env: &Env, options: &OpenOptions, descriptor: &Descriptor, members: &[Member]) -> Result<Self> {
        let paths: Vec<PathBuf> = members.iter().map(|member| member.path.clone()).collect();
        let mut options = options.clone();
        options.vg = Some(descriptor.name.clone());
        let mut made = Self::open(env, &PoolFiles::Files(paths), &options)?;
        made.files = members.first().map_or(made.files, |member| PoolFiles::Pv(member.path.clone()));
        Ok(made)
    }

    /// Its descriptor.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// Its name.
    pub fn name(&self) -> &VgName {
        &self.descriptor.name
    }

    /// Its PVs, in the descriptor's order.
    pub fn pvs(&self) -> &[Member] {
        &self.members
    }

    /// The PV with that uuid.
    pub fn pv(&self, uuid: PvUuid) -> Option<&Member> {
        self.members.iter().find(|member| member.uuid == uuid)
    }

    /// What was found out of order.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// PVs are missing.
    pub fn partial(&self) -> bool {
        self.members.iter().any(|member| member.pv.is_none())
    }

    /// Fails when a write to one of its PVs was interrupted: what the group holds is known once that is rolled back.
    ///
    /// # Errors
    /// [`VgError::Pv`] with [`PvError::NeedsRecovery`].
    pub fn refuse_interrupted(&self) -> Result<()> {
        match self.members.iter().find(|member| member.interrupted()) {
            Some(member) => Err(PvError::NeedsRecovery { path: member.path.clone() }.into()),
            None => Ok(()),
        }
    }

    /// Whether enough copies of the descriptor are reachable for changes.
    pub fn majority(&self) -> bool {
        self.choice.majority()
    }

    /// Its free extents. O(n log n) in segments.
    pub fn free_map(&self) -> FreeMap {
        FreeMap::of(&self.descriptor)
    }

    /// The LV of that name.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`].
    pub fn lv(&self, name: &LvName) -> Result<&LvRecord> {
        find_lv(&self.descriptor, name)
    }

    /// The extents of an LV for whoever only reads them: what is in them was there before any change of the group that is
    /// not completed, and stays while that is open. Stores of their own, which cannot write.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`], [`VgError::Exported`]; [`VgError::Pv`], with [`PvError::NeedsRecovery`] while a write to a
    /// PV of the LV waits to be rolled back.
    pub fn volume_extents_to_read(&self, name: &LvName) -> Result<VolumeExtents> {
        self.extents_of(name, |member| {
            let store = |pv: &Pv| Ok::<Arc<dyn ExtentStore>, VgError>(pv.store_to_read()?);
            member.ready()?.map(store).transpose()
        })
    }

    /// The extents of an LV, with stores for the PVs that are there.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`], [`VgError::Exported`]; [`VgError::Unsettled`] when the last change was interrupted and
    /// may yet turn out not to have happened (see [`VolumeGroup::settle`]); [`VgError::Pv`].
    pub fn volume_extents(&self, name: &LvName) -> Result<VolumeExtents> {
        self.lv(name)?;
        // Without a majority nothing newer can have been acknowledged elsewhere that this group could still learn of.
        if self.majority() && !self.choice.acknowledged() && !self.descriptor.exported {
            return Err(VgError::Unsettled { vg: self.name().clone(), seqno: self.descriptor.seqno });
        }
        self.extents_of(name, Member::store)
    }

    fn extents_of(
        &self,
        name: &LvName,
        store: impl Fn(&Member) -> Result<Option<Arc<dyn ExtentStore>>>,
    ) -> Result<VolumeExtents> {
        let lv = self.lv(name)?;
        if self.descriptor.exported {
            return Err(VgError::Exported(self.name().clone()));
        }
        let used: BTreeSet<PvUuid> = lv.segments.iter().flat_map(crate::Segment::legs).map(|leg| leg.pv).collect();
        let slot = |member: &Member| Ok(PvSlot { uuid: member.uuid, path: member.path.clone(), store: store(member)? });
        let pvs: Vec<PvSlot> =
            self.members.iter().filter(|member| used.contains(&member.uuid)).map(slot).collect::<Result<_>>()?;
        Ok(VolumeExtents {
            lv: lv.uuid,
            family: lv.family,
            extent_size: self.descriptor.extent_size,
            segments: lv.segments.clone().into(),
            pvs: pvs.into(),
        })
    }

    /// Where the copy of an LV's metadata volume on `pv` lies: `<pv>.d/<LV-UUID8>.meta`.
    pub fn metadata_copy_path(&self, pv: PvUuid, lv: &LvRecord) -> Option<PathBuf> {
        let member = self.pv(pv).filter(|member| member.found())?;
        Some(metadata_path(&member.path, lv.uuid))
    }

    /// The lock file that the owner of an active LV holds, in the `.d` folder of each metadata copy.
    pub fn activation_lock_paths(&self, lv: &LvRecord) -> Vec<PathBuf> {
        let copies = lv.copies.iter().filter_map(|copy| self.pv(copy.pv)).filter(|member| member.found());
        copies.map(|member| metadata_path(&member.path, lv.uuid).with_extension("lock")).collect()
    }

    /// The VG lock files, one per reachable PV.
    pub fn lock_paths(&self) -> Vec<PathBuf> {
        self.members.iter().filter(|member| member.pv.is_some()).map(|member| lock::lock_path(&member.path)).collect()
    }

    /// Host devices of the reachable PVs.
    pub fn devices(&self) -> BTreeMap<PvUuid, u64> {
        self.members.iter().filter_map(|member| Some((member.uuid, member.device()?))).collect()
    }

    /// Takes the VG lock and reads the VG again.
    ///
    /// # Errors
    /// [`VgError::Busy`] when another command has it and waiting was not asked for; [`VgError::Host`]; as
    /// [`VolumeGroup::open`].
    ///
    /// # Concurrency
    /// Blocks while another process changes the VG, with [`OpenOptions::wait`].
    pub fn lock(&mut self) -> Result<VgLock> {
        let present = self.members.iter().filter(|member| member.pv.is_some());
        let pvs: Vec<_> = present.map(|member| (member.uuid, member.path.clone())).collect();
        let lock = lock::take(&self.env, (self.descriptor.vg, &self.descriptor.name), &pvs, self.options.wait)?;
        self.refresh()?;
        Ok(lock)
    }

    /// Reads the VG again. Open stores stay.
    ///
    /// # Errors
    /// As [`VolumeGroup::open`].
    pub fn refresh(&mut self) -> Result<()> {
        let mut options = self.options.clone();
        // Another process may have renamed the VG.
        options.vg = None;
        let files = match &self.files {
            PoolFiles::Dir(_) | PoolFiles::Pv(_) | PoolFiles::Pvs(_) => self.known(),
            PoolFiles::Files(_) => self.files.clone(),
        };
        let mut fresh = match Self::open(&self.env, &files, &options) {
            Err(VgError::Ambiguous(_)) => Self::open(&self.env, &files, &self.options)?,
            other => other?,
        };
        for member in &mut fresh.members {
            let known = self.members.iter().find(|old| old.uuid == member.uuid && old.path == member.path);
            let same = |old: &&Member| old.file.zip(member.file).is_some_and(|(old, new)| old.is(&new));
            if let Some(old) = known.filter(|old| same(old) || member.pv.is_none()) {
                member.store = Arc::clone(&old.store);
            }
        }
        fresh.options.vg = self.options.vg.as_ref().map(|_| fresh.descriptor.name.clone());
        fresh.files = self.files.clone();
        *self = fresh;
        Ok(())
    }

    /// Its PVs that are there. All of them: one alone may be behind, and lead only to those it knew.
    fn known(&self) -> PoolFiles {
        let present = self.members.iter().filter(|member| member.pv.is_some());
        let paths: Vec<PathBuf> = present.map(|member| member.path.clone()).collect();
        if paths.is_empty() { self.files.clone() } else { PoolFiles::Pvs(paths) }
    }

    /// The PVs that arguments name: paths or `@tags`, with or without extents.
    ///
    /// # Errors
    /// [`VgError::PvNotFound`].
    pub fn pv_ranges(&self, args: &[PvArg]) -> Result<Vec<PvRange>> {
        let mut out = Vec::new();
        for arg in args {
            let uuids: Vec<PvUuid> = match arg.name.strip_prefix('@') {
                Some(tag) => {
                    let tagged = |pv: &&crate::PvRecord| pv.tags.iter().any(|known| known.as_str() == tag);
                    self.descriptor.pvs.iter().filter(tagged).map(|pv| pv.uuid).collect()
                }
                None => vec![self.pv_at(Path::new(&arg.name))?.uuid],
            };
            if uuids.is_empty() {
                return Err(VgError::PvNotFound(PathBuf::from(&arg.name)));
            }
            out.extend(uuids.into_iter().map(|pv| PvRange { pv, ranges: arg.ranges.clone() }));
        }
        Ok(out)
    }

    /// The PV at `path`, or with that uuid.
    ///
    /// # Errors
    /// [`VgError::PvNotFound`].
    pub fn pv_at(&self, path: &Path) -> Result<&Member> {
        let canonical = self.env.host.canonical(path).unwrap_or_else(|_| path.to_owned());
        let uuid: Option<PvUuid> = path.to_str().and_then(|text| text.parse().ok());
        let same = |member: &&Member| member.path == canonical || Some(member.uuid) == uuid;
        self.members.iter().find(same).ok_or_else(|| VgError::PvNotFound(path.to_owned()))
    }

    /// How it was opened.
    pub fn access(&self) -> Access {
        self.options.access
    }
}

pub(crate) fn find_lv<'a>(descriptor: &'a Descriptor, name: &LvName) -> Result<&'a LvRecord> {
    let missing = || VgError::LvNotFound { vg: descriptor.name.clone(), lv: name.to_string() };
    descriptor.lv(name).ok_or_else(missing)
}

pub(crate) fn metadata_path(pv: &Path, lv: pv::LvUuid) -> PathBuf {
    side_folder(pv).join(format!("{}.meta", lv.short()))
}
