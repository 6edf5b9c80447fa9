//! Operations on a volume group, and what a group must look like after them.

use std::collections::{BTreeMap, BTreeSet};

use pv::LvUuid;

use crate::fs::FsOp;

/// One operation. PVs and volumes go by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VgOp {
    /// pvcreate.
    MakePv(u8),
    /// vgcreate with these PVs.
    Create(Vec<u8>),
    /// vgextend.
    Extend(u8),
    /// vgreduce.
    Reduce(u8),
    /// vgrename, to the name with this number.
    Rename(u8),
    /// lvcreate.
    LvCreate {
        /// Its name.
        lv: u8,
        /// Extents.
        count: u32,
        /// Copies of its metadata.
        copies: u32,
        /// Stripes.
        stripes: u32,
    },
    /// lvextend by so many extents.
    LvExtend(u8, u32),
    /// lvrename.
    LvRename(u8, u8),
    /// lvremove.
    LvRemove(u8),
    /// A volume is activated.
    Activate(u8),
    /// The active volume is closed.
    Close,
    /// Something is done to the active volume.
    Fs(FsOp),
}

impl VgOp {
    /// What it is, for counting.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::MakePv(_) => "pvcreate",
            Self::Create(_) => "vgcreate",
            Self::Extend(_) => "vgextend",
            Self::Reduce(_) => "vgreduce",
            Self::Rename(_) => "vgrename",
            Self::LvCreate { .. } => "lvcreate",
            Self::LvExtend(..) => "lvextend",
            Self::LvRename(..) => "lvrename",
            Self::LvRemove(_) => "lvremove",
            Self::Activate(_) | Self::Close => "volumes opened and closed",
            Self::Fs(_) => "file operations",
        }
    }
}

/// A volume in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LvState {
    pub(super) uuid: LvUuid,
    pub(super) count: u32,
}

/// What the descriptor must say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct VgState {
    /// `None`: there is no group.
    pub(super) name: Option<String>,
    pub(super) pvs: BTreeSet<u8>,
    pub(super) lvs: BTreeMap<String, LvState>,
}

impl VgState {
    /// The same apart from the uuids of volumes.
    pub(super) fn alike(&self, other: &Self) -> bool {
        let sizes = |state: &Self| state.lvs.iter().map(|(name, lv)| (name.clone(), lv.count)).collect::<Vec<_>>();
        self.name == other.name && self.pvs == other.pvs && sizes(self) == sizes(other)
    }

    /// Whether these PVs hold a majority of the descriptor's copies.
    pub(super) fn majority(&self, of: &BTreeSet<u8>) -> bool {
        self.name.is_some() && self.pvs.intersection(of).count() > self.pvs.len() / 2
    }
}

/// The files and the group, and which volume is active.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) made: BTreeSet<u8>,
    pub(super) group: VgState,
    pub(super) active: Option<String>,
}

pub(super) fn vg_name(number: u8) -> String {
    format!("vg{number}")
}

pub(super) fn lv_name(number: u8) -> String {
    format!("lv{number}")
}

impl World {
    /// Whether an operation is possible, space and use of PVs apart.
    pub(super) fn fits(&self, op: &VgOp) -> bool {
        let there = self.group.name.is_some();
        let free = |pv: &u8| self.made.contains(pv) && !self.group.pvs.contains(pv);
        let has = |lv: &u8| self.group.lvs.contains_key(&lv_name(*lv));
        match op {
            VgOp::MakePv(pv) => !self.made.contains(pv),
            VgOp::Create(pvs) => !there && pvs.iter().all(free),
            VgOp::Extend(pv) => there && free(pv),
            VgOp::Reduce(pv) => there && self.group.pvs.contains(pv) && self.group.pvs.len() > 1,
            VgOp::Rename(name) => there && self.group.name != Some(vg_name(*name)),
            VgOp::LvCreate { lv, copies, stripes, .. } => {
                let pvs = u32::try_from(self.group.pvs.len()).unwrap_or(0);
                there && !has(lv) && *copies <= pvs && *stripes <= pvs
            }
            VgOp::LvExtend(lv, _) => has(lv),
            VgOp::LvRename(lv, to) => has(lv) && !has(to) && self.active != Some(lv_name(*lv)),
            VgOp::LvRemove(lv) => has(lv) && self.active != Some(lv_name(*lv)),
            VgOp::Activate(lv) => has(lv) && self.active.is_none(),
            VgOp::Close | VgOp::Fs(_) => self.active.is_some(),
        }
    }
}
