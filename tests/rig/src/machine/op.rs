//! What can happen to a volume. Nodes, directories and names are chosen by number among what there is when it happens:
//! so any part of a failing list can be run, and shrinking may drop whatever is not needed.

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
    /// Several as one, which may end with an error.
    Together {
        ops: Vec<Op>,
        fails: bool,
    },
    World(World),
}

/// What happens around the volume.
#[derive(Debug, Clone)]
pub(crate) enum World {
    /// The volume is closed and opened again.
    Reopen,
    /// Its process drops it and ends without a commit; another one opens it.
    Abandon,
    /// Its process is killed: what it wrote stays.
    Kill,
    /// Power fails, now or in the middle of one of the last operations (`back`: how far, of `u16::MAX`).
    PowerLoss { back: u16, mode: u8, seed: u64 },
    /// The LV gets more extents, through the group that the owner has open or through another process.
    Grow { more: u8, elsewhere: bool },
    /// A new PV joins.
    AddPv { elsewhere: bool },
    /// A PV is to leave.
    RemovePv { pv: u8, elsewhere: bool },
    /// A PV's file is moved away, with or without the folder beside it, and the volume opened without it.
    TakeAway { pv: u8, folder: bool },
    /// It comes back.
    BringBack,
    /// A file grows until nothing fits in; then there must be room for what is removed.
    Fill { at: Place, chunk: u16 },
    /// A file is overwritten again and again while space is reclaimed, without a sync.
    Churn { node: Pick, rounds: u8, seed: u64 },
    /// Others leave this much of the host's disk.
    Squeeze { free: u32 },
    /// They make room again.
    Relax,
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

impl Op {
    /// Whether it stores bytes, or room for bytes, of which there may be too few.
    pub(crate) fn writes(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Append { .. } | Self::Replace { .. } | Self::Allocate { .. })
    }
}
