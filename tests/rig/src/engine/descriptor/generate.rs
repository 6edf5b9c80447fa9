//! Random operations that fit a volume group.

use super::op::{VgOp, World, lv_name};
use crate::fs::{Generator, History, Mix};
use crate::prng::Prng;

/// PVs that there may be.
pub(super) const PVS: u8 = 5;
/// Names of volumes.
const LVS: u8 = 4;
/// Names of the group.
const NAMES: u8 = 3;

/// What files of a volume are like: little, often synced.
pub(super) const MIX: Mix =
    Mix { live: 24 * 1024, file: 12 * 1024, write: 6 * 1024, work: 15, sync: 30, overwrites: false };

/// Draws operations.
#[derive(Debug)]
pub(super) struct VgGenerator {
    rng: Prng,
    files: Generator,
}

impl VgGenerator {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: Prng::derived(seed, &[0x7667]), files: Generator::new(seed, MIX) }
    }

    fn number(&mut self, end: u8) -> u8 {
        u8::try_from(self.rng.below(end.into())).unwrap_or(0)
    }

    /// The next operation; `history` is that of the active volume.
    pub(super) fn draw(&mut self, world: &World, history: Option<&History>) -> VgOp {
        for _ in 0..200 {
            let op = self.any(world, history);
            if world.fits(&op) {
                return op;
            }
        }
        VgOp::Close
    }

    fn any(&mut self, world: &World, history: Option<&History>) -> VgOp {
        if world.group.name.is_none() {
            return self.beginning(world);
        }
        if let (Some(history), false) = (history, self.rng.one_in(4)) {
            return VgOp::Fs(self.files.draw(history));
        }
        let pv = self.number(PVS);
        let (lv, other) = (self.number(LVS), self.number(LVS));
        let small = u32::from(self.number(8));
        match self.rng.below(16) {
            1 | 2 if world.made.contains(&pv) => VgOp::Extend(pv),
            0..=2 => VgOp::MakePv(pv),
            3 => VgOp::Reduce(pv),
            4 => VgOp::Rename(self.number(NAMES)),
            5 | 6 => {
                let pvs = u8::try_from(world.group.pvs.len()).unwrap_or(1);
                let (copies, stripes) = (1 + self.number(pvs.min(2)), 1 + self.number(pvs.min(3)));
                VgOp::LvCreate { lv, count: 12 + small, copies: copies.into(), stripes: stripes.into() }
            }
            7 | 8 => VgOp::LvExtend(lv, 1 + small),
            9 => VgOp::LvRename(lv, other),
            10 => VgOp::LvRemove(lv),
            11..=14 => VgOp::Activate(lv),
            _ => VgOp::Close,
        }
    }

    /// Some PVs, then a group of them.
    fn beginning(&mut self, world: &World) -> VgOp {
        let made: Vec<u8> = world.made.iter().copied().collect();
        if made.is_empty() || (made.len() < usize::from(PVS) && !self.rng.one_in(3)) {
            let free: Vec<u8> = (0..PVS).filter(|pv| !world.made.contains(pv)).collect();
            return VgOp::MakePv(free[self.rng.index(free.len())]);
        }
        let mut pvs: Vec<u8> = made.iter().copied().filter(|_| !self.rng.one_in(3)).collect();
        if pvs.is_empty() {
            pvs = made;
        }
        VgOp::Create(pvs)
    }

    /// As [`VgGenerator::draw`], for going on after a crash: no volume stays active.
    pub(super) fn draw_closed(&mut self, world: &World) -> VgOp {
        for _ in 0..200 {
            let op = self.any(world, None);
            if world.fits(&op) && !matches!(op, VgOp::Activate(_)) {
                return op;
            }
        }
        let free = (0..LVS).find(|lv| !world.group.lvs.contains_key(&lv_name(*lv))).unwrap_or(0);
        VgOp::LvCreate { lv: free, count: 8, copies: 1, stripes: 1 }
    }
}
