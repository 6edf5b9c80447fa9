//! Names and inodes: every change is one step of the family's one order of namespace operations.

use std::sync::Arc;

use super::directory::{Bucket, Directory, LAST_NUMBER, VERIFIED, bucket_of};
use super::inode::Inode;
use super::state::{FS, State};
use crate::catalogue::{DirentRow, InodeRow, entry_mark};
use crate::limits::{NAME_MAX, check_name};
use crate::{AccessTime, Attr, DirEntry, Ino, Kind, LvError, Nanos, NewNode, Result, SetAttr};

/// Map entries an unlink takes apart at once; the rest is done in the background.
pub(crate) const UNMAP_AT_ONCE: usize = 1024;
/// Largest file size: offsets are stored as signed integers.
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

/// How old an access time may become, in nanoseconds.
const DAY: Nanos = 24 * 60 * 60 * 1_000_000_000;
/// Set-group-id.
const SET_GID: u32 = 0o2000;

impl State {
    /// Whether what is in memory says what is in the bucket.
    fn has_bucket(&self, parent: Ino, base: u64) -> bool {
        self.dirs.get(&parent).is_some_and(|dir| dir.complete || dir.buckets.contains_key(&base))
    }

    /// The bucket that `base` names, loaded when it is not in memory.
    fn bucket(&mut self, parent: Ino, base: u64) -> Result<&mut Bucket> {
        self.verify_directory(parent, VERIFIED)?;
        if !self.has_bucket(parent, base) {
            self.directory_around(parent);
        }
        if !self.has_bucket(parent, base) {
            let entries = self.reader.dirents_between(FS, parent, base, base | LAST_NUMBER)?;
            let bucket = Bucket { entries, stamp: self.committed, used: true };
            self.dirs.entry(parent).or_default().buckets.insert(base, bucket);
            self.entries += 1;
        }
        let bucket = self.dirs.entry(parent).or_default().buckets.entry(base).or_default();
        bucket.used = true;
        Ok(bucket)
    }

    pub(crate) fn directory(&mut self, ino: Ino) -> Result<&mut Inode> {
        let inode = self.inode(ino)?;
        if inode.attr.kind == Kind::Directory {
            Ok(inode)
        } else {
            Err(LvError::NotDirectory { name: format!("inode {ino}").into_bytes() })
        }
    }

    /// The entry `name` of a directory.
    pub(crate) fn find(&mut self, parent: Ino, name: &[u8]) -> Result<Option<(Ino, Kind)>> {
        self.directory(parent)?;
        if name.len() > NAME_MAX {
            return Err(LvError::NameTooLong { name: name.to_owned() });
        }
        let base = bucket_of(self.fs.name_key, name);
        let found = self.bucket(parent, base)?.find(name).map(|entry| (entry.ino, entry.kind));
        if let Some((ino, kind)) = found {
            self.entered(parent, (ino, kind))?;
        }
        Ok(found)
    }

    pub(super) fn must_find(&mut self, parent: Ino, name: &[u8]) -> Result<(Ino, Kind)> {
        self.directory(parent)?;
        check_name(name)?;
        self.find(parent, name)?.ok_or_else(|| LvError::NotFound { name: name.to_owned() })
    }

    pub(crate) fn link_entry(&mut self, parent: Ino, name: &[u8], ino: Ino, kind: Kind, now: Nanos) -> Result<()> {
        let base = bucket_of(self.fs.name_key, name);
        let txg = self.txg;
        self.bucket(parent, base)?;
        self.note_bucket(parent, base);
        let bucket = self.bucket(parent, base)?;
        let cookie = bucket.free_cookie(base).ok_or(LvError::Invalid { what: "too many names with equal hashes" })?;
        let entry = DirentRow { cookie, name: name.into(), ino, kind };
        let mark = entry_mark(&entry);
        bucket.entries.push(entry);
        bucket.stamp = txg;
        self.reader.changing();
        self.dirty.dirents.insert((parent, cookie), true);
        let dir = self.inode_mut(parent)?;
        dir.below = dir.below.wrapping_add(mark);
        dir.attr.size = dir.attr.size.saturating_add(1);
        dir.attr.mtime = now;
        dir.attr.ctime = now;
        Ok(())
    }

    pub(crate) fn unlink_entry(&mut self, parent: Ino, name: &[u8], now: Nanos) -> Result<()> {
        let base = bucket_of(self.fs.name_key, name);
        let txg = self.txg;
        self.bucket(parent, base)?;
        self.note_bucket(parent, base);
        let bucket = self.bucket(parent, base)?;
        bucket.stamp = txg;
        let Some(at) = bucket.entries.iter().position(|entry| entry.name.as_ref() == name) else { return Ok(()) };
        let entry = bucket.entries.remove(at);
        self.reader.changing();
        self.dirty.dirents.insert((parent, entry.cookie), false);
        let dir = self.inode_mut(parent)?;
        dir.below = dir.below.wrapping_sub(entry_mark(&entry));
        dir.attr.size = dir.attr.size.saturating_sub(1);
        dir.attr.mtime = now;
        dir.attr.ctime = now;
        Ok(())
    }

    fn vacant(&mut self, parent: Ino, name: &[u8]) -> Result<()> {
        if self.directory(parent)?.attr.nlink == 0 {
            return Err(LvError::NoInode { ino: parent });
        }
        check_name(name)?;
        match self.find(parent, name)? {
            Some(_) => Err(LvError::Exists { name: name.to_owned() }),
            None => Ok(()),
        }
    }

    /// Makes a new inode, in memory and in the next commit, that no name leads to yet.
    pub(crate) fn new_inode(
        &mut self,
        parent: Ino,
        node: &NewNode,
        nlink: u32,
        target: Option<Arc<[u8]>>,
        now: Nanos,
    ) -> Attr {
        let ino = Ino(self.fs.next_ino);
        self.reader.changing();
        self.fs.next_ino = self.fs.next_ino.saturating_add(1);
        self.fs.files = self.fs.files.saturating_add(1);
        self.dirty.fs = true;
        let attr = Attr {
            ino,
            kind: node.kind,
            mode: node.mode & 0o7777,
            uid: node.uid,
            gid: node.gid,
            nlink,
            size: target.as_ref().map_or(0, |t| u64::try_from(t.len()).unwrap_or(0)),
            stored: 0,
            atime: now,
            mtime: now,
            ctime: now,
            btime: now,
            rdev: if matches!(node.kind, Kind::CharDevice | Kind::BlockDevice) { node.rdev } else { 0 },
        };
        let (generation, below, xattr_sum) = (self.epoch.0, 0, 0);
        let row = InodeRow { attr, generation, flags: 0, project: 0, parent, target, below, xattr_sum, sum: 0 };
        self.inodes.insert(ino, Inode::new(row, true, self.txg));
        self.entries += 1;
        self.dirty.inodes.insert(ino);
        self.note_new(ino);
        attr
    }

    /// What a new inode gets from the directory it is made in.
    pub(crate) fn inherited(&mut self, parent: Ino, node: &NewNode) -> Result<NewNode> {
        let above = self.directory(parent)?.attr;
        let mut node = *node;
        if above.mode & SET_GID != 0 {
            // Such a directory hands its group down, and to directories the habit.
            node.gid = above.gid;
            node.mode |= if node.kind == Kind::Directory { SET_GID } else { 0 };
        }
        Ok(node)
    }

    /// Makes a new inode with one name.
    pub(crate) fn make(
        &mut self,
        parent: Ino,
        name: &[u8],
        node: &NewNode,
        target: Option<Arc<[u8]>>,
        now: Nanos,
    ) -> Result<Attr> {
        self.vacant(parent, name)?;
        let is_dir = node.kind == Kind::Directory;
        let node = self.inherited(parent, node)?;
        self.dirty.long = self.dirty.long.saturating_add(target.as_ref().map_or(0, |target| target.len()));
        let attr = self.new_inode(parent, &node, if is_dir { 2 } else { 1 }, target, now);
        let ino = attr.ino;
        if is_dir {
            self.dirs.insert(ino, Directory { complete: true, ..Directory::default() });
            let above = self.inode_mut(parent)?;
            above.attr.nlink = above.attr.nlink.saturating_add(1);
        }
        self.link_entry(parent, name, ino, node.kind, now)?;
        Ok(attr)
    }

    /// Gives an inode one more name.
    pub(crate) fn link(&mut self, ino: Ino, parent: Ino, name: &[u8], now: Nanos) -> Result<Attr> {
        self.vacant(parent, name)?;
        let attr = self.live(ino)?.attr;
        if attr.kind == Kind::Directory {
            return Err(LvError::NotPermitted { what: "a directory cannot have a second name" });
        }
        if attr.nlink == 0 {
            return Err(LvError::NoInode { ino });
        }
        let inode = self.inode_mut(ino)?;
        inode.attr.nlink = attr.nlink.checked_add(1).ok_or(LvError::TooManyLinks { ino })?;
        inode.attr.ctime = now;
        self.link_entry(parent, name, ino, attr.kind, now)?;
        Ok(self.inode(ino)?.shown())
    }

    /// Removes a name of something that is not a directory.
    pub(crate) fn unlink(&mut self, parent: Ino, name: &[u8], now: Nanos) -> Result<()> {
        let (ino, kind) = self.must_find(parent, name)?;
        if kind == Kind::Directory {
            return Err(LvError::IsDirectory { name: name.to_owned() });
        }
        self.unlink_entry(parent, name, now)?;
        self.drop_link(ino, now)
    }

    pub(crate) fn drop_link(&mut self, ino: Ino, now: Nanos) -> Result<()> {
        let inode = self.inode_mut(ino)?;
        inode.attr.nlink = inode.attr.nlink.saturating_sub(1);
        inode.attr.ctime = now;
        if inode.attr.nlink == 0 && inode.opens == 0 {
            self.bury(ino)?;
        }
        Ok(())
    }

    /// An inode is open once less: the last time reclaims one without names.
    pub(crate) fn close_inode(&mut self, ino: Ino) -> Result<()> {
        let inode = self.live(ino)?;
        inode.opens = inode.opens.saturating_sub(1);
        if inode.opens == 0 && inode.attr.nlink == 0 {
            self.bury(ino)?;
        }
        Ok(())
    }

    /// Takes apart an inode that nothing leads to; large maps go on in the background.
    pub(crate) fn bury(&mut self, ino: Ino) -> Result<()> {
        let inode = self.inode_mut(ino)?;
        let (dropped, sealed) = (inode.pending_bytes(), inode.sealed_bytes());
        inode.open = super::layer::Layer::default();
        inode.sealed.clear();
        inode.named = inode.data_attr();
        self.pending = self.pending.saturating_sub(dropped);
        self.sealed = self.sealed.saturating_sub(sealed);
        self.required.remove(&ino);
        self.requeue(ino);
        self.orphans.insert(ino);
        // It has no name any more, whatever is left of its map: the background goes on, and says so if it cannot.
        let _ = self.bury_some(ino, self.unmap);
        Ok(())
    }

    /// Goes on with [`bury`](Self::bury).
    pub(crate) fn bury_some(&mut self, ino: Ino, limit: usize) -> Result<()> {
        let torn = self.reader.torn();
        let done = self.take_apart(ino, limit);
        if !torn {
            // Each part is read before it is changed, so a failure leaves nothing half done.
            self.reader.mend();
        }
        done
    }

    fn take_apart(&mut self, ino: Ino, limit: usize) -> Result<()> {
        if !self.unmap_some(ino, limit)? {
            return Ok(());
        }
        self.drop_xattrs(ino)?;
        self.inode_mut(ino)?.gone = true;
        self.orphans.remove(&ino);
        self.dirs.remove(&ino);
        self.fs.files = self.fs.files.saturating_sub(1);
        self.dirty.fs = true;
        Ok(())
    }

    /// The target of a symbolic link.
    pub(crate) fn read_link(&mut self, ino: Ino) -> Result<Vec<u8>> {
        let target = self.live(ino)?.target.as_ref().map(|target| target.to_vec());
        target.ok_or(LvError::Invalid { what: "not a symbolic link" })
    }

    /// Removes an empty directory.
    pub(crate) fn rmdir(&mut self, parent: Ino, name: &[u8], now: Nanos) -> Result<()> {
        let (ino, kind) = self.must_find(parent, name)?;
        if kind != Kind::Directory {
            return Err(LvError::NotDirectory { name: name.to_owned() });
        }
        self.empty(ino, name)?;
        self.unlink_entry(parent, name, now)?;
        self.drop_directory(parent, ino, now)
    }

    /// Refuses a directory with entries. One that counts entries and has none is damaged: whoever takes them out first
    /// would never be done.
    pub(super) fn empty(&mut self, ino: Ino, name: &[u8]) -> Result<()> {
        if self.inode(ino)?.attr.size == 0 {
            return Ok(());
        }
        if self.list(ino, 0, 1)?.is_empty() {
            return Err(self.damaged(format!("directory {ino} counts entries that it does not have")));
        }
        Err(LvError::NotEmpty { name: name.to_owned() })
    }

    pub(super) fn drop_directory(&mut self, parent: Ino, ino: Ino, now: Nanos) -> Result<()> {
        let above = self.inode_mut(parent)?;
        above.attr.nlink = above.attr.nlink.saturating_sub(1);
        let inode = self.inode_mut(ino)?;
        inode.attr.nlink = 1;
        self.drop_link(ino, now)
    }

    /// Entries after `cookie`, in cookie order, at most `limit`.
    pub(crate) fn list(&mut self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<DirEntry>> {
        self.directory(ino)?;
        self.verify_directory(ino, if cookie == 0 { u64::MAX } else { VERIFIED })?;
        // No entry has such a cookie, and the catalogue would take it for one before the first.
        if i64::try_from(cookie).is_err() {
            return Ok(Vec::new());
        }
        let complete = self.dirs.get(&ino).is_some_and(|dir| dir.complete);
        let mut out: Vec<DirEntry> = Vec::new();
        let entry = |e: &DirentRow| DirEntry { cookie: e.cookie, name: e.name.to_vec(), ino: e.ino, kind: e.kind };
        let mut after = cookie;
        while out.len() < limit {
            let rows = if complete { Vec::new() } else { self.reader.dirents_after(FS, ino, after, limit)? };
            let whole = rows.len() < limit;
            let last = if whole { u64::MAX } else { rows.last().map_or(u64::MAX, |row| row.cookie) };
            let dir = self.dirs.entry(ino).or_default();
            let known = |c: u64| dir.buckets.contains_key(&super::directory::bucket_at(c));
            let mut page: Vec<DirEntry> = rows.iter().filter(|row| !known(row.cookie)).map(entry).collect();
            let first = super::directory::bucket_at(after);
            let rows = page.len();
            for (_, bucket) in dir.buckets.range(first..=last) {
                // Those of later buckets come after all of these.
                if page.len().saturating_sub(rows) >= limit {
                    break;
                }
                page.extend(bucket.entries.iter().filter(|e| e.cookie > after && e.cookie <= last).map(entry));
            }
            page.sort_unstable_by_key(|e| e.cookie);
            out.append(&mut page);
            if whole {
                break;
            }
            after = last;
        }
        out.truncate(limit);
        Ok(out)
    }

    /// As [`list`](Self::list), with the attributes of what the entries name.
    pub(crate) fn list_plus(&mut self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<(DirEntry, Attr)>> {
        let entries = self.list(ino, cookie, limit)?;
        entries
            .into_iter()
            .map(|entry| {
                self.entered(ino, (entry.ino, entry.kind)).map(|inode| inode.shown()).map(|attr| (entry, attr))
            })
            .collect()
    }

    /// Notes a read at `now`; whether it changed the access time.
    pub(crate) fn access(&mut self, ino: Ino, rule: AccessTime, now: Nanos) -> Result<bool> {
        let attr = self.live(ino)?.attr;
        let due = match rule {
            AccessTime::Never => false,
            AccessTime::Relative => {
                attr.atime <= attr.mtime || attr.atime <= attr.ctime || now.saturating_sub(attr.atime) >= DAY
            }
            AccessTime::Always => attr.atime < now,
        };
        if due {
            self.inode_mut(ino)?.attr.atime = now;
        }
        Ok(due)
    }

    /// Changes attributes.
    pub(crate) fn set_attr(&mut self, ino: Ino, set: &SetAttr, now: Nanos) -> Result<Attr> {
        self.live(ino)?;
        if let Some(size) = set.size {
            self.resize(ino, size, now)?;
        }
        if (set.uid.is_some() || set.gid.is_some()) && self.inode(ino)?.attr.kind != Kind::Directory {
            self.drop_privileges(ino, now)?;
        }
        let inode = self.inode_mut(ino)?;
        let timed = set.mtime.is_some();
        let a = &mut inode.attr;
        a.mode = set.mode.map_or(a.mode, |mode| mode & 0o7777);
        a.uid = set.uid.unwrap_or(a.uid);
        a.gid = set.gid.unwrap_or(a.gid);
        a.atime = set.atime.unwrap_or(a.atime);
        a.mtime = set.mtime.unwrap_or(a.mtime);
        a.ctime = set.ctime.unwrap_or(now);
        if !inode.has_layers() && inode.attr.size == inode.named.size {
            inode.named = inode.data_attr();
        }
        let shown = inode.shown();
        if timed {
            self.note_data(ino);
        }
        self.requeue(ino);
        Ok(shown)
    }
}
