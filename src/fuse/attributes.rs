//! Requests about attributes and space.

use lv::{Attr, Ino, Kind, SetAttr, StatFs};

use super::acl;
use super::errno::Answer;
use super::server::{Caller, Server};

/// Set-user-id and set-group-id.
const SET_ID: u32 = 0o6000;

impl Server {
    pub(super) fn getattr(&self, ino: Ino) -> Answer<Attr> {
        Ok(self.show(self.done(self.volume.getattr(ino))?))
    }

    /// What a write into the kernel's cache asks, unless the kernel knows it: see [`write`](Self::write).
    pub(super) fn getattr_to_write(&self, ino: Ino) -> Answer<Attr> {
        self.nodes.take_refused(ino).map_or_else(|| self.getattr(ino), Err)
    }

    pub(super) fn setattr(&self, caller: Caller, ino: Ino, set: SetAttr) -> Answer<Attr> {
        let mut set = set;
        if set.size.is_some() && set.mode.is_none() {
            set.mode = self.kept_mode(caller, ino)?;
        }
        if let Some(mode) = set.mode
            && let Some(access) = self.done(acl::changed_by_mode(&self.volume, ino, mode))?
        {
            let changed = self.volume.transaction(|tx| {
                tx.setxattr(ino, acl::ACCESS, &access, lv::SetXattr::Any)?;
                tx.setattr(ino, &set)
            });
            return Ok(self.show(self.done(changed)?));
        }
        Ok(self.show(self.done(self.volume.setattr(ino, &set))?))
    }

    /// The mode to give a file again after this caller has changed its contents: the volume takes set-id bits off
    /// whoever writes.
    pub(super) fn kept_mode(&self, caller: Caller, ino: Ino) -> Answer<Option<u32>> {
        if !caller.keeps_set_id() {
            return Ok(None);
        }
        let attr = self.done(self.volume.getattr(ino))?;
        Ok((attr.kind == Kind::File && attr.mode & SET_ID != 0).then_some(attr.mode))
    }

    /// Notes a read.
    pub(super) fn note_access(&self, ino: Ino) -> Answer<bool> {
        if self.access == lv::AccessTime::Never {
            return Ok(false);
        }
        self.done(self.volume.accessed(ino, self.access))
    }

    pub(super) fn statfs(&self) -> Answer<StatFs> {
        self.done(self.volume.statfs())
    }
}
