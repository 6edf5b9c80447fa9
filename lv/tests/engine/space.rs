//! Space: compaction, quarantine, the hidden reserve.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyfs_lvm_lv::{Ino, LvError, NewNode, SetAttr, SetXattr, Volume, VolumeOptions, Work};
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

/// Bytes that several files name move like all others, once, and all files name the copy.
#[test]
fn what_is_left_of_shared_bytes_takes_no_more_room_than_df_shows() {
    let rig = Rig::new(1, 100, 4096);
    let volume = rig.open();
    let create = |name: &[u8]| volume.create(Ino::ROOT, name, &NewNode::file(0o600)).unwrap().ino;
    let (first, second, third) = (create(b"first"), create(b"second"), create(b"third"));
    let mut one = pattern(1, 163_840);
    volume.write(first, 0, &one).unwrap();
    volume.copy_range((first, 0), (second, 0), 163_840).unwrap();
    // Half a block further on: pieces of two files overlap in part.
    volume.copy_range((first, 0), (third, 2048), 8192).unwrap();
    let (mut two, mut three) = (one.clone(), [vec![0; 2048], one[..8192].to_vec()].concat());
    volume.sync().unwrap();
    for block in (0..163_840u64).step_by(4096) {
        for (file, held) in [(first, &mut one), (second, &mut two), (third, &mut three)] {
            let (off, new) = (block + 150, pattern(block + file.0, 3800));
            let at = usize::try_from(off).unwrap();
            let Some(held) = held.get_mut(at..at + 3800) else { continue };
            let free = volume.statfs().unwrap().free;
            assert!(free > 3800, "{free} bytes free at block {block}");
            volume.write(file, off, &new).unwrap();
            volume.step(Work::Flush).unwrap();
            held.copy_from_slice(&new);
        }
    }
    let last = create(b"last");
    let mut filled = 0;
    while volume.statfs().unwrap().free >= 1000 {
        volume.write(last, filled, &pattern(filled, 1000)).unwrap();
        volume.step(Work::Flush).unwrap();
        filled += 1000;
    }
    assert!(filled > 8192, "{filled} bytes");
    let right = |volume: &Volume| {
        contents(volume, first) == one && contents(volume, second) == two && contents(volume, third) == three
    };
    assert!(right(&volume));
    volume.close().unwrap();
    assert!(rig.check().is_clean() && right(&rig.open()));
}

/// A file may borrow from itself, also to where the lender's own bytes were.
#[test]
fn extents_are_emptied_whoever_borrows_from_them() {
    let rig = Rig::new(1, 40, 65536);
    let volume = rig.open();
    let file = volume.create(Ino::ROOT, b"f", &NewNode::file(0o600)).unwrap().ino;
    volume.write(file, 0, &pattern(1, 4 * 65536)).unwrap();
    volume.step(Work::Flush).unwrap();
    let mut held = pattern(1, 4 * 65536);
    for block in (0..4 * 65536u64).step_by(65536) {
        volume.copy_range((file, block), (file, block + 20_000), 10_000).unwrap();
        volume.punch(file, block + 30_000, block + 65_536).unwrap();
        let at = usize::try_from(block).unwrap();
        held.copy_within(at..at + 10_000, at + 20_000);
        held[at + 30_000..at + 65_536].fill(0);
    }
    volume.sync().unwrap();
    let free = || volume.usage().map(|usage| usage.free_extents + usage.quarantined_extents).unwrap();
    assert_eq!(free(), 36);
    let rounds = (0..20).take_while(|_| {
        let more = volume.step(Work::Compact).unwrap();
        volume.sync().unwrap();
        more
    });
    assert!(rounds.count() < 5, "it goes on for ever");
    // 20,000 bytes of each, once.
    assert_eq!(free(), 38);
    assert!(contents(&volume, file) == held);
    volume.close().unwrap();
    rig.check();
    assert!(contents(&rig.open(), file) == held);
}

/// Of each extent a little is named very often, and nothing else.
#[test]
fn what_is_named_very_often_takes_no_more_room_than_df_shows() {
    // Of 1,200 names each moves whole, and counts so; of 300 it moves in pieces.
    for (names, filled_least) in [(1200u64, 0), (300, 2 << 20)] {
        let rig = Rig::new(1, 60, 65536);
        let volume = rig.open();
        let create = |name: &[u8]| volume.create(Ino::ROOT, name, &NewNode::file(0o600)).unwrap().ino;
        let (first, second, last) = (create(b"first"), create(b"second"), create(b"last"));
        let extents = 40;
        for extent in 0..extents {
            volume.write(first, extent * 65536, &pattern(extent, 65536)).unwrap();
            volume.step(Work::Flush).unwrap();
        }
        for (extent, name) in (0..extents).flat_map(|extent| (0..names).map(move |name| (extent, name))) {
            let to = (extent * names + name) * 64;
            volume.copy_range((first, extent * 65536 + name * 16), (second, to), 16).unwrap();
        }
        volume.punch(first, 0, extents * 65536).unwrap();
        volume.sync().unwrap();
        let mut filled = 0;
        while volume.statfs().unwrap().free >= 50_000 {
            volume.write(last, filled, &pattern(filled, 50_000)).unwrap();
            volume.sync().unwrap();
            filled += 50_000;
        }
        assert!(filled > filled_least, "{filled} bytes beside {names} names of each extent");
        assert!(contents(&volume, last)[..50_000] == pattern(0, 50_000));
        for (extent, name) in [(0, 0), (7, names - 1), (extents - 1, 17)] {
            let mut found = [0; 16];
            volume.read(second, (extent * names + name) * 64, &mut found).unwrap();
            let at = usize::try_from(name * 16).unwrap();
            assert!(found == pattern(extent, 65536)[at..at + 16], "extent {extent}, name {name}");
        }
        // With few names left it moves in pieces again, and counts so.
        for name in 0..names - 3 {
            volume.punch(second, name * 64, name * 64 + 64).unwrap();
        }
        volume.close().unwrap();
        rig.check();
    }
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
