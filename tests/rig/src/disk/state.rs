//! What is on a disk now, and every operation on it. The one place that changes files, names and the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use super::locks::FileLocks;
use super::shm::Shm;
use super::{HandleId, Settings};
use crate::content::Content;
use crate::image::Image;
use crate::log::{Inode, Name, NameOp, Node, Op, parent};

/// A file's contents and who uses them.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) content: Content,
    pub(crate) locks: FileLocks,
    pub(crate) shm: Option<Shm>,
    /// A name stands for it.
    named: bool,
    /// SQLite has it open so many times.
    open: usize,
}

/// Everything about a disk that changes.
#[derive(Debug)]
pub(crate) struct State {
    names: BTreeMap<Name, Node>,
    files: HashMap<Inode, File>,
    next_inode: Inode,
    next_handle: HandleId,
    log: Option<Vec<Op>>,
    /// Bytes of all files.
    used: u64,
    /// Bytes that files may have together.
    pub(crate) capacity: u64,
    /// Files whose names begin so can be neither read nor written.
    pub(crate) failing: BTreeSet<Name>,
    /// Lock files held, and by whom.
    pub(crate) host_locks: BTreeMap<Name, crate::host::Holder>,
    pub(crate) next_token: u64,
}

impl State {
    pub(crate) fn new(image: &Image, settings: &Settings) -> Self {
        let mut state = Self {
            names: image.names().clone(),
            files: HashMap::new(),
            next_inode: 1,
            next_handle: 1,
            log: None,
            used: 0,
            capacity: settings.capacity,
            failing: BTreeSet::new(),
            host_locks: BTreeMap::new(),
            next_token: 1,
        };
        for (inode, content) in image.files() {
            state.used += content.len();
            state.next_inode = state.next_inode.max(inode + 1);
            state.files.insert(*inode, File { content: content.clone(), named: true, ..File::default() });
        }
        state
    }

    /// All names and the contents behind them, as they are now.
    pub(crate) fn image(&self) -> Image {
        Image::new(self.names.clone(), |inode| self.files.get(&inode).map(|file| file.content.clone()))
    }

    /// Starts (`true`) or stops logging.
    pub(crate) fn record(&mut self, on: bool) {
        match (on, self.log.is_some()) {
            (true, false) => self.log = Some(Vec::new()),
            (false, true) => self.log = None,
            _ => {}
        }
    }

    /// The operations since the last call.
    pub(crate) fn take_log(&mut self) -> Vec<Op> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(crate) fn mark(&mut self, mark: u64) {
        self.push(Op::Mark(mark));
    }

    pub(crate) fn node(&self, name: &str) -> Option<Node> {
        if name == "/" { Some(Node::Dir) } else { self.names.get(name).copied() }
    }

    pub(crate) fn file(&self, inode: Inode) -> io::Result<&File> {
        self.files.get(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(crate) fn file_mut(&mut self, inode: Inode) -> io::Result<&mut File> {
        self.files.get_mut(&inode).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Refuses a name of files that fail.
    fn healthy_name(&self, name: &str) -> io::Result<()> {
        let fails = self.failing.iter().any(|start| name.starts_with(&**start));
        if fails { Err(io::Error::other("the disk fails here")) } else { Ok(()) }
    }

    /// Refuses a file that fails.
    pub(crate) fn healthy(&self, inode: Inode) -> io::Result<()> {
        if self.failing.is_empty() {
            return Ok(());
        }
        let names = self.names.iter().filter(|(_, node)| **node == Node::File(inode));
        names.map(|(name, _)| name).try_for_each(|name| self.healthy_name(name))
    }

    /// The file behind a name.
    pub(crate) fn lookup(&self, name: &str) -> io::Result<Inode> {
        self.healthy_name(name)?;
        match self.node(name) {
            Some(Node::File(inode)) => Ok(inode),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Full names in a folder, sorted.
    pub(crate) fn list(&self, dir: &str) -> io::Result<Vec<Name>> {
        self.need_dir(dir)?;
        Ok(self.names.keys().filter(|name| parent(name) == dir).cloned().collect())
    }

    /// A new empty file.
    pub(crate) fn create(&mut self, name: &str) -> io::Result<Inode> {
        self.need_dir(parent(name))?;
        self.healthy_name(name)?;
        if self.node(name).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.new_file(true);
        self.rename_op(NameOp::Add(name.into(), Node::File(inode)));
        Ok(inode)
    }

    /// A new folder.
    pub(crate) fn make_dir(&mut self, name: &str) -> io::Result<()> {
        self.need_dir(parent(name))?;
        match self.node(name) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            None => {
                self.rename_op(NameOp::Add(name.into(), Node::Dir));
                Ok(())
            }
        }
    }

    /// A file without a name; never logged, gone when closed.
    pub(crate) fn temporary(&mut self) -> Inode {
        self.new_file(false)
    }

    /// SQLite opens a file.
    pub(crate) fn open(&mut self, inode: Inode) -> io::Result<HandleId> {
        self.file_mut(inode)?.open += 1;
        self.next_handle += 1;
        Ok(self.next_handle)
    }

    /// SQLite closes a file: its locks go.
    pub(crate) fn close(&mut self, inode: Inode, handle: HandleId) {
        self.leave_shm(inode, handle);
        if let Some(file) = self.files.get_mut(&inode) {
            file.locks.unlock(handle, super::locks::Level::None);
            file.open = file.open.saturating_sub(1);
        }
        self.forget_unused(inode);
    }

    /// A connection uses the wal-index no longer.
    pub(crate) fn leave_shm(&mut self, inode: Inode, handle: HandleId) {
        if let Some(file) = self.files.get_mut(&inode)
            && file.shm.as_mut().is_some_and(|shm| shm.leave(handle))
        {
            file.shm = None;
        }
    }

    pub(crate) fn write(&mut self, inode: Inode, at: u64, data: &[u8]) -> io::Result<()> {
        self.healthy(inode)?;
        let end = at.checked_add(data.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        let grows = end.saturating_sub(self.file(inode)?.content.len());
        self.take_space(grows)?;
        let file = self.file_mut(inode)?;
        file.content.write(at, data);
        if file.named {
            self.push(Op::Write { inode, at, data: data.into() });
        }
        Ok(())
    }

    pub(crate) fn truncate(&mut self, inode: Inode, len: u64) -> io::Result<()> {
        self.healthy(inode)?;
        let old = self.file(inode)?.content.len();
        self.take_space(len.saturating_sub(old))?;
        self.used -= old.saturating_sub(len);
        let file = self.file_mut(inode)?;
        file.content.set_len(len);
        if file.named {
            self.push(Op::Truncate { inode, len });
        }
        Ok(())
    }

    pub(crate) fn sync(&mut self, inode: Inode) -> io::Result<()> {
        self.healthy(inode)?;
        if self.file(inode)?.named {
            self.push(Op::Sync(inode));
        }
        Ok(())
    }

    pub(crate) fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        self.need_dir(dir)?;
        self.push(Op::SyncDir(dir.into()));
        Ok(())
    }

    /// Removes a file's name.
    pub(crate) fn unlink(&mut self, name: &str) -> io::Result<()> {
        let inode = self.lookup(name)?;
        self.rename_op(NameOp::Remove(name.into()));
        self.unname(inode);
        Ok(())
    }

    /// Removes an empty folder.
    pub(crate) fn remove_dir(&mut self, name: &str) -> io::Result<()> {
        self.need_dir(name)?;
        if !self.list(name)?.is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        self.rename_op(NameOp::Remove(name.into()));
        Ok(())
    }

    /// Renames a file that nobody has open; replaces another only if `replace`.
    pub(crate) fn rename(&mut self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        let inode = self.lookup(from)?;
        self.need_dir(parent(to))?;
        let replaced = match self.node(to) {
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) if !replace => return Err(io::ErrorKind::AlreadyExists.into()),
            Some(Node::File(old)) => Some(old),
            None => None,
        };
        for inode in [Some(inode), replaced].into_iter().flatten() {
            assert!(self.file(inode)?.open == 0, "rename of {from} to {to}: SQLite has the file open");
        }
        self.rename_op(NameOp::Rename(from.into(), to.into()));
        if let Some(old) = replaced {
            self.unname(old);
        }
        Ok(())
    }

    /// Bytes that may still be written.
    pub(crate) fn free(&self) -> u64 {
        self.capacity.saturating_sub(self.used)
    }

    fn need_dir(&self, name: &str) -> io::Result<()> {
        match self.node(name) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn new_file(&mut self, named: bool) -> Inode {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.files.insert(inode, File { named, ..File::default() });
        inode
    }

    fn rename_op(&mut self, op: NameOp) {
        apply_name_op(&mut self.names, &op);
        self.push(Op::Name(op));
    }

    fn unname(&mut self, inode: Inode) {
        if let Some(file) = self.files.get_mut(&inode) {
            file.named = false;
        }
        self.forget_unused(inode);
    }

    fn forget_unused(&mut self, inode: Inode) {
        if self.files.get(&inode).is_some_and(|file| !file.named && file.open == 0)
            && let Some(file) = self.files.remove(&inode)
        {
            self.used -= file.content.len();
        }
    }

    fn take_space(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.free() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.used += bytes;
        Ok(())
    }

    fn push(&mut self, op: Op) {
        if let Some(log) = &mut self.log {
            log.push(op);
        }
    }
}

/// Does one change of names.
pub(crate) fn apply_name_op(names: &mut BTreeMap<Name, Node>, op: &NameOp) {
    match op {
        NameOp::Add(name, node) => drop(names.insert(Arc::clone(name), *node)),
        NameOp::Remove(name) => drop(names.remove(name)),
        NameOp::Rename(from, to) => {
            if let Some(node) = names.remove(from) {
                names.insert(Arc::clone(to), node);
            }
        }
    }
}
