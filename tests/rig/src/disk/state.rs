//! What is on a disk now, and every operation on it. The one place that changes files, names and the log.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use super::fault::{Act, FaultKind, FileKind, Plan, error};
use super::locks::FileLocks;
use super::shm::Shm;
use super::{Before, HandleId, Settings};
use crate::content::Content;
use crate::image::{Image, Model};
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
    /// What it is to the engine; none without a name.
    kind: Option<FileKind>,
}

/// Everything about a disk that changes.
#[derive(Debug)]
pub(crate) struct State {
    names: BTreeMap<Name, Node>,
    files: HashMap<Inode, File>,
    next_inode: Inode,
    next_handle: HandleId,
    log: Option<Vec<Op>>,
    /// What is durable, where that is followed.
    model: Option<Model>,
    /// What is to fail.
    pub(crate) plan: Plan,
    /// Bytes of all files.
    used: u64,
    /// Bytes that files may have together.
    pub(crate) capacity: u64,
    unsynced: Option<FileKind>,
    /// Files whose names begin so can be neither read nor written.
    pub(crate) failing: BTreeSet<Name>,
    /// Lock files held, and by whom.
    pub(crate) host_locks: BTreeMap<Name, crate::host::Holder>,
    pub(crate) next_token: u64,
    /// What is done before the next read or write of a file.
    pub(crate) interjections: Vec<(Before, Name, Interjection)>,
}

/// Something to do between two operations of SQLite.
pub(crate) struct Interjection(pub(crate) Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Interjection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interjection")
    }
}

impl State {
    pub(crate) fn new(image: &Image, settings: &Settings) -> Self {
        let mut state = Self {
            names: image.names().clone(),
            files: HashMap::new(),
            next_inode: 1,
            next_handle: 1,
            log: None,
            model: None,
            plan: Plan::default(),
            used: 0,
            capacity: settings.capacity,
            unsynced: settings.unsynced,
            failing: BTreeSet::new(),
            host_locks: BTreeMap::new(),
            next_token: 1,
            interjections: Vec::new(),
        };
        for (inode, content) in image.files() {
            state.used += content.len();
            state.next_inode = state.next_inode.max(inode + 1);
            state.files.insert(*inode, File { content: content.clone(), named: true, ..File::default() });
        }
        for (name, node) in image.names() {
            if let Node::File(inode) = node {
                state.is_now(*inode, name);
            }
        }
        state
    }

    /// Follows what is durable from here on, where `model` is what is durable now.
    pub(crate) fn follow(&mut self, model: Model) {
        self.model = Some(model);
    }

    /// What is durable, where that is followed.
    pub(crate) const fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// A file has this name now.
    fn is_now(&mut self, inode: Inode, name: &str) {
        if let Some(file) = self.files.get_mut(&inode) {
            file.kind = Some(FileKind::of(name));
        }
    }

    /// What is to be done before a file is read or written.
    pub(crate) fn interject(&mut self, before: Before, inode: Inode) -> Option<Interjection> {
        let is_it = |(at, name): (Before, &Name)| at == before && self.names.get(name) == Some(&Node::File(inode));
        let found = self.interjections.iter().position(|(at, name, _)| is_it((*at, name)))?;
        Some(self.interjections.remove(found).2)
    }

    /// Whether the plan lets this operation on a file fail, and how. Files without names never fail.
    fn strike(&mut self, act: Act, inode: Inode) -> Option<FaultKind> {
        let kind = self.files.get(&inode)?.kind?;
        self.plan.strike(act, kind)
    }

    /// The error of an operation that the plan lets fail.
    fn check(&mut self, act: Act, kind: FileKind) -> io::Result<()> {
        self.plan.strike(act, kind).map_or(Ok(()), |kind| Err(error(kind)))
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
        self.check(Act::Open, FileKind::of(name))?;
        let inode = self.new_file(true);
        self.is_now(inode, name);
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
                self.check(Act::Open, FileKind::Folder)?;
                self.rename_op(NameOp::Add(name.into(), Node::Dir));
                Ok(())
            }
        }
    }

    /// A file without a name; never logged, gone when closed.
    pub(crate) fn temporary(&mut self) -> Inode {
        self.new_file(false)
    }

    /// The file behind a name, to be opened.
    pub(crate) fn open_existing(&mut self, name: &str) -> io::Result<Inode> {
        let inode = self.lookup(name)?;
        self.strike(Act::Open, inode).map_or(Ok(inode), |kind| Err(error(kind)))
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

    /// Fills `buf` from byte `at` on; how many bytes there were. The rest of `buf` stays as it is.
    pub(crate) fn read(&mut self, inode: Inode, at: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.healthy(inode)?;
        let struck = self.strike(Act::Read, inode);
        let content = &self.file(inode)?.content;
        match struck {
            None => Ok(content.read(at, buf)),
            Some(FaultKind::Read) => Err(error(FaultKind::Read)),
            Some(kind) => {
                let half = buf.len() / 2;
                let there = content.read(at, &mut buf[..half]);
                if kind == FaultKind::EarlyEnd { Ok(there) } else { Err(error(kind)) }
            }
        }
    }

    pub(crate) fn write(&mut self, inode: Inode, at: u64, data: &[u8]) -> io::Result<()> {
        self.healthy(inode)?;
        match self.strike(Act::Write, inode) {
            None => self.write_all(inode, at, data),
            Some(FaultKind::ShortWrite) => {
                self.write_all(inode, at, &data[..data.len() / 2])?;
                Err(self.plan.half_error())
            }
            Some(kind) => Err(error(kind)),
        }
    }

    fn write_all(&mut self, inode: Inode, at: u64, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
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
        if let Some(kind) = self.strike(Act::Truncate, inode) {
            return Err(error(kind));
        }
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
        let named = self.file(inode)?.named;
        match self.strike(Act::Sync, inode) {
            None => {
                let kind = self.file(inode)?.kind;
                let heard = kind.is_none() || kind != self.unsynced;
                if named && heard {
                    self.push(Op::Sync(inode));
                }
                return Ok(());
            }
            Some(FaultKind::SyncDrop) if named => self.revert(inode),
            Some(FaultKind::SyncLie) if named => self.push(Op::Forget(inode)),
            Some(_) => {}
        }
        Err(error(FaultKind::Sync))
    }

    /// A file shows again what is durable of it, if that is followed.
    fn revert(&mut self, inode: Inode) {
        self.push(Op::Revert(inode));
        let durable = self.model.as_ref().and_then(|model| model.shown(inode)).cloned();
        if let (Some(durable), Some(file)) = (durable, self.files.get_mut(&inode)) {
            self.used = (self.used + durable.len()).saturating_sub(file.content.len());
            file.content = durable;
        }
    }

    pub(crate) fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        self.need_dir(dir)?;
        self.check(Act::Sync, FileKind::Folder)?;
        self.push(Op::SyncDir(dir.into()));
        Ok(())
    }

    /// Removes a file's name.
    pub(crate) fn unlink(&mut self, name: &str) -> io::Result<()> {
        let inode = self.lookup(name)?;
        self.check(Act::Unlink, FileKind::of(name))?;
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
        self.check(Act::Unlink, FileKind::Folder)?;
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
        self.check(Act::Rename, FileKind::of(to))?;
        self.rename_op(NameOp::Rename(from.into(), to.into()));
        self.is_now(inode, to);
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
        if let Some(model) = &mut self.model {
            model.apply(&op);
        }
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
