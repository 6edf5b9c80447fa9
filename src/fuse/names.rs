//! Requests about names: look up, make, remove, rename.

use std::sync::Arc;

use lv::{Attr, Ino, Kind, LvError, NewNode, Rename};
use rustix::fs::{OFlags, RenameFlags};

use super::errno::{Answer, Errno};
use super::server::{Caller, Server};

/// What a request that makes something says about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Making {
    /// Kind and permission bits as in `st_mode`.
    pub(super) mode: u32,
    /// What the caller wants nobody to have.
    pub(super) umask: u32,
    /// Device number, in the kernel's form.
    pub(super) rdev: u32,
}

/// The kind in an `st_mode`; one without is a regular file, as for mknod(2).
fn kind(mode: u32) -> Answer<Kind> {
    Ok(match mode & 0o170_000 {
        0 | 0o100_000 => Kind::File,
        0o010_000 => Kind::Fifo,
        0o140_000 => Kind::Socket,
        0o020_000 => Kind::CharDevice,
        0o060_000 => Kind::BlockDevice,
        _ => return Err(Errno::INVAL),
    })
}

impl Server {
    /// What a name leads to. `.` and `..` are only asked for where the kernel has an inode's number from a file handle
    /// (`open_by_handle_at`): the first may then be no directory.
    pub(super) fn lookup(&self, parent: Ino, name: &[u8]) -> Answer<Option<Attr>> {
        if matches!(name, b"." | b"..") {
            let ino = if name == b"." { parent } else { self.done(self.volume.parent_of(parent))? };
            return Ok(Some(self.hand_over(self.done(self.volume.getattr(ino))?)));
        }
        match self.volume.lookup(parent, name) {
            Ok(attr) => Ok(Some(self.hand_over(attr))),
            Err(LvError::NotFound { .. }) => Ok(None),
            Err(error) => self.done(Err(error)),
        }
    }

    /// Makes a file or a special file.
    pub(super) fn make(&self, caller: Caller, parent: Ino, name: &[u8], how: Making) -> Answer<Attr> {
        let kind = kind(how.mode)?;
        let node = NewNode { kind, mode: how.mode, uid: caller.uid, gid: caller.gid, rdev: how.rdev.into() };
        let made = self.with_acl(
            parent,
            how.umask,
            &node,
            |tx, node| tx.create(parent, name, node),
            |node| self.volume.create(parent, name, node),
        );
        Ok(self.hand_over(self.done(made)?))
    }

    pub(super) fn mkdir(&self, caller: Caller, parent: Ino, name: &[u8], how: Making) -> Answer<Attr> {
        let node = NewNode::directory(how.mode).owned_by(caller.uid, caller.gid);
        let made = self.with_acl(
            parent,
            how.umask,
            &node,
            |tx, node| tx.mkdir(parent, name, node),
            |node| self.volume.mkdir(parent, name, node),
        );
        Ok(self.hand_over(self.done(made)?))
    }

    pub(super) fn symlink(&self, caller: Caller, parent: Ino, name: &[u8], target: &[u8]) -> Answer<Attr> {
        let node = NewNode { kind: Kind::Symlink, ..NewNode::file(0o777) }.owned_by(caller.uid, caller.gid);
        let made = self.done(self.volume.symlink(parent, name, target, &node))?;
        Ok(self.hand_over(made))
    }

    pub(super) fn readlink(&self, ino: Ino) -> Answer<Vec<u8>> {
        let target = self.done(self.volume.readlink(ino))?;
        self.note_access(ino)?;
        Ok(target)
    }

    pub(super) fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> Answer<Attr> {
        let linked = self.done(self.volume.link(ino, parent, name))?;
        Ok(self.hand_over(linked))
    }

    /// Makes a file and opens it. One that is there already, past what the kernel knows, is opened if that is allowed.
    pub(super) fn create(
        &self,
        caller: Caller,
        (parent, name): (Ino, &[u8]),
        how: Making,
        flags: OFlags,
    ) -> Answer<Attr> {
        match self.make(caller, parent, name, how) {
            Err(Errno::EXIST) if !flags.contains(OFlags::EXCL) => {}
            made => return made,
        }
        let found = self.done(self.volume.lookup(parent, name))?;
        if flags.contains(OFlags::TRUNC) {
            self.cut(caller, found.ino)?;
        }
        Ok(self.hand_over(self.done(self.volume.getattr(found.ino))?))
    }

    pub(super) fn unlink(&self, parent: Ino, name: &[u8]) -> Answer<()> {
        let victim = self.done(self.volume.lookup(parent, name))?;
        self.losing(Some(victim.ino), || self.volume.unlink(parent, name))
    }

    pub(super) fn rmdir(&self, parent: Ino, name: &[u8]) -> Answer<()> {
        let victim = self.done(self.volume.lookup(parent, name))?;
        self.losing(Some(victim.ino), || self.volume.rmdir(parent, name))
    }

    pub(super) fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), flags: RenameFlags) -> Answer<()> {
        let how = match flags {
            flags if flags.is_empty() => Rename::Replace,
            RenameFlags::NOREPLACE => Rename::Keep,
            RenameFlags::EXCHANGE => Rename::Exchange,
            _ => return Err(Errno::INVAL),
        };
        let victim = match self.volume.lookup(to.0, to.1) {
            Ok(victim) if how == Rename::Replace => Some(victim.ino),
            _ => None,
        };
        self.losing(victim, || self.volume.rename(from, to, how))
    }

    /// As [`rename`](Self::rename), with the answer given to `answer`. A file that takes the place of another has all its
    /// bytes with it, also those that are only in the kernel's cache: a crash must not leave an empty file where there
    /// was a full one. Another thread lets the kernel write them out, because this one may have to take them.
    pub(super) fn rename_for(
        self: &Arc<Self>,
        from: (Ino, &[u8]),
        to: (Ino, &[u8]),
        flags: RenameFlags,
        answer: impl FnOnce(Answer<()>) + Send + 'static,
    ) {
        let replaces = flags.is_empty() && self.volume.lookup(to.0, to.1).is_ok();
        let moved = if replaces { self.volume.lookup(from.0, from.1).ok() } else { None };
        let cached = moved.map(|attr| attr.ino).filter(|ino| self.may_be_cached(*ino));
        let Some((ino, kernel)) = cached.zip(self.kernel.get().cloned()) else {
            return answer(self.rename(from, to, flags));
        };
        let (server, from, to) = (Arc::clone(self), (from.0, from.1.to_vec()), (to.0, to.1.to_vec()));
        self.aside.give(move || {
            kernel.write_out(ino);
            answer(server.rename((from.0, &from.1), (to.0, &to.1), flags));
        });
    }

    /// Does what may take an inode's last name. The kernel may still use the inode: it stays until it is forgotten.
    fn losing(&self, victim: Option<Ino>, act: impl FnOnce() -> Result<(), LvError>) -> Answer<()> {
        let Some(victim) = victim else { return self.done(act()) };
        self.done(self.volume.open(victim))?;
        let done = act();
        let nameless = done.is_ok() && self.volume.getattr(victim).is_ok_and(|attr| attr.nlink == 0);
        if !(nameless && self.nodes.keep(victim)) {
            self.done(self.volume.release(victim))?;
        }
        self.done(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mknod_makes_every_kind_but_directories_and_links() {
        assert_eq!(kind(0o644), Ok(Kind::File));
        assert_eq!(kind(0o100_644), Ok(Kind::File));
        assert_eq!(kind(0o010_600), Ok(Kind::Fifo));
        assert_eq!(kind(0o140_600), Ok(Kind::Socket));
        assert_eq!(kind(0o020_600), Ok(Kind::CharDevice));
        assert_eq!(kind(0o060_600), Ok(Kind::BlockDevice));
        assert_eq!(kind(0o040_755), Err(Errno::INVAL));
        assert_eq!(kind(0o120_777), Err(Errno::INVAL));
    }
}
