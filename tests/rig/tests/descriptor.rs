//! Changes of a volume group survive every crash, and the explorer notices when the rules about what is made durable
//! first are off.

use std::path::Path;
use std::time::Duration;

use anyfs_lvm_rig::{
    Descriptor, Disk, FsOp, Mode, Model, Options, Settings, Story, Tale, VgOp, VgTold, Weakness, watch,
};
use lv::Ino;
use pv::{FamilyUuid, LvUuid};

#[cfg(test)]
mod support {
    use super::*;

    /// A crash at one in `points` of all operations, one in `crashes` of the kinds.
    pub(crate) fn options(seed: u64, points: u64, crashes: u64) -> Options {
        watch(Duration::from_secs(60));
        Options {
            seed,
            one_write_in: points,
            one_other_in: points.div_ceil(3),
            one_crash_in: crashes,
            repeats: 1,
            shorn: true,
            ..Options::default()
        }
    }

    /// Two PVs, a group, a volume that grows, and a file in it that needs what it was given.
    pub(crate) fn short() -> Vec<VgTold> {
        let place = (Ino::ROOT, b"f".to_vec());
        let ops = vec![
            VgOp::MakePv(0),
            VgOp::MakePv(1),
            VgOp::Create(vec![0, 1]),
            VgOp::LvCreate { lv: 0, count: 12, copies: 2, stripes: 1 },
            VgOp::LvExtend(0, 6),
            VgOp::Activate(0),
            VgOp::Fs(FsOp::Replace(place, 3000, 1)),
            VgOp::Fs(FsOp::Sync),
            VgOp::Close,
            VgOp::Rename(1),
            VgOp::LvRemove(0),
            VgOp::Reduce(1),
        ];
        ops.into_iter().map(|op| VgTold { op, made: None }).collect()
    }

    pub(crate) fn tell(weakness: Weakness, options: Options) -> Tale<VgTold> {
        Descriptor { weakness, ..Descriptor::default() }.tell(options, Some(&short()))
    }

    pub(crate) fn found(weakness: Weakness, from_step: u64) -> String {
        let tale = tell(weakness, Options { from_mark: 2 * from_step + 1, ..options(1, 6, 2) });
        assert!(tale.is_bad(), "not found: {}", tale.report);
        tale.failure().unwrap().1
    }
}

use support::{found, options, short, tell};

#[test]
fn a_group_survives_every_crash() {
    let tale = tell(Weakness::None, options(1, 24, 4));
    assert!(!tale.is_bad() && tale.report.total().images > 50, "{:?} {}", tale.failure(), tale.report);
    assert_eq!(tale.report.seen.get("lvextend"), Some(&1), "{}", tale.report);
}

#[test]
fn the_random_workload_changes_the_descriptor_in_all_ways() {
    let mut seen = std::collections::BTreeMap::new();
    for seed in 1..=6 {
        let quiet = Options { from_mark: u64::MAX, ..options(seed, 1, 1) };
        let tale = Descriptor { steps: 80, ..Descriptor::default() }.tell(quiet, None);
        assert_eq!(tale.broken, None, "seed {seed}");
        for (what, times) in tale.report.seen {
            *seen.entry(what).or_insert(0) += times;
        }
    }
    for what in ["vgcreate", "vgextend", "vgreduce", "vgrename", "lvcreate", "lvextend", "lvrename", "lvremove"] {
        assert!(seen.get(what).is_some_and(|times| *times >= 2), "{what}: {seen:?}");
    }
    assert!(seen["file operations"] > 20, "{seen:?}");
}

#[test]
fn a_told_run_repeats() {
    let counts = || tell(Weakness::None, options(3, 60, 8)).report.total();
    assert_eq!(counts(), counts());
    let quiet = || Descriptor::default().tell(Options { from_mark: u64::MAX, ..options(5, 1, 1) }, None);
    assert_eq!(quiet().steps, quiet().steps);
}

#[test]
fn a_descriptor_that_names_metadata_before_it_is_made_is_found() {
    let message = found(Weakness::NameBeforeFiles, 3);
    assert!(message.contains("metadata"), "{message}");
}

#[test]
fn extents_that_are_used_before_their_descriptor_is_durable_are_found() {
    let message = found(Weakness::LazyDescriptor, 4);
    assert!(message.contains("acknowledged"), "{message}");
}

#[test]
fn extents_that_are_released_before_their_pvs_have_forgotten_them_are_found() {
    let message = found(Weakness::ReleaseBeforeSweep, 10);
    assert!(message.contains("holds LE"), "{message}");
}

#[test]
fn a_pv_that_leaves_before_the_descriptor_says_so_is_found() {
    let message = found(Weakness::LeaveBeforeDescriptor, 11);
    assert!(!message.is_empty(), "{message}");
}

#[test]
fn files_that_are_named_before_their_names_are_durable_are_found() {
    let message = found(Weakness::UnsyncedNames, 0);
    assert!(message.contains("a PV that was made"), "{message}");
    // The same for metadata volumes alone: their folder is all that is not made durable.
    let message = found(Weakness::UnsyncedNames, 3);
    assert!(!message.is_empty() && short().len() > 3, "{message}");
}

/// The folder beside a PV may have been made just for it.
#[test]
fn a_new_metadata_volume_survives_in_a_folder_that_is_new_itself() {
    let disk = Disk::new(Settings::default());
    let (env, folder) = (disk.env(), Path::new("/p0.db.d"));
    let mut model = Model::new(&disk.image());
    disk.start_recording();
    env.host.make_dir(folder).unwrap();
    let path = folder.join("family.meta");
    lv::create_catalogue(&env, &path, (FamilyUuid::from_bytes([1; 16]), LvUuid::from_bytes([2; 16])), (7, 0)).unwrap();
    disk.take_log().iter().for_each(|op| model.apply(op));
    // `None`: nothing that a crash could take is left.
    let left = model.image(Mode::Drop, 0).unwrap_or_else(|| disk.image());
    assert!(left.file("/p0.db.d/family.meta").is_some(), "{:?}", left.list());
}
