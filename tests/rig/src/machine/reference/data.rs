//! Attributes and contents in the reference.

use lv::{Kind, SetAttr, SetXattr};

use super::{E2BIG, EEXIST, EFBIG, EINVAL, ENODATA, ENXIO, EPERM, ERANGE, Id, LARGEST, Reference, Result};
use crate::machine::contents::Contents;

impl Reference {
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
}
