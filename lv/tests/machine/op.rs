//! What can happen to a volume. Nodes, directories and names are chosen by number among what there is when it happens:
//! so any part of a failing list can be run, and shrinking may drop whatever is not needed.

use proptest::prelude::*;

/// A node, by number among those that are there.
pub(crate) type Pick = u8;

/// A name in a directory, both by number.
pub(crate) type Place = (Pick, u8);

/// Offset and length.
pub(crate) type Range = (u64, u64);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Create {
        at: Place,
        kind: u8,
        mode: u32,
    },
    Mkdir {
        at: Place,
        mode: u32,
    },
    MkdirAll {
        path: Vec<u8>,
    },
    Symlink {
        at: Place,
        target: Vec<u8>,
    },
    Link {
        node: Pick,
        at: Place,
    },
    Unlink {
        at: Place,
    },
    Rmdir {
        at: Place,
    },
    Rename {
        from: Place,
        to: Place,
        how: u8,
    },
    SetAttr {
        node: Pick,
        owner: Option<u32>,
        mode: Option<u32>,
        times: Option<i64>,
        size: Option<u64>,
    },
    Write {
        node: Pick,
        range: Range,
        seed: u64,
    },
    Append {
        node: Pick,
        len: u64,
        seed: u64,
    },
    Replace {
        node: Pick,
        len: u64,
        seed: u64,
    },
    Punch {
        node: Pick,
        range: Range,
    },
    Zero {
        node: Pick,
        range: Range,
        keep: bool,
    },
    Allocate {
        node: Pick,
        range: Range,
        keep: bool,
    },
    CopyRange {
        from: (Pick, u64),
        to: (Pick, u64),
        len: u64,
    },
    CopyFile {
        from: Pick,
        to: Pick,
    },
    Read {
        node: Pick,
        range: Range,
    },
    Seek {
        node: Pick,
        off: u64,
    },
    SetXattr {
        node: Pick,
        name: u8,
        len: usize,
        how: u8,
    },
    RemoveXattr {
        node: Pick,
        name: u8,
    },
    Open {
        node: Pick,
    },
    Release {
        node: Pick,
    },
    Lookup {
        at: Place,
    },
    Resolve {
        path: Vec<u8>,
        follow: bool,
    },
    /// Begins to list a directory, or goes on with the listing that has begun.
    List {
        dir: Option<Pick>,
        page: usize,
    },
    Look {
        node: Pick,
    },
    Fsync {
        node: Pick,
    },
    Sync,
    Step {
        work: u8,
    },
    /// Closes the volume and opens it again.
    Reopen,
    /// Makes everything durable, ends as a crash does, and opens again.
    Crash,
}

/// Bytes of a name, by number: names that are taken again and again, and a few that cannot be.
pub(crate) fn name(number: u8) -> Vec<u8> {
    const GOOD: [&[u8]; 6] = [b"a", b"b", b"c", b"\xff\x01", b"a b\n", &[b'n'; 255]];
    const BAD: [&[u8]; 6] = [b"", b".", b"..", b"x/y", b"nul\0", &[b'n'; 256]];
    let good = number < 235;
    let names = if good { GOOD } else { BAD };
    names[usize::from(number) % names.len()].to_vec()
}

/// The name of an extended attribute, by number.
pub(crate) fn xattr(number: u8) -> Vec<u8> {
    const NAMES: [&[u8]; 9] = [
        b"user.a",
        b"user.b",
        b"user.\xff",
        b"trusted.c",
        b"security.d",
        b"system.posix_acl_access",
        b"",
        b"nul\0",
        &[b'x'; 256],
    ];
    NAMES[usize::from(number) % NAMES.len()].to_vec()
}

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

fn bytes() -> impl Strategy<Value = Op> {
    let (node, seed) = (any::<Pick>(), any::<u64>());
    let place = || (any::<Pick>(), off());
    prop_oneof![
        8 => (node, written(), seed).prop_map(|(node, range, seed)| Op::Write { node, range, seed }),
        2 => (node, 0u64..9_000, seed).prop_map(|(node, len, seed)| Op::Append { node, len, seed }),
        1 => (node, 0u64..30_000, seed).prop_map(|(node, len, seed)| Op::Replace { node, len, seed }),
        2 => set_attr(),
        2 => (node, range()).prop_map(|(node, range)| Op::Punch { node, range }),
        1 => (node, range(), any::<bool>()).prop_map(|(node, range, keep)| Op::Zero { node, range, keep }),
        1 => (node, range(), any::<bool>()).prop_map(|(node, range, keep)| Op::Allocate { node, range, keep }),
        2 => (place(), place(), 0u64..40_000).prop_map(|(from, to, len)| Op::CopyRange { from, to, len }),
        1 => (node, node).prop_map(|(from, to)| Op::CopyFile { from, to }),
        2 => (node, range()).prop_map(|(node, range)| Op::Read { node, range }),
        1 => (node, off()).prop_map(|(node, off)| Op::Seek { node, off }),
    ]
}

fn others() -> impl Strategy<Value = Op> {
    let (node, xattr) = (any::<Pick>(), any::<u8>());
    let len = prop_oneof![10 => 0usize..200, 1 => Just(65_536), 1 => Just(65_537)];
    prop_oneof![
        2 => (node, xattr, len, 0u8..3).prop_map(|(node, name, len, how)| Op::SetXattr { node, name, len, how }),
        1 => (node, xattr).prop_map(|(node, name)| Op::RemoveXattr { node, name }),
        2 => node.prop_map(|node| Op::Open { node }),
        2 => node.prop_map(|node| Op::Release { node }),
        1 => any::<Place>().prop_map(|at| Op::Lookup { at }),
        4 => (path(), any::<bool>()).prop_map(|(path, follow)| Op::Resolve { path, follow }),
        4 => (prop::option::weighted(0.3, node), 1usize..4).prop_map(|(dir, page)| Op::List { dir, page }),
        2 => node.prop_map(|node| Op::Look { node }),
    ]
}

/// Anything, in the proportions that fill a volume and keep it busy.
pub(crate) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        19 => names(),
        23 => bytes(),
        18 => others(),
        3 => any::<Pick>().prop_map(|node| Op::Fsync { node }),
        1 => Just(Op::Sync),
        6 => (0u8..5).prop_map(|work| Op::Step { work }),
        1 => Just(Op::Reopen),
        1 => Just(Op::Crash),
    ]
}
