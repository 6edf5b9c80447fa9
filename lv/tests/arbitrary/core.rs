//! The volume's own methods.

use anyfs_lvm_lv::{
    CheckOptions, CheckReport, CopyPlace, Ino, LockOwner, LvError, NewNode, Reader, Transaction, Volume, Writer,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use pv::{LeCount, LeIndex, PeIndex};
use std::io::{Read, Seek, SeekFrom, Write};
use vg::{Segment, SegmentKind, StripeLeg, VolumeExtents};

use super::arguments::{Arguments, arguments};
use super::support::Rig;

type Outcome = Result<(), LvError>;
type Call = fn(&Volume, &Arguments) -> Outcome;
type SureCall = fn(&Volume, &Arguments);

/// Tables a call by the name of its method.
macro_rules! calls {
    ($($name:ident: |$volume:ident, $a:ident| $call:expr;)*) => {
        pub(crate) const CALLS: &[(&str, Call)] = &[$((stringify!($name), |$volume, $a| $call.map(drop))),*];
    };
}

calls! {
    lookup: |volume, a| volume.lookup(a.inos[0], &a.names[0]);
    resolve: |volume, a| volume.resolve(&a.names[0], a.flag());
    resolve_parent: |volume, a| volume.resolve_parent(&a.names[0]);
    resolve_missing: |volume, a| volume.resolve_missing(&a.names[0]);
    getattr: |volume, a| volume.getattr(a.inos[0]);
    setattr: |volume, a| volume.setattr(a.inos[0], &a.set());
    create: |volume, a| volume.create(a.inos[0], &a.names[0], &a.node());
    create_nameless: |volume, a| volume.create_nameless(a.inos[0], &a.node());
    give_name: |volume, a| volume.give_name(a.inos[0], a.inos[1], &a.names[0]);
    mkdir: |volume, a| volume.mkdir(a.inos[0], &a.names[0], &a.node());
    mkdir_all: |volume, a| volume.mkdir_all(&a.names[0], &a.node());
    symlink: |volume, a| volume.symlink(a.inos[0], &a.names[0], &a.names[1], &a.node());
    readlink: |volume, a| volume.readlink(a.inos[0]);
    link: |volume, a| volume.link(a.inos[0], a.inos[1], &a.names[0]);
    unlink: |volume, a| volume.unlink(a.inos[0], &a.names[0]);
    rmdir: |volume, a| volume.rmdir(a.inos[0], &a.names[0]);
    rename: |volume, a| volume.rename((a.inos[0], &a.names[0]), (a.inos[1], &a.names[1]), a.rename());
    readdir: |volume, a| volume.readdir(a.inos[0], a.cookie, a.count());
    read: |volume, a| volume.read(a.inos[0], a.offs[0], &mut a.bytes.clone());
    write: |volume, a| volume.write(a.inos[0], a.offs[0], &a.bytes);
    write_back: |volume, a| volume.write_back(a.inos[0], a.offs[0], &a.bytes);
    accessed: |volume, a| volume.accessed(a.inos[0], a.access());
    append: |volume, a| volume.append(a.inos[0], &a.bytes);
    replace: |volume, a| volume.replace(a.inos[0], &a.bytes);
    read_all: |volume, a| volume.read_all(a.inos[0]);
    copy_file: |volume, a| volume.copy_file(a.inos[0], a.inos[1]);
    copy_range: |volume, a| volume.copy_range((a.inos[0], a.offs[0]), (a.inos[1], a.offs[1]), a.len);
    punch: |volume, a| volume.punch(a.inos[0], a.offs[0], a.offs[1]);
    zero: |volume, a| volume.zero(a.inos[0], a.offs[0], a.offs[1], a.flag());
    allocate: |volume, a| volume.allocate(a.inos[0], a.offs[0], a.offs[1], a.flag());
    seek: |volume, a| volume.seek(a.inos[0], a.offs[0], a.seek());
    open: |volume, a| volume.open(a.inos[0]);
    release: |volume, a| volume.release(a.inos[0]);
    fsync: |volume, a| volume.fsync(a.inos[0]);
    sync: |volume, _a| volume.sync();
    check: |volume, a| volume.check(CheckOptions { data: a.flag(), pages: a.flag() }).inspect(clean);
    statfs: |volume, _a| volume.statfs();
    usage: |volume, _a| volume.usage();
    step: |volume, a| volume.step(a.work());
    path_of: |volume, a| volume.path_of(a.inos[0]);
    parent_of: |volume, a| volume.parent_of(a.inos[0]);
    getxattr: |volume, a| volume.getxattr(a.inos[0], &a.names[0]);
    listxattr: |volume, a| volume.listxattr(a.inos[0]);
    setxattr: |volume, a| volume.setxattr(a.inos[0], &a.names[0], &a.bytes, a.xattr());
    removexattr: |volume, a| volume.removexattr(a.inos[0], &a.names[0]);
    readdir_plus: |volume, a| volume.readdir_plus(a.inos[0], a.cookie, a.count());
    lock: |volume, a| volume.lock(a.inos[0], ONE, a.offs[0]..a.offs[1], a.lock());
    try_lock: |volume, a| volume.try_lock(a.inos[0], ONE, a.offs[0]..a.offs[1], a.lock());
    find_lock: |volume, a| volume.find_lock(a.inos[0], OTHER, a.offs[0]..a.offs[1], a.lock());
    unlock: |volume, a| volume.unlock(a.inos[0], ONE, a.offs[0]..a.offs[1]);
    lock_file: |volume, a| volume.lock_file(a.inos[0], ONE, a.lock());
    try_lock_file: |volume, a| volume.try_lock_file(a.inos[0], ONE, a.lock());
    transaction: |volume, a| volume.transaction(|tx| together(tx, a));
    add_copy: |volume, a| volume.add_copy(&nowhere(a), &mut |_| Ok(()));
    grow: |volume, a| volume.grow(&map(volume, a));
}

/// The volume's own map, or one with a segment of any length at a place of its own, or somewhere else, or of another volume.
fn map(volume: &Volume, a: &Arguments) -> VolumeExtents {
    let (own, [number, ..]) = (volume.extents(), a.number.to_le_bytes());
    let kind = SegmentKind::Linear(StripeLeg { pv: pv::PvUuid::from_bytes([number; 16]), pe: PeIndex(u32::MAX) });
    let start = LeIndex(if a.flag() { own.count().0 } else { u32::from(number) });
    let more = Segment { start, count: LeCount(u32::MAX - u32::from(number) * 7), kind };
    match a.count() % 4 {
        0 => VolumeExtents { segments: own.segments.iter().cloned().chain([more]).collect(), ..own },
        1 => VolumeExtents { segments: [more].into(), ..own },
        2 => VolumeExtents { lv: pv::LvUuid::from_bytes([number; 16]), ..own },
        _ => own,
    }
}

/// A place where no copy can be made.
fn nowhere(a: &Arguments) -> CopyPlace {
    let pv = pv::PvUuid::from_bytes([u8::from(a.flag()); 16]);
    CopyPlace { pv, path: "/there/is/no/such/folder/c.meta".into() }
}

/// One owner takes locks, so that none waits for another.
const ONE: LockOwner = LockOwner(7);
const OTHER: LockOwner = LockOwner(8);

/// Calls that cannot fail.
pub(crate) const SURE: &[(&str, SureCall)] = &[
    ("lock_owner", |volume, _| assert_ne!(volume.lock_owner(), volume.lock_owner())),
    ("unlock_file", |volume, a| volume.unlock_file(a.inos[0], ONE)),
    ("unlock_all", |volume, a| volume.unlock_all(if a.flag() { ONE } else { OTHER })),
    ("notices", |volume, _| assert!(volume.notices().is_empty())),
    ("is_read_only", |volume, _| assert!(!volume.is_read_only())),
    ("env", |volume, _| assert!(!volume.env().threads)),
    ("extents", |volume, _| assert!(volume.extents().count().0 > 0)),
    ("family", |volume, _| assert_eq!(volume.family(), volume.extents().family)),
    ("meters", |volume, _| assert!(volume.meters().metadata.count >= volume.meters().metadata.timed)),
    ("cancel_lock", |volume, _| volume.cancel_lock(ONE)),
];

/// Everything that a transaction can do, whatever becomes of it; kept or not.
fn together(tx: &mut Transaction<'_>, a: &Arguments) -> Outcome {
    let outcomes = [
        tx.lookup(a.inos[0], &a.names[0]).map(drop),
        tx.resolve(&a.names[0], a.flag()).map(drop),
        tx.resolve_parent(&a.names[0]).map(drop),
        tx.create(a.inos[0], &a.names[0], &a.node()).map(drop),
        tx.mkdir(a.inos[0], &a.names[1], &a.node()).map(drop),
        tx.symlink(a.inos[0], &a.names[1], &a.names[0], &a.node()).map(drop),
        tx.link(a.inos[0], a.inos[1], &a.names[0]).map(drop),
        tx.write(a.inos[0], a.offs[0], &a.bytes),
        tx.append(a.inos[1], &a.bytes).map(drop),
        tx.punch(a.inos[0], a.offs[0], a.offs[1]),
        tx.read(a.inos[0], a.offs[0], &mut a.bytes.clone()).map(drop),
        tx.setattr(a.inos[0], &a.set()).map(drop),
        tx.setxattr(a.inos[0], &a.names[0], &a.bytes, a.xattr()),
        tx.getxattr(a.inos[0], &a.names[0]).map(drop),
        tx.listxattr(a.inos[0]).map(drop),
        tx.removexattr(a.inos[0], &a.names[1]),
        tx.rename((a.inos[0], &a.names[0]), (a.inos[1], &a.names[1]), a.rename()),
        tx.readdir(a.inos[0], a.cookie, a.count()).map(drop),
        tx.readlink(a.inos[0]).map(drop),
        tx.getattr(a.inos[0]).map(drop),
        tx.replace(a.inos[1], &a.bytes),
        tx.unlink(a.inos[0], &a.names[0]),
        tx.rmdir(a.inos[0], &a.names[0]),
    ];
    for outcome in &outcomes {
        told("in a transaction", outcome);
    }
    if a.flag() { Ok(()) } else { outcomes.into_iter().collect() }
}

/// What begins, ends and clones a volume; the test below does all of it.
pub(crate) const LIFE: &[&str] = &["activate", "close", "abandon"];

/// Whatever a volume was asked to do, nothing in it contradicts itself.
fn clean(report: &CheckReport) {
    assert!(report.is_clean(), "{:#?}", report.problems);
}

/// A little of everything, so that some arguments are right.
pub(crate) fn fill(volume: &Volume) {
    let (file, dir) = (NewNode::file(0o644), NewNode::directory(0o755));
    let below = volume.mkdir(Ino::ROOT, b"dir", &dir).unwrap().ino;
    for (parent, name) in [(Ino::ROOT, b"a"), (Ino::ROOT, b"b"), (below, b"a")] {
        let made = volume.create(parent, name, &file).unwrap().ino;
        volume.write(made, 1000, &[1; 9000]).unwrap();
        volume.setxattr(made, b"user.a", b"value", anyfs_lvm_lv::SetXattr::Any).unwrap();
    }
    volume.symlink(Ino::ROOT, b"link", b"dir/a", &file).unwrap();
    volume.symlink(Ino::ROOT, b"loop", b"loop", &file).unwrap();
    for n in 0..8 {
        volume.create(below, format!("{n}").as_bytes(), &file).unwrap();
    }
}

pub(crate) fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

/// An error says in one line what is wrong.
fn told(name: &str, outcome: &Outcome) {
    let Err(error) = outcome else { return };
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{name}: {text}");
    assert!(error.errno() > 0, "{name}: {text}");
}

#[test]
fn every_call_returns_whatever_it_is_given() {
    let calls = prop::collection::vec((0..CALLS.len(), arguments()), 1..40);
    let checked = runner(600).run(&(calls, any::<bool>()), |(calls, committed)| {
        let mut rig = Rig::new(1, 64, 4096);
        rig.options.cached_rows = 16;
        let mut volume = rig.open();
        fill(&volume);
        if committed {
            volume.close().unwrap();
            volume = rig.open();
        }
        for (n, a) in &calls {
            let (name, call) = CALLS[*n];
            let outcome = call(&volume, a);
            told(name, &outcome);
            let (_, sure) = SURE[n % SURE.len()];
            sure(&volume, a);
            // No call with wrong arguments stops the volume.
            prop_assert!(volume.getattr(Ino::ROOT).is_ok(), "{} {:?}: {:?}", name, a, volume.getattr(Ino::ROOT));
        }
        clean(&volume.check(CheckOptions::ALL).unwrap());
        volume.abandon();
        rig.open().close().unwrap();
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn every_call_on_a_closed_volume_is_an_error() {
    let checked = runner(20).run(&arguments(), |a| {
        for abandoned in [false, true] {
            let rig = Rig::new(1, 64, 65536);
            let volume = rig.open();
            fill(&volume);
            let other = volume.clone();
            if abandoned {
                other.abandon();
            } else {
                other.close().unwrap();
            }
            for (name, call) in CALLS {
                let outcome = call(&volume, &a);
                told(name, &outcome);
                prop_assert!(outcome.is_err(), "{} on a closed volume", name);
            }
            for (_, call) in SURE {
                call(&volume, &a);
            }
            volume.close().unwrap();
        }
        Ok(())
    });
    checked.unwrap();
}

#[test]
fn streams_seek_anywhere_and_read_or_write_or_say_why_not() {
    let rig = Rig::new(1, 64, 4096);
    let volume = rig.open();
    fill(&volume);
    let seeks = prop_oneof![
        any::<u64>().prop_map(SeekFrom::Start),
        any::<i64>().prop_map(SeekFrom::End),
        any::<i64>().prop_map(SeekFrom::Current),
        (-20_000i64..20_000).prop_map(SeekFrom::Current),
    ];
    let checked = runner(300).run(&(arguments(), prop::collection::vec(seeks, 1..6)), |(a, seeks)| {
        let (Ok(mut reader), Ok(mut writer)) = (Reader::open(&volume, a.inos[0]), Writer::open(&volume, a.inos[0]))
        else {
            return Ok(());
        };
        for to in seeks {
            drop(reader.seek(to));
            drop(reader.read(&mut [0; 100]));
            drop(writer.seek(to));
            drop(writer.write(&a.bytes[..a.bytes.len().min(100)]));
            writer.flush().unwrap();
        }
        volume.setattr(a.inos[0], &anyfs_lvm_lv::SetAttr { size: Some(9000), ..Default::default() }).ok();
        prop_assert!(volume.getattr(Ino::ROOT).is_ok());
        Ok(())
    });
    checked.unwrap();
}
