//! The volume against a reference filesystem in memory: any operations in any order, background steps, clean and
//! unclean reopening.

#![cfg(test)]

mod check;
mod contents;
mod op;
mod reference;
mod run;
#[expect(dead_code, reason = "the engine's own tests use more of it")]
#[path = "../engine/support.rs"]
mod support;
mod walk;

use std::time::Duration;

use std::os::unix::ffi::OsStrExt;

use anyfs_backend::FsDir;
use anyfs_lvm_lv::{Ino, Kind, VolumeOptions, Work};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use op::{Op, op};
use run::Tested;
use support::Rig;

/// Any operation may follow any other: they choose what they work on when they run.
struct Anything;

impl ReferenceStateMachine for Anything {
    type State = ();
    type Transition = Op;

    fn init_state() -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn transitions((): &()) -> BoxedStrategy<Op> {
        thread_local!(static OPS: BoxedStrategy<Op> = op().boxed());
        OPS.with(BoxedStrategy::clone)
    }

    fn apply((): (), _: &Op) {}
}

/// Takes everything away and looks whether all space is back.
fn empty(tested: &mut Tested) {
    tested.reopen(true);
    let volume = tested.volume();
    let fs = volume.clone().filesystem();
    for entry in volume.readdir(Ino::ROOT, 0, usize::MAX).unwrap() {
        if entry.kind == Kind::Directory {
            fs.remove_dir_all(&std::path::Path::new("/").join(std::ffi::OsStr::from_bytes(&entry.name))).unwrap();
        } else {
            volume.unlink(Ino::ROOT, &entry.name).unwrap();
        }
    }
    volume.sync().unwrap();
    while volume.step(Work::Clean { idle: true }).unwrap() {}
    let space = volume.statfs().unwrap();
    assert_eq!((space.free, space.files), (space.total, 1));
}

/// Room for everything, and rows that leave memory all the time.
struct Roomy;

impl StateMachineTest for Roomy {
    type SystemUnderTest = Tested;
    type Reference = Anything;

    fn init_test((): &()) -> Tested {
        // Larger extents than the tight one has, so that slices are cut in their middle.
        let mut rig = Rig::new(2, 60, 65536);
        rig.options = VolumeOptions { cached_rows: 12, grace: Duration::from_secs(20), ..rig.options };
        Tested::new(rig, false)
    }

    fn apply(mut tested: Tested, (): &(), op: Op) -> Tested {
        tested.run(&op);
        tested
    }

    fn teardown(mut tested: Tested, (): ()) {
        tested.check();
        empty(&mut tested);
    }
}

/// Room for a few files only: full often, compaction always busy.
struct Tight;

impl StateMachineTest for Tight {
    type SystemUnderTest = Tested;
    type Reference = Anything;

    fn init_test((): &()) -> Tested {
        Tested::new(Rig::new(2, 40, 4096), true)
    }

    fn apply(mut tested: Tested, (): &(), op: Op) -> Tested {
        tested.run(&op);
        tested
    }

    fn teardown(mut tested: Tested, (): ()) {
        tested.check();
        empty(&mut tested);
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

prop_state_machine! {
    #![proptest_config(config(7000))]
    #[test]
    fn a_volume_is_what_the_reference_says(sequential 1..50 => Roomy);
}

prop_state_machine! {
    #![proptest_config(config(3000))]
    #[test]
    fn a_full_volume_is_what_the_reference_says(sequential 1..100 => Tight);
}
