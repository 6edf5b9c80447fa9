//! Space: compaction, quarantine, the hidden reserve.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyfs_lvm_lv::{Ino, LvError, NewNode, SetAttr, SetXattr, VolumeOptions, Work};
use pv::Env;

use super::support::{Rig, contents, pattern};

#[test]
fn a_pool_90_percent_full_and_overwritten_five_times_never_runs_out_of_space_that_df_shows() {
    for threads in [false, true] {
        let mut rig = Rig::new(2, 120, 65536);
        rig.env = Env { threads, ..Env::system() };
        let volume = rig.open();
        let total = volume.statfs().unwrap().total;
        let chunk = 8192usize;
        let chunks = total * 9 / 10 / chunk as u64;
        let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
        let mut seeds: Vec<u64> = (0..chunks).collect();
        for (n, seed) in seeds.iter().enumerate() {
            volume.write(file, (n * chunk) as u64, &pattern(*seed, chunk)).unwrap();
        }
        let mut random = 12345u64;
        for round in 0..chunks * 5 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let n = (random >> 33) as usize % seeds.len();
            let free = volume.statfs().unwrap().free;
            seeds[n] = round + 1_000_000;
            volume
                .write(file, (n * chunk) as u64, &pattern(seeds[n], chunk))
                .unwrap_or_else(|error| panic!("round {round}, df showed {free}: {error}"));
            if round % 997 == 0 {
                volume.fsync(file).unwrap();
            }
        }
        let expected: Vec<u8> = seeds.iter().flat_map(|seed| pattern(*seed, chunk)).collect();
        assert!(contents(&volume, file) == expected);
        volume.close().unwrap();
        assert!(contents(&rig.open(), file) == expected);
    }
}

#[test]
fn a_full_volume_says_so_and_deleting_works() {
    let rig = Rig::new(2, 16, 65536);
    let volume = rig.open();
    let total = volume.statfs().unwrap().total;
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    let mut at = 0u64;
    let error = loop {
        match volume.write(file, at, &pattern(at, 50_000)) {
            Ok(()) => at += 50_000,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, LvError::NoSpace { free, needed: 50_000 } if free < 50_000), "{error}");
    assert!(at + 50_000 > total, "full at {at} of {total}");
    assert_eq!(error.errno(), 28);
    volume.sync().unwrap();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    let file = volume.create(Ino::ROOT, b"g", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(7, 600_000)).unwrap();
    volume.sync().unwrap();
    assert!(contents(&volume, file) == pattern(7, 600_000));
}

#[test]
fn freed_extents_stay_untouched_for_the_grace_period_and_across_a_restart() {
    let mut rig = Rig::new(1, 64, 65536);
    rig.options = VolumeOptions { grace: Duration::from_secs(3600), ..rig.options };
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 6 * 65536)).unwrap();
    volume.step(Work::Flush).unwrap();
    volume.sync().unwrap();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    volume.sync().unwrap();
    assert_eq!(volume.usage().unwrap().quarantined_extents, 6);
    assert!(!volume.step(Work::Delete).unwrap(), "nothing may be deleted yet");
    volume.close().unwrap();

    let volume = rig.open();
    assert_eq!(volume.usage().unwrap().quarantined_extents, 6);
    assert!(!volume.step(Work::Delete).unwrap(), "nothing may be deleted yet");
    volume.close().unwrap();

    rig.options = VolumeOptions { grace: Duration::ZERO, ..rig.options };
    let volume = rig.open();
    assert!(volume.step(Work::Delete).unwrap());
    assert_eq!(volume.usage().unwrap().quarantined_extents, 0);
    assert_eq!(volume.usage().unwrap().free_extents, 64);
}

#[test]
fn the_hidden_reserve_is_the_same_after_a_restart_of_a_full_volume() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let total = volume.statfs().unwrap().total;
    assert_eq!(total, (64 - 5) * 65536, "7 % of 64 extents, rounded up, are kept back");
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, usize::try_from(total).unwrap())).unwrap();
    volume.sync().unwrap();
    assert_eq!(volume.statfs().unwrap().free, 0);
    assert!(volume.usage().unwrap().free_extents >= 4);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(volume.statfs().unwrap().free, 0);
    assert!(matches!(volume.write(file, 0, b"x"), Err(LvError::NoSpace { .. })));
    // The reserve is what makes this possible.
    volume.unlink(Ino::ROOT, b"f").unwrap();
    let file = volume.create(Ino::ROOT, b"g", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(2, usize::try_from(total).unwrap())).unwrap();
    assert!(contents(&volume, file) == pattern(2, usize::try_from(total).unwrap()));
}

#[test]
fn names_change_while_no_pv_is_there_and_data_is_refused_for_want_of_extents() {
    let mut rig = Rig::new(1, 16, 65536);
    rig.open().close().unwrap();
    let mut slots = rig.extents.pvs.to_vec();
    slots[0].store = None;
    rig.extents.pvs = slots.into();
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.setxattr(file, b"user.a", b"value", SetXattr::Any).unwrap();
    volume.sync().unwrap();
    let error = volume.write(file, 0, &pattern(1, 4096)).unwrap_err();
    assert!(matches!(error, LvError::NoSpace { free: 0, needed: 4096 }), "{error}");
    volume.close().unwrap();
    assert_eq!(rig.open().lookup(Ino::ROOT, b"f").unwrap().ino, file);
}

#[test]
fn what_is_accepted_while_a_pv_is_away_can_be_synced() {
    let mut rig = Rig::new(2, 24, 4096);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    // Over both PVs, half of all there is.
    let len = usize::try_from(volume.statfs().unwrap().total / 2).unwrap();
    volume.write(file, 0, &pattern(1, len)).unwrap();
    volume.close().unwrap();
    let whole = rig.extents.pvs.clone();
    let mut slots = whole.to_vec();
    slots[1].store = None;
    rig.extents.pvs = slots.into();

    let volume = rig.open();
    // What is overwritten on the PV that is away gives no room until it is back.
    let mut refused = 0;
    for at in (0..len).step_by(1024) {
        let seed = u64::try_from(at).unwrap();
        match volume.write(file, seed, &pattern(seed, 1024)) {
            Ok(()) => {}
            Err(LvError::NoSpace { free, needed: 1024 }) if free < 1024 => refused += 1,
            Err(error) => panic!("byte {at}: {error}"),
        }
        volume.step(Work::Flush).unwrap_or_else(|error| panic!("flush at byte {at}: {error}"));
    }
    volume.sync().unwrap();
    assert!(refused < len / 1024, "nothing could be overwritten");
    volume.close().unwrap();

    rig.extents.pvs = whole;
    let volume = rig.open();
    volume.unlink(Ino::ROOT, b"f").unwrap();
    volume.sync().unwrap();
    let space = volume.statfs().unwrap();
    assert_eq!(space.free, space.total);
}

/// Of a slice that is shared only what is left of it counts, but it moves whole: compaction has to gain extents around it.
#[test]
fn what_was_accepted_is_placed_beside_a_slice_that_moves_whole() {
    let rig = Rig::new(2, 12, 4096);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o644)).unwrap().ino;
    volume.write(file, 56_216, &[7; 3878]).unwrap();
    volume.copy_range((file, 19_270), (file, 16_772_216), 37_117).unwrap();
    let (mut refused, mut placed, mut random) = (0, 0, 1u64);
    for _ in 0..3000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (off, len) = ((random >> 40) % 120_000, 1 + (random >> 20) % 16_384);
        match volume.write(file, off, &vec![1; usize::try_from(len).unwrap()]) {
            Ok(()) => placed += 1,
            Err(LvError::NoSpace { .. }) => {
                refused += 1;
                volume.punch(file, off, off + 30_000).unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        volume.step(Work::Flush).unwrap();
        if random % 3 == 0 {
            volume.step(Work::Clean { idle: true }).unwrap();
        }
    }
    assert!(refused > 100 && placed > 1000, "{refused} refused, {placed} placed");
}

#[test]
fn what_was_just_freed_is_there_for_who_needs_it_whatever_goes_on_besides() {
    let rig = Rig::new(1, 24, 4096);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    let (stop, rounds) = (AtomicBool::new(false), 600u64);
    let refused = std::thread::scope(|scope| {
        // What is free and what will be is enough for everybody, so who tidies up sees no shortage.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                volume.step(Work::Clean { idle: false }).unwrap();
            }
        });
        // Another extent each time, which frees the one before, and commits enough for this to be over.
        let write = |round| {
            volume.write(file, 0, &pattern(round, 3000))?;
            volume.step(Work::Flush)?;
            (0..3).try_for_each(|n| {
                volume.setattr(file, &SetAttr { mtime: Some(n), ..SetAttr::default() })?;
                volume.sync()
            })
        };
        let refused = (0..rounds).find_map(|round| Some((round, write(round).err()?, volume.statfs().unwrap().free)));
        stop.store(true, Ordering::Relaxed);
        refused
    });
    assert!(refused.is_none(), "round, error, and what df showed: {refused:?}");
    volume.sync().unwrap();
    assert!(contents(&volume, file) == pattern(rounds - 1, 3000));
}
