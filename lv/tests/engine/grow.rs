//! Volumes that become larger while they are active.

use std::sync::Arc;

use anyfs_lvm_lv::{Ino, LvError, NewNode, Volume};
use pv::{ExtentStore, LeCount, LeIndex, MemStore, PeIndex, PvUuid};
use vg::{PvSlot, Segment, SegmentKind, StripeLeg, VolumeExtents};

use super::support::{Rig, contents, pattern};

const EXTENT: u64 = 16 * 1024;

/// The map with `count` more extents at its end, on `pv` from `pe` on.
fn longer(extents: &VolumeExtents, count: u32, (pv, pe): (PvUuid, u32)) -> VolumeExtents {
    let kind = SegmentKind::Linear(StripeLeg { pv, pe: PeIndex(pe) });
    let more = Segment { start: LeIndex(extents.count().0), count: LeCount(count), kind };
    let segments = extents.segments.iter().cloned().chain([more]).collect();
    VolumeExtents { segments, ..extents.clone() }
}

/// One more PV, named before the others.
fn with_pv(extents: &VolumeExtents, store: Option<Arc<dyn ExtentStore>>) -> (VolumeExtents, PvUuid) {
    let slot = PvSlot { uuid: PvUuid::random().unwrap(), path: extents.pvs[0].path.clone(), store };
    let uuid = slot.uuid;
    let pvs = [slot].into_iter().chain(extents.pvs.iter().cloned()).collect();
    (VolumeExtents { pvs, ..extents.clone() }, uuid)
}

/// Fills a volume until it is full; the files with what they hold.
fn fill(volume: &Volume, from: u64) -> Vec<(Ino, Vec<u8>)> {
    let mut made = Vec::new();
    for number in from.. {
        let data = pattern(number, 10_000);
        let ino = match volume.create(Ino::ROOT, format!("{number}").as_bytes(), &NewNode::file(0o644)) {
            Ok(attr) => attr.ino,
            Err(LvError::NoSpace { .. }) => break,
            Err(other) => panic!("{other}"),
        };
        match volume.write(ino, 0, &data) {
            Ok(()) => made.push((ino, data)),
            Err(LvError::NoSpace { .. }) => break,
            Err(other) => panic!("{other}"),
        }
    }
    volume.sync().unwrap();
    made
}

#[test]
fn a_full_volume_that_grows_can_be_filled_further() {
    let mut rig = Rig::new(2, 40, EXTENT);
    let volume = rig.open();
    let mut files = fill(&volume, 0);
    let before = volume.statfs().unwrap();
    // On a PV that it has, and then on one that it gets.
    let first = longer(&rig.extents, 40, (rig.extents.pvs[0].uuid, 40));
    volume.grow(&first).unwrap();
    let between = volume.statfs().unwrap();
    assert!(between.total > before.total + 35 * EXTENT && between.free > before.free + 35 * EXTENT, "{between:?}");
    files.extend(fill(&volume, 10_000));
    let (more, uuid) = with_pv(&first, Some(Arc::new(MemStore::default())));
    let second = longer(&more, 40, (uuid, 0));
    volume.grow(&second).unwrap();
    assert_eq!(volume.extents().pvs.len(), 3);
    assert_eq!(volume.extents().pvs[0].uuid, rig.extents.pvs[0].uuid, "what it has keeps its place");
    files.extend(fill(&volume, 20_000));
    assert!(volume.statfs().unwrap().used > before.used + 70 * EXTENT);
    for (ino, data) in &files {
        assert!(contents(&volume, *ino) == *data);
    }
    volume.close().unwrap();
    rig.extents = second;
    rig.check();
    let volume = rig.open();
    for (ino, data) in &files {
        assert!(contents(&volume, *ino) == *data);
    }
}

#[test]
fn what_was_written_to_new_extents_is_there_after_a_crash() {
    let mut rig = Rig::new(1, 40, EXTENT);
    let volume = rig.open();
    fill(&volume, 0);
    let (more, uuid) = with_pv(&rig.extents, Some(Arc::new(MemStore::default())));
    let grown = longer(&more, 40, (uuid, 0));
    volume.grow(&grown).unwrap();
    let files = fill(&volume, 10_000);
    assert!(files.len() > 40);
    volume.abandon();
    rig.extents = grown;
    let volume = rig.open();
    for (ino, data) in &files {
        assert!(contents(&volume, *ino) == *data);
    }
    volume.close().unwrap();
    rig.check();
}

#[test]
fn a_map_that_does_not_continue_the_volumes_own_changes_nothing() {
    let rig = Rig::new(2, 40, EXTENT);
    let volume = rig.open();
    let before = volume.statfs().unwrap();
    let own = &rig.extents;
    let other = Rig::new(2, 80, EXTENT).extents;
    let shorter = VolumeExtents { segments: own.segments.iter().take(1).cloned().collect(), ..own.clone() };
    let mut moved: Vec<Segment> = longer(own, 8, (own.pvs[0].uuid, 40)).segments.to_vec();
    moved[0].kind = SegmentKind::Linear(StripeLeg { pv: own.pvs[0].uuid, pe: PeIndex(100) });
    let moved = VolumeExtents { segments: moved.into(), ..own.clone() };
    let (without, uuid) = with_pv(own, None);
    let missing = longer(&without, 8, (uuid, 0));
    for (wrong, why) in [
        (&other, "these are not the extents of the volume"),
        (&shorter, "a volume that is open cannot become smaller"),
        (&moved, "extents of a volume that is open have another place"),
        (&missing, "a physical volume that was added is missing"),
    ] {
        assert_eq!(volume.grow(wrong).unwrap_err().to_string(), why);
        assert_eq!((volume.statfs().unwrap(), volume.extents().pvs.len()), (before, 2));
    }
    volume.grow(own).unwrap();
    assert_eq!(volume.statfs().unwrap(), before);
    volume.close().unwrap();
    let reading = anyfs_lvm_lv::VolumeOptions { read_only: true, ..rig.options };
    let volume = Volume::activate(&rig.env, own.clone(), &rig.copies, reading, &mut |_, _| Ok(())).unwrap();
    assert!(matches!(volume.grow(&longer(own, 8, (own.pvs[0].uuid, 40))), Err(LvError::ReadOnly)));
}
