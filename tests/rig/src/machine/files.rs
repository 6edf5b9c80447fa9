//! One operation on files, done to the volume and to the reference.

use lv::{Kind, NewNode, Rename, SetAttr, SetXattr};

use super::calls::Calls;
use super::op::{Op, name, xattr};
use super::reference::Id;
use super::run::{Machine, pattern};

impl Machine {
    pub(super) fn run_make(&mut self, op: &Op, calls: &mut dyn Calls) {
        match op {
            Op::Create { at, kind, mode } => {
                let kinds = [Kind::File, Kind::Fifo, Kind::Socket, Kind::CharDevice, Kind::BlockDevice];
                let kind = kinds.get(usize::from(*kind)).copied().unwrap_or(Kind::File);
                let node = NewNode { kind, rdev: u64::from(*mode), ..NewNode::file(*mode) }.owned_by(3, 4);
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(calls.create(ino, &name, &node), |fs| fs.make(dir, &name, &node, b""));
            }
            Op::Mkdir { at, mode } => {
                let node = NewNode::directory(*mode);
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(calls.mkdir(ino, &name, &node), |fs| fs.make(dir, &name, &node, b""));
            }
            Op::Symlink { at, target } => {
                let node = NewNode { kind: Kind::Symlink, ..NewNode::file(0o777) };
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(calls.symlink(ino, &name, target, &node), |fs| fs.make(dir, &name, &node, target));
            }
            _ => {}
        }
    }

    pub(super) fn mkdir_all(&mut self, path: &[u8]) {
        let node = NewNode::directory(0o700);
        let got = self.volume().mkdir_all(path, &node);
        self.same_attr(got, |fs| fs.mkdir_all(path, &node));
        self.learn();
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

    pub(super) fn run_name(&mut self, op: &Op, calls: &mut dyn Calls) {
        match op {
            Op::Link { node, at } => {
                let ((id, ino), ((dir, to), name)) = (self.pick(*node), self.place(*at));
                self.same_attr(calls.link(ino, to, &name), |fs| fs.link(id, dir, &name));
            }
            Op::Unlink { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same(calls.unlink(ino, &name), |machine| machine.reference.unlink(dir, &name));
            }
            Op::Rmdir { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same(calls.rmdir(ino, &name), |machine| machine.reference.rmdir(dir, &name));
            }
            Op::Rename { from, to, how } => {
                let how = [Rename::Replace, Rename::Replace, Rename::Keep, Rename::Exchange][usize::from(*how)];
                let ((from, to), (a, b)) = ((self.place(*from), self.place(*to)), (from.1, to.1));
                let (a, b) = (name(a), name(b));
                let got = calls.rename((from.0.1, &a), (to.0.1, &b), how);
                self.same(got, |machine| machine.reference.rename((from.0.0, &a), (to.0.0, &b), how));
            }
            _ => {}
        }
    }

    pub(super) fn run_write(&mut self, op: &Op, calls: &mut dyn Calls) {
        match op {
            Op::Write { node, range, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(range.1).unwrap()));
                let got = calls.write(ino, range.0, &bytes);
                self.same(got, |machine| machine.reference.write(id, Some(range.0), &bytes).map(drop));
            }
            Op::Append { node, len, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(*len).unwrap()));
                self.same(calls.append(ino, &bytes), |machine| machine.reference.write(id, None, &bytes));
            }
            Op::Replace { node, len, seed } => {
                let ((id, ino), bytes) = (self.pick(*node), pattern(*seed, usize::try_from(*len).unwrap()));
                self.same(calls.replace(ino, &bytes), |machine| machine.reference.replace(id, &bytes));
            }
            Op::Punch { node, range } => {
                let ((id, ino), end) = (self.pick(*node), range.0.saturating_add(range.1));
                self.same(calls.punch(ino, range.0, end), |machine| machine.reference.punch(id, range.0, end));
            }
            Op::SetAttr { node, owner, mode, times, size } => {
                let (id, ino) = self.pick(*node);
                let (gid, mtime) = (owner.map(|uid| !uid), times.map(|time| !time));
                let set = SetAttr { mode: *mode, uid: *owner, gid, size: *size, atime: *times, mtime, ctime: None };
                self.same_attr(calls.setattr(ino, &set), |fs| fs.set_attr(id, &set));
            }
            _ => {}
        }
    }

    pub(super) fn run_range(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Zero { node, range: (off, len), keep } => {
                let (id, ino) = self.pick(*node);
                let got = volume.zero(ino, *off, *len, *keep);
                self.same(got, |machine| machine.reference.zero(id, *off, *len, *keep));
            }
            Op::Allocate { node, range: (off, len), keep } => {
                let (id, ino) = self.pick(*node);
                let got = volume.allocate(ino, *off, *len, *keep);
                self.same(got, |machine| machine.reference.allocate(id, *off, *len, *keep));
            }
            _ => {}
        }
    }

    pub(super) fn run_copy(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::CopyRange { from, to, len } => {
                let ((a, a_ino), (b, b_ino)) = (self.pick(from.0), self.pick(to.0));
                let got = volume.copy_range((a_ino, from.1), (b_ino, to.1), *len);
                self.same(got, |machine| machine.reference.copy_range((a, from.1), (b, to.1), *len));
                self.copied(b);
            }
            Op::CopyFile { from, to } => {
                let ((a, a_ino), (b, b_ino)) = (self.pick(*from), self.pick(*to));
                self.same(volume.copy_file(a_ino, b_ino), |machine| machine.reference.copy_file(a, b));
                self.copied(b);
            }
            _ => {}
        }
    }

    pub(super) fn run_xattr(&mut self, op: &Op, calls: &mut dyn Calls) {
        match op {
            Op::SetXattr { node, name, len, how } => {
                let how = [SetXattr::Any, SetXattr::Create, SetXattr::Replace][usize::from(*how)];
                let ((id, ino), name, value) = (self.pick(*node), xattr(*name), pattern(*len as u64, *len));
                let got = calls.setxattr(ino, &name, &value, how);
                self.same(got, |machine| machine.reference.set_xattr(id, &name, &value, how));
            }
            Op::RemoveXattr { node, name } => {
                let ((id, ino), name) = (self.pick(*node), xattr(*name));
                self.same(calls.removexattr(ino, &name), |machine| machine.reference.remove_xattr(id, &name));
            }
            _ => {}
        }
    }

    pub(super) fn run_open(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Open { node } => {
                let (id, ino) = self.pick(*node);
                self.same(volume.open(ino), |machine| machine.reference.open(id));
            }
            Op::Release { node } => {
                let (id, ino) = self.pick(*node);
                self.same(volume.release(ino), |machine| machine.reference.release(id));
            }
            _ => {}
        }
    }

    pub(super) fn run_look(&mut self, op: &Op) {
        let volume = self.volume().clone();
        match op {
            Op::Read { node, range: (off, len) } => {
                let (id, ino) = self.pick(*node);
                let mut buffer = vec![0xEE; usize::try_from((*len).min(40_000)).unwrap()];
                let got = volume.read(ino, *off, &mut buffer);
                let got = got.map(|count| buffer[..count].to_vec());
                self.same(got, |machine| machine.reference.read(id, *off, buffer.len() as u64));
            }
            Op::Seek { node, off } => self.seek(*node, *off),
            Op::Lookup { at } => {
                let ((dir, ino), name) = self.place(*at);
                self.same_attr(volume.lookup(ino, &name), |fs| fs.lookup(dir, &name));
            }
            Op::Resolve { path, follow } => {
                self.same_attr(volume.resolve(path, *follow), |fs| fs.resolve(path, *follow));
                let place = |parent: lv::Parent| (parent.ino, parent.name);
                self.same(volume.resolve_parent(path).map(place), |machine| {
                    machine.reference.resolve_parent(path).map(|(dir, name)| (machine.ino(dir), name))
                });
                self.same(volume.resolve_missing(path).map(place), |machine| {
                    machine.reference.resolve_missing(path).map(|(dir, name)| (machine.ino(dir), name))
                });
            }
            Op::Look { node } => self.look(*node),
            _ => {}
        }
    }
}
