//! Drawing operations, in the proportions that fill a volume and keep it busy.

use proptest::prelude::*;

use super::op::{Op, Pick, Place, Range, World, name};

fn path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => any::<u8>().prop_map(name),
        1 => Just(b".".to_vec()),
        2 => Just(b"..".to_vec()),
        1 => Just(Vec::new()),
    ];
    let parts = prop::collection::vec(part, 0..5);
    (any::<bool>(), parts)
        .prop_map(|(absolute, parts)| [if absolute { &b"/"[..] } else { b"" }, &parts.join(&b'/')].concat())
}

/// Mostly in the first few extents, sometimes around the end of a window of the map, seldom out of range.
fn off() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 0u64..60_000,
        2 => (16 << 20) - 5_000..(16 << 20) + 5_000u64,
        1 => prop_oneof![Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1)],
    ]
}

fn range() -> impl Strategy<Value = Range> {
    (off(), prop_oneof![4 => 0u64..20_000, 4 => 0u64..600, 1 => Just(u64::MAX)])
}

/// Ranges that can be written.
fn written() -> impl Strategy<Value = Range> {
    (off(), prop_oneof![4 => 0u64..20_000, 4 => 0u64..600])
}

fn names() -> impl Strategy<Value = Op> {
    let (at, node, mode) = (any::<Place>(), any::<Pick>(), 0u32..0o2000);
    prop_oneof![
        4 => (at, 0u8..8, mode.clone()).prop_map(|(at, kind, mode)| Op::Create { at, kind, mode }),
        3 => (at, mode).prop_map(|(at, mode)| Op::Mkdir { at, mode }),
        1 => path().prop_map(|path| Op::MkdirAll { path }),
        2 => (at, path()).prop_map(|(at, target)| Op::Symlink { at, target }),
        2 => (node, at).prop_map(|(node, at)| Op::Link { node, at }),
        2 => at.prop_map(|at| Op::Unlink { at }),
        1 => at.prop_map(|at| Op::Rmdir { at }),
        4 => (at, at, 0u8..4).prop_map(|(from, to, how)| Op::Rename { from, to, how }),
    ]
}

fn set_attr() -> impl Strategy<Value = Op> {
    let size = prop_oneof![3 => 0u64..80_000, 1 => off()];
    let (owner, mode) = (prop::option::of(any::<u32>()), prop::option::of(0u32..0o2000));
    (any::<Pick>(), owner, mode, prop::option::of(any::<i64>()), prop::option::of(size))
        .prop_map(|(node, owner, mode, times, size)| Op::SetAttr { node, owner, mode, times, size })
}

fn written_bytes() -> impl Strategy<Value = Op> {
    let (node, seed) = (any::<Pick>(), any::<u64>());
    prop_oneof![
        8 => (node, written(), seed).prop_map(|(node, range, seed)| Op::Write { node, range, seed }),
        2 => (node, 0u64..9_000, seed).prop_map(|(node, len, seed)| Op::Append { node, len, seed }),
        1 => (node, 0u64..30_000, seed).prop_map(|(node, len, seed)| Op::Replace { node, len, seed }),
        2 => (node, range()).prop_map(|(node, range)| Op::Punch { node, range }),
    ]
}

fn bytes() -> impl Strategy<Value = Op> {
    let node = any::<Pick>();
    let place = || (any::<Pick>(), off());
    prop_oneof![
        13 => written_bytes(),
        2 => set_attr(),
        1 => (node, range(), any::<bool>()).prop_map(|(node, range, keep)| Op::Zero { node, range, keep }),
        1 => (node, range(), any::<bool>()).prop_map(|(node, range, keep)| Op::Allocate { node, range, keep }),
        2 => (place(), place(), 0u64..40_000).prop_map(|(from, to, len)| Op::CopyRange { from, to, len }),
        1 => (node, node).prop_map(|(from, to)| Op::CopyFile { from, to }),
        2 => (node, range()).prop_map(|(node, range)| Op::Read { node, range }),
        1 => (node, off()).prop_map(|(node, off)| Op::Seek { node, off }),
    ]
}

fn xattrs() -> impl Strategy<Value = Op> {
    let (node, xattr) = (any::<Pick>(), any::<u8>());
    let len = prop_oneof![10 => 0usize..200, 1 => Just(65_536), 1 => Just(65_537)];
    prop_oneof![
        2 => (node, xattr, len, 0u8..3).prop_map(|(node, name, len, how)| Op::SetXattr { node, name, len, how }),
        1 => (node, xattr).prop_map(|(node, name)| Op::RemoveXattr { node, name }),
    ]
}

fn others() -> impl Strategy<Value = Op> {
    let node = any::<Pick>();
    prop_oneof![
        3 => xattrs(),
        2 => node.prop_map(|node| Op::Open { node }),
        2 => node.prop_map(|node| Op::Release { node }),
        1 => any::<Place>().prop_map(|at| Op::Lookup { at }),
        4 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Resolve { path, follow }),
        4 => (prop::option::weighted(0.3, node), 1usize..4).prop_map(|(dir, page)| Op::List { dir, page }),
        2 => node.prop_map(|node| Op::Look { node }),
    ]
}

/// Operations on files alone, in the proportions that fill a volume and keep it busy.
pub(super) fn calm() -> impl Strategy<Value = Op> {
    prop_oneof![
        19 => names(),
        23 => bytes(),
        18 => others(),
        3 => any::<Pick>().prop_map(|node| Op::Fsync { node }),
        1 => Just(Op::Sync),
        6 => (0u8..5).prop_map(|work| Op::Step { work }),
        2 => together(),
        1 => Just(Op::World(World::Reopen)),
    ]
}

/// Anything.
pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![10 => calm(), 1 => world().prop_map(Op::World)]
}

/// Operations that a transaction may hold.
fn together() -> impl Strategy<Value = Op> {
    let held = prop_oneof![4 => names(), 4 => written_bytes(), 1 => set_attr(), 1 => xattrs()];
    let held = held.prop_filter("its calls only", |op| !matches!(op, Op::MkdirAll { .. }));
    (prop::collection::vec(held, 1..5), prop::bool::weighted(0.2)).prop_map(|(ops, fails)| Op::Together { ops, fails })
}

fn world() -> impl Strategy<Value = World> {
    let (elsewhere, pv) = (any::<bool>(), any::<u8>());
    // Mostly near the end: what lies far back is durable.
    let back = prop_oneof![1 => Just(0u16), 4 => any::<u16>().prop_map(|n| n / 8), 2 => any::<u16>()];
    prop_oneof![
        2 => Just(World::Reopen),
        2 => Just(World::Abandon),
        3 => Just(World::Kill),
        10 => (back, any::<u8>(), any::<u64>()).prop_map(|(back, mode, seed)| World::PowerLoss { back, mode, seed }),
        2 => (1u8..20, elsewhere).prop_map(|(more, elsewhere)| World::Grow { more, elsewhere }),
        1 => elsewhere.prop_map(|elsewhere| World::AddPv { elsewhere }),
        1 => (pv, elsewhere).prop_map(|(pv, elsewhere)| World::RemovePv { pv, elsewhere }),
        2 => (pv, any::<bool>()).prop_map(|(pv, folder)| World::TakeAway { pv, folder }),
        3 => Just(World::BringBack),
        6 => (pv, 1u8..20, any::<u64>()).prop_map(|(node, rounds, seed)| World::Churn { node, rounds, seed }),
        2 => (any::<Place>(), 2_000u16..20_000).prop_map(|(at, chunk)| World::Fill { at, chunk }),
        2 => prop_oneof![1 => Just(0u32), 4 => 0u32..40_000, 3 => 0u32..3 << 20].prop_map(|free| World::Squeeze { free }),
        2 => Just(World::Relax),
    ]
}
