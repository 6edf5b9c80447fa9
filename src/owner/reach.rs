//! A volume wherever it is open.

use std::sync::Arc;

use lv::{Attr, DirEntry, Ino, NewNode, Parent, Rename, Result, Seek, SetAttr, SetXattr, StatFs, Volume};

use super::asked::MOST_LISTED;
use super::client::Client;
use super::frame::MOST_DATA;
use super::op::{Change, Look};

/// A volume wherever it is open: in this process, or in the one that has it.
///
/// The calls are those of [`Volume`] and do the same. What a call of another process's volume returns, and
/// [`LvError::Told`](lv::LvError::Told) when that process cannot be asked any more, is all that differs.
///
/// # Concurrency
/// Clones share the volume, or the connection, on which one call at a time is under way.
#[derive(Debug, Clone)]
pub enum Reach {
    /// This process has it.
    Own(Volume),
    /// Another one has it.
    Through(Arc<Client>),
}

impl From<Volume> for Reach {
    fn from(volume: Volume) -> Self {
        Self::Own(volume)
    }
}

impl From<Client> for Reach {
    fn from(client: Client) -> Self {
        Self::Through(Arc::new(client))
    }
}

impl Reach {
    /// Whether it can only be read.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::Own(volume) => volume.is_read_only(),
            Self::Through(client) => client.served().read_only,
        }
    }

    /// Commits everything and gives the volume free, if this process has it; another one keeps it.
    ///
    /// # Errors
    /// As [`Volume::close`].
    pub fn close(self) -> Result<()> {
        match self {
            Self::Own(volume) => volume.close(),
            Self::Through(_) => Ok(()),
        }
    }

    /// As [`Volume::readdir`]; another process lists 1024 entries at most.
    ///
    /// # Errors
    /// As there.
    pub fn readdir(&self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<DirEntry>> {
        match self {
            Self::Own(volume) => volume.readdir(ino, cookie, limit),
            Self::Through(client) => client.call(Look::ReadDir, &(ino, cookie, limit.min(MOST_LISTED))),
        }
    }

    /// As [`Volume::readdir_plus`]; another process lists 1024 entries at most.
    ///
    /// # Errors
    /// As there.
    pub fn readdir_plus(&self, ino: Ino, cookie: u64, limit: usize) -> Result<Vec<(DirEntry, Attr)>> {
        match self {
            Self::Own(volume) => volume.readdir_plus(ino, cookie, limit),
            Self::Through(client) => client.call(Look::ReadDirPlus, &(ino, cookie, limit.min(MOST_LISTED))),
        }
    }

    /// As [`Volume::read`]; more than a mebibyte is read in parts from another process.
    ///
    /// # Errors
    /// As there.
    pub fn read(&self, ino: Ino, off: u64, buf: &mut [u8]) -> Result<usize> {
        let client = match self {
            Self::Own(volume) => return volume.read(ino, off, buf),
            Self::Through(client) => client,
        };
        let mut done = 0usize;
        for part in buf.chunks_mut(MOST_DATA) {
            let bytes: Vec<u8> = client.call(Look::Read, &(ino, after(off, done), part.len()))?;
            // Who sends more than was asked for is not believed at all.
            let there = part.get_mut(..bytes.len()).ok_or_else(|| client.garbled())?;
            there.copy_from_slice(&bytes);
            done = done.saturating_add(bytes.len());
            if bytes.len() < part.len() {
                break;
            }
        }
        Ok(done)
    }

    /// As [`Volume::write`]; more than a mebibyte is written in parts by another process.
    ///
    /// # Errors
    /// As there.
    pub fn write(&self, ino: Ino, off: u64, bytes: &[u8]) -> Result<()> {
        let client = match self {
            Self::Own(volume) => return volume.write(ino, off, bytes),
            Self::Through(client) => client,
        };
        let parts = bytes.chunks(MOST_DATA).enumerate();
        parts.into_iter().try_for_each(|(number, part)| {
            let at = after(off, number.saturating_mul(MOST_DATA));
            client.call(Change::Write, &(ino, at, part))
        })
    }

    /// As [`Volume::release`]; another process lets go of what was opened through it.
    ///
    /// # Errors
    /// As there.
    pub fn release(&self, ino: Ino) -> Result<()> {
        match self {
            Self::Own(volume) => volume.release(ino),
            Self::Through(client) => client.call(Change::Release, &ino),
        }
    }

    /// As [`Volume::lookup`].
    ///
    /// # Errors
    /// As there.
    pub fn lookup(&self, parent: Ino, name: &[u8]) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.lookup(parent, name),
            Self::Through(client) => client.call(Look::Lookup, &(parent, name)),
        }
    }

    /// As [`Volume::resolve`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve(&self, path: &[u8], follow: bool) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.resolve(path, follow),
            Self::Through(client) => client.call(Look::Resolve, &(path, follow)),
        }
    }

    /// As [`Volume::resolve_parent`].
    ///
    /// # Errors
    /// As there.
    pub fn resolve_parent(&self, path: &[u8]) -> Result<Parent> {
        match self {
            Self::Own(volume) => volume.resolve_parent(path),
            Self::Through(client) => client.call(Look::ResolveParent, &path),
        }
    }

    /// As [`Volume::getattr`].
    ///
    /// # Errors
    /// As there.
    pub fn getattr(&self, ino: Ino) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.getattr(ino),
            Self::Through(client) => client.call(Look::GetAttr, &ino),
        }
    }

    /// As [`Volume::setattr`].
    ///
    /// # Errors
    /// As there.
    pub fn setattr(&self, ino: Ino, set: &SetAttr) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.setattr(ino, set),
            Self::Through(client) => client.call(Change::SetAttr, &(ino, set)),
        }
    }

    /// As [`Volume::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(&self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.create(parent, name, node),
            Self::Through(client) => client.call(Change::Create, &(parent, name, node)),
        }
    }

    /// As [`Volume::mkdir`].
    ///
    /// # Errors
    /// As there.
    pub fn mkdir(&self, parent: Ino, name: &[u8], node: &NewNode) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.mkdir(parent, name, node),
            Self::Through(client) => client.call(Change::MkDir, &(parent, name, node)),
        }
    }

    /// As [`Volume::symlink`].
    ///
    /// # Errors
    /// As there.
    pub fn symlink(&self, parent: Ino, name: &[u8], target: &[u8], node: &NewNode) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.symlink(parent, name, target, node),
            Self::Through(client) => client.call(Change::SymLink, &(parent, name, target, node)),
        }
    }

    /// As [`Volume::readlink`].
    ///
    /// # Errors
    /// As there.
    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match self {
            Self::Own(volume) => volume.readlink(ino),
            Self::Through(client) => client.call(Look::ReadLink, &ino),
        }
    }

    /// As [`Volume::link`].
    ///
    /// # Errors
    /// As there.
    pub fn link(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.link(ino, parent, name),
            Self::Through(client) => client.call(Change::Link, &(ino, parent, name)),
        }
    }

    /// As [`Volume::unlink`].
    ///
    /// # Errors
    /// As there.
    pub fn unlink(&self, parent: Ino, name: &[u8]) -> Result<()> {
        match self {
            Self::Own(volume) => volume.unlink(parent, name),
            Self::Through(client) => client.call(Change::Unlink, &(parent, name)),
        }
    }

    /// As [`Volume::rmdir`].
    ///
    /// # Errors
    /// As there.
    pub fn rmdir(&self, parent: Ino, name: &[u8]) -> Result<()> {
        match self {
            Self::Own(volume) => volume.rmdir(parent, name),
            Self::Through(client) => client.call(Change::RmDir, &(parent, name)),
        }
    }

    /// As [`Volume::rename`].
    ///
    /// # Errors
    /// As there.
    pub fn rename(&self, from: (Ino, &[u8]), to: (Ino, &[u8]), how: Rename) -> Result<()> {
        match self {
            Self::Own(volume) => volume.rename(from, to, how),
            Self::Through(client) => client.call(Change::Rename, &(from, to, how)),
        }
    }

    /// As [`Volume::create_nameless`].
    ///
    /// # Errors
    /// As there.
    pub fn create_nameless(&self, parent: Ino, node: &NewNode) -> Result<Attr> {
        match self {
            Self::Own(volume) => volume.create_nameless(parent, node),
            Self::Through(client) => client.call(Change::CreateNameless, &(parent, node)),
        }
    }

    /// As [`Volume::give_name`].
    ///
    /// # Errors
    /// As there.
    pub fn give_name(&self, ino: Ino, parent: Ino, name: &[u8]) -> Result<()> {
        match self {
            Self::Own(volume) => volume.give_name(ino, parent, name),
            Self::Through(client) => client.call(Change::GiveName, &(ino, parent, name)),
        }
    }

    /// As [`Volume::getxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn getxattr(&self, ino: Ino, name: &[u8]) -> Result<Vec<u8>> {
        match self {
            Self::Own(volume) => volume.getxattr(ino, name),
            Self::Through(client) => client.call(Look::GetXattr, &(ino, name)),
        }
    }

    /// As [`Volume::listxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn listxattr(&self, ino: Ino) -> Result<Vec<Vec<u8>>> {
        match self {
            Self::Own(volume) => volume.listxattr(ino),
            Self::Through(client) => client.call(Look::ListXattr, &ino),
        }
    }

    /// As [`Volume::setxattr`].
    ///
    /// # Errors
    /// As there.
    pub fn setxattr(&self, ino: Ino, name: &[u8], value: &[u8], how: SetXattr) -> Result<()> {
        match self {
            Self::Own(volume) => volume.setxattr(ino, name, value, how),
            Self::Through(client) => client.call(Change::SetXattr, &(ino, name, value, how)),
        }
    }

    /// As [`Volume::removexattr`].
    ///
    /// # Errors
    /// As there.
    pub fn removexattr(&self, ino: Ino, name: &[u8]) -> Result<()> {
        match self {
            Self::Own(volume) => volume.removexattr(ino, name),
            Self::Through(client) => client.call(Change::RemoveXattr, &(ino, name)),
        }
    }

    /// As [`Volume::seek`].
    ///
    /// # Errors
    /// As there.
    pub fn seek(&self, ino: Ino, off: u64, what: Seek) -> Result<u64> {
        match self {
            Self::Own(volume) => volume.seek(ino, off, what),
            Self::Through(client) => client.call(Look::Seek, &(ino, off, what)),
        }
    }

    /// As [`Volume::fsync`].
    ///
    /// # Errors
    /// As there.
    pub fn fsync(&self, ino: Ino) -> Result<()> {
        match self {
            Self::Own(volume) => volume.fsync(ino),
            Self::Through(client) => client.call(Look::Fsync, &ino),
        }
    }

    /// As [`Volume::sync`].
    ///
    /// # Errors
    /// As there.
    pub fn sync(&self) -> Result<()> {
        match self {
            Self::Own(volume) => volume.sync(),
            Self::Through(client) => client.call(Look::Sync, &()),
        }
    }

    /// As [`Volume::statfs`].
    ///
    /// # Errors
    /// As there.
    pub fn statfs(&self) -> Result<StatFs> {
        match self {
            Self::Own(volume) => volume.statfs(),
            Self::Through(client) => client.call(Look::StatFs, &()),
        }
    }
}

/// A place so many bytes behind another.
fn after(off: u64, count: usize) -> u64 {
    off.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
}
