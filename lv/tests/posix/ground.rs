//! A volume whose time passes only when it is looked at: every change has a time of its own.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyfs_lvm_lv::{Attr, Ino, Kind, LvError, NewNode, Rename, SetAttr, Volume, VolumeOptions, Work};

use super::support::{Rig, contents};

pub(crate) const ROOT: Ino = Ino::ROOT;

pub(crate) const EPERM: i32 = 1;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const ENXIO: i32 = 6;
pub(crate) const E2BIG: i32 = 7;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const ENOTDIR: i32 = 20;
pub(crate) const EISDIR: i32 = 21;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const EFBIG: i32 = 27;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const ERANGE: i32 = 34;
pub(crate) const EDEADLK: i32 = 35;
pub(crate) const ENAMETOOLONG: i32 = 36;
pub(crate) const ENOLCK: i32 = 37;
pub(crate) const ENOTEMPTY: i32 = 39;
pub(crate) const ENODATA: i32 = 61;
pub(crate) const EDQUOT: i32 = 122;

/// Time that goes on by a second at each look, from a moment after the root was made.
#[derive(Debug)]
struct Ticks(AtomicI64);

impl pv::Clock for Ticks {
    fn wall(&self) -> i64 {
        self.0.fetch_add(1_000_000_000, Ordering::Relaxed)
    }

    fn running(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed).unsigned_abs())
    }
}

/// A volume, and what is needed to open it again.
pub(crate) struct Ground {
    rig: Rig,
    volume: Option<Volume>,
}

impl std::ops::Deref for Ground {
    type Target = Volume;

    fn deref(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }
}

impl Ground {
    /// An empty volume of 64 extents of 64 KiB.
    pub(crate) fn new() -> Self {
        Self::with(|options| options)
    }

    /// The same with other settings.
    pub(crate) fn with(change: impl FnOnce(VolumeOptions) -> VolumeOptions) -> Self {
        let mut rig = Rig::new(1, 64, 65536);
        rig.env.clock = Arc::new(Ticks(AtomicI64::new(4_000_000_000_123_456_789)));
        rig.options = change(rig.options);
        let volume = Some(rig.open());
        Self { rig, volume }
    }

    /// Closes the volume and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.volume.take().unwrap().close().unwrap();
        self.volume = Some(self.rig.open());
    }

    /// Ends as a crash does, and opens again.
    pub(crate) fn crash(&mut self) {
        self.volume.take().unwrap().abandon();
        self.volume = Some(self.rig.open());
    }

    /// Does all background work there is, and commits.
    pub(crate) fn settle(&self) {
        self.sync().unwrap();
        while self.step(Work::Clean { idle: true }).unwrap() {}
        self.sync().unwrap();
    }

    pub(crate) fn file(&self, parent: Ino, name: &[u8]) -> Ino {
        self.create(parent, name, &NewNode::file(0o644)).unwrap().ino
    }

    /// A file with contents.
    pub(crate) fn filled(&self, name: &[u8], bytes: &[u8]) -> Ino {
        let ino = self.file(ROOT, name);
        self.write(ino, 0, bytes).unwrap();
        ino
    }

    pub(crate) fn dir(&self, parent: Ino, name: &[u8]) -> Ino {
        self.mkdir(parent, name, &NewNode::directory(0o755)).unwrap().ino
    }

    pub(crate) fn attr(&self, ino: Ino) -> Attr {
        self.getattr(ino).unwrap()
    }

    pub(crate) fn nlink(&self, ino: Ino) -> u32 {
        self.attr(ino).nlink
    }

    pub(crate) fn free(&self) -> u64 {
        self.statfs().unwrap().free
    }

    pub(crate) fn files(&self) -> u64 {
        self.statfs().unwrap().files
    }

    pub(crate) fn bytes(&self, ino: Ino) -> Vec<u8> {
        contents(self, ino)
    }

    /// What a name leads to, if anything.
    pub(crate) fn at(&self, parent: Ino, name: &[u8]) -> Option<Ino> {
        match self.lookup(parent, name) {
            Ok(attr) => Some(attr.ino),
            Err(LvError::NotFound { .. }) => None,
            Err(error) => panic!("{}: {error}", name.escape_ascii()),
        }
    }

    /// All names of a directory, sorted.
    pub(crate) fn names(&self, ino: Ino) -> Vec<Vec<u8>> {
        let mut names: Vec<_> = self.readdir(ino, 0, usize::MAX).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    }

    pub(crate) fn chmod(&self, ino: Ino, mode: u32) {
        self.setattr(ino, &SetAttr { mode: Some(mode), ..SetAttr::default() }).unwrap();
    }

    pub(crate) fn truncate(&self, ino: Ino, size: u64) -> Result<Attr, LvError> {
        self.setattr(ino, &SetAttr { size: Some(size), ..SetAttr::default() })
    }

    /// Renames within the root, replacing.
    pub(crate) fn mv(&self, from: &[u8], to: &[u8]) -> Result<(), LvError> {
        self.rename((ROOT, from), (ROOT, to), Rename::Replace)
    }
}

/// The error number of a call that must fail.
#[track_caller]
pub(crate) fn errno<T: Debug>(result: Result<T, LvError>) -> i32 {
    result.expect_err("this call must fail").errno()
}

/// What `mknod` makes of a name, of each kind that it can make.
pub(crate) const PLAIN_KINDS: [Kind; 5] = [Kind::File, Kind::Fifo, Kind::Socket, Kind::CharDevice, Kind::BlockDevice];
