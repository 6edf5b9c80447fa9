//! Changes of the group below an active volume.

use std::collections::BTreeSet;

use pv::{LeCount, PvUuid};
use vg::{LvExtension, VgError};

use super::ground::{path_of, volume_name};
use super::run::Machine;

/// PVs that a group gets at most.
const MOST: usize = 5;

impl Machine {
    /// More extents for the volume; who has it open sees them when it is opened again.
    pub(super) fn grow(&mut self, more: u8, elsewhere: bool) {
        if self.squeezed {
            return;
        }
        let name = volume_name();
        let stripes = self.ground.setup().stripes();
        let all = u32::try_from(self.group.pvs.len()).unwrap_or(0) * self.ground.setup().per_pv();
        let free = all - self.group.extents;
        let rows = u32::from(more).div_ceil(stripes) * stripes;
        let done = self.ground.change(elsewhere, |_, group, lock| {
            let count = LeCount(group.lv(&name)?.count().0 + u32::from(more));
            group.lv_extend(lock, &name, &LvExtension { count, ..LvExtension::default() })
        });
        match done {
            Ok(record) => {
                assert!(self.away.is_none() && rows <= free, "{more} more of {free} free extents");
                assert_eq!(record.count().0, self.group.extents + rows);
                self.counts.extends += 1;
            }
            Err(VgError::MissingPvs { .. }) => assert!(self.away.is_some(), "all PVs are there"),
            Err(VgError::InsufficientFree { .. }) => assert!(self.away.is_none() && rows > free, "{free} are free"),
            // What is free may all lie on too few PVs.
            Err(VgError::Unsuitable { .. } | VgError::Alloc(_)) => assert!(stripes > 1 && self.away.is_none()),
            Err(error) => panic!("lvextend by {more}: {error}"),
        }
        self.regroup(|group, done| group.extents += if done { rows } else { 0 });
    }

    /// Compares the group with what it should be, after a change that was made or not.
    fn regroup(&mut self, change: impl Fn(&mut super::past::Group, bool)) {
        let mut expected = [self.group.clone(), self.group.clone()];
        change(&mut expected[0], false);
        change(&mut expected[1], true);
        let shape = self.ground.shape();
        assert!(expected.contains(&shape), "{shape:?} instead of one of {expected:?}");
        self.group = shape;
    }

    /// One more PV.
    pub(super) fn add_pv(&mut self, elsewhere: bool) {
        if self.squeezed || self.group.pvs.len() >= MOST {
            return;
        }
        let uuid = self.ground.new_pv();
        let path = path_of(uuid);
        let done = self.ground.change(elsewhere, |_, group, lock| group.extend(lock, std::slice::from_ref(&path)));
        let holders = self.group.pvs.len();
        match done {
            Ok(()) => {
                self.counts.pvs += 1;
                assert!(self.ground.shape().pvs.contains(&uuid), "a PV that was added is not there");
            }
            Err(VgError::NoMajority { .. }) => {
                let away = self.away.as_ref().expect("all PVs are there");
                assert!(away.unsettled || 2 * (holders - 1) <= holders, "{holders} PVs");
            }
            Err(error) => panic!("vgextend by {}: {error}", path.display()),
        }
        self.regroup(|group, done| {
            if done {
                group.pvs.insert(uuid);
            }
        });
    }

    /// A PV of the group.
    pub(super) fn pick_pv(&self, pv: u8) -> PvUuid {
        let pvs: Vec<PvUuid> = self.group.pvs.iter().copied().collect();
        pvs[usize::from(pv) % pvs.len()]
    }

    /// A PV leaves, if it holds nothing.
    pub(super) fn remove_pv(&mut self, pv: u8, elsewhere: bool) {
        if self.squeezed || self.away.is_some() {
            return;
        }
        let uuid = self.pick_pv(pv);
        let path = path_of(uuid);
        let record = self.ground.group().lv(&volume_name()).expect("the volume is there").clone();
        let legs = record.segments.iter().flat_map(vg::Segment::legs).map(|leg| leg.pv);
        let used: BTreeSet<PvUuid> = legs.chain(record.copies.iter().map(|copy| copy.pv)).collect();
        let done = self.ground.change(elsewhere, |_, group, lock| group.reduce(lock, std::slice::from_ref(&path)));
        match done {
            Ok(()) => {
                self.counts.pvs += 1;
                assert!(!used.contains(&uuid), "{} held something", path.display());
                assert!(!self.ground.shape().pvs.contains(&uuid), "a PV that was removed is there");
            }
            Err(VgError::PvInUse(_)) => assert!(used.contains(&uuid), "{} holds nothing", path.display()),
            Err(error) => panic!("vgreduce by {}: {error}", path.display()),
        }
        self.regroup(|group, done| {
            if done {
                group.pvs.remove(&uuid);
            }
        });
    }
}
