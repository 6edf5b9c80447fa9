//! A filesystem in memory, written as plainly as its rules: what the volume is compared with. Errors are numbers.

use std::collections::BTreeMap;

use anyfs_lvm_lv::{Attr, Ino, Kind, Nanos, NewNode, Rename, SetAttr, SetXattr};

use super::contents::Contents;

pub(crate) type Id = usize;
pub(crate) type Errno = i32;
pub(crate) type Result<T> = std::result::Result<T, Errno>;

pub(crate) const ROOT: Id = 0;
const LARGEST: u64 = i64::MAX as u64;

const EPERM: Errno = 1;
pub(crate) const ENOENT: Errno = 2;
const ENXIO: Errno = 6;
const E2BIG: Errno = 7;
pub(crate) const EEXIST: Errno = 17;
pub(crate) const ENOTDIR: Errno = 20;
const EISDIR: Errno = 21;
pub(crate) const EINVAL: Errno = 22;
const EFBIG: Errno = 27;
const ERANGE: Errno = 34;
pub(crate) const ENAMETOOLONG: Errno = 36;
const ENOTEMPTY: Errno = 39;
const ENODATA: Errno = 61;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    mode: u32,
    uid: u32,
    gid: u32,
    rdev: u64,
    pub(crate) nlink: u32,
    pub(crate) contents: Contents,
    pub(crate) target: Vec<u8>,
    pub(crate) entries: BTreeMap<Vec<u8>, Id>,
    pub(crate) parent: Id,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    opens: u32,
    atime: Nanos,
    mtime: Nanos,
    ctime: Nanos,
    btime: Nanos,
}

impl Node {
    fn new(node: &NewNode, parent: Id, now: Nanos) -> Self {
        Self {
            kind: node.kind,
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            rdev: if matches!(node.kind, Kind::CharDevice | Kind::BlockDevice) { node.rdev } else { 0 },
            nlink: if node.kind == Kind::Directory { 2 } else { 1 },
            contents: Contents::default(),
            target: Vec::new(),
            entries: BTreeMap::new(),
            parent,
            xattrs: BTreeMap::new(),
            opens: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
        }
    }

    fn changed(&mut self, now: Nanos) {
        self.mtime = now;
        self.ctime = now;
    }

    /// Attributes; how much is stored is not the reference's to know.
    pub(crate) fn attr(&self, ino: Ino) -> Attr {
        let size = match self.kind {
            Kind::Directory => self.entries.len() as u64,
            Kind::Symlink => self.target.len() as u64,
            _ => self.contents.size,
        };
        let Self { kind, mode, uid, gid, nlink, atime, mtime, ctime, btime, rdev, .. } = *self;
        Attr { ino, kind, mode, uid, gid, nlink, size, stored: 0, atime, mtime, ctime, btime, rdev }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Reference {
    /// By number; `None` when gone.
    nodes: Vec<Option<Node>>,
    pub(crate) now: Nanos,
}

fn check_name(name: &[u8]) -> Result<()> {
    match name {
        long if long.len() > 255 => Err(ENAMETOOLONG),
        b"" | b"." | b".." => Err(EINVAL),
        name if name.contains(&b'/') || name.contains(&0) => Err(EINVAL),
        _ => Ok(()),
    }
}

impl Reference {
    /// An empty filesystem whose root was made then.
    pub(crate) fn new(root: &Attr) -> Self {
        let mut node = Node::new(&NewNode::directory(root.mode), ROOT, 0);
        (node.atime, node.mtime, node.ctime, node.btime) = (root.atime, root.mtime, root.ctime, root.btime);
        Self { nodes: vec![Some(node)], now: 0 }
    }

    pub(crate) fn get(&self, id: Id) -> Result<&Node> {
        self.nodes.get(id).and_then(Option::as_ref).ok_or(ENOENT)
    }

    fn node(&mut self, id: Id) -> Result<&mut Node> {
        self.nodes.get_mut(id).and_then(Option::as_mut).ok_or(ENOENT)
    }

    /// A node, marked as changed.
    fn touch(&mut self, id: Id) -> Result<&mut Node> {
        let now = self.now;
        let node = self.node(id)?;
        node.changed(now);
        Ok(node)
    }

    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = Id> {
        (0..self.nodes.len()).filter(|id| self.nodes[*id].is_some())
    }

    /// How many nodes there ever were.
    pub(crate) fn made(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn dir(&self, id: Id) -> Result<&Node> {
        Ok(self.get(id)?).and_then(|node| if node.kind == Kind::Directory { Ok(node) } else { Err(ENOTDIR) })
    }

    fn file(&mut self, id: Id) -> Result<&mut Node> {
        match self.node(id)? {
            node if node.kind == Kind::File => Ok(node),
            node if node.kind == Kind::Directory => Err(EISDIR),
            _ => Err(EINVAL),
        }
    }

    pub(crate) fn lookup(&self, parent: Id, name: &[u8]) -> Result<Id> {
        let dir = self.dir(parent)?;
        if name.len() > 255 {
            return Err(ENAMETOOLONG);
        }
        dir.entries.get(name).copied().ok_or(ENOENT)
    }

    fn existing(&self, parent: Id, name: &[u8]) -> Result<Id> {
        self.dir(parent)?;
        check_name(name)?;
        self.lookup(parent, name)
    }

    fn vacant(&self, parent: Id, name: &[u8]) -> Result<()> {
        let dir = self.dir(parent)?;
        if dir.nlink == 0 {
            return Err(ENOENT);
        }
        check_name(name)?;
        match dir.entries.get(name) {
            Some(_) => Err(EEXIST),
            None => Ok(()),
        }
    }

    fn insert(&mut self, parent: Id, name: &[u8], id: Id) -> Result<()> {
        let is_dir = self.get(id)?.kind == Kind::Directory;
        let above = self.touch(parent)?;
        above.entries.insert(name.to_vec(), id);
        above.nlink += u32::from(is_dir);
        if is_dir {
            self.node(id)?.parent = parent;
        }
        Ok(())
    }

    fn remove(&mut self, parent: Id, name: &[u8]) -> Result<Id> {
        let id = self.lookup(parent, name)?;
        let is_dir = self.get(id)?.kind == Kind::Directory;
        let above = self.touch(parent)?;
        above.entries.remove(name);
        above.nlink -= u32::from(is_dir);
        Ok(id)
    }

    /// One name fewer; a node without names goes when nobody has it open.
    fn drop_name(&mut self, id: Id) -> Result<()> {
        let now = self.now;
        let node = self.node(id)?;
        node.nlink = if node.kind == Kind::Directory { 0 } else { node.nlink - 1 };
        node.ctime = now;
        self.reclaim(id)
    }

    fn reclaim(&mut self, id: Id) -> Result<()> {
        let node = self.node(id)?;
        if node.nlink == 0 && node.opens == 0 {
            self.nodes[id] = None;
        }
        Ok(())
    }

    pub(crate) fn make(&mut self, parent: Id, name: &[u8], node: &NewNode, target: &[u8]) -> Result<Id> {
        if node.kind == Kind::Symlink && (target.is_empty() || target.len() > 4095 || target.contains(&0)) {
            return Err(EINVAL);
        }
        self.vacant(parent, name)?;
        let id = self.nodes.len();
        let mut made = Node::new(node, parent, self.now);
        made.target = target.to_vec();
        self.nodes.push(Some(made));
        self.insert(parent, name, id)?;
        Ok(id)
    }

    pub(crate) fn link(&mut self, id: Id, parent: Id, name: &[u8]) -> Result<Id> {
        self.vacant(parent, name)?;
        let now = self.now;
        let node = self.node(id)?;
        if node.kind == Kind::Directory {
            return Err(EPERM);
        }
        if node.nlink == 0 {
            return Err(ENOENT);
        }
        node.nlink += 1;
        node.ctime = now;
        self.insert(parent, name, id)?;
        Ok(id)
    }

    pub(crate) fn unlink(&mut self, parent: Id, name: &[u8]) -> Result<()> {
        let id = self.existing(parent, name)?;
        if self.get(id)?.kind == Kind::Directory {
            return Err(EISDIR);
        }
        self.remove(parent, name)?;
        self.drop_name(id)
    }

    pub(crate) fn rmdir(&mut self, parent: Id, name: &[u8]) -> Result<()> {
        let id = self.existing(parent, name)?;
        if !self.dir(id)?.entries.is_empty() {
            return Err(ENOTEMPTY);
        }
        self.remove(parent, name)?;
        self.drop_name(id)
    }

    fn is_under(&self, mut id: Id, above: Id) -> bool {
        while id != above && id != ROOT {
            id = self.nodes[id].as_ref().unwrap().parent;
        }
        id == above
    }

    pub(crate) fn rename(&mut self, from: (Id, &[u8]), to: (Id, &[u8]), how: Rename) -> Result<()> {
        self.dir(from.0)?;
        self.dir(to.0)?;
        check_name(from.1)?;
        check_name(to.1)?;
        let id = self.existing(from.0, from.1)?;
        if how == Rename::Exchange {
            return self.exchange(from, to, id);
        }
        if self.dir(to.0)?.nlink == 0 {
            return Err(ENOENT);
        }
        let is_dir = self.get(id)?.kind == Kind::Directory;
        let old = self.dir(to.0)?.entries.get(to.1).copied();
        match old {
            Some(_) if how == Rename::Keep => return Err(EEXIST),
            Some(old) if old == id => return Ok(()),
            _ => {}
        }
        if is_dir && self.is_under(to.0, id) {
            return Err(EINVAL);
        }
        if let Some(old) = old {
            match (is_dir, self.get(old)?.kind == Kind::Directory) {
                (true, true) if !self.dir(old)?.entries.is_empty() => return Err(ENOTEMPTY),
                (true, false) => return Err(ENOTDIR),
                (false, true) => return Err(EISDIR),
                _ => {}
            }
            self.remove(to.0, to.1)?;
            self.drop_name(old)?;
        }
        self.remove(from.0, from.1)?;
        self.insert(to.0, to.1, id)?;
        let now = self.now;
        self.node(id)?.ctime = now;
        Ok(())
    }

    fn exchange(&mut self, a: (Id, &[u8]), b: (Id, &[u8]), first: Id) -> Result<()> {
        let second = self.existing(b.0, b.1)?;
        if first == second {
            return Ok(());
        }
        let circle = |id: Id, dir: Id| self.get(id).is_ok_and(|n| n.kind == Kind::Directory) && self.is_under(dir, id);
        if circle(first, b.0) || circle(second, a.0) {
            return Err(EINVAL);
        }
        self.remove(a.0, a.1)?;
        self.remove(b.0, b.1)?;
        self.insert(a.0, a.1, second)?;
        self.insert(b.0, b.1, first)?;
        let now = self.now;
        self.node(first)?.ctime = now;
        self.node(second)?.ctime = now;
        Ok(())
    }

    pub(crate) fn set_attr(&mut self, id: Id, set: &SetAttr) -> Result<Id> {
        if let Some(size) = set.size {
            self.resize(id, size)?;
        }
        let now = self.now;
        let node = self.node(id)?;
        node.mode = set.mode.map_or(node.mode, |mode| mode & 0o7777);
        node.uid = set.uid.unwrap_or(node.uid);
        node.gid = set.gid.unwrap_or(node.gid);
        node.atime = set.atime.unwrap_or(node.atime);
        node.mtime = set.mtime.unwrap_or(node.mtime);
        node.ctime = now;
        Ok(id)
    }

    fn resize(&mut self, id: Id, size: u64) -> Result<()> {
        self.file(id)?;
        if size > LARGEST {
            return Err(EFBIG);
        }
        self.touch(id)?.contents.resize(size);
        Ok(())
    }

    pub(crate) fn write(&mut self, id: Id, off: Option<u64>, bytes: &[u8]) -> Result<u64> {
        self.file(id)?;
        let fits = |off: u64| off.checked_add(bytes.len() as u64).is_some_and(|end| end <= LARGEST);
        if off.is_some_and(|off| !fits(off)) {
            return Err(EFBIG);
        }
        let off = off.unwrap_or(self.file(id)?.contents.size);
        if !fits(off) {
            return Err(EFBIG);
        }
        if !bytes.is_empty() {
            self.touch(id)?.contents.write(off, bytes);
        }
        Ok(off)
    }

    pub(crate) fn replace(&mut self, id: Id, bytes: &[u8]) -> Result<()> {
        self.file(id)?;
        let node = self.touch(id)?;
        node.contents = Contents::default();
        node.contents.write(0, bytes);
        Ok(())
    }

    pub(crate) fn read(&mut self, id: Id, off: u64, len: u64) -> Result<Vec<u8>> {
        Ok(self.file(id)?.contents.read(off, len))
    }

    pub(crate) fn punch(&mut self, id: Id, start: u64, end: u64) -> Result<()> {
        let size = self.file(id)?.contents.size;
        if start < end.min(size) {
            self.touch(id)?.contents.zero(start, end);
        }
        Ok(())
    }

    fn range_end(off: u64, len: u64) -> Result<u64> {
        off.checked_add(len).filter(|end| *end <= LARGEST).ok_or(EFBIG)
    }

    fn some_range_end(&mut self, id: Id, off: u64, len: u64) -> Result<u64> {
        self.file(id)?;
        if len == 0 { Err(EINVAL) } else { Self::range_end(off, len) }
    }

    pub(crate) fn zero(&mut self, id: Id, off: u64, len: u64, keep: bool) -> Result<()> {
        let end = self.some_range_end(id, off, len)?;
        self.punch(id, off, end)?;
        self.grow(id, end, keep)
    }

    pub(crate) fn allocate(&mut self, id: Id, off: u64, len: u64, keep: bool) -> Result<()> {
        let end = self.some_range_end(id, off, len)?;
        self.grow(id, end, keep)
    }

    fn grow(&mut self, id: Id, end: u64, keep: bool) -> Result<()> {
        if keep || self.file(id)?.contents.size >= end { Ok(()) } else { self.resize(id, end) }
    }

    /// Whether a search for bytes or holes may find anything at all.
    pub(crate) fn seek(&mut self, id: Id, off: u64) -> Result<()> {
        if off < self.file(id)?.contents.size { Ok(()) } else { Err(ENXIO) }
    }

    pub(crate) fn copy_range(&mut self, from: (Id, u64), to: (Id, u64), len: u64) -> Result<u64> {
        let size = self.file(from.0)?.contents.size;
        self.file(to.0)?;
        let len = len.min(size.saturating_sub(from.1));
        Self::range_end(to.1, len)?;
        if from.0 == to.0 && from.1.abs_diff(to.1) < len {
            return Err(EINVAL);
        }
        if len > 0 {
            let bytes = self.read(from.0, from.1, len)?;
            self.touch(to.0)?.contents.write(to.1, &bytes);
        }
        Ok(len)
    }

    pub(crate) fn copy_file(&mut self, from: Id, to: Id) -> Result<()> {
        let contents = self.file(from)?.contents.clone();
        self.file(to)?;
        if from != to {
            self.touch(to)?.contents = contents;
        }
        Ok(())
    }

    pub(crate) fn open(&mut self, id: Id) -> Result<()> {
        self.node(id)?.opens += 1;
        Ok(())
    }

    pub(crate) fn release(&mut self, id: Id) -> Result<()> {
        let node = self.node(id)?;
        node.opens = node.opens.saturating_sub(1);
        self.reclaim(id)
    }

    fn check_xattr(&self, id: Id, name: &[u8]) -> Result<()> {
        let plain = matches!(self.get(id)?.kind, Kind::File | Kind::Directory);
        match name {
            long if long.len() > 255 => Err(ERANGE),
            name if name.is_empty() || name.contains(&0) => Err(EINVAL),
            name if name.starts_with(b"user.") && !plain => Err(EPERM),
            _ => Ok(()),
        }
    }

    pub(crate) fn set_xattr(&mut self, id: Id, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        self.check_xattr(id, name)?;
        let node = self.get(id)?;
        match how {
            _ if value.len() > 65536 => return Err(E2BIG),
            SetXattr::Create if node.xattrs.contains_key(name) => return Err(EEXIST),
            SetXattr::Replace if !node.xattrs.contains_key(name) => return Err(ENODATA),
            _ => {}
        }
        let now = self.now;
        let node = self.node(id)?;
        node.xattrs.insert(name.to_vec(), value.to_vec());
        node.ctime = now;
        Ok(())
    }

    pub(crate) fn remove_xattr(&mut self, id: Id, name: &[u8]) -> Result<()> {
        self.check_xattr(id, name)?;
        let now = self.now;
        let node = self.node(id)?;
        node.xattrs.remove(name).ok_or(ENODATA)?;
        node.ctime = now;
        Ok(())
    }

    /// The process ends: nothing is open any more.
    pub(crate) fn reopen(&mut self) {
        for id in 0..self.nodes.len() {
            if let Some(node) = &mut self.nodes[id] {
                node.opens = 0;
                if node.nlink == 0 {
                    self.nodes[id] = None;
                }
            }
        }
    }
}
