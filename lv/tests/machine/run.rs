//! Runs one operation on a volume and on the reference, and compares what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyfs_lvm_lv::{Attr, Ino, Kind, LvError, NewNode, Rename, SetAttr, SetXattr, Volume, Work};

use super::op::{Op, Pick, Place, name, xattr};
use super::reference::{Id, ROOT, Reference, Result};
use super::support::{Rig, pattern};

/// Time that only passes between operations: so it can be foretold.
#[derive(Debug, Default)]
struct Steps(AtomicI64);

impl pv::Clock for Steps {
    fn wall(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A second for each operation, so that grace periods end.
    fn running(&self) -> Duration {
        Duration::from_secs(self.wall().unsigned_abs())
    }
}

/// A listing that has begun.
struct Listing {
    dir: Id,
    cookie: u64,
    /// Names that were there all the time and have not come.
    due: BTreeSet<Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
}

/// A volume and what it should be.
pub(crate) struct Tested {
    rig: Rig,
    clock: Arc<Steps>,
    /// `None` only while it is closed.
    volume: Option<Volume>,
    reference: Reference,
    /// Inode numbers of the reference's nodes.
    inos: BTreeMap<Id, Ino>,
    listing: Option<Listing>,
    /// Whether it may run out of space.
    tight: bool,
}

impl Tested {
    pub(crate) fn new(mut rig: Rig, tight: bool) -> Self {
        let clock = Arc::new(Steps::default());
        rig.env.clock = Arc::clone(&clock) as Arc<dyn pv::Clock>;
        let volume = rig.open();
        let reference = Reference::new(&volume.getattr(Ino::ROOT).unwrap());
        let inos = BTreeMap::from([(ROOT, Ino::ROOT)]);
        Self { rig, clock, volume: Some(volume), reference, inos, listing: None, tight }
    }

    pub(crate) fn volume(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }

    pub(crate) fn reference(&mut self) -> &mut Reference {
        &mut self.reference
    }

    pub(crate) fn ino(&self, id: Id) -> Ino {
        self.inos[&id]
    }

    /// A node that is there, or now and then one that is gone.
    pub(crate) fn pick(&self, pick: Pick) -> (Id, Ino) {
        let mut ids: Vec<Id> = self.reference.ids().collect();
        ids.extend((0..self.reference.made()).rev().find(|id| self.reference.get(*id).is_err()));
        let id = ids[usize::from(pick) % ids.len()];
        (id, self.ino(id))
    }

    /// A directory, or now and then anything.
    fn pick_dir(&self, pick: Pick) -> (Id, Ino) {
        if pick >= 240 {
            return self.pick(pick);
        }
        let dirs: Vec<Id> = self.reference.ids().filter(|id| self.reference.dir(*id).is_ok()).collect();
        let id = dirs[usize::from(pick) % dirs.len()];
        (id, self.ino(id))
    }

    fn place(&self, at: Place) -> ((Id, Ino), Vec<u8>) {
        (self.pick_dir(at.0), name(at.1))
    }

    /// Both say the same. A volume that may be full may refuse, when it says that it has too little: then nothing
    /// happened on either side.
    fn same<T: PartialEq + Debug>(
        &mut self,
        got: std::result::Result<T, LvError>,
        expected: impl FnOnce(&mut Self) -> Result<T>,
    ) {
        if let Err(LvError::NoSpace { free, needed }) = &got {
            assert!(self.tight && free < needed, "{free} bytes free, {needed} needed");
            return;
        }
        assert_eq!(got.map_err(|error| error.errno()), expected(self));
    }

    /// The same for calls that return attributes of a node.
    fn same_attr(
        &mut self,
        got: std::result::Result<Attr, LvError>,
        expected: impl FnOnce(&mut Reference) -> Result<Id>,
    ) {
        let ino = got.as_ref().ok().map(|attr| attr.ino);
        let got = got.map(|attr| Attr { stored: 0, ..attr });
        self.same(got, |tested| {
            let id = expected(&mut tested.reference)?;
            if let Some(ino) = ino {
                let known = *tested.inos.entry(id).or_insert(ino);
                assert_eq!(known, ino);
            }
            let ino = tested.inos.get(&id).copied().unwrap_or(Ino(0));
            Ok(tested.reference.get(id)?.attr(ino))
        });
    }

    pub(crate) fn run(&mut self, op: &Op) {
        let now = self.clock.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.reference.now = now;
        match op {
            Op::Create { .. } | Op::Mkdir { .. } | Op::MkdirAll { .. } | Op::Symlink { .. } => self.run_make(op),
            Op::Link { .. } | Op::Unlink { .. } | Op::Rmdir { .. } | Op::Rename { .. } => self.run_name(op),
            Op::Write { .. } | Op::Append { .. } | Op::Replace { .. } | Op::SetAttr { .. } => self.run_write(op),
            Op::Punch { .. } | Op::Zero { .. } | Op::Allocate { .. } => self.run_range(op),
            Op::CopyRange { .. } | Op::CopyFile { .. } => self.run_copy(op),
            Op::SetXattr { .. } | Op::RemoveXattr { .. } | Op::Open { .. } | Op::Release { .. } => self.run_other(op),
            Op::Read { .. } | Op::Seek { .. } | Op::Lookup { .. } | Op::Resolve { .. } | Op::Look { .. } => {
                self.run_look(op);
            }
            Op::List { dir, page } => self.list(*dir, *page),
            Op::Fsync { .. } | Op::Sync | Op::Step { .. } | Op::Reopen | Op::Crash => self.run_whole(op),
        }
        self.forget_what_left();
    }

    fn run_make(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Create { at, kind, mode } => {
                let kinds = [Kind::File, Kind::Fifo, Kind::Socket, Kind::CharDevice, Kind::BlockDevice];
                let kind = kinds.get(usize::from(*kind)).copied().unwrap_or(Kind::File);
                let node = NewNode { kind, rdev: u64::from(*mode), ..NewNode::file(*mode) }.owned_by(3, 4);
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(volume.create(ino, &name, &node), |fs| fs.make(dir, &name, &node, b""));
            }
            Op::Mkdir { at, mode } => {
                let node = NewNode::directory(*mode);
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(volume.mkdir(ino, &name, &node), |fs| fs.make(dir, &name, &node, b""));
            }
            Op::MkdirAll { path } => {
                let node = NewNode::directory(0o700);
                self.same_attr(volume.mkdir_all(path, &node), |fs| fs.mkdir_all(path, &node));
                self.learn();
            }
            Op::Symlink { at, target } => {
                let node = NewNode { kind: Kind::Symlink, ..NewNode::file(0o777) };
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(volume.symlink(ino, &name, target, &node), |fs| fs.make(dir, &name, &node, target));
            }
            _ => {}
        }
    }

    /// Inode numbers of nodes that were made on the way to another.
    fn learn(&mut self) {
        let dirs: Vec<Id> = self.reference.ids().filter(|id| self.reference.dir(*id).is_ok()).collect();
        for dir in dirs {
            let entries = self.reference.dir(dir).unwrap().entries.clone();
            for (name, id) in entries {
                if !self.inos.contains_key(&id) {
                    let found = self.volume().lookup(self.ino(dir), &name).unwrap();
                    self.inos.insert(id, found.ino);
                }
            }
        }
    }

    fn run_name(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Link { node, at } => {
                let ((id, ino), ((dir, to), name)) = (self.pick(*node), self.place(*at));
                self.same_attr(volume.link(ino, to, &name), |fs| fs.link(id, dir, &name));
            }
            Op::Unlink { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same(volume.unlink(ino, &name), |tested| tested.reference.unlink(dir, &name));
            }
            Op::Rmdir { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same(volume.rmdir(ino, &name), |tested| tested.reference.rmdir(dir, &name));
            }
            Op::Rename { from, to, how } => {
                let how = [Rename::Replace, Rename::Replace, Rename::Keep, Rename::Exchange][usize::from(*how)];
                let ((from, to), (a, b)) = ((self.place(*from), self.place(*to)), (from.1, to.1));
                let (a, b) = (name(a), name(b));
                let got = volume.rename((from.0.1, &a), (to.0.1, &b), how);
                self.same(got, |tested| tested.reference.rename((from.0.0, &a), (to.0.0, &b), how));
            }
            _ => {}
        }
    }

    fn run_write(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Write { node, range, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(range.1).unwrap()));
                let got = volume.write(ino, range.0, &bytes);
                self.same(got, |tested| tested.reference.write(id, Some(range.0), &bytes).map(drop));
            }
            Op::Append { node, len, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(*len).unwrap()));
                self.same(volume.append(ino, &bytes), |tested| tested.reference.write(id, None, &bytes));
            }
            Op::Replace { node, len, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(*len).unwrap()));
                self.same(volume.replace(ino, &bytes), |tested| tested.reference.replace(id, &bytes));
            }
            Op::SetAttr { node, owner, mode, times, size } => {
                let (id, ino) = self.pick(*node);
                let (gid, mtime) = (owner.map(|uid| !uid), times.map(|time| !time));
                let set = SetAttr { mode: *mode, uid: *owner, gid, size: *size, atime: *times, mtime };
                self.same_attr(volume.setattr(ino, &set), |fs| fs.set_attr(id, &set));
            }
            _ => {}
        }
    }

    fn run_range(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Punch { node, range } => {
                let ((id, ino), end) = (self.pick(*node), range.0.saturating_add(range.1));
                self.same(volume.punch(ino, range.0, end), |tested| tested.reference.punch(id, range.0, end));
            }
            Op::Zero { node, range: (off, len), keep } => {
                let (id, ino) = self.pick(*node);
                let got = volume.zero(ino, *off, *len, *keep);
                self.same(got, |tested| tested.reference.zero(id, *off, *len, *keep));
            }
            Op::Allocate { node, range: (off, len), keep } => {
                let (id, ino) = self.pick(*node);
                let got = volume.allocate(ino, *off, *len, *keep);
                self.same(got, |tested| tested.reference.allocate(id, *off, *len, *keep));
            }
            _ => {}
        }
    }

    fn run_copy(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::CopyRange { from, to, len } => {
                let ((a, a_ino), (b, b_ino)) = (self.pick(from.0), self.pick(to.0));
                let got = volume.copy_range((a_ino, from.1), (b_ino, to.1), *len);
                self.same(got, |tested| tested.reference.copy_range((a, from.1), (b, to.1), *len));
            }
            Op::CopyFile { from, to } => {
                let ((a, a_ino), (b, b_ino)) = (self.pick(*from), self.pick(*to));
                self.same(volume.copy_file(a_ino, b_ino), |tested| tested.reference.copy_file(a, b));
            }
            _ => {}
        }
    }

    fn run_other(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::SetXattr { node, name, len, how } => {
                let how = [SetXattr::Any, SetXattr::Create, SetXattr::Replace][usize::from(*how)];
                let ((id, ino), name, value) = (self.pick(*node), xattr(*name), pattern(*len as u64, *len));
                let got = volume.setxattr(ino, &name, &value, how);
                self.same(got, |tested| tested.reference.set_xattr(id, &name, &value, how));
            }
            Op::RemoveXattr { node, name } => {
                let ((id, ino), name) = (self.pick(*node), xattr(*name));
                self.same(volume.removexattr(ino, &name), |tested| tested.reference.remove_xattr(id, &name));
            }
            Op::Open { node } => {
                let (id, ino) = self.pick(*node);
                self.same(volume.open(ino), |tested| tested.reference.open(id));
            }
            Op::Release { node } => {
                let (id, ino) = self.pick(*node);
                self.same(volume.release(ino), |tested| tested.reference.release(id));
            }
            _ => {}
        }
    }

    fn run_look(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Read { node, range: (off, len) } => {
                let (id, ino) = self.pick(*node);
                let mut buffer = vec![0xEE; usize::try_from((*len).min(40_000)).unwrap()];
                let got = volume.read(ino, *off, &mut buffer);
                let got = got.map(|count| buffer[..count].to_vec());
                self.same(got, |tested| tested.reference.read(id, *off, buffer.len() as u64));
            }
            Op::Seek { node, off } => self.seek(*node, *off),
            Op::Lookup { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(volume.lookup(ino, &name), |fs| fs.lookup(dir, &name));
            }
            Op::Resolve { path, follow } => {
                self.same_attr(volume.resolve(path, *follow), |fs| fs.resolve(path, *follow));
                let place = |parent: anyfs_lvm_lv::Parent| (parent.ino, parent.name);
                self.same(volume.resolve_parent(path).map(place), |tested| {
                    tested.reference.resolve_parent(path).map(|(dir, name)| (tested.ino(dir), name))
                });
                self.same(volume.resolve_missing(path).map(place), |tested| {
                    tested.reference.resolve_missing(path).map(|(dir, name)| (tested.ino(dir), name))
                });
            }
            Op::Look { node } => self.look(*node),
            _ => {}
        }
    }

    fn run_whole(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Fsync { node } => {
                let (id, ino) = self.pick(*node);
                self.same(volume.fsync(ino), |tested| tested.reference.get(id).map(drop));
            }
            Op::Sync => volume.sync().unwrap(),
            Op::Step { work } => {
                let kinds = [Work::Flush, Work::Compact, Work::Intents, Work::Delete, Work::Clean { idle: true }];
                volume.step(kinds[usize::from(*work)]).unwrap();
            }
            Op::Reopen => self.reopen(false),
            Op::Crash => self.reopen(true),
            _ => {}
        }
    }

    /// Ends the volume, with or without a proper close, and begins again.
    pub(crate) fn reopen(&mut self, crash: bool) {
        let volume = self.volume.take().unwrap();
        if crash {
            volume.sync().unwrap();
            volume.abandon();
        } else {
            volume.close().unwrap();
        }
        self.reference.reopen();
        let volume = self.rig.open();
        // What was open without a name goes.
        while volume.step(Work::Clean { idle: true }).unwrap() {}
        self.volume = Some(volume);
        self.check();
    }

    fn list(&mut self, dir: Option<Pick>, page: usize) {
        if let Some(pick) = dir {
            let (dir, ino) = self.pick_dir(pick);
            let Ok(node) = self.reference.dir(dir) else {
                let errno = self.reference.dir(dir).map(drop);
                assert_eq!(self.volume().readdir(ino, 0, page).map(drop).map_err(|error| error.errno()), errno);
                return;
            };
            let due = node.entries.keys().cloned().collect();
            self.listing = Some(Listing { dir, cookie: 0, due, seen: BTreeSet::new() });
        }
        let Some(mut listing) = self.listing.take() else { return };
        let entries = self.volume().readdir(self.ino(listing.dir), listing.cookie, page).unwrap();
        assert!(entries.len() <= page);
        for entry in &entries {
            assert!(entry.cookie > listing.cookie, "cookies rise");
            listing.cookie = entry.cookie;
            let id = self.reference.lookup(listing.dir, &entry.name).unwrap();
            assert_eq!((entry.ino, entry.kind), (self.ino(id), self.reference.get(id).unwrap().kind));
            assert!(listing.seen.insert(entry.name.clone()), "listed twice");
            listing.due.remove(&entry.name);
        }
        if entries.len() < page {
            assert!(listing.due.is_empty(), "there all the time and not listed: {:?}", listing.due);
        } else {
            self.listing = Some(listing);
        }
    }

    /// Names that are gone need not be listed any more; when they come back they may be listed again.
    fn forget_what_left(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        match self.reference.dir(listing.dir) {
            Ok(node) => {
                listing.due.retain(|name| node.entries.contains_key(name));
                listing.seen.retain(|name| node.entries.contains_key(name));
            }
            Err(_) => self.listing = None,
        }
    }
}
