//! Changes of which PVs a VG has: vgcreate, vgextend, vgreduce, vgremove.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pv::{Env, Epoch, ExtentSize, PeCount, Pv, PvUuid, Seqno, VgUuid};

use crate::change::{choose_holders, relabel};
use crate::group::Member;
use crate::lock::{self, VgLock};
use crate::pool::hints;
use crate::protocol::found;
use crate::replica::{DescriptorReplica, Place};
use crate::scan::scan;
use crate::{AllocPolicy, Descriptor, OpenOptions, PvRecord, Result, Tag, VgError, VgName, VolumeGroup};

/// What a new VG is like.
#[derive(Debug, Clone)]
pub struct VgOptions {
    /// Size of its extents.
    pub extent_size: ExtentSize,
    /// Allocation policy; `inherit` counts as `normal`.
    pub alloc: AllocPolicy,
    /// Tags.
    pub tags: BTreeSet<Tag>,
    /// Copies of each LV's metadata volume; 0 = 1 on one host device, 2 on several.
    pub metadata_copies: u32,
    /// How the VG is opened after it was made.
    pub open: OpenOptions,
}

impl Default for VgOptions {
    fn default() -> Self {
        Self {
            extent_size: ExtentSize::DEFAULT,
            alloc: AllocPolicy::Normal,
            tags: BTreeSet::new(),
            metadata_copies: 0,
            open: OpenOptions::default(),
        }
    }
}

/// Opens PVs that are to join a VG: each a different one, and of no VG.
fn open_orphans(env: &Env, paths: &[PathBuf], into: Option<&Descriptor>) -> Result<Vec<Member>> {
    let mut out: Vec<Member> = Vec::with_capacity(paths.len());
    for path in paths {
        let pv = Pv::open(env, path, pv::Access::ReadWrite)?;
        if let Some(member) = &pv.label().membership {
            // An interrupted vgextend leaves a label of this VG; its copy then gives the PV nothing to hold.
            let again = into.is_some_and(|vg| vg.vg == member.vg && vg.pv(pv.label().pv).is_none())
                && unused(&pv).unwrap_or(false);
            if !again {
                return Err(VgError::AlreadyMember { path: path.clone(), vg: member.name.clone() });
            }
        }
        let stat = |source| VgError::Host { path: path.clone(), operation: "look at it", source };
        let file = env.host.stat(pv.path()).map_err(stat)?;
        if let Some(twin) = out.iter().find(|other| other.uuid == pv.label().pv) {
            let (first, second) = (twin.path.clone(), pv.path().to_owned());
            let same = first == second || env.host.stat(&first).is_ok_and(|other| other.is(&file));
            return Err(if same {
                VgError::SameFile { first, second: path.clone() }
            } else {
                VgError::Duplicate { uuid: twin.uuid, first, second }
            });
        }
        out.push(Member::attached(pv, file));
    }
    Ok(out)
}

/// Whether the newest descriptor on a PV gives it no extents and no metadata copies.
fn unused(pv: &Pv) -> Result<bool> {
    let state = DescriptorReplica::read(pv)?;
    let decoded = state.decode(pv.uuid()).map_err(|source| VgError::Stored { path: pv.path().to_owned(), source })?;
    Ok(decoded.descriptor.is_none_or(|held| held.users(pv.uuid()).is_empty() && held.removals.is_empty()))
}

fn record(member: &Member, extent_size: ExtentSize) -> Result<PvRecord> {
    let label = member.pv().map(Pv::label).ok_or_else(|| VgError::PvNotFound(member.path.clone()))?;
    let pe_count = extent_size.whole(label.capacity);
    if pe_count == 0 {
        return Err(VgError::TooSmall(member.path.clone()));
    }
    Ok(PvRecord {
        uuid: member.uuid,
        hint: String::new(),
        pe_count: PeCount(pe_count),
        allocatable: true,
        missing: false,
        holder: false,
        class: Tag::new(&label.class).ok(),
        tags: BTreeSet::new(),
    })
}

/// Path hints for the PVs of `descriptor`, as far as `members` tells where they are.
fn refresh_hints(descriptor: &mut Descriptor, members: &[&Member]) {
    let present: Vec<_> = members.iter().filter(|member| member.pv().is_some()).collect();
    let paths: Vec<PathBuf> = present.iter().map(|member| member.path.clone()).collect();
    for (member, hint) in present.iter().zip(hints(&paths)) {
        for pv in descriptor.pvs.iter_mut().filter(|pv| pv.uuid == member.uuid) {
            pv.hint.clone_from(&hint);
        }
    }
}

impl VolumeGroup {
    /// Makes a VG of PVs that belong to none.
    ///
    /// # Errors
    /// [`VgError::AlreadyMember`], [`VgError::SameFile`], [`VgError::Duplicate`], [`VgError::TooSmall`],
    /// [`VgError::Pv`]. After an error some PVs may carry the label of the unfinished VG.
    ///
    /// # Durability
    /// Durable on all PVs when this returns.
    pub fn create(env: &Env, name: &VgName, pvs: &[PathBuf], options: &VgOptions) -> Result<Self> {
        let members = open_orphans(env, pvs, None)?;
        let vg = VgUuid::random().map_err(VgError::Random)?;
        let places: Vec<_> = members.iter().map(|member| (member.uuid, member.path.clone())).collect();
        let _lock = lock::take(env, (vg, name), &places, options.open.wait)?;
        // Another vgcreate may have been first while this one waited.
        let members = open_orphans(env, pvs, None)?;
        let mut first = Descriptor {
            vg,
            name: name.clone(),
            epoch: Epoch(1),
            seqno: Seqno(1),
            parent: None,
            change: *VgUuid::random().map_err(VgError::Random)?.as_bytes(),
            prior_holders: BTreeSet::new(),
            forks: Vec::new(),
            extent_size: options.extent_size,
            alloc: if options.alloc == AllocPolicy::Inherit { AllocPolicy::Normal } else { options.alloc },
            resizeable: true,
            exported: false,
            metadata_copies: options.metadata_copies,
            tags: options.tags.clone(),
            pvs: members.iter().map(|member| record(member, options.extent_size)).collect::<Result<_>>()?,
            lvs: Vec::new(),
            removals: Vec::new(),
        };
        choose_holders(&mut first, &[]);
        refresh_hints(&mut first, &members.iter().collect::<Vec<_>>());
        first.validate().map_err(|fault| VgError::invalid(name, fault))?;
        let replicas: Vec<&dyn DescriptorReplica> =
            members.iter().filter_map(Member::pv).map(|pv| pv as &dyn DescriptorReplica).collect();
        let _given = crate::room::secure(env, &members.iter().collect::<Vec<_>>(), &first)?;
        found(&replicas, &mut first)?;
        Self::new(env, &options.open, &first, &members)
    }

    /// What [`VolumeGroup::extend`] would make.
    ///
    /// # Errors
    /// As there.
    pub fn plan_extend(&self, pvs: &[PathBuf]) -> Result<Descriptor> {
        let joining = open_orphans(&self.env, pvs, Some(&self.descriptor))?;
        self.extended(&self.descriptor, &joining)
    }

    fn extended(&self, descriptor: &Descriptor, joining: &[Member]) -> Result<Descriptor> {
        changeable(descriptor)?;
        let mut next = descriptor.clone();
        for member in joining {
            next.pvs.push(record(member, next.extent_size)?);
        }
        choose_holders(&mut next, &[]);
        refresh_hints(&mut next, &self.members.iter().chain(joining).collect::<Vec<_>>());
        Ok(next)
    }

    /// Adds PVs.
    ///
    /// # Errors
    /// [`VgError::AlreadyMember`], [`VgError::NotResizeable`], [`VgError::TooSmall`]; as [`VolumeGroup::change`].
    pub fn extend(&mut self, lock: &VgLock, pvs: &[PathBuf]) -> Result<()> {
        let joining = open_orphans(&self.env, pvs, Some(&self.descriptor))?;
        let next = self.extended(&self.descriptor, &joining)?;
        let base = (self.descriptor.seqno, self.descriptor.change);
        let vg = self.descriptor.name.clone();
        let mut edit = |descriptor: &Descriptor| {
            if (descriptor.seqno, descriptor.change) == base {
                Ok(next.clone())
            } else {
                Err(VgError::Busy(vg.clone()))
            }
        };
        self.commit_as(lock, &mut edit, &joining, false)
    }

    /// What [`VolumeGroup::reduce`] would make.
    ///
    /// # Errors
    /// As there.
    pub fn plan_reduce(&self, pvs: &[PathBuf]) -> Result<Descriptor> {
        let leaving = pvs.iter().map(|path| Ok(self.pv_at(path)?.uuid)).collect::<Result<Vec<_>>>()?;
        for uuid in &leaving {
            self.may_leave(*uuid)?;
        }
        reduced(&self.descriptor, &leaving)
    }

    fn may_leave(&self, uuid: PvUuid) -> Result<()> {
        changeable(&self.descriptor)?;
        self.refuse_unless_lost(&[uuid])?;
        let path = || self.pv(uuid).map(|member| member.path.clone()).unwrap_or_default();
        let leaving = self.descriptor.removals.iter().flat_map(|removal| &removal.segments);
        let claimed = leaving.flat_map(crate::Segment::legs).any(|leg| leg.pv == uuid);
        if claimed || !self.descriptor.users(uuid).is_empty() {
            return Err(VgError::PvInUse(path()));
        }
        if self.descriptor.pvs.len() == 1 {
            return Err(VgError::FinalPv { path: path(), vg: self.name().clone() });
        }
        Ok(())
    }

    /// Takes PVs that hold nothing out of the VG, one after the other; they become PVs of no VG. Missing ones are
    /// named by their uuid.
    ///
    /// # Errors
    /// [`VgError::PvInUse`], [`VgError::FinalPv`], [`VgError::PvNotFound`], [`VgError::NotResizeable`],
    /// [`VgError::NotLost`]; as [`VolumeGroup::change`].
    pub fn reduce(&mut self, lock: &VgLock, pvs: &[PathBuf]) -> Result<()> {
        self.plan_reduce(pvs)?;
        for path in pvs {
            let member = self.pv_at(path)?.clone();
            self.may_leave(member.uuid)?;
            // First it stops being a holder, so that its copy is no longer needed when it is gone.
            self.commit(lock, &mut |descriptor| {
                let mut next = descriptor.clone();
                choose_holders(&mut next, &[member.uuid]);
                Ok(next)
            })?;
            self.commit(lock, &mut |descriptor| reduced(descriptor, &[member.uuid]))?;
            if let Some(pv) = member.pv() {
                relabel(pv, &Place { member: None, holders: Vec::new() }, true)?;
            }
        }
        Ok(())
    }

    /// Dissolves a VG without LVs; its PVs become PVs of no VG. What is interrupted is finished by running it again.
    ///
    /// # Errors
    /// [`VgError::LvsRemain`], [`VgError::Exported`], [`VgError::MissingPvs`], [`VgError::NoMajority`]; as
    /// [`VolumeGroup::change`].
    pub fn remove(mut self, lock: &VgLock) -> Result<()> {
        self.plan_remove()?;
        self.settle(lock)?;
        let lvs = self.descriptor.removals.len();
        if lvs > 0 {
            return Err(VgError::LvsRemain { vg: self.name().clone(), lvs });
        }
        for pv in self.members.iter().filter_map(Member::pv) {
            relabel(pv, &Place { member: None, holders: Vec::new() }, true)?;
        }
        Ok(())
    }

    /// Whether [`VolumeGroup::remove`] would be allowed.
    ///
    /// # Errors
    /// As there.
    pub fn plan_remove(&self) -> Result<()> {
        if self.descriptor.exported {
            return Err(VgError::Exported(self.name().clone()));
        }
        if !self.descriptor.lvs.is_empty() {
            return Err(VgError::LvsRemain { vg: self.name().clone(), lvs: self.descriptor.lvs.len() });
        }
        self.refuse_partial()
    }

    /// Refuses a VG name that a PV among `paths` (files and folders) already uses.
    ///
    /// # Errors
    /// [`VgError::VgExists`]; as [`scan`].
    pub fn check_new_name(env: &Env, name: &VgName, paths: &[PathBuf]) -> Result<()> {
        let taken = scan(env, paths, pv::Access::ReadOnly)?.groups();
        if taken.values().any(|known| known == name.as_str()) { Err(VgError::VgExists(name.clone())) } else { Ok(()) }
    }

    /// Where `path` is a PV of this VG.
    pub fn contains(&self, path: &Path) -> bool {
        self.pv_at(path).is_ok()
    }
}

fn changeable(descriptor: &Descriptor) -> Result<()> {
    if descriptor.exported {
        return Err(VgError::Exported(descriptor.name.clone()));
    }
    if descriptor.resizeable { Ok(()) } else { Err(VgError::NotResizeable(descriptor.name.clone())) }
}

fn reduced(descriptor: &Descriptor, leaving: &[PvUuid]) -> Result<Descriptor> {
    let mut next = descriptor.clone();
    choose_holders(&mut next, leaving);
    next.pvs.retain(|pv| !leaving.contains(&pv.uuid));
    next.validate().map_err(|fault| VgError::invalid(&descriptor.name, fault))?;
    Ok(next)
}
