//! Changes of LVs: lvcreate, lvextend, lvremove, lvrename, and where metadata copies lie.

use std::collections::{BTreeMap, BTreeSet};

use pv::{Epoch, FamilyUuid, LeCount, LvUuid, PvUuid};

use crate::group::find_lv;
use crate::lock::VgLock;
use crate::metadata_copies::copy_places;
use crate::{
    AllocError, AllocPolicy, AllocRequest, Descriptor, FreeMap, LvKind, LvName, LvRecord, MetadataCopy, PvRange,
    Result, SegmentKind, Tag, VgError, VolumeGroup, allocate, join, whole_rows,
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
    let free = (0..=u32::MAX).map(|n| format!("lvol{n}")).find(|name| !taken.contains(name.as_str()));
    Ok(LvName::new(&free.unwrap_or_default())?)
}

/// PVs for the metadata copies of a new LV.
fn first_copies(wanted: u32, devices: &BTreeMap<PvUuid, u64>, descriptor: &Descriptor) -> Vec<PvUuid> {
    let wanted = match (wanted, descriptor.metadata_copies) {
        (0, 0) => devices.values().collect::<BTreeSet<_>>().len().clamp(1, 2),
        (0, vg) => usize::try_from(vg).unwrap_or(1),
        (asked, _) => usize::try_from(asked).unwrap_or(1),
    };
    let mut places = copy_places(devices, descriptor, &BTreeSet::new());
    places.truncate(wanted);
    places
}

impl VolumeGroup {
    pub(crate) fn writable(&self) -> Result<()> {
        if self.descriptor.exported {
            return Err(VgError::Exported(self.name().clone()));
        }
        self.refuse_partial()
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
        let copies = first_copies(request.copies, &self.devices(), descriptor);
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
            metadata_copies: u32::try_from(copies.len()).unwrap_or(u32::MAX),
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
