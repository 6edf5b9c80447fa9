//! Changes of LVs: lvcreate, lvextend, lvremove, lvrename, and where metadata copies lie.

use std::collections::{BTreeMap, BTreeSet};

use pv::{Epoch, FamilyUuid, LeCount, LvUuid, PvUuid};

use crate::group::{Member, find_lv, metadata_path};
use crate::lock::VgLock;
use crate::{
    AllocError, AllocPolicy, AllocRequest, Descriptor, FreeMap, LvKind, LvName, LvRecord, MetadataCopy, PvRange,
    Removal, Result, SegmentKind, Tag, VgError, VolumeGroup, allocate, join, whole_rows,
};

/// What a caller's part of a change may fail with.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

/// What a new LV is like.
#[derive(Debug, Clone)]
pub struct LvRequest {
    /// Its name; `None` = the first free `lvol%d`.
    pub name: Option<LvName>,
    /// Its size; rounded up to whole rows of stripes.
    pub count: LeCount,
    /// Stripes; 1 = linear.
    pub stripes: u32,
    /// Allocation policy.
    pub alloc: AllocPolicy,
    /// Only on these extents.
    pub pvs: Option<Vec<PvRange>>,
    /// Copies of its metadata volume; 0 = as the VG says.
    pub copies: u32,
    /// No writes.
    pub read_only: bool,
    /// Tags.
    pub tags: BTreeSet<Tag>,
}

impl LvRequest {
    /// A linear LV of `count` extents, everything else as the VG says.
    pub fn new(name: Option<LvName>, count: LeCount) -> Self {
        Self {
            name,
            count,
            stripes: 1,
            alloc: AllocPolicy::Inherit,
            pvs: None,
            copies: 0,
            read_only: false,
            tags: BTreeSet::new(),
        }
    }
}

/// How an LV is to grow.
#[derive(Debug, Clone, Default)]
pub struct LvExtension {
    /// Its new size; rounded up to whole rows of stripes.
    pub count: LeCount,
    /// Stripes of the new extents; `None` = as those before.
    pub stripes: Option<u32>,
    /// Allocation policy; `None` = the LV's.
    pub alloc: Option<AllocPolicy>,
    /// Only on these extents.
    pub pvs: Option<Vec<PvRange>>,
}

fn resolved(descriptor: &Descriptor, policy: AllocPolicy) -> AllocPolicy {
    if policy == AllocPolicy::Inherit { descriptor.alloc } else { policy }
}

fn refused(descriptor: &Descriptor, lv: &LvName, map: &FreeMap, error: AllocError) -> VgError {
    match error {
        AllocError::Insufficient { needed, .. } if needed > map.free() => {
            VgError::InsufficientFree { vg: descriptor.name.clone(), free: map.free(), needed }
        }
        AllocError::Unsuitable { more } => VgError::Unsuitable { lv: lv.clone(), more },
        other => VgError::Alloc(other),
    }
}

fn default_name(descriptor: &Descriptor) -> Result<LvName> {
    let taken: BTreeSet<&str> = descriptor.lvs.iter().map(|lv| lv.name.as_str()).collect();
    let free = (0u32..).map(|n| format!("lvol{n}")).find(|name| !taken.contains(name.as_str()));
    Ok(LvName::new(&free.unwrap_or_default())?)
}

/// PVs for metadata copies: each on a host device of its own as far as possible.
fn copy_places(wanted: u32, devices: &BTreeMap<PvUuid, u64>, descriptor: &Descriptor) -> Vec<PvUuid> {
    let wanted = match (wanted, descriptor.metadata_copies) {
        (0, 0) => devices.values().collect::<BTreeSet<_>>().len().clamp(1, 2),
        (0, vg) => usize::try_from(vg).unwrap_or(1),
        (asked, _) => usize::try_from(asked).unwrap_or(1),
    };
    let usable = descriptor.pvs.iter().filter(|pv| pv.allocatable && !pv.missing);
    let mut seen = BTreeMap::new();
    let mut places: Vec<(u32, PvUuid)> = Vec::new();
    for pv in usable.filter_map(|pv| Some((pv.uuid, *devices.get(&pv.uuid)?))) {
        let turn = seen.entry(pv.1).or_insert(0u32);
        places.push((*turn, pv.0));
        *turn = turn.saturating_add(1);
    }
    places.sort_by_key(|(turn, _)| *turn);
    places.into_iter().take(wanted).map(|(_, pv)| pv).collect()
}

impl VolumeGroup {
    fn writable(&self) -> Result<()> {
        if self.descriptor.exported {
            return Err(VgError::Exported(self.name().clone()));
        }
        if self.partial() { Err(VgError::MissingPvs(self.name().clone())) } else { Ok(()) }
    }

    /// The LV that [`VolumeGroup::lv_create`] would make. Changes nothing.
    ///
    /// # Errors
    /// [`VgError::LvExists`], [`VgError::InsufficientFree`], [`VgError::Unsuitable`], [`VgError::Alloc`],
    /// [`VgError::Copies`], [`VgError::MissingPvs`], [`VgError::Exported`].
    pub fn plan_lv_create(&self, request: &LvRequest) -> Result<LvRecord> {
        self.writable()?;
        let descriptor = &self.descriptor;
        let name = request.name.clone().map_or_else(|| default_name(descriptor), Ok)?;
        if descriptor.lv(&name).is_some() {
            return Err(VgError::LvExists { vg: descriptor.name.clone(), lv: name });
        }
        let copies = copy_places(request.copies, &self.devices(), descriptor);
        if copies.is_empty() || (request.copies > 0 && u32::try_from(copies.len()) != Ok(request.copies)) {
            let what = "there are fewer usable PVs than metadata copies asked for";
            return Err(VgError::Copies { vg: descriptor.name.clone(), lv: name, what });
        }
        let map = self.free_map();
        let wanted = AllocRequest {
            count: whole_rows(request.count, request.stripes).ok_or(VgError::Alloc(AllocError::TooLarge))?,
            policy: resolved(descriptor, request.alloc),
            stripes: request.stripes,
            pvs: request.pvs.as_deref(),
            existing: &[],
        };
        let plan = allocate(&map, &wanted).map_err(|error| refused(descriptor, &name, &map, error))?;
        Ok(LvRecord {
            uuid: LvUuid::random().map_err(VgError::Random)?,
            family: FamilyUuid::random().map_err(VgError::Random)?,
            name,
            kind: LvKind::Plain,
            segments: plan.segments,
            copies: copies.into_iter().map(|pv| MetadataCopy { pv, since: Epoch(0) }).collect(),
            alloc: request.alloc,
            read_only: request.read_only,
            created: self.env.clock.wall(),
            tags: request.tags.clone(),
        })
    }

    /// Makes an LV. `make_files` makes its metadata volumes (at [`VolumeGroup::metadata_copy_path`]) durably before
    /// the descriptor names them. It gets the planned LV and may run again with another plan.
    ///
    /// # Errors
    /// As [`VolumeGroup::plan_lv_create`] and [`VolumeGroup::change`]; [`VgError::Hook`]. After an error that leaves
    /// the VG unchanged the files of the plan are removed.
    pub fn lv_create(
        &mut self,
        lock: &VgLock,
        request: &LvRequest,
        mut make_files: impl FnMut(&Self, &LvRecord) -> Result<(), HookError>,
    ) -> Result<LvRecord> {
        if !self.descriptor.removals.is_empty() {
            self.sweep(lock)?;
        }
        let lv = self.plan_lv_create(request)?;
        let hooked = make_files(self, &lv).map_err(|source| VgError::Hook { lv: lv.name.clone(), source });
        let vg = self.name().clone();
        let base = (self.descriptor.seqno, self.descriptor.change);
        let made = hooked.and_then(|()| {
            self.commit(lock, &mut |descriptor| {
                if (descriptor.seqno, descriptor.change) != base {
                    return Err(VgError::Busy(vg.clone()));
                }
                let mut next = descriptor.clone();
                next.lvs.push(lv.clone());
                Ok(next)
            })
        });
        if let Err(error) = made {
            // With an unknown outcome the descriptor may name the files.
            if !matches!(error, VgError::Unacknowledged { .. }) {
                let copies: Vec<PvUuid> = lv.copies.iter().map(|copy| copy.pv).collect();
                self.remove_metadata(lv.uuid, &copies)?;
            }
            return Err(error);
        }
        Ok(lv)
    }

    /// The LV as [`VolumeGroup::lv_extend`] would make it. Changes nothing.
    ///
    /// # Errors
    /// [`VgError::NotLarger`]; as [`VolumeGroup::plan_lv_create`].
    pub fn plan_lv_extend(&self, name: &LvName, extension: &LvExtension) -> Result<LvRecord> {
        self.writable()?;
        extended(&self.descriptor, name, extension)
    }

    /// Gives an LV more extents.
    ///
    /// # Errors
    /// As [`VolumeGroup::plan_lv_extend`] and [`VolumeGroup::change`].
    pub fn lv_extend(&mut self, lock: &VgLock, name: &LvName, extension: &LvExtension) -> Result<LvRecord> {
        if !self.descriptor.removals.is_empty() {
            self.sweep(lock)?;
        }
        self.writable()?;
        self.change(lock, |descriptor| {
            let lv = extended(descriptor, name, extension)?;
            descriptor.lvs.iter_mut().filter(|old| old.uuid == lv.uuid).for_each(|old| *old = lv.clone());
            Ok(())
        })?;
        self.lv(name).cloned()
    }

    /// Removes an LV and everything in it. The descriptor forgets the name first; then its metadata volumes and its
    /// extents are deleted, and only then may the extents be used again. What is interrupted is finished by the next
    /// change that needs it, or by [`VolumeGroup::settle`].
    ///
    /// # Errors
    /// [`VgError::LvNotFound`], [`VgError::LvInUse`] while it is active anywhere, [`VgError::MissingPvs`]; as
    /// [`VolumeGroup::change`].
    pub fn lv_remove(&mut self, lock: &VgLock, name: &LvName) -> Result<()> {
        self.writable()?;
        let lv = self.lv(name)?.clone();
        let mut held = Vec::new();
        for path in self.activation_lock_paths(&lv) {
            match self.env.host.lock(&path, false, "being removed\n") {
                Ok(Some(lock)) => held.push(lock),
                Ok(None) => return Err(VgError::LvInUse { vg: self.name().clone(), lv: name.clone() }),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(VgError::Host { path, operation: "lock it", source }),
            }
        }
        self.change(lock, |descriptor| {
            let lv = find_lv(descriptor, name)?.clone();
            descriptor.lvs.retain(|other| other.uuid != lv.uuid);
            let copies = lv.copies.iter().map(|copy| copy.pv).collect();
            descriptor.removals.push(Removal { lv: lv.uuid, family: lv.family, segments: lv.segments, copies });
            Ok(())
        })?;
        self.sweep(lock)
    }

    /// Deletes what removed LVs left on the reachable PVs. Removals that touch a missing PV wait for it.
    ///
    /// # Errors
    /// [`VgError::Pv`], [`VgError::Host`]; as [`VolumeGroup::change`].
    pub fn sweep(&mut self, lock: &VgLock) -> Result<()> {
        let mut done = BTreeSet::new();
        for removal in &self.descriptor.removals {
            let used: BTreeSet<PvUuid> =
                removal.segments.iter().flat_map(crate::Segment::legs).map(|leg| leg.pv).collect();
            let mut complete = true;
            for member in self.members.iter().filter(|member| used.contains(&member.uuid)) {
                match member.store()? {
                    Some(store) => store.forget(removal.family)?,
                    None => complete = false,
                }
            }
            self.remove_metadata(removal.lv, &removal.copies)?;
            if complete {
                done.insert(removal.lv);
            }
        }
        if done.is_empty() {
            return Ok(());
        }
        self.change(lock, |descriptor| {
            descriptor.removals.retain(|removal| !done.contains(&removal.lv));
            Ok(())
        })
    }

    fn remove_metadata(&self, lv: LvUuid, copies: &[PvUuid]) -> Result<()> {
        for member in self.members.iter().filter(|member| copies.contains(&member.uuid) && member.pv().is_some()) {
            let path = metadata_path(&member.path, lv);
            for end in ["-wal", "-shm", "-journal", ""] {
                let mut file = path.clone().into_os_string();
                file.push(end);
                let file = std::path::PathBuf::from(file);
                let failed = |source| VgError::Host { path: file.clone(), operation: "remove it", source };
                self.env.host.remove_file(&file).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Renames an LV.
    ///
    /// # Errors
    /// [`VgError::LvNotFound`], [`VgError::LvExists`], [`VgError::MissingPvs`]; as [`VolumeGroup::change`].
    pub fn lv_rename(&mut self, lock: &VgLock, name: &LvName, to: &LvName) -> Result<()> {
        self.writable()?;
        self.change(lock, |descriptor| {
            let lv = find_lv(descriptor, name)?.uuid;
            if descriptor.lv(to).is_some() {
                return Err(VgError::LvExists { vg: descriptor.name.clone(), lv: to.clone() });
            }
            descriptor.lvs.iter_mut().filter(|old| old.uuid == lv).for_each(|old| old.name = to.clone());
            Ok(())
        })
    }

    /// Takes a metadata copy out of the in-sync set, before anything is acknowledged without it.
    ///
    /// # Errors
    /// [`VgError::Copies`] for the last copy or one that is not there; as [`VolumeGroup::change`].
    pub fn drop_metadata_copy(&mut self, lock: &VgLock, name: &LvName, pv: PvUuid) -> Result<()> {
        self.edit_copies(lock, name, |copies| {
            let before = copies.len();
            copies.retain(|copy| copy.pv != pv);
            match (copies.len(), before) {
                (0, _) => Err("its last metadata copy cannot be dropped"),
                (now, before) if now == before => Err("it has no metadata copy there"),
                _ => Ok(()),
            }
        })
    }

    /// Puts a metadata copy, complete and durable already, into the in-sync set.
    ///
    /// # Errors
    /// [`VgError::Copies`] when there is one already; as [`VolumeGroup::change`].
    pub fn add_metadata_copy(&mut self, lock: &VgLock, name: &LvName, copy: MetadataCopy) -> Result<()> {
        self.edit_copies(lock, name, |copies| {
            if copies.iter().any(|known| known.pv == copy.pv) {
                return Err("it has a metadata copy there already");
            }
            copies.push(copy);
            Ok(())
        })
    }

    fn edit_copies(
        &mut self,
        lock: &VgLock,
        name: &LvName,
        edit: impl Fn(&mut Vec<MetadataCopy>) -> Result<(), &'static str>,
    ) -> Result<()> {
        self.change(lock, |descriptor| {
            let vg = descriptor.name.clone();
            let lv = find_lv(descriptor, name)?.uuid;
            for record in descriptor.lvs.iter_mut().filter(|record| record.uuid == lv) {
                let failed = |what| VgError::Copies { vg: vg.clone(), lv: name.clone(), what };
                edit(&mut record.copies).map_err(failed)?;
            }
            Ok(())
        })
    }
}

fn extended(descriptor: &Descriptor, name: &LvName, extension: &LvExtension) -> Result<LvRecord> {
    let mut lv = find_lv(descriptor, name)?.clone();
    let old = lv.count().0;
    let as_before = lv.segments.last().map_or(1, |last| match &last.kind {
        SegmentKind::Striped(legs) => u32::try_from(legs.len()).unwrap_or(1),
        SegmentKind::Linear(_) | SegmentKind::Raid1(_) => 1,
    });
    let stripes = extension.stripes.unwrap_or(as_before);
    let not_larger = VgError::NotLarger { new: extension.count.0, old };
    let more = extension.count.0.checked_sub(old).filter(|more| *more > 0).ok_or(not_larger)?;
    let map = FreeMap::of(descriptor);
    let request = AllocRequest {
        count: whole_rows(LeCount(more), stripes).ok_or(VgError::Alloc(AllocError::TooLarge))?,
        policy: resolved(descriptor, extension.alloc.unwrap_or(lv.alloc)),
        stripes,
        pvs: extension.pvs.as_deref(),
        existing: &lv.segments,
    };
    let plan = allocate(&map, &request).map_err(|error| refused(descriptor, name, &map, error))?;
    lv.segments = join(&lv.segments, &plan.segments);
    Ok(lv)
}

impl Member {
    /// Whether its file is there.
    pub fn present(&self) -> bool {
        self.pv().is_some()
    }
}
