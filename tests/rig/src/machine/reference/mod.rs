//! A filesystem in memory, written as plainly as its rules: what the volume is compared with. Errors are numbers.

mod data;
mod node;
mod walk;

use std::sync::Arc;

use lv::{Attr, Kind, Nanos, NewNode, Rename};

pub(crate) use node::Node;

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
pub(crate) struct Reference {
    /// By number; `None` when gone. Clones share what has not changed.
    nodes: Vec<Option<Arc<Node>>>,
    pub(crate) now: Nanos,
    /// Files that took another's place since somebody asked: their names never show less than they hold now.
    replaced: Vec<Id>,
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
        Self { nodes: vec![Some(Arc::new(node))], now: 0, replaced: Vec::new() }
    }

    pub(crate) fn get(&self, id: Id) -> Result<&Node> {
        self.nodes.get(id).and_then(Option::as_deref).ok_or(ENOENT)
    }

    fn node(&mut self, id: Id) -> Result<&mut Node> {
        self.nodes.get_mut(id).and_then(Option::as_mut).map(Arc::make_mut).ok_or(ENOENT)
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
        self.nodes.push(Some(Arc::new(made)));
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
            if !is_dir {
                self.replaced.push(id);
            }
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
        self.replaced.extend([first, second]);
        Ok(())
    }

    /// The files that took another's place since the last call.
    pub(crate) fn take_replaced(&mut self) -> Vec<Id> {
        std::mem::take(&mut self.replaced)
    }

    /// The process ends: nothing is open any more.
    pub(crate) fn reopen(&mut self) {
        for id in 0..self.nodes.len() {
            let Ok(node) = self.node(id) else { continue };
            node.opens = 0;
            if node.nlink == 0 {
                self.nodes[id] = None;
            }
        }
    }

    /// The files whose contents or times differ from those in `before`, and new ones.
    pub(crate) fn written_since(&self, before: &Self) -> Vec<Id> {
        let differs = |id: &Id| match (self.get(*id), before.get(*id)) {
            (Ok(now), Ok(then)) => now.mtime != then.mtime || !now.contents.same(&then.contents),
            (now, _) => now.is_ok(),
        };
        self.ids().filter(|id| self.get(*id).is_ok_and(|node| node.kind == Kind::File)).filter(differs).collect()
    }

    /// Puts a file's contents back to what they were in `then`, with their time.
    pub(crate) fn rewind(&mut self, id: Id, then: &Self) {
        let (contents, mtime) = match then.get(id) {
            Ok(node) => (node.contents.clone(), node.mtime),
            Err(_) => (Contents::default(), 0),
        };
        if let Ok(node) = self.node(id) {
            (node.contents, node.mtime) = (contents, mtime);
        }
    }
}
