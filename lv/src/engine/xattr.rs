//! Extended attributes: all of an inode's are in memory, or none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::state::{FS, State};
use super::write::clear_set_id;
use crate::catalogue::xattr_mark;
use crate::limits::{ATTRIBUTES_MAX, NAME_MAX, VALUE_MAX};
use crate::{Ino, Kind, LvError, Nanos, Result, SetXattr};

/// The capabilities of a program.
const CAPABILITY: &[u8] = b"security.capability";
/// Flag of an inode row: it has extended attributes.
pub(crate) const HAS_XATTRS: u64 = 1;

/// An inode's extended attributes by name.
pub(crate) type Xattrs = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

fn check(kind: Kind, name: &[u8]) -> Result<()> {
    if name.len() > NAME_MAX {
        return Err(LvError::OutOfRange { what: "the name of an extended attribute has at most 255 bytes" });
    }
    if name.is_empty() || name.contains(&0) {
        return Err(LvError::Invalid { what: "the name of an extended attribute must not be empty or contain NUL" });
    }
    // Anybody who may write could fill a link or a device that has no contents and no quota of its own.
    if name.starts_with(b"user.") && !matches!(kind, Kind::File | Kind::Directory) {
        return Err(LvError::NotPermitted { what: "only files and directories have user attributes" });
    }
    Ok(())
}

fn weight(xattrs: &Xattrs) -> usize {
    xattrs.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum()
}

fn listed(xattrs: &Xattrs) -> usize {
    xattrs.keys().map(|name| name.len().saturating_add(1)).sum()
}

impl State {
    fn xattrs(&mut self, ino: Ino) -> Result<&mut Xattrs> {
        let inode = self.inode(ino)?;
        if inode.xattrs.is_none() {
            // Asked even of an inode that says it has none: its row may be an old one.
            let stored = !inode.fresh;
            let rows = if stored { self.reader.xattrs(FS, ino)? } else { Vec::new() };
            let sum = rows.iter().fold(0u64, |sum, row| sum.wrapping_add(xattr_mark(&row.name, &row.value)));
            if stored && sum != self.inode(ino)?.xattr_sum {
                let path = self.path_of(ino);
                let path = path.escape_ascii();
                return Err(self.damaged(format!("the extended attributes of {path} are not all there, or old")));
            }
            self.inode(ino)?.xattrs = Some(rows.into_iter().map(|row| (row.name, row.value)).collect());
        }
        Ok(self.inode(ino)?.xattrs.get_or_insert_default())
    }

    /// The value of an attribute.
    pub(crate) fn get_xattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        self.live(ino)?;
        let value = self.xattrs(ino)?.get(name).map(|value| value.to_vec());
        value.ok_or_else(|| LvError::NoXattr { ino, name: name.to_owned() })
    }

    /// The names of all attributes.
    pub(crate) fn list_xattrs(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        self.live(ino)?;
        Ok(self.xattrs(ino)?.keys().map(|name| name.to_vec()).collect())
    }

    /// Sets an attribute.
    pub(crate) fn set_xattr(&mut self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr, now: Nanos) -> Result<()> {
        check(self.live(ino)?.attr.kind, name)?;
        if value.len() > VALUE_MAX {
            return Err(LvError::TooBig { what: "the value of an extended attribute has at most 65536 bytes" });
        }
        self.xattrs(ino)?;
        self.note_xattrs(ino);
        let have = self.xattrs(ino)?;
        let old = have.get(name).map(|value| value.len());
        match (how, old) {
            (SetXattr::Create, Some(_)) => return Err(LvError::Exists { name: name.to_owned() }),
            (SetXattr::Replace, None) => return Err(LvError::NoXattr { ino, name: name.to_owned() }),
            _ => {}
        }
        let (list, all) = (listed(have), weight(have));
        let grown = all.saturating_add(name.len()).saturating_add(value.len()).saturating_sub(old.unwrap_or(0));
        if grown > ATTRIBUTES_MAX || (old.is_none() && list.saturating_add(name.len()).saturating_add(1) > VALUE_MAX) {
            let (free, needed) = (ATTRIBUTES_MAX.saturating_sub(all), name.len().saturating_add(value.len()));
            let bytes = |n| u64::try_from(n).unwrap_or(u64::MAX);
            return Err(LvError::NoSpace { free: bytes(free), needed: bytes(needed) });
        }
        let before = have.insert(name.into(), value.into()).map_or(0, |old| xattr_mark(name, &old));
        self.dirty.long = self.dirty.long.saturating_add(value.len());
        self.changed_xattr(ino, name, xattr_mark(name, value).wrapping_sub(before), now)
    }

    /// Removes an attribute.
    pub(crate) fn remove_xattr(&mut self, ino: Ino, name: &[u8], now: Nanos) -> Result<()> {
        check(self.live(ino)?.attr.kind, name)?;
        self.xattrs(ino)?;
        self.note_xattrs(ino);
        let Some(old) = self.xattrs(ino)?.remove(name) else {
            return Err(LvError::NoXattr { ino, name: name.to_owned() });
        };
        self.changed_xattr(ino, name, xattr_mark(name, &old).wrapping_neg(), now)
    }

    /// Takes off what lets a program do more than its user may: it was given to other contents, or by another owner.
    pub(crate) fn drop_privileges(&mut self, ino: Ino, now: Nanos) -> Result<()> {
        let inode = self.inode_mut(ino)?;
        inode.attr.mode = clear_set_id(inode.attr.mode);
        if inode.flags & HAS_XATTRS != 0 && self.xattrs(ino)?.contains_key(CAPABILITY) {
            self.remove_xattr(ino, CAPABILITY, now)?;
        }
        Ok(())
    }

    /// An attribute has changed; what all of them add up to changes by `by`.
    fn changed_xattr(&mut self, ino: Ino, name: &[u8], by: u64, now: Nanos) -> Result<()> {
        self.dirty.xattrs.insert((ino, name.into()));
        let inode = self.inode_mut(ino)?;
        inode.xattr_sum = inode.xattr_sum.wrapping_add(by);
        let any = inode.xattrs.as_ref().is_some_and(|xattrs| !xattrs.is_empty());
        inode.flags = if any { inode.flags | HAS_XATTRS } else { inode.flags & !HAS_XATTRS };
        inode.attr.ctime = now;
        Ok(())
    }

    /// An inode goes: so do its attributes.
    pub(crate) fn drop_xattrs(&mut self, ino: Ino) -> Result<()> {
        let names: Vec<Arc<[u8]>> = std::mem::take(self.xattrs(ino)?).into_keys().collect();
        self.dirty.xattrs.extend(names.into_iter().map(|name| (ino, name)));
        self.inode_mut(ino)?.xattr_sum = 0;
        Ok(())
    }
}
