//! Arguments: sensible ones, ones at the edges, and any.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use anyfs_lvm_lv::{AccessTime, Ino, Kind, LockKind, NewNode, Rename, Seek, SetAttr, SetXattr, Work};
use proptest::prelude::*;

/// One of each that a call may want.
#[derive(Debug, Clone)]
pub(crate) struct Arguments {
    pub(crate) inos: [Ino; 2],
    pub(crate) offs: [u64; 2],
    pub(crate) len: u64,
    pub(crate) cookie: u64,
    pub(crate) names: [Vec<u8>; 2],
    pub(crate) texts: [String; 2],
    pub(crate) bytes: Vec<u8>,
    pub(crate) number: u64,
    pub(crate) flags: u8,
}

/// Sizes between these bounds cost nothing as holes, and whole reads of them as much memory as they ask for.
fn off() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 4095, 4096, 65_535, 65_536, 1 << 20, (1 << 24) - 1, 1 << 24];
    let far = [1 << 60, (1 << 62) + 12_345, (1 << 63) - (1 << 24), (1 << 63) - 2, (1 << 63) - 1, 1 << 63];
    prop_oneof![
        4 => 0u64..100_000,
        2 => prop::sample::select(edges.to_vec()),
        2 => prop::sample::select(far.to_vec()),
        2 => (0u64..70_000).prop_map(|below| u64::MAX - below),
    ]
}

fn ino() -> impl Strategy<Value = Ino> {
    prop_oneof![8 => 0u64..24, 1 => any::<u64>(), 1 => (0u64..4).prop_map(|below| u64::MAX - below)].prop_map(Ino)
}

/// Any bytes, and names that are there (see `fill`).
fn name() -> impl Strategy<Value = Vec<u8>> {
    let known = ["a", "b", "dir", "dir/a", "link", "loop", "/", ".", "..", "/dir/../a", "loop/x", "user.a", "", "a\0"];
    prop_oneof![
        6 => prop::sample::select(known.map(|name| name.as_bytes().to_vec()).to_vec()),
        3 => prop::collection::vec(any::<u8>(), 0..20),
        1 => prop::collection::vec(any::<u8>(), 250..300),
        1 => (any::<u8>(), 4090usize..4100).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

pub(crate) fn arguments() -> impl Strategy<Value = Arguments> {
    let lens = prop_oneof![3 => off(), 1 => any::<u64>()];
    let text =
        || prop_oneof![2 => "user\\.[a-c]", 1 => "\\PC{0,20}", 1 => Just("x".repeat(256)), 1 => Just("a\0".to_owned())];
    (
        ([ino(), ino()], [off(), off()], lens, any::<u64>()),
        ([name(), name()], [text(), text()]),
        (prop::collection::vec(any::<u8>(), 0..3000), any::<u64>(), any::<u8>()),
    )
        .prop_map(|((inos, offs, len, cookie), (names, texts), (bytes, number, flags))| Arguments {
            inos,
            offs,
            len,
            cookie,
            names,
            texts,
            bytes,
            number,
            flags,
        })
}

impl Arguments {
    pub(crate) fn paths(&self) -> [&Path; 2] {
        [&self.names[0], &self.names[1]].map(|name| Path::new(OsStr::from_bytes(name)))
    }

    fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[usize::from(self.flags) % choices.len()]
    }

    pub(crate) fn kind(&self) -> Kind {
        use Kind::{BlockDevice, CharDevice, Directory, Fifo, File, Socket, Symlink};
        self.one_of(&[File, File, Directory, Symlink, Fifo, Socket, CharDevice, BlockDevice])
    }

    pub(crate) fn node(&self) -> NewNode {
        let low = u32::from_le_bytes(self.number.to_le_bytes()[..4].try_into().unwrap());
        NewNode { kind: self.kind(), mode: low, uid: !low, gid: low, rdev: self.number }
    }

    pub(crate) fn set(&self) -> SetAttr {
        let (node, time) = (self.node(), self.number.cast_signed());
        let some = |bit: u8| self.flags >> bit & 1 == 1;
        SetAttr {
            mode: some(0).then_some(node.mode),
            uid: some(1).then_some(node.uid),
            gid: some(2).then_some(node.gid),
            size: some(3).then_some(self.offs[0]),
            atime: some(4).then_some(time),
            mtime: some(5).then_some(!time),
            ctime: some(6).then_some(time / 2),
        }
    }

    pub(crate) fn flag(&self) -> bool {
        self.flags & 1 == 1
    }

    pub(crate) fn rename(&self) -> Rename {
        self.one_of(&[Rename::Replace, Rename::Keep, Rename::Exchange])
    }

    pub(crate) fn lock(&self) -> LockKind {
        self.one_of(&[LockKind::Shared, LockKind::Exclusive])
    }

    pub(crate) fn seek(&self) -> Seek {
        self.one_of(&[Seek::Data, Seek::Hole])
    }

    pub(crate) fn access(&self) -> AccessTime {
        self.one_of(&[AccessTime::Never, AccessTime::Relative, AccessTime::Always])
    }

    pub(crate) fn xattr(&self) -> SetXattr {
        self.one_of(&[SetXattr::Any, SetXattr::Create, SetXattr::Replace])
    }

    pub(crate) fn work(&self) -> Work {
        self.one_of(&[Work::Flush, Work::Compact, Work::Intents, Work::Delete, Work::Clean { idle: true }])
    }

    /// Any number as a count of things in memory.
    pub(crate) fn count(&self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }
}
