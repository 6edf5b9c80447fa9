//! Two instances of the engine on one volume, the older of which does not know that it was replaced: whatever it does,
//! nothing that the newer one acknowledges is lost. Either fence alone is not enough to see to that.

use std::path::Path;
use std::time::Duration;

use anyfs_lvm_rig::{
    Disk, FsOp, Generator, History, MemHost, Outcome, Pool, Prng, Settings, Snapshot, Weakness, Workload, apply, watch,
};
use lv::{Rule, Volume, Work};

/// Interleavings tried with both fences.
const RUNS: u64 = 60;

/// Interleavings tried until harm is found without one of them; one of thirty shows it without the PVs' fence, one of
/// two without the catalogue's.
const MOST: u64 = 1000;

#[cfg(test)]
mod support {
    use super::*;

    /// One instance: a process with the volume active, and what it has done to it.
    struct Instance {
        host: MemHost,
        volume: Volume,
        history: History,
        generator: Generator,
    }

    impl Instance {
        fn start(disk: &Disk, pool: &Pool, workload: &Workload, seed: u64) -> Result<Self, String> {
            let host = disk.host();
            let volume = pool
                .activate(&disk.env_of(&host), workload.options, workload.weakness)
                .map_err(|error| format!("activation: {error}"))?;
            let history = History::new(&Snapshot::read(&volume)?);
            Ok(Self { host, volume, history, generator: Generator::new(seed, workload.mix()) })
        }

        fn run(&mut self, disk: &Disk, op: &FsOp) -> Result<(), String> {
            let outcome = apply(&self.volume, op, Some(&disk.clock())).map_err(|error| format!("{op:?}: {error}"))?;
            self.history.push(op, outcome);
            Ok(())
        }

        /// Some random operations.
        fn work(&mut self, disk: &Disk, count: u64) -> Result<(), String> {
            for _ in 0..count {
                let op = self.generator.draw(&self.history);
                self.run(disk, &op)?;
            }
            Ok(())
        }
    }

    /// The old instance works, stops; the new one takes over and works; the old one wakes up and goes on; the new one
    /// too. Then the volume must be as the new one left it. Says whether the old one was refused.
    pub(crate) fn interleave(workload: &Workload, seed: u64) -> Result<bool, String> {
        let mut rng = Prng::derived(seed, &[0x666e]);
        let disk = Disk::new(Settings::default());
        let text = |error: lv::LvError| error.to_string();
        let pool = Pool::create(&disk.env(), Path::new("/"), workload.shape).map_err(text)?;
        let mut old = Instance::start(&disk, &pool, workload, seed)?;
        old.work(&disk, 20 + rng.below(60))?;
        old.host.release_locks();
        let mut new = Instance::start(&disk, &pool, workload, seed + 1)?;
        new.work(&disk, rng.below(40))?;
        disk.clock().advance(Duration::from_secs(5));
        for op in [FsOp::Work(Work::Clean { idle: true }), FsOp::Work(Work::Delete), FsOp::Sync] {
            new.run(&disk, &op)?;
        }
        new.work(&disk, rng.below(40))?;
        new.run(&disk, &FsOp::Sync)?;
        // Whatever the old one is told, it may be refused: it is the new one that counts.
        let mut refused = false;
        if rng.one_in(2) {
            // Time went on while it stood still: what it had freed is due.
            refused |= old.run(&disk, &FsOp::Work(Work::Clean { idle: false })).is_err();
            refused |= old.run(&disk, &FsOp::Work(Work::Delete)).is_err();
        }
        refused |= old.work(&disk, 1 + rng.below(20)).is_err();
        refused |= old.run(&disk, &FsOp::Sync).is_err();
        new.work(&disk, rng.below(10)).map_err(|error| format!("new owner: {error}"))?;
        new.run(&disk, &FsOp::Sync).map_err(|error| format!("new owner: {error}"))?;
        new.history.judge_live(&Snapshot::read(&new.volume)?).map_err(|error| format!("new owner: {error}"))?;
        old.volume.abandon();
        new.volume.abandon();
        let after = Instance::start(&disk, &pool, workload, 0).map_err(|error| format!("after both: {error}"))?;
        let found = Snapshot::read(&after.volume).map_err(|error| format!("after both: {error}"))?;
        after.volume.abandon();
        new.history.judge_live(&found).map_err(|error| format!("after both: {error}"))?;
        new.history.push(&FsOp::Sync, Outcome::Done(None));
        Ok(refused)
    }

    pub(crate) fn weakened(weakness: Weakness) -> Workload {
        watch(Duration::from_secs(60));
        Workload { weakness, ..Workload::tight() }
    }
}

use support::{interleave, weakened};

#[test]
fn a_replaced_owner_is_refused_and_harms_nothing() {
    let workload = weakened(Weakness::None);
    for seed in 0..RUNS {
        assert_eq!(interleave(&workload, seed), Ok(true), "seed {seed}");
    }
}

#[test]
fn without_the_fence_of_the_pvs_the_new_owner_is_harmed() {
    let workload = weakened(Weakness::NoPvFence);
    assert!((0..MOST).any(|seed| interleave(&workload, seed).is_err()));
}

#[test]
fn without_the_fence_of_the_catalogue_the_new_owner_is_harmed() {
    let workload = weakened(Weakness::Without(Rule::CatalogueFence));
    assert!((0..MOST).any(|seed| interleave(&workload, seed).is_err()));
}
