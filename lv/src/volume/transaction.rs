//! Several operations as one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::Volume;
use crate::engine::{Brings, Core, Held};
use crate::path::Parent;
use crate::{Attr, DirEntry, Ino, Kind, LvError, Nanos, NewNode, Rename, Result, SetAttr, SetXattr};

/// Operations that happen together: made by [`Volume::transaction`].
///
/// The calls are those of [`Volume`], with the same errors. Each sees what those before it did.
#[derive(Debug)]
pub struct Transaction<'a> {
    core: &'a Core,
    held: Held<'a>,
    now: Nanos,
}

impl Volume {
    /// Runs `work` as one operation: others see all that it did or nothing, a crash keeps all of it or nothing, and when it
    /// returns an error (or panics) nothing was done. Durable as any operation: after the next sync, or within the commit
    /// interval.
    ///
    /// The volume is held meanwhile, for readers too, so `work` should be short, and it must use the transaction it is
    /// given: calls of the volume itself from within fail with [`LvError::Invalid`] (but
    /// releasing an open file is done when it ends), and waiting for another thread that
    /// uses the volume would never end. At most 16 MiB of data and some 50,000 names and inodes fit in.
    ///
    /// # Errors
    /// What `work` returns. [`LvError::TooBig`] from calls beyond those bounds, [`LvError::NoSpace`],
    /// [`LvError::HostFull`] and [`LvError::Quota`] from calls that find no room; [`LvError::Poisoned`].
    pub fn transaction<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T>) -> Result<T> {
        let held = self.core.begin()?;
        let mut transaction = Transaction { core: &self.core, held, now: self.now() };
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut transaction)));
        match done {
            Ok(Ok(value)) => {
                transaction.held.keep();
                Ok(value)
            }
            Ok(Err(error)) => {
                transaction.held.put_back();
                Err(error)
            }
            Err(panic) => {
                transaction.held.put_back();
                drop(transaction);
                resume_unwind(panic)
            }
        }
    }
}

impl Transaction<'_> {
    /// As [`Volume::lookup`].
    ///
    /// # Errors
    /// As there.
    pub fn lookup(&mut self, parent: Ino, name: &[u8]) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let state = self.held.state();
        let found = state.find(parent, name)?.ok_or_else(|| LvError::NotFound { name: name.to_owned() })?;
        Ok(state.entered(parent, found)?.shown())
    }

    /// As [`Volume::resolve`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve(&mut self, path: &[u8], follow: bool) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().resolve_path(path, follow)
    }

    /// As [`Volume::resolve_parent`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve_parent(&mut self, path: &[u8]) -> Result<Parent> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().resolve_parent(path)
    }

    /// As [`Volume::getattr`].
    ///
    /// # Errors
    /// As there.
    pub fn getattr(&mut self, ino: Ino) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        Ok(self.held.state().live(ino)?.shown())
    }

    /// As [`Volume::setattr`].
    ///
    /// # Errors
    /// As there.
    pub fn setattr(&mut self, ino: Ino, set: &SetAttr) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.set_attr(ino, set, now)
    }

    /// As [`Volume::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&mut self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        node.check_plain()?;
        self.make(parent, name, node, None)
    }

    /// As [`Volume::mkdir`].
    ///
    /// # Errors
    /// As there.
    pub fn mkdir(&mut self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        self.make(parent, name, &NewNode { kind: Kind::Directory, ..*node }, None)
    }

    /// As [`Volume::symlink`].
    ///
    /// # Errors
    /// As there.
    pub fn symlink(&mut self, parent: Ino, name: &[u8], target: &[u8], node: &NewNode) -> Result<Attr> {
        super::check_target(target)?;
        self.make(parent, name, &NewNode { kind: Kind::Symlink, ..*node }, Some(target))
    }

    fn make(&mut self, parent: Ino, name: &[u8], node: &NewNode, target: Option<&[u8]>) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        let state = self.held.room(Brings::long(target.map_or(0, <[u8]>::len)))?;
        self.core.one_more_file(state)?;
        state.make(parent, name, node, target.map(Into::into), now)
    }

    /// As [`Volume::readlink`].
    ///
    /// # Errors
    /// As there.
    pub fn readlink(&mut self, ino: Ino) -> Result<Vec<u8>> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().read_link(ino)
    }

    /// As [`Volume::link`].
    ///
    /// # Errors
    /// As there.
    pub fn link(&mut self, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.link(ino, parent, name, now)
    }

    /// As [`Volume::unlink`].
    ///
    /// # Errors
    /// As there.
    pub fn unlink(&mut self, parent: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.unlink(parent, name, now)
    }

    /// As [`Volume::rmdir`].
    ///
    /// # Errors
    /// As there.
    pub fn rmdir(&mut self, parent: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.rmdir(parent, name, now)
    }

    /// As [`Volume::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&mut self, from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.rename(from, to, how, now)
    }

    /// As [`Volume::readdir`].
    ///
    /// # Errors
    /// As there.
    pub fn readdir(&mut self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<DirEntry>> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().list(ino, cookie, limit)
    }

    /// As [`Volume::read`].
    ///
    /// # Errors
    /// As there.
    pub fn read(&mut self, ino: Ino, off: u64, buf: &mut [u8]) -> Result<usize> {
        self.core.meter.reading(|| self.core.read_held(self.held.state(), ino, off, buf))
    }

    /// As [`Volume::write`].
    ///
    /// # Errors
    /// As there.
    pub fn write(&mut self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        let now = self.now;
        let put = || self.held.room_in(ino, Some(off), bytes.len())?.put(ino, Some(off), bytes, now).map(drop);
        self.core.meter.writing(bytes.len(), put)
    }

    /// As [`Volume::append`].
    ///
    /// # Errors
    /// As there.
    pub fn append(&mut self, ino: Ino, bytes: &[u8]) -> Result<u64> {
        let now = self.now;
        let put = || self.held.room_in(ino, None, bytes.len())?.put(ino, None, bytes, now);
        self.core.meter.writing(bytes.len(), put)
    }

    /// As [`Volume::replace`].
    ///
    /// # Errors
    /// As there.
    pub fn replace(&mut self, ino: Ino, bytes: &[u8]) -> Result<()> {
        let now = self.now;
        let put = || self.held.room_in(ino, Some(0), bytes.len())?.put_all(ino, bytes, now);
        self.core.meter.writing(bytes.len(), put)
    }

    /// As [`Volume::punch`].
    ///
    /// # Errors
    /// As there.
    pub fn punch(&mut self, ino: Ino, start: u64, end: u64) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.punch(ino, start, end, now)
    }

    /// As [`Volume::getxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn getxattr(&mut self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().get_xattr(ino, name)
    }

    /// As [`Volume::listxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn listxattr(&mut self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        let _counted = self.core.meter.metadata.start();
        self.held.state().list_xattrs(ino)
    }

    /// As [`Volume::setxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn setxattr(&mut self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::long(value.len()))?.set_xattr(ino, name, value, how, now)
    }

    /// As [`Volume::removexattr`].
    ///
    /// # Errors
    /// As there.
    pub fn removexattr(&mut self, ino: Ino, name: &[u8]) -> Result<()> {
        let _counted = self.core.meter.metadata.start();
        let now = self.now;
        self.held.room(Brings::default())?.remove_xattr(ino, name, now)
    }
}
