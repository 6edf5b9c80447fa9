//! Transactions: whole or not at all, for others, after a failure and after a crash.

use std::collections::BTreeMap;

use anyfs_lvm_lv::{
    Attr, Ino, Kind, LockKind, LvError, NewNode, Quota, Rename, SetAttr, SetXattr, Transaction, Volume, VolumeOptions,
    Work,
};
use proptest::prelude::*;

use super::support::{Rig, contents, pattern};

type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// Everything in a volume by path: attributes, contents, extended attributes.
fn dump(volume: &Volume) -> BTreeMap<Vec<u8>, (Attr, Vec<u8>, Xattrs)> {
    let mut all = BTreeMap::new();
    let mut todo = vec![(b"/".to_vec(), Ino::ROOT)];
    while let Some((path, ino)) = todo.pop() {
        let attr = volume.getattr(ino).unwrap();
        let bytes = match attr.kind {
            Kind::File => contents(volume, ino),
            Kind::Symlink => volume.readlink(ino).unwrap(),
            _ => Vec::new(),
        };
        if attr.kind == Kind::Directory {
            for entry in volume.readdir(ino, 0, usize::MAX).unwrap() {
                todo.push(([path.as_slice(), &entry.name, b"/"].concat(), entry.ino));
            }
        }
        let names = volume.listxattr(ino).unwrap();
        let xattrs = names.into_iter().map(|name| (name.clone(), volume.getxattr(ino, &name).unwrap())).collect();
        // Where bytes lie changes in the background.
        all.insert(path, (Attr { stored: 0, ..attr }, bytes, xattrs));
    }
    all
}

fn file(mode: u32) -> NewNode {
    NewNode::file(mode)
}

#[test]
fn a_transaction_happens_whole_or_not_at_all() {
    let rig = Rig::new(2, 64, 65536);
    let volume = rig.open();
    let kept = volume.create(Ino::ROOT, b"kept", &file(0o600)).unwrap().ino;
    volume.write(kept, 0, &pattern(1, 5000)).unwrap();
    let before = dump(&volume);
    let files = volume.statfs().unwrap().files;
    let failed = volume.transaction(|tx| {
        let dir = tx.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755))?.ino;
        let made = tx.create(dir, b"made", &file(0o644))?.ino;
        tx.write(made, 0, &pattern(2, 9000))?;
        tx.write(kept, 2000, b"changed")?;
        tx.setxattr(kept, b"user.x", b"1", SetXattr::Any)?;
        tx.rename((Ino::ROOT, b"kept"), (dir, b"moved"), Rename::Replace)?;
        // It sees what it did.
        let mut seen = [0u8; 7];
        assert_eq!(tx.read(kept, 2000, &mut seen)?, 7);
        assert_eq!((&seen, tx.resolve(b"/dir/moved", true)?.ino), (b"changed", kept));
        tx.unlink(dir, b"moved")?;
        tx.create(dir, b"made", &file(0o644))
    });
    assert!(matches!(failed, Err(LvError::Exists { .. })), "{failed:?}");
    assert_eq!(dump(&volume), before);
    assert_eq!(volume.statfs().unwrap().files, files);
    volume.close().unwrap();
    let volume = rig.open();
    assert_eq!(dump(&volume), before);
    assert_eq!(rig.rows("dirent"), 1);
}

#[test]
fn a_commit_takes_all_of_a_transaction_also_data_that_nobody_synced() {
    for len in [3000, 60_000, 400_000] {
        let mut rig = Rig::new(2, 64, 65536);
        rig.options = VolumeOptions { dirty_bytes: 4 << 20, ..rig.options };
        let volume = rig.open();
        let other = volume.create(Ino::ROOT, b"other", &file(0o600)).unwrap().ino;
        let (a, b) = volume
            .transaction(|tx| {
                let a = tx.create(Ino::ROOT, b"a", &file(0o600))?.ino;
                let b = tx.create(Ino::ROOT, b"b", &file(0o600))?.ino;
                tx.append(a, &pattern(3, len))?;
                tx.append(b, &pattern(4, len))?;
                Ok((a, b))
            })
            .unwrap();
        // Of all this only another file is synced; then the process dies.
        volume.write(other, 0, b"x").unwrap();
        volume.fsync(other).unwrap();
        volume.abandon();
        let volume = rig.open();
        assert!(contents(&volume, a) == pattern(3, len) && contents(&volume, b) == pattern(4, len), "{len} bytes");
    }
}

#[test]
fn an_inode_that_loses_its_last_name_in_a_transaction_comes_back_when_it_fails_and_goes_when_not() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let ino = volume.create(Ino::ROOT, b"f", &file(0o600)).unwrap().ino;
    volume.write(ino, 0, &pattern(1, 300_000)).unwrap();
    volume.sync().unwrap();
    let failed: Result<(), _> = volume.transaction(|tx| {
        tx.unlink(Ino::ROOT, b"f")?;
        assert_eq!(tx.getattr(ino)?.nlink, 0);
        Err(LvError::ReadOnly)
    });
    assert!(matches!(failed, Err(LvError::ReadOnly)));
    assert!(contents(&volume, ino) == pattern(1, 300_000));
    let free = volume.statfs().unwrap().free;
    volume.transaction(|tx| tx.unlink(Ino::ROOT, b"f")).unwrap();
    assert!(matches!(volume.getattr(ino), Err(LvError::NoInode { .. })));
    assert!(volume.statfs().unwrap().free >= free + 300_000);
    volume.sync().unwrap();
    assert_eq!((rig.rows("inode"), rig.rows("map")), (1, 0));
}

#[test]
fn a_transaction_that_panics_has_done_nothing_and_the_volume_goes_on() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let before = dump(&volume);
    let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<(), _> = volume.transaction(|tx| {
            tx.mkdir(Ino::ROOT, b"d", &NewNode::directory(0o755))?;
            panic!("a bug of the caller");
        });
    }));
    assert!(died.is_err());
    assert_eq!(dump(&volume), before);
    volume.mkdir(Ino::ROOT, b"d", &NewNode::directory(0o755)).unwrap();
    volume.sync().unwrap();
}

#[test]
fn calls_of_the_volume_from_inside_a_transaction_are_refused_instead_of_waiting_forever() {
    let (rig, another) = (Rig::new(1, 64, 65536), Rig::new(1, 64, 65536));
    let (volume, another) = (rig.open(), another.open());
    let inside = volume.transaction(|_| {
        another.mkdir(Ino::ROOT, b"elsewhere", &NewNode::directory(0o755))?;
        assert!(matches!(volume.transaction(|_| Ok(())), Err(LvError::Invalid { .. })));
        volume.getattr(Ino::ROOT)
    });
    assert!(matches!(inside, Err(LvError::Invalid { .. })), "{inside:?}");
    volume.getattr(Ino::ROOT).unwrap();
}

#[test]
fn a_transaction_inside_one_of_another_volume_does_not_hide_it() {
    let (rig, another) = (Rig::new(1, 64, 65536), Rig::new(1, 64, 65536));
    let (volume, another) = (rig.open(), another.open());
    let inside = volume.transaction(|_| {
        another.transaction(|_| {
            assert!(matches!(another.getattr(Ino::ROOT), Err(LvError::Invalid { .. })));
            volume.getattr(Ino::ROOT)
        })
    });
    assert!(matches!(inside, Err(LvError::Invalid { .. })), "{inside:?}");
    another.getattr(Ino::ROOT).unwrap();
}

#[test]
fn a_file_released_inside_a_transaction_is_released_when_it_ends() {
    for fails in [false, true] {
        let rig = Rig::new(1, 64, 65536);
        let volume = rig.open();
        let ino = volume.create(Ino::ROOT, b"f", &file(0o600)).unwrap().ino;
        volume.open(ino).unwrap();
        volume.unlink(Ino::ROOT, b"f").unwrap();
        let done = volume.transaction(|tx| {
            volume.release(ino)?;
            assert_eq!(tx.getattr(ino)?.nlink, 0);
            if fails { Err(LvError::ReadOnly) } else { Ok(()) }
        });
        assert_eq!(done.is_err(), fails);
        assert!(matches!(volume.getattr(ino), Err(LvError::NoInode { .. })));
        assert_eq!(volume.statfs().unwrap().files, 1);
    }
}

#[test]
fn locks_are_given_back_inside_a_transaction_while_others_ask_for_some() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let ino = volume.create(Ino::ROOT, b"f", &file(0o600)).unwrap().ino;
    let (a, b) = (volume.lock_owner(), volume.lock_owner());
    std::thread::scope(|scope| {
        let asks = scope.spawn(|| {
            for _ in 0..2000 {
                let _ = volume.try_lock(ino, b, 0..1, LockKind::Exclusive).unwrap();
                volume.unlock_all(b);
            }
        });
        while !asks.is_finished() {
            let _ = volume.try_lock(ino, a, 0..1, LockKind::Exclusive).unwrap();
            let give_back = |_: &mut Transaction<'_>| {
                volume.unlock_all(a);
                Ok(())
            };
            volume.transaction(give_back).unwrap();
        }
    });
}

#[test]
fn a_transaction_is_refused_more_than_it_can_hold() {
    let rig = Rig::new(1, 64, 65536);
    let volume = rig.open();
    let most = usize::try_from(rig.options.dirty_bytes / 4).unwrap();
    let fill = |len: usize| {
        volume.transaction(|tx| {
            let ino = tx.create(Ino::ROOT, b"f", &file(0o600))?.ino;
            tx.write(ino, 0, &pattern(1, len / 2))?;
            tx.append(ino, &pattern(2, len - len / 2))
        })
    };
    assert!(matches!(fill(most + 1), Err(LvError::TooBig { .. })));
    assert!(matches!(volume.lookup(Ino::ROOT, b"f"), Err(LvError::NotFound { .. })));
    fill(most).unwrap();
    volume.sync().unwrap();
}

#[test]
fn a_quota_stops_bytes_and_files_before_anything_is_changed() {
    let mut rig = Rig::new(1, 64, 65536);
    rig.options = VolumeOptions { quota: Quota { bytes: 100_000, files: 3 }, ..rig.options };
    let volume = rig.open();
    let a = volume.create(Ino::ROOT, b"a", &file(0o600)).unwrap().ino;
    volume.create(Ino::ROOT, b"b", &file(0o600)).unwrap();
    let one_more = volume.mkdir(Ino::ROOT, b"c", &NewNode::directory(0o755));
    assert!(
        matches!(one_more, Err(LvError::Quota { what: "files", limit: 3, usage: 3, requested: 1 })),
        "{one_more:?}"
    );
    volume.write(a, 0, &pattern(1, 90_000)).unwrap();
    // Overwriting takes nothing more, however much of it waits.
    for seed in 0..5 {
        volume.write(a, 0, &pattern(seed, 90_000)).unwrap();
    }
    let refused = volume.write(a, 90_000, &[1; 10_001]).unwrap_err();
    assert!(matches!(refused, LvError::Quota { what: "bytes", limit: 100_000, .. }), "{refused:?}");
    assert_eq!((refused.errno(), volume.getattr(a).unwrap().size), (122, 90_000));
    let inside = volume.transaction(|tx| tx.append(a, &[1; 10_001]));
    assert!(matches!(inside, Err(LvError::Quota { .. })), "{inside:?}");
    volume.write(a, 90_000, &[1; 10_000]).unwrap();
    volume.setattr(a, &SetAttr { size: Some(10), ..SetAttr::default() }).unwrap();
    volume.write(a, 10, &vec![1; 90_000]).unwrap();
    volume.unlink(Ino::ROOT, b"b").unwrap();
    volume.mkdir(Ino::ROOT, b"c", &NewNode::directory(0o755)).unwrap();
}

#[derive(Debug, Clone)]
enum Op {
    Make(u8, u8),
    Write(u8, u16, u16),
    Resize(u8, u16),
    Punch(u8, u16),
    Link(u8, u8),
    Unlink(u8),
    Rename(u8, u8, Rename),
    Mode(u8, u16),
    SetXattr(u8, u8),
    RemoveXattr(u8, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0u8..6;
    let how = prop_oneof![Just(Rename::Replace), Just(Rename::Keep), Just(Rename::Exchange)];
    prop_oneof![
        4 => (n(), 0u8..3).prop_map(|(n, kind)| Op::Make(n, kind)),
        4 => (n(), 0u16..9000, 1u16..3000).prop_map(|(n, off, len)| Op::Write(n, off, len)),
        1 => (n(), 0u16..9000).prop_map(|(n, size)| Op::Resize(n, size)),
        1 => (n(), 0u16..9000).prop_map(|(n, off)| Op::Punch(n, off)),
        2 => (n(), n()).prop_map(|(a, b)| Op::Link(a, b)),
        2 => n().prop_map(Op::Unlink),
        3 => (n(), n(), how).prop_map(|(a, b, how)| Op::Rename(a, b, how)),
        1 => (n(), 0u16..0o1000).prop_map(|(n, mode)| Op::Mode(n, mode)),
        1 => (n(), n()).prop_map(|(n, x)| Op::SetXattr(n, x)),
        1 => (n(), n()).prop_map(|(n, x)| Op::RemoveXattr(n, x)),
    ]
}

/// Where a name lies: half of them in the root, half in a directory.
fn at(tx: &mut Transaction<'_>, n: u8) -> (Ino, Vec<u8>) {
    let dir = if n.is_multiple_of(2) { None } else { tx.lookup(Ino::ROOT, b"dir").ok() };
    (dir.map_or(Ino::ROOT, |dir| dir.ino), vec![b'a' + n])
}

fn run(tx: &mut Transaction<'_>, op: &Op) -> Result<(), LvError> {
    let mut found = |n: u8| {
        let (dir, name) = at(tx, n);
        tx.lookup(dir, &name).map(|attr| (attr.ino, dir, name))
    };
    match op {
        Op::Make(n, kind) => {
            let (dir, name) = at(tx, *n);
            match kind {
                0 => tx.mkdir(dir, &name, &NewNode::directory(0o700)).map(drop),
                1 => tx.symlink(dir, &name, b"/somewhere", &file(0o777)).map(drop),
                _ => tx.create(dir, &name, &file(0o644)).map(drop),
            }
        }
        Op::Write(n, off, len) => {
            let ino = found(*n)?.0;
            tx.write(ino, u64::from(*off), &pattern(u64::from(*off), usize::from(*len)))
        }
        Op::Resize(n, size) => {
            let (ino, set) = (found(*n)?.0, SetAttr { size: Some(u64::from(*size)), ..SetAttr::default() });
            tx.setattr(ino, &set).map(drop)
        }
        Op::Punch(n, off) => {
            let ino = found(*n)?.0;
            tx.punch(ino, u64::from(*off), u64::from(*off) + 1000)
        }
        Op::Link(a, b) => {
            let ino = found(*a)?.0;
            let (dir, name) = at(tx, *b);
            tx.link(ino, dir, &name).map(drop)
        }
        Op::Unlink(n) => {
            let (_, dir, name) = found(*n)?;
            tx.unlink(dir, &name).or_else(|_| tx.rmdir(dir, &name))
        }
        Op::Rename(a, b, how) => {
            let (from, to) = (at(tx, *a), at(tx, *b));
            tx.rename((from.0, &from.1), (to.0, &to.1), *how)
        }
        Op::Mode(n, mode) => {
            let (ino, set) = (found(*n)?.0, SetAttr { mode: Some(u32::from(*mode)), ..SetAttr::default() });
            tx.setattr(ino, &set).map(drop)
        }
        Op::SetXattr(n, x) => {
            let ino = found(*n)?.0;
            tx.setxattr(ino, &[b"trusted.".as_slice(), &[b'a' + x]].concat(), &[*x; 9], SetXattr::Any)
        }
        Op::RemoveXattr(n, x) => {
            let ino = found(*n)?.0;
            tx.removexattr(ino, &[b"trusted.".as_slice(), &[b'a' + x]].concat())
        }
    }
}

/// One transaction: its operations, whether it is to fail, what happens after it.
type Turn = (Vec<Op>, bool, u8);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    proptest::collection::vec((proptest::collection::vec(op(), 1..12), any::<bool>(), 0u8..8), 1..14)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn failed_transactions_leave_no_trace_and_others_survive_any_commit(turns in turns()) {
        let rig = Rig::new(1, 256, 16384);
        let mut volume = rig.open();
        let synced = volume.create(Ino::ROOT, b"synced", &file(0o600)).unwrap().ino;
        volume.mkdir(Ino::ROOT, b"dir", &NewNode::directory(0o755)).unwrap();
        for (n, (ops, fails, after)) in turns.iter().enumerate() {
            let before = dump(&volume);
            let done = volume.transaction(|tx| {
                for op in ops {
                    // Operations that cannot be are part of the game.
                    let _ = run(tx, op);
                }
                if *fails { Err(LvError::ReadOnly) } else { Ok(()) }
            });
            prop_assert_eq!(done.is_err(), *fails);
            if *fails {
                prop_assert_eq!(&dump(&volume), &before);
            }
            match after {
                0 => { volume.step(Work::Flush).unwrap(); }
                1 => volume.sync().unwrap(),
                2 => {
                    // Any commit takes all that happened; then the process dies.
                    volume.write(synced, 0, &[u8::try_from(n).unwrap()]).unwrap();
                    volume.fsync(synced).unwrap();
                    let expected = dump(&volume);
                    volume.abandon();
                    volume = rig.open();
                    prop_assert_eq!(dump(&volume), expected);
                }
                _ => {}
            }
        }
        let expected = dump(&volume);
        volume.close().unwrap();
        let volume = rig.open();
        prop_assert_eq!(dump(&volume), expected);
    }
}
